//! Pure. How much of one vassal is heard: who talks too much is not listened to for a while, so that it costs only
//! its own words.

use std::collections::BTreeSet;

use crate::emperor::event::{Incarnation, Moment};

/// So many bytes may come in one window: a protocol of single bytes needs a few, and now and then there is a text.
const BYTES_MAX: usize = 512;
/// Length of a window.
const WINDOW_MS: u64 = 1_000;
/// How long nobody listens to who said more. What it says meanwhile waits in its socket.
const DEAF_MS: u64 = 100;

/// What was heard of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    since: Moment,
    bytes: usize,
}

impl Heard {
    /// It said so many bytes more: when to listen again, if that is too much.
    pub fn count(&mut self, bytes: usize, now: Moment) -> Option<Moment> {
        if now.ms_since(self.since) >= WINDOW_MS {
            *self = Self { since: now, bytes: 0 };
        }
        self.bytes = self.bytes.saturating_add(bytes);
        (self.bytes > BYTES_MAX).then(|| now.plus_ms(DEAF_MS))
    }
}

/// Those who are not listened to.
#[derive(Debug, Default)]
pub struct Unheard(BTreeSet<(Moment, Incarnation)>);

impl Unheard {
    /// Not until then.
    pub fn add(&mut self, until: Moment, one: Incarnation) {
        self.0.insert((until, one));
    }

    /// The next one to listen to again.
    pub fn next(&mut self, now: Moment) -> Option<Incarnation> {
        let first = self.0.first().copied().filter(|(until, _)| *until <= now)?;
        self.0.remove(&first);
        Some(first.1)
    }

    /// When that will be.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.0.first().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emperor::event::VassalId;

    fn at(ms: u64) -> Moment {
        Moment(0).plus_ms(ms)
    }

    #[test]
    fn a_flood_is_heard_in_sips() {
        let mut heard = Heard::default();
        let given: Vec<Option<Moment>> =
            [0, 1, 2, 3, 4, 104].map(|ms| heard.count(128, at(5_000 + ms))).into();
        assert_eq!(given, [None, None, None, None, Some(at(5_104)), Some(at(5_204))]);
        assert_eq!(heard.count(64, at(6_000)), None, "a new second");
    }

    #[test]
    fn a_heartbeat_is_never_too_much() {
        let mut heard = Heard::default();
        assert!((0..10_000).all(|beat| heard.count(1, at(beat * 10)).is_none()));
    }

    #[test]
    fn the_unheard_are_heard_again_in_their_time() {
        let one = |id| Incarnation { id: VassalId(id), attempt: 1 };
        let mut unheard = Unheard::default();
        unheard.add(at(20), one(1));
        unheard.add(at(10), one(2));
        assert_eq!((unheard.next_deadline(), unheard.next(at(9))), (Some(at(10)), None));
        assert_eq!((unheard.next(at(30)), unheard.next(at(30))), (Some(one(2)), Some(one(1))));
        assert_eq!((unheard.next(at(30)), unheard.next_deadline()), (None, None));
    }
}
