//! Pure. What peers and people say to our router beyond what uWSGI's clients can: messages in frames of their own kind.
//!
//! Whoever speaks this begins with `HELLO`, which is a table of rules without a whole record: to a router of uWSGI it
//! means nothing, ours answers with `Word::Welcome`.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::frame::{self, HEADER};

/// Payload of the first frame of whoever speaks this; shorter than a record, so that a router of uWSGI skips it.
pub const HELLO: &[u8; 15] = b"liege-tuntap/1\n";
/// Bytes of the label of a peer.
pub const LABEL_MAX: usize = 128;
/// Bytes of a text in one frame.
pub const PIECE_MAX: usize = 32 * 1024;
/// Bytes of a frame beside those of its piece.
const PIECE_REST: usize = HEADER + 16;
/// Bytes of the rules that `Say::Replace` brings.
pub const RULES_TEXT_MAX: u64 = 4 * 1024 * 1024;

/// What is said to the router, one frame each. A connection is a peer's once it has claimed or lent a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Say {
    /// I am a peer. Answered by `Word::Held` or `Word::Refused`.
    ///
    /// Descriptor, if any: a device made with `IFF_TUN | IFF_NO_PI | IFF_VNET_HDR`, not blocking. The router reads and
    /// writes it from then on; without one, packets go through this connection.
    Claim {
        /// Addresses that I shall use; none means that I want some.
        addresses: Vec<IpAddr>,
        /// Which of the peers of its user it is, so that it gets the addresses again that it had.
        label: String,
    },
    /// I keep my connection, and this device is mine; my addresses are those of the packets that it gives. No answer but
    /// `Word::Taken` or `Word::Refused`.
    ///
    /// Descriptor: as above.
    Lend,
    /// Who is there, and what went by. Answered by a text: JSON. Whoever may not rule sees his own peers, as many as wait for him at
    /// once.
    Table,
    /// Which rules are in force. Answered by a text: one rule a line, each behind `in`, `out` or `route`.
    Rules,
    /// These rules from now on. Answered by `Word::Done` or `Word::Refused`; only for root and whoever the router is of.
    ///
    /// Descriptor: a memfd sealed against any change (`F_SEAL_WRITE`, `F_SEAL_SHRINK`), the text of `Rules`.
    Replace {
        /// Number of the rules that were looked at; refused when others are in force by now. `None`: whatever they are.
        generation: Option<u64>,
    },
}

/// What the router answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// Answer to `HELLO`.
    Welcome(Welcome),
    /// The addresses that the peer has now, each with the length of its network.
    Held(Vec<(IpAddr, u8)>),
    /// The device is in use.
    Taken,
    /// No, and why: one sentence with its cure.
    Refused(String),
    /// A text is in the descriptor that comes along, a sealed memfd: one that is too long for pieces, of whoever may rule. With the
    /// number of the rules in force.
    Text(u64),
    /// The rules are in force. With their number.
    Done(u64),
    /// A piece of a text, behind the one before it.
    Piece {
        /// Number of the rules in force.
        generation: u64,
        /// At most `PIECE_MAX`; a letter may end in the next piece.
        bytes: Vec<u8>,
        /// The text is whole.
        is_last: bool,
    },
}

/// What a peer should know of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Name of the device on the host.
    pub device: String,
    /// Addresses of that device: the next hop of each version, with the length of the network.
    pub routers: Vec<(IpAddr, u8)>,
    /// Addresses that are this user's, with the length of their network.
    pub given: Vec<(IpAddr, u8)>,
    /// Bytes of the longest packet of this network.
    pub mtu: u32,
    /// Bytes of the longest packet beyond it, for the default route.
    pub mtu_beyond: u32,
    /// Whom to ask for names.
    pub nameservers: Vec<IpAddr>,
}

/// The frame of a message.
///
/// # Errors
/// It is longer than a frame can be.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Unsaid> {
    let payload = postcard::to_stdvec(message).map_err(|_| Unsaid)?;
    let header = frame::message_header(payload.len()).ok_or(Unsaid)?;
    Ok([&header[..], &payload].concat())
}

/// A text in frames.
pub fn pieces(generation: u64, text: &str) -> impl Iterator<Item = Word> {
    let count = text.len().div_ceil(PIECE_MAX).max(1);
    let piece = move |index: usize| text.as_bytes().chunks(PIECE_MAX).nth(index).unwrap_or_default().to_vec();
    (0..count).map(move |index| Word::Piece { generation, bytes: piece(index), is_last: index + 1 == count })
}

/// Bytes of a text whose frames are so many bytes at most.
pub fn text_max(frames: usize) -> usize {
    frames.saturating_sub(frames.div_ceil(PIECE_MAX) * PIECE_REST)
}

/// The frame of `HELLO`.
pub fn hello() -> [u8; HEADER + HELLO.len()] {
    let mut bytes = [0; HEADER + HELLO.len()];
    bytes[..HEADER].copy_from_slice(&frame::rules_header(HELLO.len()).expect("short"));
    bytes[HEADER..].copy_from_slice(HELLO);
    bytes
}

/// The message in the payload of a frame.
///
/// # Errors
/// It is none of these, or more than one.
pub fn decode<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Unsaid> {
    match postcard::take_from_bytes(payload) {
        Ok((message, [])) => Ok(message),
        _ => Err(Unsaid),
    }
}

/// What is no message of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no message of a tuntap router")]
pub struct Unsaid;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuntap::frame::{Decoder, Frame};
    use crate::tuntap::record::{RECORD, Record};

    #[test]
    fn a_hello_is_no_rule_to_whoever_does_not_know_it() {
        assert!(HELLO.len() < RECORD);
        assert_eq!(Record::parse_all(HELLO), Ok(Vec::new()));
    }

    #[test]
    fn what_is_said_comes_out_of_a_stream() {
        let claim = Say::Claim { addresses: vec!["10.0.0.2".parse().unwrap()], label: "shop.ini".into() };
        let mut decoder = Decoder::new(8192);
        let bytes = [&hello()[..], &encode(&claim).unwrap()].concat();
        decoder.room()[..bytes.len()].copy_from_slice(&bytes);
        decoder.received(bytes.len());
        assert_eq!(decoder.next_frame(), Ok(Some(Frame::Hello)));
        let Ok(Some(Frame::Message(payload))) = decoder.next_frame() else { panic!("no message") };
        assert_eq!(decode::<Say>(payload), Ok(claim));
        assert_eq!(decode::<Say>(&[99]), Err(Unsaid));
    }

    #[test]
    fn a_text_is_whole_again_behind_its_last_piece_and_no_longer_than_there_is_room() {
        for room in [PIECE_REST, PIECE_MAX, PIECE_MAX + PIECE_REST, 3 * PIECE_MAX, 1 << 20] {
            let text = "é".repeat(text_max(room) / 2);
            let words: Vec<Word> = pieces(u64::MAX, &text).collect();
            let frames = words.iter().map(|word| encode(word).unwrap().len()).sum::<usize>();
            assert!(frames <= room, "{frames} of {room}");
            let mut whole = Vec::new();
            for (index, word) in words.iter().enumerate() {
                let Word::Piece { bytes, is_last, .. } = word else { panic!("{word:?}") };
                assert_eq!(*is_last, index + 1 == words.len());
                whole.extend(bytes);
            }
            assert_eq!(String::from_utf8(whole).unwrap(), text);
        }
        assert_eq!(text_max(0), 0);
    }
}
