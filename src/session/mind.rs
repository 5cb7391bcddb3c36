//! The process that minds a session: between its client, its program and the Emperor, never between keyboard and program.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use jail::{run, sys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};

use super::enter::{Birth, Entered, Processes, Way};
use super::life::{Event, Life, Order};
use super::papers::Papers;
use super::program;
use super::{ALONE, ATTENDED, CHANNEL_FD, CLIENT_FD, ENTRY_FD, LIMITS_FD, VASSAL_FD};
use crate::control::messages::{Answer, Entry, MISSED_MAX, Manner, Say, decode, encode};
use crate::errand::read_from;
use crate::reactor::clock;
use crate::vassal::trouble::Trouble;

/// Seconds after which one that has not begun is ended.
const BEGIN_S: u32 = 30;
/// How long a client may take to lend what he has.
const LEND: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// How often whoever is left of a session is killed: one may be born while we look.
const KILLS_MAX: usize = 16;
/// Bytes of output that are read in one go while nobody looks.
const PIECE: usize = 16_384;
/// Signals that a client may send: what a terminal would, and what tells a program to end or to look again.
const SIGNALS: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];

/// Does what its papers on standard input say.
///
/// Must: be called before this process opens any descriptor.
pub fn main() -> ExitCode {
    let Ok(client) = sys::adopt(CLIENT_FD) else { return ExitCode::FAILURE };
    match Session::begin(client.as_fd()) {
        Ok(mut session) => session.mind(client),
        Err(trouble) => {
            say(client.as_fd(), &Answer::Refused(trouble.to_string()), &[]);
            crate::log::warn("session", &trouble.to_string());
            ExitCode::FAILURE
        }
    }
}

/// All that it holds.
struct Session {
    number: u32,
    life: Life,
    processes: Processes,
    pid: Pid,
    program: OwnedFd,
    status: u8,
    client: Option<OwnedFd>,
    channel: Option<OwnedFd>,
    master: Option<OwnedFd>,
    /// What was written while nobody looked, or the last of it.
    missed: VecDeque<u8>,
}

