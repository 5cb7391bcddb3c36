//! A daemon that runs: its keeper passes signals on until it has ended, and kills what is left of it.

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpgid, kill_process, kill_process_group, waitid,
};

use super::super::duties::Exit;
use super::super::state::Vassal;
use super::super::trouble::Trouble;
use super::super::watch::{Happening, now, reap};
use super::line::{Asked, Far, Told};
use super::pidfile;
use crate::config::vassal::daemons::Daemon;
use crate::emperor::event::Moment;
use crate::leftovers;

/// Between two looks at a pid file that is to come.
const LOOK: Duration = Duration::from_millis(20);
/// Without waiting, and without reaping.
const PEEK: WaitIdOptions = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG).union(WaitIdOptions::NOWAIT);

/// What its keeper knows.
pub struct Kept<'a> {
    /// Whose it is.
    pub vassal: &'a Vassal,
    /// What its config says.
    pub daemon: &'a Daemon,
    /// The way to the master.
    pub far: &'a Far,
    /// Where it runs, if not where the vassal does.
    pub directory: Option<OwnedFd>,
    /// The last signal for whoever its pid file is still to name.
    pub late: Cell<Option<i32>>,
}

/// Who is the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Main {
    Is(Pid),
    /// It has left for the background: its pid file is to say who it is, by then.
    Sought(Moment),
}

impl Kept<'_> {
    /// Minds it to its end; the status says which.
    pub fn mind(&self, first: Pid) -> i32 {
        let mut main = Main::Is(first);
        loop {
            let mut line = [PollFd::from_borrowed_fd(self.far.as_fd(), PollFlags::IN)];
            let patience = matches!(main, Main::Sought(_)).then_some(LOOK);
            match self.vassal.wait_alone(&mut line, patience) {
                Ok(Happening::Other) => {
                    if !self.obey(main) {
                        return self.kill(main);
                    }
                }
                Ok(Happening::Child) => {}
                // Whatever somebody tells us is not for the daemon.
                Ok(Happening::Signal(_) | Happening::Emperor(_) | Happening::Deadline) => {}
                Err(_) => return self.kill(main),
            }
            match self.look(main) {
                Ok(next) => main = next,
                Err(exit) => return self.end(exit),
            }
        }
    }

    /// False when all of it is to be killed.
    fn obey(&self, main: Main) -> bool {
        while let Some(asked) = self.far.asked() {
            match asked {
                Asked::Signal(number) if number != Signal::KILL.as_raw() => match main {
                    Main::Is(pid) => signal(pid, number),
                    Main::Sought(_) => self.late.set(Some(number)),
                },
                Asked::Signal(_) | Asked::Gone => return false,
            }
        }
        true
    }

    /// Who it is now, or how it has ended.
    fn look(&self, main: Main) -> Result<Main, Exit> {
        match main {
            Main::Is(pid) => match self.reaped(pid) {
                None => Ok(main),
                Some(Exit::Code(0)) if self.may_leave() => {
                    self.seek(now().plus_ms(u64::from(self.daemon.freq_s) * 1_000))
                }
                Some(exit) => Err(exit),
            },
            Main::Sought(until) => {
                std::iter::from_fn(reap).for_each(drop);
                self.seek(until)
            }
        }
    }

    /// It may go on in the background, as its pid file tells.
    fn may_leave(&self) -> bool {
        self.daemon.pidfile.is_some() && !self.daemon.daemonize
    }

    fn seek(&self, until: Moment) -> Result<Main, Exit> {
        if waitid(WaitId::All, PEEK).is_err_and(|errno| errno == Errno::CHILD) {
            return Err(Exit::Code(0));
        }
        let directory = self.directory.as_ref().or(self.vassal.directory.as_ref());
        if let Some(pid) = pidfile::read(self.daemon, directory) {
            if !self.daemon.ns_pid {
                self.far.tell(Told::Main(pid.as_raw_nonzero().get()));
            }
            self.late.take().into_iter().for_each(|number| signal(pid, number));
            return Ok(Main::Is(pid));
        }
        if now() < until {
            return Ok(Main::Sought(until));
        }
        let text = format!(
            "daemon {} has left for the background, and after {} s its pid file names no process of its own",
            self.daemon.name, self.daemon.freq_s
        );
        self.vassal.teller.nuisance(&Trouble::new(text));
        Err(Exit::Code(0))
    }

    /// How it ended, if it did; orphans of its are reaped by the way.
    fn reaped(&self, main: Pid) -> Option<Exit> {
        if let (Ok(Some(_)), false) = (waitid(WaitId::Pid(main), PEEK), self.may_leave()) {
            // Without a /proc nobody lists our children: of those we know the group alone, as long as its number is not anybody's.
            let _ = kill_process_group(main, Signal::KILL);
        }
        std::iter::from_fn(reap).filter(|(pid, _)| *pid == main).map(|(_, exit)| exit).last()
    }

    /// All of it, at once.
    fn kill(&self, main: Main) -> i32 {
        if let Main::Is(pid) = main {
            signal(pid, Signal::KILL.as_raw());
        }
        self.end(Exit::Signal(Signal::KILL.as_raw()))
    }

    fn end(&self, exit: Exit) -> i32 {
        leftovers::kill_all();
        self.far.tell(Told::Ended(exit));
        i32::from(exit.status())
    }
}

/// To the group that it leads, or to itself where it leads none.
fn signal(pid: Pid, number: i32) {
    let Some(signal) = Signal::from_named_raw(number) else { return };
    // It is our child and not reaped, so the number is still its own.
    let _ = match getpgid(Some(pid)) {
        Ok(group) if group == pid => kill_process_group(pid, signal),
        _ => kill_process(pid, signal),
    };
}
