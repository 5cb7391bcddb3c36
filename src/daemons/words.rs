//! Pure. What a vassal master tells its Emperor of its daemons, and what it is told about them: one line each, of letters alone.

use std::fmt;

use crate::config::vassal::daemons::is_name;
use crate::emperor::order::from_vassal::TEXT_MAX;

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
    /// What it says of itself.
    pub said: String,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.name, self.state.word(), self.pid, self.starts)?;
        if self.said.is_empty() { Ok(()) } else { write!(f, " {}", self.said) }
    }
}

impl Word {
    /// Reads one; `None` for what is none, whoever says it.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.splitn(5, ' ').collect();
        let (&[name, state, pid, starts], said) = words.split_first_chunk()?;
        let said = said.first().copied().unwrap_or_default();
        let (state, pid) = (State::parse(state)?, pid.parse().ok().filter(|pid| *pid >= 0)?);
        let (name, starts) = (name.to_owned(), starts.parse().ok()?);
        is_name(&name).then(|| Self { name, state, pid, starts, said: begin(said) })
    }
}

/// As much of what it says as is told.
fn begin(said: &str) -> String {
    said.char_indices().take_while(|(at, one)| at + one.len_utf8() <= TEXT_MAX).map(|(_, one)| one).collect()
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
    fn of_what_one_says_the_beginning_is_told() {
        let word = Word::parse(&format!("a running 7 1 {}", "ä".repeat(TEXT_MAX))).expect("it is one");
        assert_eq!(word.said, "ä".repeat(TEXT_MAX / 2));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let said = String::new();
        let word = Word { name: "redis-2".into(), state: State::Running, pid: 77, starts: 3, said };
        let saying = Word { said: "ready to  serve".into(), ..word.clone() };
        for (word, text) in [(word, "redis-2 running 77 3"), (saying, "redis-2 running 77 3 ready to  serve")]
        {
            assert_eq!(word.to_string(), text);
            assert_eq!(Word::parse(text), Some(word));
        }
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
