//! Pure. What a client of `forkpty-urouter` sends, as uWSGI 2.0 has it: a byte that means nothing, a length (little endian), a
//! kind, and behind kind 0 so many bytes for the program. What the program writes goes back as it is.
//!
//! Frames may come in any pieces and any number at once; what is meant for the program is passed on as it comes.

/// Bytes of a header.
pub const HEADER: usize = 4;
/// Most bytes of input in one frame.
pub const INPUT_MAX: usize = 65_535;

const INPUT: u8 = 0;
const ROWS: u8 = 100;
const COLUMNS: u8 = 101;

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Bytes for the program, a part of a frame perhaps.
    Input(&'a [u8]),
    /// A signal for it, by its number; whether it is one is the receiver's to judge.
    Signal(u8),
    /// The terminal is so high.
    Rows(u16),
    /// The terminal is so wide.
    Columns(u16),
}

/// Reads frames. There is no stream that it could not read: what has no meaning is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// In a header, of which so many bytes are there.
    Header([u8; HEADER], usize),
    /// So many bytes of input are to come.
    Input(usize),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::Header([0; HEADER], 0)
    }
}

impl Decoder {
    /// What is said next in these bytes, which are taken away from their front; nothing when they are used up.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Said<'a>> {
        loop {
            match self {
                Self::Input(0) => *self = Self::default(),
                Self::Input(_) if bytes.is_empty() => return None,
                Self::Input(left) => {
                    let input = bytes.split_off(..(*left).min(bytes.len())).expect("no longer than it is");
                    *left -= input.len();
                    return Some(Said::Input(input));
                }
                Self::Header(header, HEADER) => {
                    let header = *header;
                    *self = Self::default();
                    if let Some(said) = self.begin(header) {
                        return Some(said);
                    }
                }
                Self::Header(header, held) => {
                    header[*held] = *bytes.split_off_first()?;
                    *held += 1;
                }
            }
        }
    }

    /// A header is whole.
    fn begin<'a>(&mut self, [_, low, high, kind]: [u8; HEADER]) -> Option<Said<'a>> {
        let number = u16::from_le_bytes([low, high]);
        match kind {
            INPUT => {
                *self = Self::Input(number.into());
                None
            }
            ROWS => Some(Said::Rows(number)),
            COLUMNS => Some(Said::Columns(number)),
            // Numbers behind these are of nothing that there is.
            signal if signal < ROWS => Some(Said::Signal(signal)),
            _ => None,
        }
    }
}

/// Header of so many bytes of input; none for more than `INPUT_MAX`.
pub fn input_header(length: usize) -> Option<[u8; HEADER]> {
    let [low, high] = u16::try_from(length).ok()?.to_le_bytes();
    Some([0, low, high, INPUT])
}

/// The frame of a signal; none for what is no number of a signal here.
pub fn signal_frame(signal: u8) -> Option<[u8; HEADER]> {
    (1..ROWS).contains(&signal).then_some([0, 0, 0, signal])
}

/// Both frames of a size of the terminal.
pub fn window_frames(rows: u16, columns: u16) -> [u8; 2 * HEADER] {
    let ([a, b], [c, d]) = (rows.to_le_bytes(), columns.to_le_bytes());
    [0, a, b, ROWS, 0, c, d, COLUMNS]
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
