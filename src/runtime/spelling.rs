//! Pure. Words of a vassal among the bytes of its protocol: none of the protocol's bytes is a letter, so what knows nothing of
//! words passes over them.

use crate::emperor::order::from_vassal::{TEXT, TEXT_END, TEXT_MAX};

/// The first byte that may be of a text.
const LETTER: u8 = b' ';

/// What was said, and what is being said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    next: Option<Vec<u8>>,
    said: String,
}

impl Spelling {
    /// Takes the next byte; false when it is none of a text.
    pub fn take(&mut self, byte: u8) -> bool {
        match (byte, &mut self.next) {
            (TEXT, _) => self.next = Some(Vec::new()),
            (TEXT_END, Some(text)) => {
                self.said = String::from_utf8_lossy(text).into_owned();
                self.next = None;
            }
            (LETTER.., Some(text)) if text.len() < TEXT_MAX => text.push(byte),
            (LETTER.., Some(_)) => {}
            (_, _) => return false,
        }
        true
    }

    /// The last whole text; empty when there is none.
    pub fn said(&self) -> &str {
        &self.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was said after these bytes, and which of them were none of a text.
    fn after(bytes: &[u8]) -> (String, Vec<u8>) {
        let mut spelling = Spelling::default();
        let others = bytes.iter().copied().filter(|byte| !spelling.take(*byte)).collect();
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

    /// Row C8: whatever comes, it is a bounded text or bytes for the Emperor.
    #[test]
    fn a_text_without_end_is_bounded() {
        let (said, others) = after(&[b"\r".as_slice(), &[0xff; 10_000], b"\n"].concat());
        assert_eq!((said.chars().count(), others.len()), (TEXT_MAX, 0));
    }
}
