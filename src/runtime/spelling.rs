//! Pure. Words of a vassal among the bytes of its protocol: none of the protocol's bytes is a letter, so what knows nothing of
//! words passes over them.

use crate::daemons::Word;
use crate::emperor::event::Digest;
use crate::emperor::order::from_vassal::{
    DAEMON, KEPT, LONG_TEXT_MAX, SERVES, TAKES, TEXT, TEXT_END, TEXT_MAX, TROUBLE,
};

/// The first byte that may be of a text.
const LETTER: u8 = b' ';

/// What was said, and what is being said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    next: Option<(u8, Vec<u8>)>,
    said: String,
    serves: String,
}

/// What a byte was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spelled {
    /// None of a text.
    Byte,
    /// One of a text.
    Letter,
    /// The end of a text about a trouble: what keeps it from going on.
    Trouble(String),
    /// The end of a text about its config: of which text, and why it does not use that, if it does not.
    Kept(Option<Digest>, Option<String>),
    /// The end of a text about its config: of which text that is with which it begins anew.
    Takes(Digest),
    /// The end of a text about one of its daemons; of what is none, that it tells of daemons at all.
    Daemon(Option<Word>),
}

/// Whether a text begins with this byte.
pub fn begins(byte: u8) -> bool {
    matches!(byte, TEXT | TROUBLE | KEPT | SERVES | DAEMON | TAKES)
}

impl Spelling {
    /// Takes the next byte.
    pub fn take(&mut self, byte: u8) -> Spelled {
        match (byte, &mut self.next) {
            (first, _) if begins(first) => self.next = Some((first, Vec::new())),
            (TEXT_END, Some(_)) => return self.end(),
            (LETTER.., Some((first, text))) if text.len() < longest(*first) => text.push(byte),
            (LETTER.., Some(_)) => {}
            (_, _) => return Spelled::Byte,
        }
        Spelled::Letter
    }

    fn end(&mut self) -> Spelled {
        let Some((first, text)) = self.next.take() else { return Spelled::Letter };
        let text = String::from_utf8_lossy(&text).into_owned();
        match first {
            TROUBLE => return Spelled::Trouble(text),
            KEPT => return kept(&text),
            DAEMON => return daemon(&text),
            TAKES => return Digest::parse(&text).map_or(Spelled::Letter, Spelled::Takes),
            SERVES => self.serves = text,
            _ => self.said = text,
        }
        Spelled::Letter
    }

    /// What it says of itself: the last whole text; empty when there is none.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// Where it listens, likewise.
    pub fn serves(&self) -> &str {
        &self.serves
    }
}

/// Nothing at all takes back what was told of others before; what is none is passed over.
fn daemon(text: &str) -> Spelled {
    match Word::parse(text) {
        None if !text.is_empty() => Spelled::Letter,
        word => Spelled::Daemon(word),
    }
}

/// The digest of the text stands before the sentence.
fn kept(text: &str) -> Spelled {
    let digest = text.get(..Digest::LETTERS).and_then(Digest::parse);
    let sentence = if digest.is_some() { &text[Digest::LETTERS..] } else { text };
    Spelled::Kept(digest, Some(sentence.to_owned()).filter(|sentence| !sentence.is_empty()))
}

fn longest(first: u8) -> usize {
    if first == TEXT { TEXT_MAX } else { LONG_TEXT_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was said after these bytes, and which of them were none of a text.
    fn after(bytes: &[u8]) -> (String, Vec<u8>) {
        let mut spelling = Spelling::default();
        let mut others = bytes.to_vec();
        others.retain(|byte| spelling.take(*byte) == Spelled::Byte);
        (spelling.said, others)
    }

    #[test]
    fn texts_and_bytes_of_the_protocol_do_not_disturb_each_other() {
        assert_eq!(after(b"\x01\r7 jobs\n\x05"), ("7 jobs".into(), vec![1, 5]));
        assert_eq!(after(b"\rone\n\rtwo\n"), ("two".into(), vec![]));
        assert_eq!(after(b"\rhalf"), (String::new(), vec![]));
        assert_eq!(after(b"\rcut sh\rwhole\n"), ("whole".into(), vec![]));
        assert_eq!(after(b"\ra\x1ab\n"), ("ab".into(), vec![26]));
        assert_eq!(after(b"\rgone\n\r\n"), (String::new(), vec![]));
        assert_eq!(after(b"x\n\x11"), (String::new(), vec![b'x', b'\n', 17]));
    }

    #[test]
    fn a_word_of_a_daemon_that_is_none_takes_nothing_back() {
        assert_eq!(daemon(""), Spelled::Daemon(None));
        assert_eq!(daemon("a flies 7 1"), Spelled::Letter);
        assert!(matches!(daemon(&format!("a running 7 1 {}", "\\".repeat(500))), Spelled::Daemon(Some(_))));
    }

    #[test]
    fn each_kind_of_text_is_known_by_its_first_byte() {
        let mut spelling = Spelling::default();
        let mut last = |bytes: &[u8]| bytes.iter().map(|byte| spelling.take(*byte)).last();
        assert_eq!(last(b"\x0ecannot run\n"), Some(Spelled::Trouble("cannot run".into())));
        assert_eq!(last(b"\x0fa.ini:1:1\n"), Some(Spelled::Kept(None, Some("a.ini:1:1".into()))));
        assert_eq!(last(b"\x0f\n"), Some(Spelled::Kept(None, None)));
        let digest = Some(Digest(0xfe));
        assert_eq!(last(b"\x0f00000000000000fe\n"), Some(Spelled::Kept(digest, None)));
        assert_eq!(last(b"\x0f00000000000000fea:1\n"), Some(Spelled::Kept(digest, Some("a:1".into()))));
        assert_eq!(
            last("\x0f000000000000000é\n".as_bytes()),
            Some(Spelled::Kept(None, Some("000000000000000é".into())))
        );
        assert_eq!(last(b"\x1500000000000000fe\n"), Some(Spelled::Takes(Digest(0xfe))));
        assert_eq!(last(b"\x15fe\n"), Some(Spelled::Letter));
        assert_eq!(last(b"\x12127.0.0.1:80\n"), Some(Spelled::Letter));
        assert_eq!((spelling.serves(), spelling.said()), ("127.0.0.1:80", ""));
    }

    /// Row C8: whatever comes, it is a bounded text or bytes for the Emperor.
    #[test]
    fn a_text_without_end_is_bounded() {
        let (said, others) = after(&[b"\r".as_slice(), &[0xff; 10_000], b"\n"].concat());
        assert_eq!((said.chars().count(), others.len()), (TEXT_MAX, 0));
        let mut spelling = Spelling::default();
        let long = [&[TROUBLE][..], &[b'x'; 10_000], &[TEXT_END]].concat();
        let last = long.iter().map(|byte| spelling.take(*byte)).last();
        assert_eq!(last, Some(Spelled::Trouble("x".repeat(LONG_TEXT_MAX))));
    }
}
