//! A daemon that runs: its keeper passes signals on until it has ended, and kills what is left of it.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpgid, kill_process, kill_process_group, waitid,
};

use super::super::exit::Exit;
use super::super::notify::{Heard, Notified};
use super::super::state::Vassal;
use super::super::trouble::Trouble;
use super::super::watch::{Happening, now, reap, until};
use super::line::{Asked, Far, Told};
use super::outflow::Outflow;
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
    /// Its first process.
    pub first: Pid,
    /// Where it runs, if not where the vassal does.
    pub directory: Option<OwnedFd>,
    /// Where it says when it is ready, if its config has it say so.
    pub notified: Option<Notified>,
    /// What it has said there.
    pub heard: RefCell<Heard>,
    /// The master knows that it is ready.
    pub ready: Cell<bool>,
    /// The last signal for whoever its pid file is still to name.
    pub late: Cell<Option<i32>>,
    /// It was told to end.
    pub ending: Cell<bool>,
}

/// Who is the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Main {
    Is(Pid),
    /// It has left for the background: its pid file is to say who it is, by then.
    Sought(Moment),
    /// It has ended thus, as it was told to, and others of its group, who were told the same, have not.
    Left(Pid, Exit),
}

impl Kept<'_> {
    /// Minds it to its end, and hands on what it writes if that is ours to do; the status says how it ended.
    pub fn mind(&self, mut outflow: Outflow<'_>) -> i32 {
        let exit = self.watch(&mut outflow);
        leftovers::kill_all();
        // Who writes still is in our pid namespace, and ends with us.
        outflow.finish();
        self.far.tell(Told::Ended(exit));
        i32::from(exit.status())
    }

    fn watch(&self, outflow: &mut Outflow<'_>) -> Exit {
        let mut main = Main::Is(self.first);
        loop {
            let own = std::iter::once(self.far.as_fd()).chain(self.notified.iter().map(AsFd::as_fd));
            let mut ways: Vec<PollFd<'_>> =
                own.map(|way| PollFd::from_borrowed_fd(way, PollFlags::IN)).collect();
            let count = ways.len();
            ways.extend(outflow.watched());
            let patience = self.patience(main).into_iter().chain(outflow.patience()).min();
            let happening = self.vassal.wait_alone(&mut ways, patience);
            let ready: Vec<bool> = ways[count..].iter().map(|way| !way.revents().is_empty()).collect();
            match happening {
                Ok(Happening::Other) => {
                    if !self.obey(main) {
                        return kill(main);
                    }
                }
                Ok(Happening::Child) => {}
                // Whatever somebody tells us is not for the daemon.
                Ok(Happening::Signal(_) | Happening::Emperor(_) | Happening::Deadline) => {}
                Err(_) => return kill(main),
            }
            if outflow.obey(&ready).is_err() {
                return kill(main);
            }
            self.hear();
            match self.look(main) {
                Ok(next) => main = next,
                Err(exit) => return exit,
            }
        }
    }

    fn patience(&self, main: Main) -> Option<Duration> {
        let words = self.heard.borrow().sayings.next_deadline().map(until);
        matches!(main, Main::Sought(_)).then_some(LOOK).into_iter().chain(words).min()
    }

    /// What it says at its `NOTIFY_SOCKET`.
    fn hear(&self) {
        let Some(notified) = &self.notified else { return };
        let mut heard = self.heard.borrow_mut();
        let told_before = heard.ignored > 0;
        notified.hear(&mut heard);
        if heard.ready && !self.ready.replace(true) {
            self.far.tell(Told::Ready);
        }
        if let Some(text) = heard.sayings.next_text(now()) {
            self.far.tell(Told::Said(text.to_owned()));
        }
        if heard.ignored > 0 && !told_before {
            let name = &self.daemon.name;
            let text = format!(
                "daemon {name}: what others say at its NOTIFY_SOCKET is ignored, and what is too long"
            );
            self.vassal.teller.nuisance(&Trouble::new(text));
        }
    }

    /// False when all of it is to be killed.
    fn obey(&self, main: Main) -> bool {
        while let Some(asked) = self.far.asked() {
            let number = match asked {
                Asked::Signal(number) => number,
                Asked::End(number) => {
                    self.ending.set(true);
                    number
                }
                Asked::Gone => return false,
            };
            if number == Signal::KILL.as_raw() {
                return false;
            }
            match main {
                Main::Is(pid) => signal(pid, number),
                Main::Sought(_) => self.late.set(Some(number)),
                Main::Left(group, _) => signal_left(group, number),
            }
        }
        true
    }

    /// Who it is now, or how it has ended.
    fn look(&self, main: Main) -> Result<Main, Exit> {
        match main {
            Main::Is(pid) => match self.reaped(pid) {
                None => Ok(main),
                Some(Exit::Code(0)) if self.may_leave(pid) => {
                    self.seek(now().plus_ms(u64::from(self.daemon.freq_s) * 1_000))
                }
                Some(exit) => self.wait_for_group(pid, exit),
            },
            Main::Sought(until) => {
                std::iter::from_fn(reap).for_each(drop);
                self.seek(until)
            }
            Main::Left(group, exit) => {
                std::iter::from_fn(reap).for_each(drop);
                self.wait_for_group(group, exit)
            }
        }
    }

    /// Who was told to end may take its time, whoever of the group ends first; nobody else waits.
    fn wait_for_group(&self, group: Pid, exit: Exit) -> Result<Main, Exit> {
        match self.ending.get() && leftovers::is_in_group(group) {
            true => Ok(Main::Left(group, exit)),
            false => Err(exit),
        }
    }

    /// It may go on in the background, as its pid file tells. Whoever did so already, and ends when told to, ends.
    fn may_leave(&self, pid: Pid) -> bool {
        self.daemon.pidfile.is_some() && !self.daemon.daemonize && (pid == self.first || !self.ending.get())
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
        let stays = self.may_leave(main) || self.ending.get();
        if let (Ok(Some(_)), false) = (waitid(WaitId::Pid(main), PEEK), stays) {
            // Without a /proc nobody lists our children: of those we know the group alone, as long as its number is not anybody's.
            let _ = kill_process_group(main, Signal::KILL);
        }
        std::iter::from_fn(reap).filter(|(pid, _)| *pid == main).map(|(_, exit)| exit).last()
    }
}

/// At once; what is left of it follows.
fn kill(main: Main) -> Exit {
    match main {
        Main::Is(pid) => signal(pid, Signal::KILL.as_raw()),
        Main::Left(group, _) => signal_left(group, Signal::KILL.as_raw()),
        Main::Sought(_) => {}
    }
    Exit::Signal(Signal::KILL.as_raw())
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

/// To those whose leader was reaped.
fn signal_left(group: Pid, number: i32) {
    Signal::from_named_raw(number).into_iter().for_each(|signal| leftovers::signal_group(group, signal));
}
