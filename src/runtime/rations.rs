//! Pure. How many sessions one user may begin or take up in a while, each a birth and lines in the administrator's log; how often he
//! may look how his vassals are; and how much may be compared for him to find those whom he means.

use std::collections::{BTreeMap, BTreeSet};

use crate::emperor::event::Moment;
use crate::emperor::sender::Sender;

/// So many at once of whoever has been quiet: four times what he may have open.
const BURST: u64 = 1_024;
/// After this long there is one more, in ns.
const EVERY_NS: u64 = 100_000_000;
/// Letters compared with letters for one user at once, and how long each takes to be his again, in ns: two million a second.
const LETTERS: (u64, u64) = (10_000_000, 500);
/// The same for all users together, whom somebody may have many of: eight million a second.
const LETTERS_OF_ALL: (u64, u64) = (40_000_000, 125);

/// Those of all that is asked for at the control socket; root and the Emperor's user have no need of them.
#[derive(Debug)]
pub struct Rations {
    sessions: Ration,
    looks: Ration,
    letters: Ration,
    /// When that of letters of all users is full again.
    all_full_at: Moment,
}

impl Default for Rations {
    fn default() -> Self {
        let (sessions, looks) = (Ration::of(BURST * EVERY_NS), Ration::of(BURST * EVERY_NS));
        let letters = Ration::of(LETTERS.0 * LETTERS.1);
        Self { sessions, looks, letters, all_full_at: Moment::default() }
    }
}

impl Rations {
    /// Whether one more session of his may begin, or be taken up.
    pub fn may_begin(&mut self, sender: Sender, now: Moment) -> bool {
        sender.is_master() || self.sessions.take(sender.uid, EVERY_NS, now)
    }

    /// Whether he may look once more how vassals are.
    pub fn may_look(&mut self, sender: Sender, now: Moment) -> bool {
        sender.is_master() || self.looks.take(sender.uid, EVERY_NS, now)
    }

    /// Whether so many letters may be compared with letters for him: nobody has more of what is all users' than he leaves to others.
    pub fn may_compare(&mut self, sender: Sender, letters: usize, now: Moment) -> bool {
        if sender.is_master() {
            return true;
        }
        let letters = u64::try_from(letters).unwrap_or(u64::MAX).min(LETTERS_OF_ALL.0);
        let owed = |full_at: Moment, each_ns| full_at.0.saturating_sub(now.0) / each_ns;
        let his = owed(self.letters.full_at(sender.uid, now), LETTERS.1) + letters;
        let left = LETTERS_OF_ALL.0.saturating_sub(owed(self.all_full_at, LETTERS_OF_ALL.1) + letters);
        let has = his <= left && self.letters.take(sender.uid, letters * LETTERS.1, now);
        if has {
            self.all_full_at = Moment(self.all_full_at.max(now).0 + letters * LETTERS_OF_ALL.1);
        }
        has
    }
}

/// When that of each user is full again; of whoever is not here it is.
#[derive(Debug)]
struct Ration {
    /// How long an empty one takes to be full, in ns.
    whole_ns: u64,
    full_at: BTreeMap<u32, Moment>,
    /// The same, in the order in which they are forgotten.
    order: BTreeSet<(Moment, u32)>,
}

impl Ration {
    fn of(whole_ns: u64) -> Self {
        Self { whole_ns, full_at: BTreeMap::new(), order: BTreeSet::new() }
    }

    fn full_at(&self, uid: u32, now: Moment) -> Moment {
        self.full_at.get(&uid).copied().unwrap_or(now)
    }

    /// Takes what it takes so long to get back of this user's. False when there is less.
    fn take(&mut self, uid: u32, cost_ns: u64, now: Moment) -> bool {
        self.forget(now);
        let full_at = self.full_at(uid, now);
        let later = Moment(full_at.0 + cost_ns);
        let has = later.0.saturating_sub(now.0) <= self.whole_ns;
        if has {
            self.order.remove(&(full_at, uid));
            self.order.insert((later, uid));
            self.full_at.insert(uid, later);
        }
        has
    }

    /// Whoever has all of it.
    fn forget(&mut self, now: Moment) {
        while let Some((full_at, uid)) = self.order.first().copied().filter(|(full_at, _)| *full_at <= now) {
            self.order.remove(&(full_at, uid));
            self.full_at.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row C6.
    #[test]
    fn a_burst_is_there_and_then_one_at_a_time_for_each_user() {
        let at = |ms| Moment(0).plus_ms(ms);
        let mut ration = Ration::of(BURST * EVERY_NS);
        let mut taken = |uid, now| (0..5_000).filter(|_| ration.take(uid, EVERY_NS, now)).count() as u64;
        assert_eq!((taken(7, at(0)), taken(8, at(0))), (BURST, BURST));
        assert_eq!((taken(7, at(99)), taken(7, at(100)), taken(7, at(1_100))), (0, 1, 10));
        assert_eq!(taken(7, at(1_000_000)), BURST);
        assert_eq!((ration.full_at.len(), ration.order.len()), (1, 1), "whoever has all of it is forgotten");
    }

    /// Row C6.
    #[test]
    fn whoever_has_begun_too_many_may_still_look_and_root_may_do_both() {
        let (now, mut rations) = (Moment(0), Rations::default());
        let of = |uid| Sender { uid, emperor: 33 };
        (0..BURST).for_each(|_| assert!(rations.may_begin(of(7), now)));
        assert!(!rations.may_begin(of(7), now) && rations.may_look(of(7), now));
        (1..BURST).for_each(|_| assert!(rations.may_look(of(7), now)));
        assert!(!rations.may_look(of(7), now));
        for uid in [0, 33] {
            assert!((0..=BURST).all(|_| rations.may_begin(of(uid), now) && rations.may_look(of(uid), now)));
        }
    }

    /// Row C6: in pieces of a hundred thousand letters, for ten seconds.
    #[test]
    fn whoever_has_much_compared_has_a_share_and_all_users_together_have_one() {
        const PIECE: usize = 100_000;
        let (at, mut rations) = (|ms| Moment(0).plus_ms(ms), Rations::default());
        let of = |uid| Sender { uid, emperor: 33 };
        let mut compared =
            |uid, now| (0..1_000).filter(|_| rations.may_compare(of(uid), PIECE, now)).count() * PIECE;
        assert_eq!(compared(7, at(0)), 10_000_000);
        assert_eq!((compared(7, at(0)), compared(7, at(1_000))), (0, 2_000_000));
        // A thousand users of somebody, one after the other, and then one more.
        let crowd: usize = (1_000..2_000).map(|uid| compared(uid, at(20_000))).sum();
        assert!((38_000_000..40_000_000).contains(&crowd), "{crowd}");
        let later: usize =
            (20..30).map(|s| (2_000..2_100).map(|uid| compared(uid, at(s * 1_000))).sum::<usize>()).sum();
        assert!(later <= 80_000_000, "{later}");
        let mut small = |uid| rations.may_compare(of(uid), 1_000, at(29_000));
        assert!(small(8) && small(7), "what anybody wants on any day is left");
        assert!((0..1_000).all(|_| rations.may_compare(of(0), PIECE, at(29_000))));
    }
}
