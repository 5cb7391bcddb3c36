//! The keeper of a daemon: a process of ours in between, to which all that the daemon leaves behind comes, so that it ends with it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use jail::sys;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpgid, kill_process, kill_process_group, setpgid, waitid,
};

use super::super::duties::Exit;
use super::super::identity;
use super::super::launch::{Launch, Leads};
use super::super::programs;
use super::super::state::Vassal;
use super::super::step;
use super::super::trouble::Trouble;
use super::super::watch::{Happening, reap};
use super::line::{Asked, Far, Line, Told, pair};
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
    match born(vassal, daemon, far) {
        Ok(main) => mind(vassal, far, main),
        Err(trouble) => {
            let cause = format!("daemon {}: {}", daemon.name, trouble.cause);
            vassal.teller.nuisance(&Trouble { cause, ..trouble });
            far.tell(Told::Ended(Exit::Code(UNBORN)));
            UNBORN
        }
    }
}

fn born(vassal: &Vassal, daemon: &Daemon, far: &Far) -> Result<Pid, Trouble> {
    let cannot = |errno| Trouble::errno("keep a daemon", errno);
    // A key of the terminal is not for us.
    setpgid(None, None).map_err(cannot)?;
    leftovers::adopt_orphans();
    let log = daemon.log.as_deref().map(|path| vassal.open_log(path)).transpose()?;
    let directory = directory(vassal, daemon.chdir.as_deref())?;
    keep_only(vassal, far, &[directory.as_ref(), log.as_ref()]).map_err(cannot)?;
    let main = launch(vassal, daemon, (directory, log))?;
    far.tell(Told::Main(main.as_raw_nonzero().get()));
    Ok(main)
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
    let numbers = own.iter().chain(&shared).flatten().map(|one| one.as_raw_fd());
    let ours = [far.as_fd().as_raw_fd(), vassal.signals().as_raw_fd()];
    sys::close_all_but(&numbers.chain(ours).collect::<Vec<_>>())
}

fn launch(
    vassal: &Vassal,
    daemon: &Daemon,
    (directory, log): (Option<OwnedFd>, Option<OwnedFd>),
) -> Result<Pid, Trouble> {
    let shell = programs::shell(vassal);
    let argv: Vec<&str> = match &daemon.command {
        Command::Program(argv) => argv.iter().map(String::as_str).collect(),
        Command::Shell(line) => vec![&shell, "-c", line],
    };
    let mut environment = vassal.user_environment();
    environment.replace(&daemon.env);
    let identity = becomes(daemon)?;
    let null = programs::empty()?;
    let directory = directory.as_ref().or(vassal.directory.as_ref());
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

/// Passes signals on until the daemon has ended, and kills what is left of it.
fn mind(vassal: &Vassal, far: &Far, main: Pid) -> i32 {
    loop {
        let mut line = [PollFd::from_borrowed_fd(far.as_fd(), PollFlags::IN)];
        match vassal.wait_alone(&mut line, None) {
            Ok(Happening::Other) => {
                while let Some(asked) = far.asked() {
                    match asked {
                        Asked::Signal(number) if number != Signal::KILL.as_raw() => signal(main, number),
                        Asked::Signal(_) | Asked::Gone => return kill(far, main),
                    }
                }
            }
            Ok(Happening::Child) => {
                if let Some(exit) = reaped(main) {
                    return end(far, exit);
                }
            }
            // Whatever somebody tells us is not for the daemon.
            Ok(Happening::Signal(_) | Happening::Emperor(_) | Happening::Deadline) => {}
            Err(_) => return kill(far, main),
        }
    }
}

/// How it ended, if it did; orphans of its are reaped by the way.
fn reaped(main: Pid) -> Option<Exit> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if let Ok(Some(_)) = waitid(WaitId::Pid(main), options) {
        // Without a /proc nobody lists our children: of those we know the group alone, as long as its number is not anybody's.
        let _ = kill_process_group(main, Signal::KILL);
    }
    std::iter::from_fn(reap).filter(|(pid, _)| *pid == main).map(|(_, exit)| exit).last()
}

/// All of it, at once.
fn kill(far: &Far, main: Pid) -> i32 {
    // It is our child and not reaped, so the number is still its own.
    let _ = kill_process_group(main, Signal::KILL);
    end(far, Exit::Signal(Signal::KILL.as_raw()))
}

fn end(far: &Far, exit: Exit) -> i32 {
    leftovers::kill_all();
    far.tell(Told::Ended(exit));
    i32::from(exit.status())
}

/// To the group that it leads, or to itself where it leads none.
fn signal(main: Pid, number: i32) {
    let Some(signal) = Signal::from_named_raw(number) else { return };
    // It is our child and not reaped, so the number is still its own.
    let _ = match getpgid(Some(main)) {
        Ok(group) if group == main => kill_process_group(main, signal),
        _ => kill_process(main, signal),
    };
}
