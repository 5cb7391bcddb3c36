//! The keeper of a daemon: a process of ours in between, to which all that the daemon leaves behind comes, so that it ends with it.

use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use jail::{Namespaces, run, sys};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, set_parent_process_death_signal, setpgid};

use super::super::duties::Exit;
use super::super::identity;
use super::super::launch::{Launch, Leads};
use super::super::programs;
use super::super::state::Vassal;
use super::super::step;
use super::super::trouble::Trouble;
use super::super::watch::reap;
use super::kept::Kept;
use super::line::{Far, Line, Told, pair};
use super::pidfile;
use crate::config::vassal::daemons::{Command, Daemon};
use crate::leftovers;

/// Status of a daemon that could not be started, as shells have it.
const UNBORN: i32 = 127;

/// Makes the process that starts it and stays with it.
///
/// # Errors
/// Those of `fork(2)` and `socketpair(2)`.
pub fn begin(vassal: &Vassal, daemon: &Daemon) -> Result<(Pid, Line), Trouble> {
    let (near, far) = pair().map_err(|errno| Trouble::errno("make a socket", errno))?;
    let pid = sys::fork(|| live(vassal, daemon, &far));
    Ok((pid.map_err(|errno| Trouble::errno("make a process for a daemon", errno))?, near))
}

/// All of its life, in the child.
fn live(vassal: &Vassal, daemon: &Daemon, far: &Far) -> i32 {
    let status = match daemon.ns_pid {
        true => stand_before(vassal, far, || live_within(vassal, daemon, far)),
        false => Ok(live_within(vassal, daemon, far)),
    };
    status.unwrap_or_else(|trouble| failed(vassal, daemon, far, trouble))
}

/// In the pid namespace that the daemon is to have.
fn live_within(vassal: &Vassal, daemon: &Daemon, far: &Far) -> i32 {
    match born(vassal, daemon, far) {
        Ok((main, directory)) => Kept { vassal, daemon, far, directory, late: Cell::new(None) }.mind(main),
        Err(trouble) => failed(vassal, daemon, far, trouble),
    }
}

fn failed(vassal: &Vassal, daemon: &Daemon, far: &Far, trouble: Trouble) -> i32 {
    let cause = format!("daemon {}: {}", daemon.name, trouble.cause);
    vassal.teller.nuisance(&Trouble { cause, ..trouble });
    far.tell(Told::Ended(Exit::Code(UNBORN)));
    UNBORN
}

/// Waits for the end of a child that is PID 1 of a new pid namespace; with it everybody in there ends.
fn stand_before(vassal: &Vassal, far: &Far, work: impl FnOnce() -> i32) -> Result<i32, Trouble> {
    let cannot = |errno| {
        let advice = "`ns_pid` is for a vassal that is root, of the host or of its own user namespace";
        Trouble::errno("make a pid namespace", errno).advise(advice)
    };
    let unshared = run::perform(&jail::Step::Unshare(Namespaces::PID));
    unshared.map_err(|failure| cannot(Errno::from_raw_os_error(failure.errno)))?;
    let inner = sys::fork(|| match set_parent_process_death_signal(Some(Signal::KILL)) {
        Ok(()) => work(),
        Err(_) => UNBORN,
    });
    let inner = inner.map_err(cannot)?;
    // Inside its number is another.
    far.tell(Told::Main(inner.as_raw_nonzero().get()));
    sys::close_all_but(&[vassal.signals().as_raw_fd()]).map_err(cannot)?;
    loop {
        match reap_one(inner) {
            Some(exit) => return Ok(i32::from(exit.status())),
            None => drop(vassal.wait_alone(&mut [], None)),
        }
    }
}

fn reap_one(pid: Pid) -> Option<Exit> {
    std::iter::from_fn(reap).find(|(one, _)| *one == pid).map(|(_, exit)| exit)
}

fn born(vassal: &Vassal, daemon: &Daemon, far: &Far) -> Result<(Pid, Option<OwnedFd>), Trouble> {
    let cannot = |errno| Trouble::errno("keep a daemon", errno);
    // A key of the terminal is not for us.
    setpgid(None, None).map_err(cannot)?;
    leftovers::adopt_orphans();
    let log = daemon.log.as_deref().map(|path| vassal.open_log(path)).transpose()?;
    let directory = directory(vassal, daemon.chdir.as_deref())?;
    keep_only(vassal, far, &[directory.as_ref(), log.as_ref()]).map_err(cannot)?;
    let main = launch(vassal, daemon, (directory.as_ref(), log))?;
    if daemon.daemonize {
        let written = pidfile::write(daemon, directory.as_ref().or(vassal.directory.as_ref()), main);
        written.inspect_err(|_| leftovers::kill_all())?;
    }
    if !daemon.ns_pid {
        far.tell(Told::Main(main.as_raw_nonzero().get()));
    }
    Ok((main, directory))
}

fn directory(vassal: &Vassal, path: Option<&Path>) -> Result<Option<OwnedFd>, Trouble> {
    match path {
        Some(path) => vassal.open_directory(path).map(Some),
        None => Ok(None),
    }
}

/// Whoever waits for the end of one of the vassal's descriptors does not wait for us.
fn keep_only(vassal: &Vassal, far: &Far, own: &[Option<&OwnedFd>]) -> Result<(), Errno> {
    let shared = [vassal.directory.as_ref(), vassal.log.as_ref()];
    let limits = vassal.confinement.descriptors();
    let numbers = own.iter().chain(&shared).flatten().copied().chain(limits).map(AsRawFd::as_raw_fd);
    let ours = [far.as_fd().as_raw_fd(), vassal.signals().as_raw_fd()];
    sys::close_all_but(&numbers.chain(ours).collect::<Vec<_>>())
}

fn launch(
    vassal: &Vassal,
    daemon: &Daemon,
    (directory, log): (Option<&OwnedFd>, Option<OwnedFd>),
) -> Result<Pid, Trouble> {
    let shell = programs::shell(vassal);
    let argv: Vec<&str> = match &daemon.command {
        Command::Program(argv) => argv.iter().map(String::as_str).collect(),
        Command::Shell(line) => vec![&shell, "-c", line],
    };
    let mut environment = vassal.user_environment();
    // What it says would be taken for words of the command.
    ["NOTIFY_SOCKET", "WATCHDOG_USEC"].iter().for_each(|name| environment.remove(name));
    environment.replace(&daemon.env);
    let identity = becomes(daemon)?;
    let null = programs::empty()?;
    let directory = directory.or(vassal.directory.as_ref());
    let launch = Launch {
        argv: &argv,
        environment,
        sockets: Vec::new(),
        directory: directory.map(AsFd::as_fd),
        input: (!daemon.stdin).then_some(null.as_fd()),
        output: log.as_ref().or(vassal.log.as_ref()).map(AsFd::as_fd),
        confinement: Some(&vassal.confinement),
        leads: Leads::Session,
        identity: identity.as_ref(),
    };
    launch.start()
}

/// Who it becomes. Whoever may become nobody else has to be that already.
fn becomes(daemon: &Daemon) -> Result<Option<jail::Identity>, Trouble> {
    if daemon.uid.is_none() {
        return Ok(None);
    }
    let wanted = step::Wanted { uid: daemon.uid.clone(), gid: daemon.gid.clone(), ..step::Wanted::default() };
    if rustix::process::geteuid().is_root() {
        return identity::resolve(&wanted).map(Some);
    }
    identity::check(&wanted).map(|()| None).map_err(|trouble| {
        trouble.advise("leave `uid` out of the vassal's config: then its daemons can be different users")
    })
}
