//! Processes that stay beside the command, or in its place: reborn when they end, and paced when they end at once.

use std::rc::Rc;
use std::time::Duration;

use rustix::process::Pid;

use super::exit::Exit;
use super::state::Vassal;
use super::trouble::Trouble;
use super::watch::now;
use super::{logs, terminals, tuntap};
use crate::daemons::Pace;
use crate::emperor::event::Moment;

/// Two births of one that does not live are never further apart, in ms.
const DELAY_MAX_MS: u64 = 10_000;

/// What a companion does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Serves terminals.
    Terminals(terminals::Wanted),
    /// Serves the terminal of the command.
    Shared(terminals::Sharing),
    /// Writes the log.
    Log(Rc<logs::Sink>),
    /// Carries packets of a device.
    Packets(Rc<tuntap::Carriage>),
}

/// All of them.
#[derive(Debug, Default)]
pub struct Companions(Vec<Companion>);

#[derive(Debug)]
struct Companion {
    work: Work,
    state: State,
    pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Alive(Pid),
    /// Born then.
    Due(Moment),
}

impl Companions {
    /// One more, already born.
    fn add(&mut self, work: Work, pid: Pid) {
        let mut pace = Pace::new(DELAY_MAX_MS);
        pace.started(now());
        self.0.push(Companion { work, state: State::Alive(pid), pace });
    }

    /// True when there is one that serves somebody.
    pub fn is_any(&self) -> bool {
        self.0.iter().any(|one| matches!(one.work, Work::Terminals(_) | Work::Shared(_)))
    }

    /// True when somebody writes a log, or will again.
    pub fn has_writer(&self) -> bool {
        self.0.iter().any(|one| matches!(one.work, Work::Log(_)))
    }

    /// Those who write logs.
    pub fn writers(&self) -> Vec<Pid> {
        let pid = |one: &Companion| match (&one.work, one.state) {
            (Work::Log(_), State::Alive(pid)) => Some(pid),
            (Work::Terminals(_) | Work::Shared(_) | Work::Log(_) | Work::Packets(_), _) => None,
        };
        self.0.iter().filter_map(pid).collect()
    }

    /// One of these that lives.
    pub fn alive(&self, is: impl Fn(&Work) -> bool) -> Option<Pid> {
        self.0.iter().filter(|one| is(&one.work)).find_map(|one| match one.state {
            State::Alive(pid) => Some(pid),
            State::Due(_) => None,
        })
    }

    /// How long until the next one is to be born.
    pub fn patience(&self) -> Option<Duration> {
        let due = |one: &Companion| match one.state {
            State::Due(at) => Some(Duration::from_nanos(at.0.saturating_sub(now().0))),
            State::Alive(_) => None,
        };
        self.0.iter().filter_map(due).min()
    }

    /// One of these has ended; a sentence about it.
    pub fn ended(&mut self, pid: Pid, exit: Exit) -> Option<String> {
        let index = self.0.iter().position(|one| one.state == State::Alive(pid))?;
        if self.0[index].work.is_over(exit) {
            self.0.remove(index);
            return None;
        }
        let one = &mut self.0[index];
        let at = one.pace.ended(now());
        one.state = State::Due(at);
        let wait = match one.pace.delay_ms() {
            0 => String::new(),
            ms => format!(" in {ms} ms"),
        };
        Some(format!("{} (pid {}) {exit}; it is started again{wait}", one.work.name(), pid.as_raw_nonzero()))
    }
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Self::Terminals(_) => "the router of terminals",
            Self::Shared(_) => "the process of the terminal",
            Self::Log(_) => "the writer of the log",
            Self::Packets(_) => "the process of a device",
        }
    }

    /// Whether there is nothing left to be done for it: whoever carries packets ends by itself once the device is gone.
    fn is_over(&self, exit: Exit) -> bool {
        matches!((self, exit), (Self::Packets(_), Exit::Code(0)))
    }

    fn begin(&self, vassal: &mut Vassal) -> Result<Pid, Trouble> {
        match self {
            Self::Terminals(wanted) => terminals::begin(vassal, wanted),
            Self::Shared(sharing) => terminals::begin_shared(vassal, *sharing),
            Self::Log(sink) => logs::write(vassal, sink),
            Self::Packets(carriage) => tuntap::revive(vassal, carriage),
        }
    }
}

/// Starts one for the first time.
///
/// # Errors
/// It cannot be started.
pub fn start(vassal: &mut Vassal, work: Work) -> Result<(), Trouble> {
    let pid = work.begin(vassal)?;
    accompany(vassal, work, pid);
    Ok(())
}

/// Takes one on that was started already.
pub fn accompany(vassal: &mut Vassal, work: Work, pid: Pid) {
    vassal.companions.add(work, pid);
}

/// Gives birth to those whose time has come; who cannot be born is tried again later.
pub fn revive(vassal: &mut Vassal) {
    let mut companions = std::mem::take(&mut vassal.companions);
    for one in &mut companions.0 {
        if !matches!(one.state, State::Due(at) if at <= now()) {
            continue;
        }
        one.pace.started(now());
        one.state = match one.work.begin(vassal) {
            Ok(pid) => State::Alive(pid),
            Err(trouble) => {
                vassal.teller.nuisance(&trouble);
                State::Due(one.pace.ended(now()))
            }
        };
    }
    vassal.companions = companions;
}

/// Tells of one that has ended.
pub fn mourn(vassal: &mut Vassal, pid: Pid, exit: Exit) {
    if let Some(text) = vassal.companions.ended(pid, exit) {
        vassal.teller.nuisance(&Trouble::new(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_ends_at_once_waits_longer_each_time_and_whoever_lived_does_not() {
        let (mut pace, mut now) = (Pace::new(DELAY_MAX_MS), Moment::default());
        let mut waits = Vec::new();
        for _ in 0..9 {
            pace.started(now);
            let at = pace.ended(now.plus_ms(5));
            waits.push(at.ms_since(now) - 5);
            now = at;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        pace.started(now);
        assert_eq!(pace.ended(now.plus_ms(10_000)), now.plus_ms(10_000));
    }
}
