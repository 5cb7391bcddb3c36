//! Pure. How processes end.

use std::fmt;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `exit(3)` status.
    Code(i32),
    /// Signal number.
    Signal(i32),
}

impl Exit {
    /// As a status of our own: 128 and the number for a signal, as shells do.
    pub fn status(self) -> u8 {
        let status = match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        };
        u8::try_from(status).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with status {code}"),
            Self::Signal(number) => write!(f, "was killed by signal {number}"),
        }
    }
}
