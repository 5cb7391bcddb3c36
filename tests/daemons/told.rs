//! A vassal with daemons under a pretended Emperor, and what it tells of them.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::emperor::{PATIENCE, Place, Vassal};

/// A text about a daemon begins; one about a daemon for a vassal.
const DAEMON: u8 = 20;

/// A running vassal.
pub struct Court {
    pub vassal: Vassal,
    pub place: Place,
    heard: String,
}

impl Court {
    /// Of this config.
    pub fn of(config: &str) -> Self {
        Self::at(Place::new(config))
    }

    /// Of the config in this place.
    pub fn at(place: Place) -> Self {
        let vassal = place.start();
        Self { vassal, place, heard: String::new() }
    }

    /// The pid of a daemon, once it is told to be in this state with so many starts.
    pub fn wait(&mut self, name: &str, state: &str, starts: u32) -> i32 {
        let wanted = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [one, is, pid, count] = words[..] else { return None };
            let pid: i32 = pid.parse().ok()?;
            let there = (state == "running") == (pid > 0);
            (one == name && is == state && count == starts.to_string() && there).then_some(pid)
        };
        self.wait_for(wanted)
    }

    /// Waits until a daemon is told to be this process.
    pub fn wait_pid(&mut self, name: &str, pid: i32) {
        let wanted = format!("{name} running {pid} ");
        self.wait_for(|line| line.starts_with(&wanted).then_some(()));
    }

    /// What is wanted of a line about a daemon, once there is one.
    pub fn wait_for<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = self
                .heard
                .split('\u{14}')
                .filter_map(|text| text.split_once('\n'))
                .find_map(|(line, _)| wanted(line))
            {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "{:?}", self.heard);
            let mut bytes = [0; 4096];
            let control = self.vassal.control.as_mut().unwrap();
            let count = control.read(&mut bytes).expect("something in time");
            assert!(count > 0, "it has ended: {:?}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    /// Forgets what was told so far.
    pub fn forget(&mut self) {
        self.heard.clear();
    }

    /// Says a line about a daemon.
    pub fn steer(&mut self, line: &str) {
        let line = [&[DAEMON], line.as_bytes(), b"\n"].concat();
        self.vassal.control.as_mut().unwrap().write_all(&line).unwrap();
    }

    /// The process that is PID 1 of the jail, as we see it.
    pub fn inner_pid(&self) -> i32 {
        let master = self.vassal.pid();
        let children = format!("/proc/{master}/task/{master}/children");
        let list = std::fs::read_to_string(children).unwrap();
        list.split_whitespace().next().map_or(master, |pid| pid.parse().unwrap())
    }

    /// Stops it.
    pub fn stop(self) -> super::emperor::Outcome {
        self.vassal.signal(Signal::TERM);
        self.vassal.end()
    }
}

/// Whether a process of this number is there and lives.
pub fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits for its end, whoever reaps it.
pub fn wait_dead(pid: i32) {
    until(&format!("the end of {pid}"), || (!lives(pid)).then_some(()));
}

/// Waits for something.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Kills it.
pub fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Processes whose command line has this word.
pub fn with_word(word: &str) -> Vec<i32> {
    let output = Command::new("pgrep").args(["-f", word]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| lives(*pid)).collect()
}
