//! Into the namespaces of a vassal: by a descriptor of its process, never by a path or a number.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use jail::plan::{Joined, Restraint, Step};
use jail::{Namespaces, Phase, run, sys};
use rustix::fs::{Access, CWD, Mode, OFlags, access, openat};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, geteuid, set_parent_process_death_signal, setpgid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces, set_thread_groups};

use super::brief::read_from;
use super::{BOUND_S, LEAF_FD, RESTRAINT_FD, VASSAL_FD, report};
use crate::config::hook::{Action, Hook};
use crate::vassal::state::Vassal;
use crate::vassal::trouble::Trouble;
use crate::vassal::{hooks, identity, programs};

/// The longest map of a user namespace that is read, in bytes: the kernel takes 340 lines.
const MAP_MAX: u64 = 1 << 16;

/// A jail that runs, as its maker lends it.
#[derive(Debug)]
pub struct Jail {
    process: OwnedFd,
    restraint: Restraint,
    leaf: Option<OwnedFd>,
}

impl Jail {
    /// What was left open for us; nothing where no namespace is to be joined.
    ///
    /// # Errors
    /// Its limits cannot be read: then nobody joins.
    pub fn adopted() -> Result<Option<Self>, Trouble> {
        let Ok(process) = sys::adopt(VASSAL_FD) else { return Ok(None) };
        let restraint = sys::adopt(RESTRAINT_FD).and_then(read_from);
        let restraint =
            restraint.map_err(|errno| Trouble::errno("read the limits of the jail to be joined", errno))?;
        Ok(Some(Self { process, restraint, leaf: sys::adopt(LEAF_FD).ok() }))
    }

    /// Goes where it is limited and killed together with the vassal, and gives up what no member of the jail has.
    fn restrain(&self) -> Result<(), Trouble> {
        let joined = self.leaf.as_ref().map_or(Ok(()), |leaf| run::join_cgroup(leaf.as_fd()));
        joined.map_err(|errno| match errno {
            Errno::NOENT | Errno::NODEV => Trouble::new("its vassal has ended before"),
            errno => Trouble::errno("join the cgroup of the vassal", errno),
        })?;
        self.restraint.before().iter().try_for_each(perform)
    }

    /// What is not ours but the jail's gets the limits of the vassal's own command.
    fn restrain_programs(&self, namespaces: Namespaces, hook: &Hook) -> Result<(), Trouble> {
        let runs = matches!(hook.action, Action::Exec(_) | Action::SafeExec(_));
        let steps =
            if runs && namespaces.has(Namespaces::USER) { self.restraint.program() } else { Vec::new() };
        steps.iter().try_for_each(perform)
    }
}

/// Does a hook in these namespaces of the vassal whose process this is. There is no way back, so a child does it.
///
/// # Errors
/// It failed; why was told.
pub fn carry_out(
    vassal: &mut Vassal,
    (name, phase): (&str, Phase),
    (namespaces, hook): (Namespaces, &Hook),
    jail: &Jail,
) -> Result<(), Trouble> {
    let named = hook.named(phase);
    let pid = sys::fork(|| {
        let entered = be_born().and_then(|()| enter(jail, namespaces));
        let done = entered.and_then(|()| jail.restrain_programs(namespaces, hook)).and_then(|()| {
            // A directory of ours is none of theirs.
            vassal.directory = None;
            hooks::carry_out(vassal, phase, hook)
        });
        match done {
            Ok(status) => i32::from(status.unwrap_or(0)),
            Err(trouble) => {
                report::tell(name, &trouble);
                1
            }
        }
    })
    .map_err(|errno| Trouble::errno(format!("do {named}"), errno))?;
    programs::wait_for(vassal, &named, pid)
}

fn be_born() -> Result<(), Trouble> {
    sys::alarm(BOUND_S);
    set_parent_process_death_signal(Some(Signal::KILL))
        .and_then(|()| setpgid(None::<Pid>, None::<Pid>))
        .map_err(|errno| Trouble::errno("be born", errno))
}

