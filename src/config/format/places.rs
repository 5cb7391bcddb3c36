//! Pure. Offsets in a text to lines and columns.

use std::cell::Cell;
use std::sync::Arc;

use crate::config::place::Place;

/// A text, and where its lines begin.
pub struct Places<'t> {
    file: &'t Arc<str>,
    /// The whole text.
    pub text: &'t str,
    starts: Vec<usize>,
    /// A character that was asked for: line, number in it, offset. The next one mostly lies behind it.
    cursor: Cell<(usize, usize, usize)>,
}

impl<'t> Places<'t> {
    /// Looks for the lines of a file once.
    pub fn new(file: &'t Arc<str>, text: &'t str) -> Self {
        let behind = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file, text, starts: std::iter::once(0).chain(behind).collect(), cursor: Cell::new((1, 0, 0)) }
    }

    /// The place of a byte of the text.
    pub fn at(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        place(self.file, line, offset - self.starts[line - 1])
    }

    /// The place of a part of the text: a slice of it, not a copy.
    pub fn of(&self, part: &str) -> Place {
        self.at(self.offset(part))
    }

    /// Where a part of the text begins.
    pub fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize).min(self.text.len())
    }

    /// The place of a character: line from 1, number in its line from 0. Asked for in order, all characters of a
    /// text cost no more than one walk over it.
    pub fn of_character(&self, line: usize, number: usize) -> Place {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let (known_line, known, offset) = self.cursor.get();
        let (from, at) = if known_line == line && known <= number { (known, offset) } else { (0, start) };
        let behind = self.text[at..].chars().take(number - from).take_while(|one| *one != '\n');
        let (steps, bytes) = behind.fold((0, 0), |(steps, bytes), one| (steps + 1, bytes + one.len_utf8()));
        self.cursor.set((line, from + steps, at + bytes));
        place(self.file, line, at + bytes - start)
    }
}

/// Line from 1, offset from 0. Files are too small for either to overflow.
pub fn place(file: &Arc<str>, line: usize, offset: usize) -> Place {
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { file: Arc::clone(file), line: small(line), column: small(offset + 1) }
}

/// The place of a byte of what may be no text.
pub fn place_of(file: &Arc<str>, bytes: &[u8], index: usize) -> Place {
    let before = &bytes[..index];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    place(file, line, index - start)
}
