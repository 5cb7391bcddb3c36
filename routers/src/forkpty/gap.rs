//! Pure. What a log does not take, and what is told of it: when a gap begins and when it is over, and not of each in a flood.

use rustix::io::Errno;

use super::Ration;

/// Gaps at once that are told of, and milliseconds between two of a flood.
const TOLD: (u64, u64) = (5, 10_000);

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// What comes from now on, for this reason.
    FromNow(Errno),
    /// So many bytes that nothing was told of yet; the reason of the last.
    Bytes(Errno, u64),
}

/// Gaps of one log.
#[derive(Debug)]
pub struct Gap {
    told: Ration,
    is_open: bool,
    is_told: bool,
    missing: Option<(Errno, u64)>,
}

impl Default for Gap {
    fn default() -> Self {
        Self { told: Ration::new(TOLD.0, TOLD.1), is_open: false, is_told: false, missing: None }
    }
}

impl Gap {
    /// So many bytes were not taken.
    pub fn missed(&mut self, bytes: u64, why: Errno, now_ms: u64) -> Option<Missing> {
        let before = self.missing.map_or(0, |(_, bytes)| bytes);
        self.missing = Some((why, before + bytes));
        if std::mem::replace(&mut self.is_open, true) {
            return None;
        }
        self.is_told = self.told.take(now_ms);
        self.is_told.then_some(Missing::FromNow(why))
    }

    /// A piece was taken as a whole.
    pub fn taken(&mut self) -> Option<Missing> {
        self.is_open = false;
        if std::mem::take(&mut self.is_told) { self.rest() } else { None }
    }

    /// Nothing follows.
    pub fn rest(&mut self) -> Option<Missing> {
        self.missing.take().map(|(why, bytes)| Missing::Bytes(why, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_of_when_it_begins_and_when_it_is_over() {
        let mut gap = Gap::default();
        assert_eq!((gap.taken(), gap.rest()), (None, None));
        assert_eq!(gap.missed(10, Errno::NOSPC, 0), Some(Missing::FromNow(Errno::NOSPC)));
        assert_eq!((gap.missed(20, Errno::NOSPC, 1), gap.missed(1, Errno::DQUOT, 2)), (None, None));
        assert_eq!(gap.taken(), Some(Missing::Bytes(Errno::DQUOT, 31)));
        assert_eq!((gap.taken(), gap.rest()), (None, None));
        assert!(gap.missed(5, Errno::FBIG, 3).is_some());
        assert_eq!(gap.rest(), Some(Missing::Bytes(Errno::FBIG, 5)));
    }

    /// Row T8.
    #[test]
    fn of_a_flood_of_gaps_few_are_told_and_no_byte_is_forgotten() {
        let (mut gap, mut begun, mut bytes) = (Gap::default(), 0, 0);
        let mut count = |told: Option<Missing>| match told {
            Some(Missing::FromNow(_)) => begun += 1,
            Some(Missing::Bytes(_, more)) => bytes += more,
            None => {}
        };
        for ms in 0..10_000 {
            count(gap.missed(3, Errno::NOSPC, ms));
            count(gap.taken());
        }
        count(gap.rest());
        assert_eq!((begun, bytes), (5, 30_000));
    }
}
