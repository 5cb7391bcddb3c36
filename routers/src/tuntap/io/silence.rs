//! Pure. Connections that are no peers: whoever likes makes as many as he has users, and a client of uWSGI may be one for long.
//! There is room for so many in all; then the one that has been here longest leaves its place to a newcomer, but none before it has
//! had the time to speak.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::seats::Seat;

/// Those that may have to leave, in all.
const SILENT_MAX: usize = 4096;
/// From its coming until it may have to leave. What is said in this time makes nobody stay longer: a word each second is cheap.
const TIME_TO_SPEAK: Duration = Duration::from_secs(1);

/// Where a newcomer may sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Anywhere.
    Free,
    /// Where this one sits, which has to leave.
    Of(Seat),
    /// Nowhere: all have come just now.
    Nowhere,
}

/// All connections that are no peers.
#[derive(Debug)]
pub(super) struct Silence {
    /// He and root may rule; theirs never have to leave.
    owner: u32,
    of_users: BTreeMap<u32, usize>,
    /// Those that may have to leave, by when they came.
    others: BTreeSet<(Instant, Seat)>,
}

impl Silence {
    pub(super) fn new(owner: u32) -> Self {
        Self { owner, of_users: BTreeMap::new(), others: BTreeSet::new() }
    }

    /// Whether this user may rule.
    pub(super) fn may_rule(&self, uid: u32) -> bool {
        uid == 0 || uid == self.owner
    }

    /// A connection of this user, which came then, is no peer.
    pub(super) fn come(&mut self, uid: u32, (came, seat): (Instant, Seat)) {
        *self.of_users.entry(uid).or_default() += 1;
        if !self.may_rule(uid) {
            self.others.insert((came, seat));
        }
    }

    /// It is a peer, or nobody any more.
    pub(super) fn leave(&mut self, uid: u32, (came, seat): (Instant, Seat)) {
        self.others.remove(&(came, seat));
        let Some(count) = self.of_users.get_mut(&uid) else { return };
        *count -= 1;
        if *count == 0 {
            self.of_users.remove(&uid);
        }
    }

    /// How many are this user's.
    pub(super) fn of_user(&self, uid: u32) -> usize {
        self.of_users.get(&uid).copied().unwrap_or(0)
    }

    /// How many may come until somebody has to leave.
    pub(super) fn left(&self) -> usize {
        SILENT_MAX.saturating_sub(self.others.len())
    }

    /// Where a newcomer of this user may sit.
    pub(super) fn room(&self, uid: u32, now: Instant) -> Room {
        if self.left() > 0 || self.may_rule(uid) {
            return Room::Free;
        }
        let longest = self.others.first();
        let has_had_time = |came: &Instant| now.saturating_duration_since(*came) >= TIME_TO_SPEAK;
        longest.filter(|(came, _)| has_had_time(came)).map_or(Room::Nowhere, |(_, seat)| Room::Of(*seat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: u32 = 0;
    const OWNER: u32 = 5;

    fn seat(place: usize) -> Seat {
        Seat { place: u32::try_from(place).expect("a few"), birth: 1 }
    }

    /// As many as there may be of somebody with as many users, one each millisecond.
    fn full(begin: Instant) -> Silence {
        let mut silence = Silence::new(OWNER);
        for place in 0..SILENT_MAX {
            let uid = 100_000 + u32::try_from(place).expect("a few");
            silence.come(uid, (begin + Duration::from_millis(place as u64), seat(place)));
        }
        silence
    }

    /// Row W6.
    #[test]
    fn a_newcomer_gets_the_place_of_whoever_has_said_nothing_longest() {
        let begin = Instant::now();
        let mut silence = full(begin);
        let now = begin + TIME_TO_SPEAK + Duration::from_millis(1);
        let both = [(begin, seat(0)), (begin + Duration::from_millis(1), seat(1))];
        for (index, who) in both.into_iter().enumerate() {
            assert_eq!(silence.room(7, now), Room::Of(who.1));
            silence.leave(100_000 + u32::try_from(index).expect("two"), who);
            assert_eq!(silence.room(7, now), Room::Free);
            silence.come(7, (now, seat(SILENT_MAX + index)));
        }
        assert_eq!((silence.room(7, now), silence.of_user(7)), (Room::Nowhere, 2));
    }

    /// Row W6. Who connects without end drives nobody out who was about to speak.
    #[test]
    fn everybody_has_the_time_to_speak() {
        let begin = Instant::now();
        let silence = full(begin);
        let in_time = begin + TIME_TO_SPEAK;
        assert_eq!(
            silence.room(7, in_time.checked_sub(Duration::from_millis(1)).expect("later")),
            Room::Nowhere
        );
        assert_eq!(silence.room(7, in_time), Room::Of(seat(0)));
    }

    /// Row W6.
    #[test]
    fn whoever_may_rule_always_gets_in_and_never_has_to_leave() {
        let begin = Instant::now();
        let long_ago = begin.checked_sub(TIME_TO_SPEAK * 60).expect("the clock runs");
        let mut silence = full(begin);
        for uid in [ROOT, OWNER] {
            assert_eq!(silence.room(uid, begin), Room::Free);
            silence.come(uid, (long_ago, seat(SILENT_MAX + uid as usize)));
        }
        assert_eq!(silence.room(7, begin + TIME_TO_SPEAK), Room::Of(seat(0)));
        silence.leave(ROOT, (long_ago, seat(SILENT_MAX)));
        assert_eq!((silence.of_user(ROOT), silence.of_user(OWNER)), (0, 1));
    }

    #[test]
    fn nobody_has_to_leave_while_there_is_room() {
        let begin = Instant::now();
        let mut silence = Silence::new(OWNER);
        silence.come(7, (begin, seat(0)));
        assert_eq!(silence.room(8, begin + Duration::from_secs(86_400)), Room::Free);
        silence.leave(7, (begin, seat(0)));
        assert!(silence.of_users.is_empty() && silence.others.is_empty());
    }
}
