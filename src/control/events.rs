//! `liege events`: what happened to vassals, and what happens.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Target;
use super::fetch::{self, plain};
use crate::cli::Invocation;
use crate::stats;

/// Longest line taken, in bytes.
const LINE_MAX: u64 = 4 * stats::LINE_MAX as u64;

/// Prints what is remembered of these vassals, then, with `--follow`, what happens, until the Emperor or the reader ends.
///
/// # Errors
/// Nobody serves events there, or the output is gone.
pub fn events(target: &Target, asked: &Invocation, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines::open(target).map_err(|error| io::Error::other(format!("{error:#}")))?;
    let mut is_told = !target.is_narrow();
    while let Some(text) = lines.next()? {
        let Ok(line) = serde_json::from_str::<Value>(&text) else { continue };
        match line["event"].as_str() {
            Some("now") if !asked.follow && is_told => return Ok(()),
            Some("now") if !asked.follow => {
                let words: Vec<&str> = target.words().map(|(word, _)| word).collect();
                let told = format!("nothing is remembered of {}", plain(&words.join(", ").into()));
                return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
            }
            // From here on it may be long until something happens.
            Some("now") => lines.wait_for_ever()?,
            Some("lost") => print(out, asked, &text, &line)?,
            _ if target.means(line["vassal"].as_str().unwrap_or_default()) => {
                is_told = true;
                print(out, asked, &text, &line)?;
            }
            _ => {}
        }
    }
    Err(io::Error::other("the Emperor has ended, or has let us go"))
}

fn print(out: &mut dyn Write, asked: &Invocation, text: &str, line: &Value) -> io::Result<()> {
    if asked.json {
        write!(out, "{text}")?
    } else {
        writeln!(out, "{}", words(line))?
    }
    out.flush()
}

/// What is remembered of all vassals.
///
/// # Errors
/// Nobody serves events there.
pub fn past(target: &Target) -> Result<Vec<Value>> {
    let mut lines = Lines::open(target)?;
    let mut past = Vec::new();
    while let Some(text) = lines.next().context("cannot read events")? {
        let Ok(line) = serde_json::from_str::<Value>(&text) else { continue };
        if line["event"] == "now" {
            break;
        }
        past.push(line);
    }
    Ok(past)
}

/// One event for people.
pub fn words(line: &Value) -> String {
    if line["event"] == "lost" {
        return format!("({} lines were lost: they came faster than they were read)", plain(&line["lines"]));
    }
    format!("{}  {}  {}", plain(&line["time"]), plain(&line["vassal"]), plain(&line["text"]))
}

struct Lines(BufReader<UnixStream>);

impl Lines {
    fn open(target: &Target) -> Result<Self> {
        Ok(Self(BufReader::new(fetch::events(target.address.as_ref())?)))
    }

    fn next(&mut self) -> io::Result<Option<String>> {
        let mut text = String::new();
        let count = self.0.by_ref().take(LINE_MAX).read_line(&mut text)?;
        Ok((count > 0).then_some(text))
    }

    fn wait_for_ever(&self) -> io::Result<()> {
        self.0.get_ref().set_read_timeout(None)
    }
}
