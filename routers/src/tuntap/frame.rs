//! Pure. Frames between router and peer, as uWSGI 2.0 has them on a stream: byte 0, length (little endian), kind, payload.
//!
//! A frame that is longer than a packet may be ends its peer, before a byte of it is kept.

use super::talk::HELLO;

/// Bytes of a header.
pub const HEADER: usize = 4;
/// Longest payload that a header can say.
pub const PAYLOAD_MAX: usize = 65_535;
/// What a client of uWSGI sends first with `tuntap-use-credentials`; its first byte begins no frame.
pub const GREETING: &[u8; 12] = b"uwsgi-tuntap";

const PACKET: u8 = 0;
const RULES: u8 = 1;
/// Of ours alone; a router of uWSGI would take it for a packet, so it is sent to nobody who has not welcomed us.
const MESSAGE: u8 = 2;

/// What a peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// It says who it is, by the credentials that came along.
    Greeting,
    /// An IP packet.
    Packet(&'a [u8]),
    /// Records of its own rules.
    Rules(&'a [u8]),
    /// It speaks as we do.
    Hello,
    /// A message of `talk`.
    Message(&'a [u8]),
}

/// Why a peer's stream makes no sense any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Longer than was agreed.
    #[error("a frame of {0} bytes is longer than any packet may be")]
    TooLong(usize),
    /// The first byte of a header is not 0.
    #[error("byte {0:#04x} begins no frame")]
    NoFrame(u8),
    /// Neither a packet nor rules.
    #[error("a frame of kind {0} is not known")]
    Kind(u8),
    /// More rules than a peer may have.
    #[error("{0} rules are more than a peer may have")]
    Rules(usize),
}

/// The frames of a stream, however its bytes arrive.
#[derive(Debug)]
pub struct Decoder {
    buffer: Box<[u8]>,
    /// What has come and was not given out yet.
    start: usize,
    end: usize,
    is_begin: bool,
}

impl Decoder {
    /// For packets of so many bytes at most; all memory that it will ever have.
    pub fn new(packet_max: usize) -> Self {
        let room = HEADER + packet_max.clamp(GREETING.len(), PAYLOAD_MAX);
        Self { buffer: vec![0; room].into(), start: 0, end: 0, is_begin: true }
    }

    /// Where the next bytes of the stream are to be written; it has room once `next_frame` has given all.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        &mut self.buffer[self.end..]
    }

    /// So many bytes were written there.
    ///
    /// # Panics
    /// More than there was room for.
    pub fn received(&mut self, bytes: usize) {
        assert!(bytes <= self.buffer.len() - self.end, "more bytes than room");
        self.end += bytes;
    }

    /// The next frame that is whole.
    ///
    /// # Errors
    /// The stream cannot be followed any further: the peer has to go.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Breach> {
        let packet_max = self.buffer.len() - HEADER;
        match first(&self.buffer[self.start..self.end], self.is_begin, packet_max)? {
            None => Ok(None),
            Some((frame, length)) => {
                (self.start, self.is_begin) = (self.start + length, false);
                Ok(Some(frame))
            }
        }
    }
}

/// The first frame in the bytes of a stream, if it is whole, and how many of them it is; only the begin of a stream may
/// have a greeting.
///
/// # Errors
/// The stream cannot be followed any further: the peer has to go.
pub fn first(held: &[u8], is_begin: bool, packet_max: usize) -> Result<Option<(Frame<'_>, usize)>, Breach> {
    if is_begin && held.first() == Some(&GREETING[0]) {
        return greeting(held);
    }
    let Some(header) = held.first_chunk::<HEADER>() else { return early(held).map(|()| None) };
    let (length, kind) = parse_header(*header)?;
    if length > packet_max {
        return Err(Breach::TooLong(length));
    }
    let Some(payload) = held.get(HEADER..HEADER + length) else { return Ok(None) };
    let frame = match kind {
        MESSAGE => Frame::Message(payload),
        RULES if payload == HELLO => Frame::Hello,
        RULES => Frame::Rules(payload),
        _ => Frame::Packet(payload),
    };
    Ok(Some((frame, HEADER + length)))
}

fn greeting(held: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Breach> {
    let length = held.len().min(GREETING.len());
    if held[..length] != GREETING[..length] {
        return Err(Breach::NoFrame(held[0]));
    }
    Ok((length == GREETING.len()).then_some((Frame::Greeting, length)))
}

/// A header that has not come whole may be wrong already.
fn early(held: &[u8]) -> Result<(), Breach> {
    match held {
        [begin, ..] if *begin != 0 => Err(Breach::NoFrame(*begin)),
        _ => Ok(()),
    }
}

fn parse_header([begin, low, high, kind]: [u8; HEADER]) -> Result<(usize, u8), Breach> {
    match (begin, kind) {
        (0, PACKET | RULES | MESSAGE) => Ok((u16::from_le_bytes([low, high]).into(), kind)),
        (0, kind) => Err(Breach::Kind(kind)),
        (begin, _) => Err(Breach::NoFrame(begin)),
    }
}

/// Header of a packet of so many bytes; none for more than a frame can have.
pub fn packet_header(length: usize) -> Option<[u8; HEADER]> {
    header(length, PACKET)
}

/// Header of a table of rules of so many bytes; none for more than a frame can have.
pub fn rules_header(length: usize) -> Option<[u8; HEADER]> {
    header(length, RULES)
}

/// Header of a message of so many bytes; none for more than a frame can have.
pub fn message_header(length: usize) -> Option<[u8; HEADER]> {
    header(length, MESSAGE)
}

fn header(length: usize, kind: u8) -> Option<[u8; HEADER]> {
    let [low, high] = u16::try_from(length).ok()?.to_le_bytes();
    Some([0, low, high, kind])
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