/// Must: set us not dumpable first, else root of a user namespace that we enter might look into us.
///
/// Must: open our own `/proc` and decide whose rights we have while it is still that of the host.
fn enter(jail: &Jail, namespaces: Namespaces) -> Result<(), Trouble> {
    let cannot = |errno| Trouble::errno(format!("join the namespaces {namespaces} of the vassal"), errno);
    let _ = identity::is_hosts_root();
    run::not_dumpable().map_err(cannot)?;
    jail.restrain()?;
    if !namespaces.has(Namespaces::USER) {
        return move_into_thread_name_spaces(jail.process.as_fd(), kinds(namespaces)).map_err(cannot);
    }
    let ours = openat(CWD, c"/proc/self", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(cannot)?;
    give_up_groups().map_err(cannot)?;
    move_into_thread_name_spaces(jail.process.as_fd(), every_kind()).map_err(|errno| match errno {
        Errno::INVAL => cannot(errno).advise("it has no user namespace of its own: leave out user (and fs)"),
        errno => cannot(errno),
    })?;
    // To enter may have changed our rights, and that leaves this to fs.suid_dumpable.
    run::not_dumpable().map_err(cannot)?;
    let joined = joined(&ours).map_err(cannot)?;
    jail.restraint.inside(&joined).iter().try_for_each(perform)
}

/// Before we are where they cannot be given up; an ordinary user keeps his own, as his vassals do.
///
/// # Errors
/// Those of `setgroups(2)`.
pub fn give_up_groups() -> Result<(), Errno> {
    match set_thread_groups(&[]) {
        Err(Errno::PERM) if !geteuid().is_root() => Ok(()),
        given_up => given_up,
    }
}

/// Who we can be in the user namespace that we are in. `ours` is our directory in the host's `/proc`: what is mounted there in
/// the jail says what its root wants.
fn joined(ours: &OwnedFd) -> Result<Joined, Errno> {
    let text = |name| {
        let file = openat(ours, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        File::from(file).take(MAP_MAX).read_to_string(&mut text).map_err(|_| Errno::IO)?;
        Ok::<String, Errno>(text)
    };
    Joined::of(&text("uid_map")?, &text("gid_map")?, &text("setgroups")?).ok_or(Errno::INVAL)
}

/// One step of a birth, for ourselves.
///
/// # Errors
/// It failed.
pub fn perform(step: &Step) -> Result<(), Trouble> {
    run::perform(step).map_err(|failure| Trouble::new(format!("cannot {}: {}", step.deed(), failure.cause())))
}

/// Whoever becomes somebody of the jail is nowhere but in it: not in the host's network, nor among its processes. All that this
/// kernel has.
fn every_kind() -> ThreadNameSpaceType {
    kinds_where(|_, name| access(format!("/proc/self/ns/{name}"), Access::EXISTS).is_ok())
}

/// The kinds that are wanted, by their names in `/proc/PID/ns`.
pub fn kinds_where(wanted: impl Fn(Namespaces, &str) -> bool) -> ThreadNameSpaceType {
    KINDS.iter().filter(|(kind, _, name)| wanted(*kind, name)).map(|(_, kind, _)| *kind).collect()
}

fn kinds(namespaces: Namespaces) -> ThreadNameSpaceType {
    KINDS.iter().filter(|(ours, ..)| namespaces.has(*ours)).map(|(_, kind, _)| *kind).collect()
}

/// With their names in `/proc/PID/ns`.
const KINDS: [(Namespaces, ThreadNameSpaceType, &str); 8] = [
    (Namespaces::FS, ThreadNameSpaceType::MOUNT, "mnt"),
    (Namespaces::NET, ThreadNameSpaceType::NETWORK, "net"),
    (Namespaces::IPC, ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION, "ipc"),
    (Namespaces::PID, ThreadNameSpaceType::PROCESS_ID, "pid"),
    (Namespaces::UTS, ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME, "uts"),
    (Namespaces::USER, ThreadNameSpaceType::USER, "user"),
    (Namespaces::CGROUP, ThreadNameSpaceType::CONTROL_GROUP, "cgroup"),
    (Namespaces::TIME, ThreadNameSpaceType::TIME, "time"),
];
