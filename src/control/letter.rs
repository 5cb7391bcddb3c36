//! Pure. Letters that uWSGI's master takes from its FIFO, as far as they mean something to an Emperor.

/// What a letter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// `q`: everybody is told to stop.
    Stop,
    /// `Q`: everybody is killed.
    Kill,
    /// `r`, `R`, `c`, `w`, `W`: everybody reloads, each in its own way.
    Reload,
    /// `s`: how everybody is, into the log.
    Status,
    /// `E`: all sources are looked at anew.
    Rescan,
    /// `l`, `L`: the log is opened anew.
    Reopen,
    /// `P`: the files that tell our pid are written anew.
    Pidfiles,
}

impl Letter {
    /// What this byte asks for.
    pub fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'q' => Self::Stop,
            b'Q' => Self::Kill,
            b'r' | b'R' | b'c' | b'w' | b'W' => Self::Reload,
            b's' => Self::Status,
            b'E' => Self::Rescan,
            b'l' | b'L' => Self::Reopen,
            b'P' => Self::Pidfiles,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_letter_of_an_emperor_asks_for_nothing() {
        let known: String = (0..=255).filter(|byte| Letter::of(*byte).is_some()).map(char::from).collect();
        assert_eq!(known, "ELPQRWclqrsw");
    }
}
