//! Pure. The last lines of a vassal, in no more memory than they take.

use std::collections::VecDeque;

use super::marks::for_reader;

/// What is kept of each vassal, in bytes.
pub const KEPT_MAX: usize = 64 << 10;
/// The least of it, however many there are.
const KEPT_MIN: usize = 4 << 10;
/// What is kept of all together, in bytes.
const ALL_MAX: usize = 128 << 20;

/// What is kept of each while there are so many: it shrinks by halves.
pub fn share(vassals: usize) -> usize {
    let halved = (ALL_MAX / vassals.max(1)).checked_ilog2().map_or(0, |log| 1 << log);
    halved.clamp(KEPT_MIN, KEPT_MAX)
}

/// Whole lines, each with its end.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: VecDeque<u8>,
}

impl Kept {
    /// Takes a line, and lets go of the oldest ones beyond so many bytes.
    pub fn push(&mut self, line: &[u8], max: usize) {
        self.bytes.extend(line.iter().copied());
        self.bytes.push_back(b'\n');
        self.trim(max);
    }

    /// Lets go of the oldest lines beyond so many bytes.
    pub fn trim(&mut self, max: usize) {
        let excess = self.bytes.len().saturating_sub(max);
        if excess == 0 {
            return;
        }
        let end = self.bytes.range(excess - 1..).position(|byte| *byte == b'\n');
        self.bytes.drain(..end.map_or(self.bytes.len(), |end| excess + end));
        if self.bytes.capacity() > max.saturating_mul(2) {
            self.bytes.shrink_to(max);
        }
    }

    /// The last lines of those that are to be told of a daemon, or of the vassal, so many at most.
    pub fn last(&self, lines: usize, daemon: Option<&str>) -> Vec<u8> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        // What follows the last end is nothing.
        let all = bytes.rsplit(|byte| *byte == b'\n').skip(1);
        let mut last: Vec<&[u8]> = all.filter_map(|line| for_reader(line, daemon)).take(lines).collect();
        last.reverse();
        last.iter().flat_map(|line| [line, &b"\n"[..]]).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_there_and_whole() {
        let mut kept = Kept::default();
        ["one", "two", "three"].iter().for_each(|line| kept.push(line.as_bytes(), 100));
        assert_eq!(kept.last(2, None), b"two\nthree\n");
        assert_eq!(kept.last(9, None), b"one\ntwo\nthree\n");
        assert_eq!(kept.last(0, None), b"");
        kept.trim(9);
        assert_eq!(kept.last(9, None), b"three\n");
        kept.trim(5);
        assert_eq!(kept.last(9, None), b"");
    }

    /// Row L2.
    #[test]
    fn a_flood_takes_no_more_memory_than_its_share() {
        let mut kept = Kept::default();
        (0..100_000).for_each(|_| kept.push(&[b'x'; 100], KEPT_MAX));
        assert!(kept.bytes.capacity() <= 2 * KEPT_MAX);
        assert_eq!(kept.last(usize::MAX, None).len(), KEPT_MAX / 101 * 101);
        kept.trim(KEPT_MIN);
        assert!(kept.bytes.capacity() <= KEPT_MAX / 8);
    }

    #[test]
    fn many_share_what_is_kept() {
        assert_eq!((share(0), share(2048), share(2049)), (KEPT_MAX, KEPT_MAX, KEPT_MAX / 2));
        assert_eq!(share(10_000_000), KEPT_MIN);
    }
}
