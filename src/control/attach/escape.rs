//! Pure. What somebody who sits at a session says to his client: a tilde at the beginning of a line and a letter.

/// What comes of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// They go to the program.
    Pass(Vec<u8>),
    /// `~.`: end the session.
    End,
    /// `~d`: leave it to itself.
    Detach,
    /// `~?`: tell what there is.
    Help,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    Tilde,
    Within,
}

/// Looks for escapes in what is typed.
#[derive(Debug)]
pub struct Escape {
    place: Place,
    is_off: bool,
}

impl Escape {
    /// `is_off`: everything goes to the program.
    pub fn new(is_off: bool) -> Self {
        Self { place: Place::LineStart, is_off }
    }

    /// What comes of these bytes, in order.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Act> {
        if self.is_off {
            return vec![Act::Pass(bytes.to_vec())];
        }
        let (mut acts, mut passed) = (Vec::new(), Vec::new());
        for byte in bytes {
            if let Some(act) = self.judge(*byte, &mut passed) {
                acts.extend((!passed.is_empty()).then(|| Act::Pass(std::mem::take(&mut passed))));
                acts.push(act);
            }
        }
        acts.extend((!passed.is_empty()).then_some(Act::Pass(passed)));
        acts
    }

    fn judge(&mut self, byte: u8, passed: &mut Vec<u8>) -> Option<Act> {
        let before = self.place;
        self.place = match byte {
            b'~' if before == Place::LineStart => Place::Tilde,
            b'\r' | b'\n' => Place::LineStart,
            _ => Place::Within,
        };
        match (before, byte) {
            (Place::LineStart, b'~') => {}
            (Place::Tilde, b'.') => return Some(Act::End),
            (Place::Tilde, b'd') => return self.at_start(Act::Detach),
            (Place::Tilde, b'?') => return self.at_start(Act::Help),
            (Place::Tilde, b'~') => passed.push(b'~'),
            (Place::Tilde, other) => passed.extend([b'~', other]),
            (Place::LineStart | Place::Within, other) => passed.push(other),
        }
        None
    }

    fn at_start(&mut self, act: Act) -> Option<Act> {
        self.place = Place::LineStart;
        Some(act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(text: &str) -> Act {
        Act::Pass(text.as_bytes().to_vec())
    }

    #[test]
    fn a_tilde_speaks_to_the_client_at_the_beginning_of_a_line_only() {
        let mut escape = Escape::new(false);
        assert_eq!(escape.take(b"ls ~.\r"), [pass("ls ~.\r")]);
        assert_eq!(escape.take(b"~?x~"), [Act::Help, pass("x~")]);
        assert_eq!(escape.take(b"\r~~a\n~."), [pass("\r~a\n"), Act::End]);
        assert_eq!(Escape::new(false).take(b"~d"), [Act::Detach]);
        assert_eq!(Escape::new(true).take(b"~."), [pass("~.")]);
    }

    #[test]
    fn what_is_no_escape_goes_to_the_program_however_it_is_cut() {
        let mut escape = Escape::new(false);
        assert_eq!(escape.take(b"~"), []);
        assert_eq!(escape.take(b"/x\r"), [pass("~/x\r")]);
        assert_eq!(escape.take(b"~"), []);
        assert_eq!(escape.take(b"."), [Act::End]);
    }
}
