//! Pure. How many sessions one user may begin or take up in a while, each a birth and lines in the administrator's log; and how often he
//! may look how his vassals are.

use std::collections::{BTreeMap, BTreeSet};

use crate::emperor::event::Moment;
use crate::emperor::sender::Sender;

/// So many at once of whoever has been quiet: four times what he may have open.
const BURST: u64 = 1_024;
/// After this long there is one more, in ms.
const EVERY_MS: u64 = 100;

/// Those of all that is asked for at the control socket; root and the Emperor's user have no need of them.
#[derive(Debug, Default)]
pub struct Rations {
    sessions: Ration,
    looks: Ration,
}

impl Rations {
    /// Whether one more session of his may begin, or be taken up.
    pub fn may_begin(&mut self, sender: Sender, now: Moment) -> bool {
        sender.is_master() || self.sessions.take(sender.uid, now)
    }

    /// Whether he may look once more how vassals are.
    pub fn may_look(&mut self, sender: Sender, now: Moment) -> bool {
        sender.is_master() || self.looks.take(sender.uid, now)
    }
}

/// When that of each user is full again; of whoever is not here it is.
#[derive(Debug, Default)]
struct Ration {
    full_at: BTreeMap<u32, Moment>,
    /// The same, in the order in which they are forgotten.
    order: BTreeSet<(Moment, u32)>,
}

impl Ration {
    /// Takes one of this user's. False when there is none.
    fn take(&mut self, uid: u32, now: Moment) -> bool {
        self.forget(now);
        let full_at = self.full_at.get(&uid).copied().unwrap_or(now);
        let has = full_at.ms_since(now) <= (BURST - 1) * EVERY_MS;
        if has {
            let later = full_at.plus_ms(EVERY_MS);
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
        let mut ration = Ration::default();
        let mut taken = |uid, now| (0..5_000).filter(|_| ration.take(uid, now)).count() as u64;
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
}
