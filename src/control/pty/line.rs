//! Pure. What goes from a terminal to whoever serves another one: keys and sizes, as they are or in frames.
//!
//! Of frames one is under way at a time, and none is longer than a page: so the other end finds each alone and whole, and
//! what is typed meanwhile becomes the next one. Both halves of a size go together, as uWSGI's client sends them.

use routers::forkpty::frame::{HEADER, input_header, window_frames};

use crate::control::attach::escape::{Act, Escape};

/// Most bytes of input in one frame: with its header a page.
const FRAME_MAX: usize = 4096 - HEADER;
/// Keys that may wait.
const KEYS_MAX: usize = 65_536;

/// How the other end is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Bytes as they are.
    Raw,
    /// In frames.
    Framed,
}

/// What is left for whoever typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To end it.
    End,
    /// To be told what can be typed.
    Help,
}

/// The way from a terminal to the other end.
#[derive(Debug)]
pub struct Line {
    speech: Speech,
    escape: Escape,
    keys: Vec<u8>,
    size: Option<(u16, u16)>,
    /// What is under way, and how much of it has been sent.
    piece: Vec<u8>,
    sent: usize,
}

impl Line {
    /// `every_key`: a tilde is a key like all others.
    pub fn new(speech: Speech, every_key: bool) -> Self {
        let escape = Escape::new(every_key);
        Self { speech, escape, keys: Vec::new(), size: None, piece: Vec::new(), sent: 0 }
    }

    /// Keys that there is room for.
    pub fn room(&self) -> usize {
        KEYS_MAX.saturating_sub(self.keys.len())
    }

    /// Takes what was typed.
    pub fn typed(&mut self, bytes: &[u8]) -> Vec<Wish> {
        let acts = self.escape.take(bytes);
        acts.into_iter().filter_map(|act| self.wish(act)).collect()
    }

    fn wish(&mut self, act: Act) -> Option<Wish> {
        match act {
            Act::Pass(keys) => self.keys.extend(keys),
            // Whether it goes on without us is for the other end to say.
            Act::Detach => self.keys.extend(b"~d"),
            Act::End => return Some(Wish::End),
            Act::Help => return Some(Wish::Help),
        }
        None
    }

    /// The terminal has this size, in lines and characters; bytes as they are cannot say so.
    pub fn resized(&mut self, size: (u16, u16)) {
        self.size = (self.speech == Speech::Framed).then_some(size);
    }

    /// What is to be sent now.
    pub fn piece(&self) -> &[u8] {
        &self.piece[self.sent..]
    }

    /// So many bytes of it were.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
    }

    /// Something waits behind what is under way.
    pub fn has_more(&self) -> bool {
        self.size.is_some() || !self.keys.is_empty()
    }

    /// Whether the next piece has to wait until the one before has been read.
    pub fn waits_for_reader(&self) -> bool {
        self.speech == Speech::Framed
    }

    /// What was under way has arrived: the next piece, if there is one.
    ///
    /// Must: be called when all of `piece` was sent.
    pub fn advance(&mut self) {
        self.sent = 0;
        self.piece = match (self.size.take(), self.speech) {
            (Some((rows, columns)), _) => window_frames(rows, columns).into(),
            (None, Speech::Raw) => std::mem::take(&mut self.keys),
            (None, Speech::Framed) => self.frame(),
        };
    }

    fn frame(&mut self) -> Vec<u8> {
        let length = self.keys.len().min(FRAME_MAX);
        let header = input_header(length).expect("a page is no long frame");
        let keys = self.keys.drain(..length);
        if length == 0 { Vec::new() } else { header.into_iter().chain(keys).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(line: &mut Line) -> Vec<u8> {
        line.advance();
        let piece = line.piece().to_vec();
        line.sent(piece.len());
        piece
    }

    #[test]
    fn bytes_as_they_are_have_no_size() {
        let mut line = Line::new(Speech::Raw, false);
        line.resized((50, 132));
        assert!(!line.has_more());
        assert_eq!(line.typed(b"ls\r"), []);
        assert_eq!((next(&mut line), line.has_more()), (b"ls\r".to_vec(), false));
    }

    #[test]
    fn what_is_typed_meanwhile_is_one_frame_behind_the_last_size() {
        let mut line = Line::new(Speech::Framed, false);
        line.resized((24, 80));
        line.typed(b"l");
        line.resized((50, 132));
        line.typed(b"s\r");
        assert_eq!(next(&mut line), window_frames(50, 132));
        assert_eq!(next(&mut line), b"\0\x03\0\0ls\r");
        assert_eq!((next(&mut line), line.has_more()), (vec![], false));
    }

    #[test]
    fn no_frame_is_longer_than_a_page() {
        let mut line = Line::new(Speech::Framed, true);
        line.typed(&vec![b'x'; 10_000]);
        let lengths: Vec<usize> = (0..4).map(|_| next(&mut line).len()).collect();
        assert_eq!(lengths, [4096, 4096, 10_000 - 2 * FRAME_MAX + HEADER, 0]);
    }

    #[test]
    fn what_is_cut_in_two_is_sent_on_from_there() {
        let mut line = Line::new(Speech::Raw, false);
        line.typed(b"abc");
        line.advance();
        line.sent(1);
        assert_eq!(line.piece(), b"bc");
    }

    #[test]
    fn a_tilde_ends_it_where_it_is_no_key() {
        let mut line = Line::new(Speech::Framed, false);
        assert_eq!(line.typed(b"~?~."), [Wish::Help, Wish::End]);
        assert!(!line.has_more());
        line.typed(b"\r~d");
        assert_eq!(next(&mut line), b"\0\x03\0\0\r~d");
        assert_eq!(Line::new(Speech::Raw, true).typed(b"~."), []);
    }

    #[test]
    fn keys_that_nobody_takes_are_read_no_further() {
        let mut line = Line::new(Speech::Raw, true);
        line.typed(&vec![b'x'; KEYS_MAX]);
        assert_eq!(line.room(), 0);
    }
}
