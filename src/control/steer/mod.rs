//! `liege start`, `stop` and the like: told to an Emperor, and waited for until it is so.

mod judge;
mod progress;
mod whole;

use std::io::Write;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::json;

use super::attach::Connection;
use super::fetch::plain;
use super::messages::{Answer, Ask};
use super::wish::Wish;
use crate::config::vassal::Address;
use crate::emperor::event::Moment;
use crate::reactor::clock;

pub use self::whole::{names, reach, shutdown, signal, update};

use self::judge::Fate;
use self::progress::{Outcome, Progress};

/// How long a vassal may take, in ms: longer than an Emperor waits before it kills.
const PATIENCE_MS: u64 = 120_000;

/// How it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// A line of JSON for each vassal.
    pub json: bool,
    /// What comes of it is not waited for.
    pub hasty: bool,
}

/// Carries out a deed; the exit status: 0 when all is as it was to be.
///
/// # Errors
/// Nobody is there to ask, he refuses, or the output is gone.
pub fn steer(address: Option<&Address>, wish: &Wish, manner: Manner, out: &mut dyn Write) -> Result<u8> {
    let connection = Connection::open(address)?;
    connection.ask(&Ask::Govern(wish.clone()))?;
    let mut course = Course { progress: Progress::of(wish.deed), manner, out, status: 0 };
    let end = clock::now().plus_ms(PATIENCE_MS);
    while !course.progress.is_over() {
        let due = course.progress.next_deadline().unwrap_or(end).min(end);
        if is_readable(&connection, due)? {
            match connection.hear()? {
                Some((Answer::Refused(sentence), _)) if manner.json => return course.refuse(wish, &sentence),
                Some((Answer::Refused(sentence), _)) => anyhow::bail!("{sentence}"),
                Some((answer, _)) => course.hear(answer)?,
                None => course.give_up("the Emperor has ended")?,
            }
        }
        let outcomes = course.progress.handle_deadline(clock::now());
        course.tell(outcomes)?;
        if clock::now() >= end {
            course.give_up("it takes too long; `liege why` tells more")?;
        }
    }
    Ok(course.status)
}

struct Course<'a> {
    progress: Progress,
    manner: Manner,
    out: &'a mut dyn Write,
    status: u8,
}

impl Course<'_> {
    fn hear(&mut self, answer: Answer) -> Result<()> {
        let is_told = answer == Answer::Told;
        let outcomes = self.progress.hear(answer, clock::now());
        self.tell(outcomes)?;
        if is_told && self.manner.hasty {
            let outcomes = self.progress.leave();
            self.tell(outcomes)?;
        }
        Ok(())
    }

    /// Of nothing that he names anything comes.
    fn refuse(&mut self, wish: &Wish, sentence: &str) -> Result<u8> {
        let fate = Fate::Failed(sentence.to_owned());
        self.tell(
            wish.names.iter().map(|name| Outcome { name: name.clone(), fate: fate.clone() }).collect(),
        )?;
        Ok(self.status)
    }

    fn give_up(&mut self, sentence: &str) -> Result<()> {
        let outcomes = self.progress.give_up(sentence);
        self.tell(outcomes)
    }

    fn tell(&mut self, outcomes: Vec<Outcome>) -> Result<()> {
        for Outcome { name, fate } in outcomes {
            self.status = self.status.max(fate.status());
            let (name, words) = (plain(&name.into()), plain(&fate.words().into()));
            match self.manner.json {
                true => writeln!(
                    self.out,
                    "{}",
                    json!({"vassal": name, "outcome": words, "ok": fate.status() == 0})
                )?,
                false => writeln!(self.out, "{name}: {words}")?,
            }
            self.out.flush()?;
        }
        Ok(())
    }
}

fn is_readable(connection: &Connection, due: Moment) -> Result<bool> {
    let left = due.0.saturating_sub(clock::now().0);
    let timeout = Timespec {
        tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (left % 1_000_000_000).cast_signed(),
    };
    let descriptor = connection.descriptor();
    let mut ready = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    match poll(&mut ready, Some(&timeout)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno).context("cannot wait for the Emperor"),
    }
}
