//! Pure. Whole lines out of whatever a program writes in whatever pieces.

/// Longest line, in bytes; a longer one is cut.
pub const LINE_MAX: usize = 16 << 10;
/// What is held for the next line without a new piece of memory, in bytes.
const HELD_MAX: usize = 1 << 10;

/// One writer's lines.
#[derive(Debug)]
pub struct Cutter {
    rest: Vec<u8>,
    max: usize,
}

impl Default for Cutter {
    fn default() -> Self {
        Self::of(LINE_MAX)
    }
}

impl Cutter {
    /// One whose lines are so long at most, in bytes.
    pub fn of(max: usize) -> Self {
        Self { rest: Vec::new(), max }
    }

    /// Takes a piece and gives each line that is whole now, without its end.
    pub fn feed(&mut self, piece: &[u8], mut give: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            self.take(text, &mut give);
            if ends {
                give(&self.rest);
                self.empty();
            }
        }
    }

    /// Nothing follows: gives the line that has no end.
    pub fn finish(&mut self, mut give: impl FnMut(&[u8])) {
        if !self.rest.is_empty() {
            give(&self.rest);
            self.empty();
        }
    }

    fn take(&mut self, mut text: &[u8], give: &mut impl FnMut(&[u8])) {
        while self.rest.len() + text.len() > self.max {
            let (first, rest) = text.split_at(self.max - self.rest.len());
            self.rest.extend_from_slice(first);
            give(&self.rest);
            self.empty();
            text = rest;
        }
        self.rest.extend_from_slice(text);
    }

    fn empty(&mut self) {
        self.rest.clear();
        if self.rest.capacity() > HELD_MAX {
            self.rest = Vec::new();
        }
    }
}

/// A line for a place that many write to: nothing in it moves a cursor or poses as somebody else's.
pub fn plain(line: &[u8], into: &mut Vec<u8>) {
    for chunk in line.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\t' => into.push(b'\t'),
                // Those of the second set (0x80 to 0x9f) move cursors, too.
                one if one.is_control() => {
                    into.extend_from_slice(format!("\\x{:02x}", u32::from(one)).as_bytes())
                }
                one => into.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        chunk.invalid().iter().for_each(|byte| into.extend_from_slice(format!("\\x{byte:02x}").as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut cutter, mut lines) = (Cutter::default(), Vec::new());
        pieces.iter().for_each(|piece| cutter.feed(piece, |line| lines.push(line.to_vec())));
        cutter.finish(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces_are() {
        assert_eq!(cut(&[b"a\nbc", b"d\n", b"\n", b"e"]), [&b"a"[..], b"bcd", b"", b"e"]);
        assert!(cut(&[b"", b""]).is_empty());
    }

    /// Row L2.
    #[test]
    fn a_line_without_an_end_is_cut_and_takes_no_more_memory() {
        let long = vec![b'x'; LINE_MAX * 2 + 5];
        let lines = cut(&[&long[..7], &long[7..]]);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [LINE_MAX, LINE_MAX, 5]);
        let mut cutter = Cutter::default();
        (0..100).for_each(|_| cutter.feed(&long, |_| {}));
        assert!(cutter.rest.capacity() <= LINE_MAX * 2);
    }

    /// Row L1.
    #[test]
    fn a_line_can_neither_move_a_cursor_nor_begin_another_one() {
        let mut text = Vec::new();
        plain("a\tü\x1b[2K\r[other] b\x7f".as_bytes(), &mut text);
        assert_eq!(String::from_utf8_lossy(&text), "a\tü\\x1b[2K\\x0d[other] b\\x7f");
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), at in 0_usize..400) {
            let (one, two) = bytes.split_at(at.min(bytes.len()));
            let lines = cut(&[one, two]);
            let mut whole = lines.join(&b'\n');
            if bytes.ends_with(b"\n") {
                whole.push(b'\n');
            }
            proptest::prop_assert_eq!(whole, bytes);
        }
    }
}
