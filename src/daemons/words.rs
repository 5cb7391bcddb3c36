//! Pure. What a vassal master tells its Emperor of its daemons, and what it is told about them: one line each, of letters alone.

use std::fmt;

use crate::config::vassal::daemons::is_name;

/// Where a daemon stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was started and is not ready.
    Starting,
    /// It runs.
    Running,
    /// It has ended too soon and waits to be started again.
    Throttled,
    /// It was told to end.
    Stopping,
    /// It ended, and is started when somebody says so.
    Stopped,
}

const STATES: [(State, &str); 5] = [
    (State::Starting, "starting"),
    (State::Running, "running"),
    (State::Throttled, "throttled"),
    (State::Stopping, "stopping"),
    (State::Stopped, "stopped"),
];

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        STATES.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }
}

/// What is told of one daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Its process, as its vassal counts them; 0 for none.
    pub pid: i32,
    /// How often it was started.
    pub starts: u32,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.name, self.state.word(), self.pid, self.starts)
    }
}

impl Word {
    /// Reads one; `None` for what is none, whoever says it.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [name, state, pid, starts] = words[..] else { return None };
        let (state, pid) = (State::parse(state)?, pid.parse().ok().filter(|pid| *pid >= 0)?);
        is_name(name).then_some(Self { name: name.to_owned(), state, pid, starts: starts.parse().ok()? })
    }
}

/// What somebody wants of one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// That it runs.
    Start,
    /// That it does not, until it is started.
    Stop,
    /// That it begins anew.
    Restart,
    /// That it reads its config again.
    Reload,
    /// That it gets this signal.
    Signal(i32),
}

impl Steering {
    /// As one line, without its end.
    pub fn line(self, name: &str) -> String {
        let word = match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Signal(number) => return format!("signal {name} {number}"),
        };
        format!("{word} {name}")
    }

    /// Reads such a line: what is wanted, and of whom.
    pub fn parse(line: &str) -> Option<(Self, String)> {
        let words: Vec<&str> = line.split(' ').collect();
        let (steering, name) = match words[..] {
            ["start", name] => (Self::Start, name),
            ["stop", name] => (Self::Stop, name),
            ["restart", name] => (Self::Restart, name),
            ["reload", name] => (Self::Reload, name),
            ["signal", name, number] => (Self::Signal(number.parse().ok().filter(is_signal)?), name),
            _ => return None,
        };
        is_name(name).then(|| (steering, name.to_owned()))
    }
}

/// Signals of `signal(7)` without those of real time.
fn is_signal(number: &i32) -> bool {
    (1..=31).contains(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let word = Word { name: "redis-2".into(), state: State::Running, pid: 77, starts: 3 };
        assert_eq!(word.to_string(), "redis-2 running 77 3");
        assert_eq!(Word::parse(&word.to_string()), Some(word));
        for (steering, line) in [
            (Steering::Start, "start a"),
            (Steering::Stop, "stop a"),
            (Steering::Restart, "restart a"),
            (Steering::Reload, "reload a"),
            (Steering::Signal(10), "signal a 10"),
        ] {
            assert_eq!(steering.line("a"), line);
            assert_eq!(Steering::parse(line), Some((steering, "a".into())));
        }
    }

    /// Row C8.
    #[test]
    fn what_a_vassal_makes_up_is_nothing() {
        for text in [
            "",
            "a",
            "a running 1",
            "a running 1 1 1",
            "a wild 1 1",
            "a running -1 1",
            "a running x 1",
            "../a running 1 1",
            "a/b running 1 1",
            "-a running 1 1",
            " running 1 1",
        ] {
            assert_eq!(Word::parse(text), None, "{text}");
        }
        assert_eq!(Word::parse(&format!("{} running 1 1", "x".repeat(65))), None);
        for line in ["", "start", "start a b", "signal a", "signal a 0", "signal a 64", "kill a", "start a/b"]
        {
            assert_eq!(Steering::parse(line), None, "{line}");
        }
    }
}
