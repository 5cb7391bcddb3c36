//! What ends a vassal: one sentence, and what to do about it.

use std::fmt;

use jail::plan::errno_name;
use rustix::io::Errno;

/// Why a vassal cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One sentence without a full stop.
    pub cause: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Trouble {
    /// A sentence of its own.
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: None }
    }

    /// `cannot <what>: <errno>`.
    pub fn errno(what: impl fmt::Display, errno: impl Into<Errno>) -> Self {
        Self::new(format!("cannot {what}: {}", name(errno.into())))
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The same, with the number of the step that failed.
    #[must_use]
    pub fn at(self, step: usize, steps: usize) -> Self {
        Self { cause: format!("{} (step {step} of {steps})", self.cause), ..self }
    }
}

impl fmt::Display for Trouble {
    /// `cause; advice: …`, as the Emperor tells of a failed birth.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; advice: {advice}"))
    }
}

/// The name of an error as `errno(3)` has it.
pub fn name(errno: Errno) -> String {
    errno_name(errno.raw_os_error())
}

/// The error number of an I/O error; `EIO` when it has none.
pub fn number(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_one_sentence_with_its_step() {
        let trouble = Trouble::errno("bind /run/a", Errno::ACCESS).at(2, 9).advise("look there");
        assert_eq!(trouble.to_string(), "cannot bind /run/a: EACCES (step 2 of 9); advice: look there");
    }
}
