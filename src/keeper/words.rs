//! Pure. What the Emperor and its log keeper say to each other, and what they agree on.
//!
//! One message is one packet of a `SOCK_SEQPACKET` pair, `postcard` encoded, at most `MESSAGE_MAX` bytes; descriptors travel
//! beside it (`SCM_RIGHTS`).

use routers::packet;
pub use routers::packet::{Malformed, decode};
use serde::{Deserialize, Serialize};

use super::charter::Charter;
use crate::emperor::event::Incarnation;

/// Longest message in bytes.
pub const MESSAGE_MAX: usize = 4096;
/// Longest name of a vassal here, in bytes; of a longer one the end is kept.
const NAME_MAX: usize = 1024;
/// The keeper's end of the pair.
pub const CHANNEL_FD: i32 = 3;

/// To the keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToKeeper {
    /// The first message. Descriptor: the directory of the files, if that is where lines go.
    Begin(Charter),
    /// A process of a vassal writes into this pipe. Descriptor: its other end.
    Open {
        /// Which.
        stream: Stream,
        /// The vassal, as people know it.
        name: String,
    },
    /// Read what is in it, and close it.
    Close(Stream),
    /// This vassal is no more.
    Forget(u32),
    /// Somebody else owns this vassal from now on.
    Disown(u32),
    /// Somebody wants to read what a vassal wrote. Descriptor: his connection.
    Tail(Tail),
    /// Open all files anew: somebody has moved them away. Descriptor: the new standard error, where lines go there.
    Reopen,
}

/// What somebody wants to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Of whom.
    pub vassal: u32,
    /// Of this daemon of it alone.
    pub daemon: Option<String>,
    /// The last ones.
    pub lines: u32,
    /// And whatever follows.
    pub follows: bool,
    /// Who he is.
    pub uid: u32,
}

/// To the Emperor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToEmperor {
    /// It serves.
    Ready,
    /// Nobody writes there any more, and all was read.
    Closed(Stream),
}

/// What one process of a vassal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stream {
    /// The vassal.
    pub vassal: u32,
    /// Which of its processes.
    pub attempt: u32,
}

impl Stream {
    /// As one number.
    pub fn number(self) -> u64 {
        u64::from(self.vassal) << 32 | u64::from(self.attempt)
    }

    /// The one of this number.
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a number are taken apart")]
    pub fn of(number: u64) -> Self {
        Self { vassal: (number >> 32) as u32, attempt: number as u32 }
    }
}

impl From<Incarnation> for Stream {
    fn from(one: Incarnation) -> Self {
        Self { vassal: one.id.0, attempt: one.attempt }
    }
}

/// A name that fits into a message, and into one line.
pub fn name(whole: &str) -> String {
    let plain: String = whole.chars().map(|one| if one.is_control() { '?' } else { one }).collect();
    let mut from = plain.len().saturating_sub(NAME_MAX);
    while !plain.is_char_boundary(from) {
        from += 1;
    }
    plain[from..].to_owned()
}

/// The bytes of a message.
///
/// # Errors
/// It is longer than `MESSAGE_MAX`.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    packet::encode(message, MESSAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_went_and_nothing_else_does() {
        let stream = Stream { vassal: 7, attempt: 3 };
        let word = ToKeeper::Open { stream, name: name(&"ä".repeat(5000)) };
        let bytes = encode(&word).expect("short");
        assert_eq!(decode(&bytes), Ok(word));
        assert_eq!(decode::<ToKeeper>(&[&bytes[..], &[0]].concat()), Err(Malformed));
        assert_eq!(decode::<ToEmperor>(&[9]), Err(Malformed));
    }

    #[test]
    fn a_stream_is_a_number() {
        let stream = Stream { vassal: u32::MAX, attempt: 5 };
        assert_eq!(Stream::of(stream.number()), stream);
    }

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(name("a\nb\x1b"), "a?b?");
        assert!(name(&"ä".repeat(5000)).len() <= NAME_MAX);
    }
}
