//! `liege tail`: what a vassal wrote.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use anyhow::{Result, anyhow, bail};

use super::attach::ask::Connection;
use super::messages::{Answer, Ask, Tail};
use super::target::Called;
use crate::cli::Invocation;
use crate::config::vassal::Address;
use crate::log;

/// Lines that are printed unless another number is said.
const LINES: u32 = 10;
/// Lines that `liege why` quotes.
const QUOTED: u32 = 5;
/// Lines among which `liege why` looks for those about a daemon.
const SEARCHED: u32 = 200;
/// Longest of these, in characters.
const QUOTED_MAX: usize = 200;

/// Prints the last lines of a vassal, then, with `--follow`, what it writes, until it is gone or the reader is.
///
/// # Errors
/// It is refused, nobody is there to ask, or the output is gone.
pub fn tail(called: &Called, asked: &Invocation, out: &mut dyn Write) -> io::Result<()> {
    let failed = |error: anyhow::Error| io::Error::other(format!("{error:#}"));
    let name = called.name.clone();
    let ask = Tail { name, lines: asked.lines.unwrap_or(LINES), follows: asked.follow };
    let mut lines = Lines::open(called.address.as_ref(), ask).map_err(failed)?;
    let guarded = io::stdout().is_terminal();
    let mut has_any = false;
    while let Some(text) = lines.next().map_err(failed)? {
        has_any |= !text.is_empty();
        match guarded {
            true => out.write_all(harmless(&String::from_utf8_lossy(&text)).as_bytes())?,
            false => out.write_all(&text)?,
        }
        out.flush()?;
    }
    if !has_any && called.name.contains('/') {
        eprintln!("liege: no line of it is known: what a daemon with a `log` writes is in that");
    }
    Ok(())
}

/// Nothing that a vassal wrote moves the cursor of whoever reads it.
fn harmless(text: &str) -> String {
    let safe = |one: char| !one.is_control() || matches!(one, '\n' | '\t');
    text.chars().flat_map(|one| if safe(one) { vec![one] } else { one.escape_default().collect() }).collect()
}

/// The last lines of a vassal for `liege why`; nothing where nobody tells them.
pub fn quoted(address: Option<&Address>, name: &str) -> String {
    let text = last(address, (name, QUOTED), |_| true);
    if text.is_empty() { text } else { format!("  it wrote last:\n{text}") }
}

/// The last of those lines of a vassal that are about something.
pub fn quoted_if(address: Option<&Address>, name: &str, is_about: impl Fn(&str) -> bool) -> String {
    let text = last(address, (name, SEARCHED), is_about);
    if text.is_empty() { text } else { format!("  its vassal wrote of it last:\n{text}") }
}

fn last(address: Option<&Address>, (name, lines): (&str, u32), is_meant: impl Fn(&str) -> bool) -> String {
    let ask = Tail { name: name.to_owned(), lines, follows: false };
    let Ok(mut lines) = Lines::open(address, ask) else { return String::new() };
    let mut bytes = Vec::new();
    while let Ok(Some(piece)) = lines.next() {
        bytes.extend_from_slice(&piece);
    }
    let text = String::from_utf8_lossy(&bytes);
    let meant: Vec<&str> = text.lines().filter(|line| is_meant(line)).collect();
    let mut told = String::new();
    for line in &meant[meant.len().saturating_sub(QUOTED as usize)..] {
        let line: String = log::plain(line).chars().take(QUOTED_MAX).collect();
        let _ = writeln!(told, "    | {line}");
    }
    told
}

struct Lines(Connection);

impl Lines {
    fn open(address: Option<&Address>, ask: Tail) -> Result<Self> {
        let connection = Connection::open(address)?;
        connection.ask(&Ask::Tail(ask))?;
        Ok(Self(connection))
    }

    /// The next piece; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        match self.0.hear()? {
            Some((Answer::Lines(text), _)) => Ok(Some(text)),
            Some((Answer::Ended(_), _)) => Ok(None),
            Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
            Some((other, _)) => bail!("what came makes no sense here: {other:?}"),
            None => Err(anyhow!("the log keeper has let us go: we read too slowly, or it has ended")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row L1.
    #[test]
    fn what_a_vassal_wrote_moves_no_cursor() {
        assert_eq!(harmless("a\tü\x1b[2J\r\n"), "a\tü\\u{1b}[2J\\r\n");
    }
}
