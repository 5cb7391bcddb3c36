//! Pure. How lines of daemons are told from those of their vassal, with which they share a pipe: each stands behind a mark, and is
//! written in one piece. So it comes whole, also where somebody else is in the midst of a line.
//!
//! Whoever writes into that pipe can put a mark there. It is his own vassal's, so it tells nobody anything of another's.

use super::lines::Cutter;
use crate::config::vassal::daemons::{NAME_MAX, is_name};

/// Mode of a pipe whose reader knows marks: everybody may write, and nobody reads by name. The sticky bit says it, which
/// means nothing else for a pipe, so whoever has the pipe, through however many programs, knows.
pub const KNOWS_MARKS: u32 = 0o1222;
/// Longest line with its mark and its end, in bytes: the kernel puts nobody's bytes into such a piece (`PIPE_BUF`, `pipe(7)`).
pub const WHOLE_MAX: usize = 4_096;

const BEGIN: u8 = 0x1e;
/// Ends the name.
const END: u8 = 0x1f;

/// A line as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The daemon that wrote it.
    pub daemon: Option<&'a str>,
    /// Without the mark.
    pub text: &'a [u8],
}

/// What stands before each line of this daemon.
pub fn mark(daemon: &str) -> Vec<u8> {
    [&[BEGIN], daemon.as_bytes(), &[END]].concat()
}

/// What it says.
pub fn read(line: &[u8]) -> Line<'_> {
    let marked = || {
        let name = line.strip_prefix(&[BEGIN])?;
        let end = name.iter().take(NAME_MAX + 1).position(|byte| *byte == END)?;
        let daemon = str::from_utf8(&name[..end]).ok().filter(|name| is_name(name))?;
        Some(Line { daemon: Some(daemon), text: &name[end + 1..] })
    };
    marked().unwrap_or(Line { daemon: None, text: line })
}

/// The text of a line, if somebody who reads this daemon, or the vassal with all its daemons, is to have it.
pub fn for_reader<'a>(line: &'a [u8], daemon: Option<&str>) -> Option<&'a [u8]> {
    let line = read(line);
    (daemon.is_none() || line.daemon == daemon).then_some(line.text)
}

/// Lines of one pipe: those behind a mark, and those of everybody else.
#[derive(Debug, Default)]
pub struct Sorter {
    plain: Cutter,
    /// What has come of a line behind a mark, or of what may be a mark yet.
    marked: Option<Marked>,
}

#[derive(Debug, Default)]
struct Marked {
    bytes: Vec<u8>,
    has_name: bool,
}

impl Sorter {
    /// Takes a piece and gives each line that is whole now, with its mark and without its end.
    pub fn feed(&mut self, mut piece: &[u8], mut give: impl FnMut(&[u8])) {
        while !piece.is_empty() {
            piece = match self.marked.take() {
                None => self.feed_plain(piece, &mut give),
                Some(marked) if marked.has_name => self.feed_text(marked, piece, &mut give),
                Some(marked) => self.feed_name(marked, piece, &mut give),
            };
        }
    }

    /// Nothing follows: gives what has no end.
    pub fn finish(&mut self, mut give: impl FnMut(&[u8])) {
        match self.marked.take() {
            Some(marked) if marked.has_name => give(&marked.bytes),
            Some(marked) => self.plain.feed(&marked.bytes, &mut give),
            None => {}
        }
        self.plain.finish(give);
    }

    /// What is left of the piece.
    fn feed_plain<'a>(&mut self, piece: &'a [u8], give: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let begin = piece.iter().position(|byte| *byte == BEGIN);
        let (text, rest) = piece.split_at(begin.unwrap_or(piece.len()));
        self.plain.feed(text, give);
        let Some((_, rest)) = rest.split_first() else { return rest };
        self.marked = Some(Marked { bytes: vec![BEGIN], has_name: false });
        rest
    }

    fn feed_name<'a>(
        &mut self,
        mut marked: Marked,
        piece: &'a [u8],
        give: &mut impl FnMut(&[u8]),
    ) -> &'a [u8] {
        let letters = piece.iter().take_while(|byte| ![BEGIN, END, b'\n'].contains(byte)).count();
        let (name, rest) = piece.split_at(letters.min(NAME_MAX + 1 - marked.bytes.len()));
        marked.bytes.extend_from_slice(name);
        match rest.split_first() {
            None => {
                self.marked = Some(marked);
                rest
            }
            Some((&END, rest)) if str::from_utf8(&marked.bytes[1..]).is_ok_and(is_name) => {
                marked.bytes.push(END);
                self.marked = Some(Marked { has_name: true, ..marked });
                rest
            }
            // It was no mark; there is none in it either.
            Some(_) => {
                self.plain.feed(&marked.bytes, give);
                rest
            }
        }
    }

    fn feed_text<'a>(
        &mut self,
        mut marked: Marked,
        piece: &'a [u8],
        give: &mut impl FnMut(&[u8]),
    ) -> &'a [u8] {
        let room = WHOLE_MAX - 1 - marked.bytes.len();
        let end = piece.iter().take(room + 1).position(|byte| *byte == b'\n');
        let (text, rest) = piece.split_at(end.unwrap_or(room.min(piece.len())));
        marked.bytes.extend_from_slice(text);
        if end.is_none() && rest.is_empty() {
            self.marked = Some(marked);
            return rest;
        }
        give(&marked.bytes);
        rest.strip_prefix(b"\n").unwrap_or(rest)
    }
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
