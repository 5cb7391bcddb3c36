//! Into the namespaces of a vassal: by a descriptor of its process, never by a path or a number.

use std::os::fd::{AsFd, BorrowedFd};

use jail::plan::Step;
use jail::{Capabilities, Identity, Namespaces, Phase, run, sys};
use rustix::process::{Pid, Signal, set_parent_process_death_signal, setpgid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::BOUND_S;
use super::report;
use crate::config::hook::Hook;
use crate::vassal::state::Vassal;
use crate::vassal::trouble::Trouble;
use crate::vassal::{hooks, identity, programs};

/// Does a hook in these namespaces of the vassal whose process this is. There is no way back, so a child does it.
///
/// # Errors
/// It failed; why was told.
pub fn carry_out(
    vassal: &mut Vassal,
    (name, phase): (&str, Phase),
    (namespaces, hook): (Namespaces, &Hook),
    process: BorrowedFd<'_>,
) -> Result<(), Trouble> {
    let named = hook.named(phase);
    let pid = sys::fork(|| {
        let done = be_born().and_then(|()| enter(process, namespaces)).and_then(|()| {
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
/// Must: decide whose rights we have while `/proc` is still that of the host.
fn enter(process: BorrowedFd<'_>, namespaces: Namespaces) -> Result<(), Trouble> {
    let cannot = |errno| Trouble::errno(format!("join the namespaces {namespaces} of the vassal"), errno);
    let _ = identity::is_hosts_root();
    run::not_dumpable().map_err(cannot)?;
    move_into_thread_name_spaces(process.as_fd(), kinds(namespaces)).map_err(cannot)?;
    if namespaces.has(Namespaces::USER) { be_its_root() } else { Ok(()) }
}

/// Root of its user namespace, with whatever that is allowed, and nothing of ours.
fn be_its_root() -> Result<(), Trouble> {
    let root = Identity::default();
    let step = match run::groups_are_given_up() {
        true => Step::IdentityKeepingGroups(root, Capabilities::all()),
        false => Step::Identity(root, Capabilities::all()),
    };
    run::perform(&step)
        .map_err(|failure| Trouble::new(format!("cannot {}: {}", step.deed(), failure.cause())))
}

fn kinds(namespaces: Namespaces) -> ThreadNameSpaceType {
    let table = [
        (Namespaces::FS, ThreadNameSpaceType::MOUNT),
        (Namespaces::NET, ThreadNameSpaceType::NETWORK),
        (Namespaces::IPC, ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
        (Namespaces::PID, ThreadNameSpaceType::PROCESS_ID),
        (Namespaces::UTS, ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
        (Namespaces::USER, ThreadNameSpaceType::USER),
        (Namespaces::CGROUP, ThreadNameSpaceType::CONTROL_GROUP),
    ];
    table.iter().filter(|(ours, _)| namespaces.has(*ours)).map(|(_, kernels)| *kernels).collect()
}
