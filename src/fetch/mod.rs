//! What a scheme stands for where a config names a file: a descriptor, a command's output, a server's answer,
//! the config pipe of the Emperor.
//!
//! Must not: be reached by the Emperor or the spawner for a vassal's config, nor by whoever only looks at it.

mod command;
mod http;
mod pipe;
mod stream;

use std::io;
use std::time::{Duration, Instant};

/// From the question to the last byte of the answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A source that is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'n> {
    /// `-`.
    Stdin,
    /// `fd://N`.
    Descriptor(&'n str),
    /// `exec://COMMAND`, for a shell.
    Command(&'n str),
    /// `http://HOST[:PORT]/PATH`, without the scheme.
    Http(&'n str),
    /// `emperor://NAME`.
    Emperor(&'n str),
    /// One that is not read, and what to use instead.
    Refused(&'static str),
}

impl<'n> Scheme<'n> {
    /// The scheme of a name; `None` for a path.
    pub fn of(name: &'n str) -> Option<Self> {
        if name == "-" {
            return Some(Self::Stdin);
        }
        let (scheme, rest) = name.split_once("://")?;
        if !scheme.bytes().all(|one| one.is_ascii_alphanumeric()) {
            return None;
        }
        Some(match scheme {
            "fd" => Self::Descriptor(rest),
            "exec" => Self::Command(rest),
            "http" => Self::Http(rest),
            "emperor" => Self::Emperor(rest),
            "https" => Self::Refused("TLS is not spoken here; use exec://curl -fsS https://…"),
            "data" => {
                Self::Refused("nothing is appended to this program; put the text into a file and name that")
            }
            "sym" | "section" | "call" | "callint" => {
                Self::Refused("there is no such thing in this program; name a file, or use exec://COMMAND")
            }
            _ => Self::Refused("no such scheme: known are fd, exec, http and emperor; use exec://COMMAND"),
        })
    }

    /// True when nobody reads it.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Reads all that a scheme stands for, at most one byte more than a config may have.
///
/// # Errors
/// A sentence. No answer within 20 s is an error, too.
pub fn fetch(scheme: Scheme<'_>) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + ANSWER_MAX;
    match scheme {
        Scheme::Stdin => stream::read_number("0", deadline),
        Scheme::Descriptor(number) => stream::read_number(number, deadline),
        Scheme::Command(text) => command::output(&["/bin/sh", "-c", text], deadline),
        Scheme::Http(address) => http::get(address, deadline),
        Scheme::Emperor(_) => pipe::read(),
        Scheme::Refused(instead) => Err(refused(instead)),
    }
}

/// What a program prints that is a config itself (`emperor-magic-exec`): it is run as it is, by no shell.
///
/// # Errors
/// As above.
pub fn run(name: &str) -> io::Result<Vec<u8>> {
    // A bare name would be looked for elsewhere.
    let path = if name.contains('/') { name.to_owned() } else { format!("./{name}") };
    command::output(&[&path], Instant::now() + ANSWER_MAX)
}

/// Whether the config of this process came out of the Emperor's pipe.
pub fn has_pipe() -> bool {
    pipe::was_read()
}

/// Leaves standard input and the config pipe to a program that takes our place and reads the config again.
pub fn hand_on() {
    stream::rewind_stdin();
    pipe::hand_on();
}

fn refused(sentence: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, sentence.into())
}

fn failed(sentence: impl Into<String>) -> io::Error {
    io::Error::other(sentence.into())
}
