//! Pure. When a log is put aside because somebody has touched for it: once for all that he does in one go, and behind a whole line.

use crate::emperor::event::Moment;

/// What follows so soon is one touch: to make a file, to write it and to give it a time are several events. In ms.
const QUIET_MS: u64 = 100;
/// Nobody waits longer, for whoever goes on touching or for the end of a line. In ms.
const PATIENCE_MS: u64 = 1_000;

/// Touches that are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    first: Moment,
    last: Moment,
}

impl Touched {
    /// One now, after these.
    pub fn at(now: Moment, before: Option<Self>) -> Self {
        Self { first: before.map_or(now, |before| before.first), last: now }
    }

    /// Whether the log is put aside now; `is_whole`: a line has ended there.
    pub fn is_due(self, now: Moment, is_whole: bool) -> bool {
        now >= self.latest() || (is_whole && now >= self.quiet())
    }

    /// When to look again, whatever is written meanwhile.
    pub fn next(self, now: Moment) -> Moment {
        if now < self.quiet() { self.quiet().min(self.latest()) } else { self.latest() }
    }

    fn quiet(self) -> Moment {
        self.last.plus_ms(QUIET_MS)
    }

    fn latest(self) -> Moment {
        self.first.plus_ms(PATIENCE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment(0).plus_ms(ms)
    }

    fn touched(times_ms: &[u64]) -> Touched {
        let touched = times_ms.iter().fold(None, |before, time| Some(Touched::at(ms(*time), before)));
        touched.expect("a touch")
    }

    #[test]
    fn touches_that_follow_each_other_are_one() {
        let touched = touched(&[0, 60, 120]);
        assert!(!touched.is_due(ms(219), true) && touched.is_due(ms(220), true));
        assert_eq!(touched.next(ms(120)), ms(220));
    }

    #[test]
    fn a_line_is_waited_for_but_not_for_ever() {
        let touched = touched(&[0]);
        assert!(!touched.is_due(ms(999), false) && touched.is_due(ms(1_000), false));
        assert_eq!(touched.next(ms(100)), ms(1_000));
    }

    #[test]
    fn whoever_goes_on_touching_does_not_put_it_off() {
        let touched = touched(&[0, 90, 180, 960]);
        assert!(!touched.is_due(ms(999), true) && touched.is_due(ms(1_000), true));
        assert_eq!(touched.next(ms(960)), ms(1_000));
    }
}
