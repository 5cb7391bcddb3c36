//! The keeper of a daemon: a process of ours in between, to which all that the daemon leaves behind comes, so that it ends with it.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use jail::{Namespaces, run, sys};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, set_parent_process_death_signal, setpgid};

use super::super::exit::Exit;
use super::super::identity;
use super::super::launch::{Launch, Leads};
use super::super::notify::{Notified, Reach};
use super::super::programs;
use super::super::ssh::Lent;
use super::super::state::Vassal;
use super::super::step;
use super::super::trouble::Trouble;
use super::super::watch::reap;
use super::kept::Kept;
use super::line::{Far, Line, Told, pair};
use super::outflow::Output;
use super::pidfile;
use crate::config::vassal::daemons::{Command, Daemon};
use crate::config::vassal::health::Readiness;
use crate::leftovers;

/// Status of a daemon that could not be started, as shells have it.
const UNBORN: i32 = 127;

/// Makes the process that starts it and stays with it.
///
/// # Errors
/// Those of `fork(2)` and `socketpair(2)`.
pub fn begin(vassal: &Vassal, daemon: (&Daemon, Reach)) -> Result<(Pid, Line), Trouble> {
    let (near, far) = pair().map_err(|errno| Trouble::errno("make a socket", errno))?;
    let pid = sys::fork(|| live(vassal, daemon, &far));
    Ok((pid.map_err(|errno| Trouble::errno("make a process for a daemon", errno))?, near))
}

/// All of its life, in the child.
fn live(vassal: &Vassal, (daemon, reach): (&Daemon, Reach), far: &Far) -> i32 {
    let within = || live_within(vassal, (daemon, reach), far);
    let status = match daemon.ns_pid {
        true => stand_before(vassal, far, within),
        false => Ok(within()),
    };
    status.unwrap_or_else(|trouble| failed(vassal, daemon, far, trouble))
}

/// In the pid namespace that the daemon is to have.
fn live_within(vassal: &Vassal, (daemon, reach): (&Daemon, Reach), far: &Far) -> i32 {
    match born(vassal, (daemon, reach), far) {
        Ok(Born { main, directory, notified, mut output }) => {
            let (late, heard, ready) = (Cell::new(None), RefCell::default(), Cell::new(false));
            let (first, ending) = (main, Cell::new(false));
            let outflow = output.flow(&vassal.teller);
            Kept { vassal, daemon, far, first, directory, notified, heard, ready, late, ending }.mind(outflow)
        }
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

/// A daemon that runs, and what its keeper has for it.
struct Born {
    main: Pid,
    directory: Option<OwnedFd>,
    notified: Option<Notified>,
    output: Output,
}

fn born(vassal: &Vassal, (daemon, reach): (&Daemon, Reach), far: &Far) -> Result<Born, Trouble> {
    let cannot = |errno| Trouble::errno("keep a daemon", errno);
    // A key of the terminal is not for us.
    setpgid(None, None).map_err(cannot)?;
    leftovers::adopt_orphans();
    let output = Output::open(vassal, daemon)?;
    let directory = directory(vassal, daemon.chdir.as_deref())?;
    output.enter(vassal).map_err(cannot)?;
    let lent = vassal.ssh.as_ref().filter(|_| daemon.ssh);
    let lent = lent.map(Lent::descriptors).unwrap_or_default();
    let own = directory.iter().map(AsFd::as_fd).chain(output.descriptors()).chain(lent);
    keep_only(vassal, far, own).map_err(cannot)?;
    let notified = listen(daemon, reach).map_err(|errno| Trouble::errno("make its NOTIFY_SOCKET", errno))?;
    let main = launch(vassal, (daemon, notified.as_ref()), (directory.as_ref(), output.writer.as_ref()))?;
    if daemon.daemonize {
        let written = pidfile::write(daemon, directory.as_ref().or(vassal.directory.as_ref()), main);
        written.inspect_err(|_| leftovers::kill_all())?;
    }
    if !daemon.ns_pid {
        far.tell(Told::Main(main.as_raw_nonzero().get()));
    }
    Ok(Born { main, directory, notified, output })
}

/// One of its own: what it says there is not said of the command, and nobody is heard there but what comes of it.
fn listen(daemon: &Daemon, reach: Reach) -> Result<Option<Notified>, Errno> {
    // Descriptors may come along: what is slow to be closed holds up nobody but us.
    (daemon.ready == Readiness::Notify).then(|| Notified::new(reach)).transpose()
}

fn directory(vassal: &Vassal, path: Option<&Path>) -> Result<Option<OwnedFd>, Trouble> {
    match path {
        Some(path) => vassal.open_directory(path).map(Some),
        None => Ok(None),
    }
}

/// Whoever waits for the end of one of the vassal's descriptors does not wait for us.
fn keep_only<'a>(
    vassal: &'a Vassal,
    far: &'a Far,
    own: impl Iterator<Item = BorrowedFd<'a>>,
) -> Result<(), Errno> {
    let shared = [vassal.directory.as_ref(), vassal.log.as_ref()].into_iter().flatten();
    let shared = shared.chain(vassal.confinement.descriptors()).map(AsFd::as_fd);
    let numbers = own.chain(shared).chain([far.as_fd(), vassal.signals()]).map(|one| one.as_raw_fd());
    sys::close_all_but(&numbers.collect::<Vec<_>>())
}

fn launch(
    vassal: &Vassal,
    (daemon, notified): (&Daemon, Option<&Notified>),
    (directory, log): (Option<&OwnedFd>, Option<&OwnedFd>),
) -> Result<Pid, Trouble> {
    let shell = programs::shell(vassal);
    let argv: Vec<&str> = match &daemon.command {
        Command::Program(argv) => argv.iter().map(String::as_str).collect(),
        Command::Shell(line) => vec![&shell, "-c", line],
    };
    let mut environment = vassal.user_environment();
    // What it says would be taken for words of the command.
    ["NOTIFY_SOCKET", "WATCHDOG_USEC"].iter().for_each(|name| environment.remove(name));
    let lent = vassal.ssh.as_ref().filter(|_| daemon.ssh);
    lent.iter().for_each(|lent| lent.tell(&mut environment));
    notified.iter().for_each(|own| environment.set("NOTIFY_SOCKET", own.name()));
    environment.replace(&daemon.env);
    let identity = becomes(daemon)?;
    if let (Some(identity), Some(notified)) = (&identity, notified) {
        notified.belong_to(identity).map_err(|errno| Trouble::errno("give it its NOTIFY_SOCKET", errno))?;
    }
    let null = programs::empty()?;
    let directory = directory.or(vassal.directory.as_ref());
    let launch = Launch {
        argv: &argv,
        environment,
        sockets: Vec::new(),
        directory: directory.map(AsFd::as_fd),
        input: (!daemon.stdin).then_some(null.as_fd()),
        output: log.or(vassal.log.as_ref()).map(AsFd::as_fd),
        confinement: Some(&vassal.confinement),
        leads: Leads::Session,
        identity: identity.as_ref(),
        kept: lent.map(Lent::descriptors).unwrap_or_default(),
        bears_terminals: true,
    };
    launch.start()
}

/// Who it becomes. Whoever may become nobody else has to be that already.
fn becomes(daemon: &Daemon) -> Result<Option<jail::Identity>, Trouble> {
    let Some(wanted) = step::Wanted::of_daemon(daemon) else { return Ok(None) };
    if rustix::process::geteuid().is_root() {
        return identity::resolve(&wanted).map(Some);
    }
    identity::check_daemon(&wanted, Some(identity::own_ids())).map(|()| None)
}
