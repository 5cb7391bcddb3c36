//! Pure. What the command says of itself in words (`STATUS=`, `RELOADING=1`, `STOPPING=1` of sd_notify(3)), on its way to the
//! Emperor: the last of it, once a second at most.

use crate::emperor::event::Moment;
use crate::emperor::order::from_vassal::{TEXT, TEXT_END, TEXT_MAX};
use crate::log::plain;

/// Between two texts, in ms.
const PAUSE_MS: u64 = 1_000;

/// What was said, and what is to be passed on.
#[derive(Debug, Default)]
pub struct Sayings {
    status: String,
    phase: &'static str,
    told: String,
    /// Nothing is passed on before.
    after: Moment,
}

impl Sayings {
    /// One line of a message. What it is not about changes nothing.
    pub fn take(&mut self, line: &[u8]) {
        match line {
            b"READY=1" => self.phase = "",
            b"RELOADING=1" => self.phase = "reloading",
            b"STOPPING=1" => self.phase = "stopping",
            _ => {
                if let Some(status) = line.strip_prefix(b"STATUS=") {
                    // Before it is made longer by what makes it safe.
                    let status = &status[..status.len().min(TEXT_MAX)];
                    self.status = plain(&String::from_utf8_lossy(status));
                }
            }
        }
    }

    /// The bytes for the Emperor that are due.
    pub fn next(&mut self, now: Moment) -> Option<Vec<u8>> {
        self.next_text(now).map(|text| [&[TEXT], text.as_bytes(), &[TEXT_END]].concat())
    }

    /// The same in words.
    pub fn next_text(&mut self, now: Moment) -> Option<&str> {
        self.next_deadline().filter(|at| now >= *at)?;
        self.told = self.text();
        self.after = now.plus_ms(PAUSE_MS);
        Some(&self.told)
    }

    /// When some will be.
    pub fn next_deadline(&self) -> Option<Moment> {
        (self.text() != self.told).then_some(self.after)
    }

    fn text(&self) -> String {
        let parts = [self.phase, &self.status].into_iter().filter(|part| !part.is_empty());
        let mut text = parts.collect::<Vec<_>>().join(": ");
        let end = (0..=TEXT_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment(0).plus_ms(5_000 + ms)
    }

    #[test]
    fn the_last_words_are_passed_on_once_a_second() {
        let mut sayings = Sayings::default();
        sayings.take(b"MAINPID=1");
        assert_eq!((sayings.next(at(0)), sayings.next_deadline()), (None, None));
        for number in 1..=5_000 {
            sayings.take(format!("STATUS={number} jobs").as_bytes());
            assert_eq!(sayings.next(at(0)).is_some(), number == 1);
        }
        assert_eq!((sayings.next(at(999)), sayings.next_deadline()), (None, Some(at(1_000))));
        assert_eq!(sayings.next(at(1_000)).as_deref(), Some(b"\r5000 jobs\n".as_slice()));
        assert_eq!((sayings.next(at(9_000)), sayings.next_deadline()), (None, None));
    }

    #[test]
    fn a_phase_stands_before_the_words_until_it_is_ready() {
        let mut sayings = Sayings::default();
        let mut said = |line: &str, ms| {
            sayings.take(line.as_bytes());
            sayings.next(at(ms)).map(|bytes| String::from_utf8(bytes).expect("text"))
        };
        assert_eq!(said("RELOADING=1", 0).as_deref(), Some("\rreloading\n"));
        assert_eq!(said("STATUS=half", 1_000).as_deref(), Some("\rreloading: half\n"));
        assert_eq!(said("READY=1", 2_000).as_deref(), Some("\rhalf\n"));
        assert_eq!(said("STATUS=", 3_000).as_deref(), Some("\r\n"));
        assert_eq!(said("STOPPING=1", 4_000).as_deref(), Some("\rstopping\n"));
    }

    /// Row C7: no word of it is a byte of the protocol, however long and whatever it is.
    #[test]
    fn words_are_letters_and_bounded() {
        for hostile in ["\x16\x1e\x05\x1b[2J\r\n", "\u{85}", &"é".repeat(500), "\u{202e}x"] {
            let mut sayings = Sayings::default();
            sayings.take(format!("STATUS={hostile}").as_bytes());
            let bytes = sayings.next(at(0)).expect("something");
            let (first, text, last) = (bytes[0], &bytes[1..bytes.len() - 1], bytes[bytes.len() - 1]);
            assert_eq!((first, last), (TEXT, TEXT_END));
            assert!(text.len() <= TEXT_MAX && text.iter().all(|byte| *byte >= b' '), "{hostile:?}");
        }
    }
}