impl Session {
    fn begin(client: BorrowedFd<'_>) -> Result<Self, Trouble> {
        let unread = |errno| Trouble::errno("read what it is to do", errno);
        let (process, entry) = (sys::adopt(VASSAL_FD), sys::adopt(ENTRY_FD));
        let (channel, master) = (sys::adopt(CHANNEL_FD), sys::adopt(LIMITS_FD).ok());
        sys::close_on_exec_from_first().map_err(unread)?;
        let papers: Papers = read_from(rustix::stdio::stdin()).map_err(unread)?;
        let entry: Entry = read_from(entry.map_err(unread)?).map_err(unread)?;
        sys::alarm(BEGIN_S);
        let Papers { number, restraint, later, is_hosts, apart } = papers;
        let birth = Birth { is_hosts, apart };
        let way = Way { process: process.map_err(unread)?, restraint, later, birth, master };
        let Entered { processes, held } = way.enter()?;
        drop(way);
        let (pid, master) = match entry.manner {
            Manner::Plain => (program::start_with(&lent_by(client)?, &entry, &held)?, None),
            Manner::Terminal(size) => {
                let terminal = program::terminal(size)?;
                (program::start_on(&terminal, &entry, &held)?, Some(terminal.master))
            }
        };
        // Fences of the vassal's are for the program alone.
        drop(held);
        sys::alarm(0);
        let program = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|errno| Trouble::errno("name its program", errno))?;
        match &master {
            Some(master) => say(client, &Answer::Terminal(Vec::new()), &[master.as_fd()]),
            None => say(client, &Answer::Begun, &[]),
        }
        Ok(Self {
            number,
            life: Life::new(master.is_some()),
            processes,
            pid,
            program,
            status: 0,
            client: None,
            channel: channel.ok(),
            master,
            missed: VecDeque::new(),
        })
    }

    fn mind(&mut self, client: OwnedFd) -> ExitCode {
        self.client = Some(client);
        while !self.life.is_over() {
            self.turn();
        }
        ExitCode::from(self.status)
    }

    fn turn(&mut self) {
        let [program, client, channel, output] = self.wait();
        if client {
            self.hear_client();
        }
        if channel {
            self.hear_emperor();
        }
        if output {
            self.keep_output();
        }
        if program {
            self.reap();
        }
        self.life.settle(now_ms());
        while let Some(order) = self.life.next_order() {
            self.carry_out(order);
        }
    }

    fn wait(&self) -> [bool; 4] {
        let output = self.master.as_ref().filter(|_| self.life.is_alone());
        let each = [
            Some(self.program.as_fd()).filter(|_| self.life.has_program()),
            self.client.as_ref().map(AsFd::as_fd),
            self.channel.as_ref().map(AsFd::as_fd),
            output.map(AsFd::as_fd),
        ];
        let mut set: Vec<PollFd<'_>> =
            each.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let left = self.life.next_deadline().map(|at| at.saturating_sub(now_ms()));
        let patience = left.map(|ms| Timespec {
            tv_sec: (ms / 1000).cast_signed(),
            tv_nsec: (ms % 1000 * 1_000_000).cast_signed(),
        });
        if poll(&mut set, patience.as_ref()).is_err() {
            return [false; 4];
        }
        let mut ready = set.iter().map(|one| !one.revents().is_empty());
        each.map(|one| one.is_some() && ready.next().unwrap_or_default())
    }

    fn hear_client(&mut self) {
        let Some(client) = &self.client else { return };
        let mut buffer = [0; 64];
        match run::receive(client, &mut buffer) {
            Ok(Some(parcel)) => match decode::<Say>(&buffer[..parcel.length]) {
                Ok(Say::Signal(number)) => self.pass_on(number),
                Ok(Say::Detach) => self.life.handle(Event::Detach, now_ms()),
                // Nobody has asked for it.
                Ok(Say::Lent) => {}
                Err(_) => self.lose_client(),
            },
            Err(Errno::AGAIN) => {}
            Ok(None) | Err(_) => self.lose_client(),
        }
    }

    fn lose_client(&mut self) {
        self.client = None;
        self.life.handle(Event::ClientGone, now_ms());
    }

    fn pass_on(&self, number: u8) {
        let allowed = SIGNALS.into_iter().find(|signal| signal.as_raw() == i32::from(number));
        if let Some(signal) = allowed.filter(|_| self.life.has_program()) {
            // It may not have its own group yet.
            let _ =
                kill_process_group(self.pid, signal).or_else(|_| pidfd_send_signal(&self.program, signal));
        }
    }

    /// Another client comes, or the Emperor has gone and everybody with him.
    fn hear_emperor(&mut self) {
        let Some(channel) = &self.channel else { return };
        let mut buffer = [0; 16];
        match run::receive(channel, &mut buffer) {
            Ok(Some(parcel)) => {
                let Some(client) = parcel.descriptors.into_iter().next() else { return };
                self.take_client(client);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(None) | Err(_) => {
                self.channel = None;
                self.lose_client();
            }
        }
    }

    fn take_client(&mut self, client: OwnedFd) {
        self.life.handle(Event::ClientCame, now_ms());
        if self.client.is_some() || self.life.is_alone() || self.life.next_deadline().is_some() {
            say(client.as_fd(), &Answer::Refused("somebody looks at it already, or it is over".into()), &[]);
            return;
        }
        let Some(master) = &self.master else { return };
        let missed = std::mem::take(&mut self.missed).into();
        say(client.as_fd(), &Answer::Terminal(missed), &[master.as_fd()]);
        self.client = Some(client);
        self.tell_emperor(ATTENDED);
    }

    fn tell_emperor(&self, word: u8) {
        let _ = self.channel.as_ref().map(|channel| run::send(channel, &[word], &[]));
    }

    /// A program whose output nobody takes would stand still.
    fn keep_output(&mut self) {
        let Some(master) = &self.master else { return };
        let mut piece = [0; PIECE];
        match read(master, &mut piece) {
            Ok(length) if length > 0 => self.missed.extend(&piece[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // All have closed it; the end of the program follows.
            Ok(_) | Err(_) => self.master = None,
        }
        let excess = self.missed.len().saturating_sub(MISSED_MAX);
        self.missed.drain(..excess);
    }

    fn reap(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        if let Ok(Some(ended)) = waitid(WaitId::PidFd(self.program.as_fd()), options) {
            self.status = status_of(&ended);
            self.life.handle(Event::ProgramEnded, now_ms());
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::LetGo => {
                self.tell_emperor(ALONE);
                self.answer(&Answer::Detached(self.number));
                self.client = None;
            }
            // Told to the one who came.
            Order::Refuse => {}
            Order::TellEnd => {
                self.answer(&Answer::Ended(self.status));
                // Whoever has the other copy reads what is left.
                self.master = None;
            }
            Order::HangUp => {
                self.master = None;
                self.signal(Signal::HUP);
                // Who was stopped could not hear it.
                self.signal(Signal::CONT);
            }
            Order::Terminate => drop(self.signal(Signal::TERM)),
            Order::Kill => self.kill(),
        }
    }

    fn answer(&self, answer: &Answer) {
        self.client.iter().for_each(|client| say(client.as_fd(), answer, &[]));
    }

    fn signal(&self, signal: Signal) -> usize {
        run::signal_session_in(self.processes.0.as_fd(), self.pid.as_raw_nonzero().get(), signal)
    }

    fn kill(&self) {
        if self.life.has_program() {
            // By itself: it may not have begun its session yet.
            let _ = pidfd_send_signal(&self.program, Signal::KILL);
        }
        for _ in 0..KILLS_MAX {
            if self.signal(Signal::KILL) == 0 {
                return;
            }
        }
    }
}

/// What the client wants his command to read and write. With nobody's rights but the jail's, and after it was joined: to look at
/// such a descriptor, or to close it, may take for ever.
fn lent_by(client: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Trouble> {
    say(client, &Answer::Lend, &[]);
    let cannot = |errno| Trouble::errno("take what the client lends", errno);
    let mut watched = [PollFd::from_borrowed_fd(client, PollFlags::IN)];
    poll(&mut watched, Some(&LEND)).map_err(cannot)?;
    let mut buffer = [0; 64];
    let parcel = run::receive(client, &mut buffer).map_err(cannot)?;
    let lent = parcel.map(|parcel| parcel.descriptors).unwrap_or_default();
    program::judge(&lent)?;
    Ok(lent)
}

fn status_of(ended: &WaitIdStatus) -> u8 {
    let number = match (ended.exit_status(), ended.terminating_signal()) {
        (Some(status), _) => status,
        (None, Some(signal)) => 128 + signal,
        (None, None) => i32::from(u8::MAX),
    };
    u8::try_from(number & 0xff).unwrap_or(u8::MAX)
}

/// Nobody there: then nobody wants to know. Never waits for whoever does not read.
fn say(client: BorrowedFd<'_>, answer: &Answer, lent: &[BorrowedFd<'_>]) {
    if let Ok(packet) = encode(answer) {
        let _ = run::send(client, &packet, lent);
    }
}

fn now_ms() -> u64 {
    clock::now().0 / 1_000_000
}
