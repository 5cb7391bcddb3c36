//! Pure. Who is started next: the owner who had no turn for longest, and of theirs the vassal that waits longest.
//! Crash-looping vassals have a lane and slots of their own, so that a healthy start waits for nothing but healthy starts.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Moment, VassalId};
use super::pacing::Class;

/// Where a queued vassal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its lane.
    pub class: Class,
    /// Whose turn it shares.
    pub uid: u32,
    /// Since when it waits.
    pub since: Moment,
}

/// The vassals that wait for a start, and the number of starts under way.
#[derive(Debug, Default)]
pub struct Queue {
    first: Lane,
    second: Lane,
}

#[derive(Debug, Default)]
struct Lane {
    owners: BTreeMap<u32, BTreeSet<(Moment, VassalId)>>,
    /// These owners, each behind its last turn.
    order: BTreeSet<(u64, u32)>,
    /// The last turn of each owner who had one, as long as anybody waits.
    turns: BTreeMap<u32, u64>,
    /// Turns that anybody had.
    count: u64,
    under_way: u32,
}

impl Queue {
    /// A vassal waits here.
    pub fn join(&mut self, id: VassalId, place: Place) {
        let lane = self.lane(place.class);
        lane.order.insert((lane.last_turn(place.uid), place.uid));
        lane.owners.entry(place.uid).or_default().insert((place.since, id));
    }

    /// It no longer waits here.
    pub fn leave(&mut self, id: VassalId, place: Place) {
        let lane = self.lane(place.class);
        if let Some(waiting) = lane.owners.get_mut(&place.uid) {
            waiting.remove(&(place.since, id));
            if waiting.is_empty() {
                lane.owners.remove(&place.uid);
                lane.order.remove(&(lane.last_turn(place.uid), place.uid));
            }
        }
        if lane.owners.is_empty() {
            lane.turns.clear();
        }
    }

    /// A start of this class is under way.
    pub fn occupy(&mut self, class: Class) {
        self.lane(class).under_way += 1;
    }

    /// A start of this class is over.
    pub fn vacate(&mut self, class: Class) {
        let lane = self.lane(class);
        lane.under_way = lane.under_way.saturating_sub(1);
    }

    /// Whose turn it is, if a slot is free. The vassal stays queued until it [`leave`](Self::leave)s.
    pub fn next(&mut self, starting_max: u32) -> Option<VassalId> {
        let first = self.first.next(starting_max.max(1));
        first.or_else(|| self.second.next((starting_max / 2).max(1)))
    }

    /// Whether nobody waits and no start is under way.
    pub fn is_idle(&self) -> bool {
        [&self.first, &self.second].into_iter().all(|lane| lane.owners.is_empty() && lane.under_way == 0)
    }

    /// Starts under way, of one class.
    #[cfg(test)]
    pub fn under_way(&self, class: Class) -> u32 {
        match class {
            Class::First => self.first.under_way,
            Class::Second => self.second.under_way,
        }
    }

    fn lane(&mut self, class: Class) -> &mut Lane {
        match class {
            Class::First => &mut self.first,
            Class::Second => &mut self.second,
        }
    }
}

impl Lane {
    fn next(&mut self, slots: u32) -> Option<VassalId> {
        if self.under_way >= slots {
            return None;
        }
        let (before, uid) = *self.order.first()?;
        let (_, id) = *self.owners.get(&uid)?.first()?;
        self.order.remove(&(before, uid));
        self.count += 1;
        self.order.insert((self.count, uid));
        self.turns.insert(uid, self.count);
        Some(id)
    }

    /// Nought for who has had none.
    fn last_turn(&self, uid: u32) -> u64 {
        self.turns.get(&uid).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(class: Class, uid: u32, since: u64) -> Place {
        Place { class, uid, since: Moment(since) }
    }

    fn started(queue: &mut Queue, places: &BTreeMap<VassalId, Place>, slots: u32) -> Vec<u32> {
        let mut order = Vec::new();
        while let Some(id) = queue.next(slots) {
            queue.leave(id, places[&id]);
            queue.occupy(places[&id].class);
            order.push(id.0);
        }
        order
    }

    fn filled(places: &[(u32, Place)]) -> (Queue, BTreeMap<VassalId, Place>) {
        let mut queue = Queue::default();
        places.iter().for_each(|(id, place)| queue.join(VassalId(*id), *place));
        (queue, places.iter().map(|(id, place)| (VassalId(*id), *place)).collect())
    }

    #[test]
    fn an_owner_of_many_vassals_does_not_hold_up_an_owner_of_one() {
        let mut places: Vec<(u32, Place)> = (0..100).map(|id| (id, place(Class::First, 1_000, 0))).collect();
        places.push((100, place(Class::First, 2_000, 9)));
        let (mut queue, places) = filled(&places);
        let order = started(&mut queue, &places, 200);
        assert_eq!(order.iter().position(|id| *id == 100), Some(1));
    }

    #[test]
    fn whoever_joins_does_not_wait_for_a_round_of_all_others() {
        let places: Vec<(u32, Place)> = (0..100).map(|id| (id, place(Class::First, id % 10, 0))).collect();
        let (mut queue, places) = filled(&places);
        assert_eq!(started(&mut queue, &places, 13).len(), 13);
        let late = place(Class::First, 99, 9);
        queue.join(VassalId(100), late);
        queue.vacate(Class::First);
        assert_eq!(queue.next(13), Some(VassalId(100)));
        queue.leave(VassalId(100), late);
        // Having had its turn, it is behind everybody.
        queue.join(VassalId(101), late);
        let next: Vec<u32> = (0..11).filter_map(|_| queue.next(13)).map(|id| id.0 % 10).collect();
        assert_eq!(next, [3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 1]);
    }

    #[test]
    fn within_one_owner_who_came_first_is_served_first() {
        let places: Vec<(u32, Place)> =
            (0..9).map(|id| (id, place(Class::First, 5, u64::from(9 - id)))).collect();
        let (mut queue, places) = filled(&places);
        assert_eq!(started(&mut queue, &places, 16), [8, 7, 6, 5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn crash_looping_starts_take_no_slot_of_the_others_and_only_half_as_many() {
        let mut places: Vec<(u32, Place)> = (0..50).map(|id| (id, place(Class::Second, id, 0))).collect();
        let (mut queue, second) = filled(&places);
        assert_eq!(started(&mut queue, &second, 4).len(), 2);
        places = (50..60).map(|id| (id, place(Class::First, id, 1))).collect();
        places.iter().for_each(|(id, place)| queue.join(VassalId(*id), *place));
        let first = places.into_iter().map(|(id, place)| (VassalId(id), place)).collect();
        assert_eq!(started(&mut queue, &first, 4), [50, 51, 52, 53]);
    }

    #[test]
    fn a_freed_slot_is_used_again() {
        let places: Vec<(u32, Place)> = (0..3).map(|id| (id, place(Class::First, id, 0))).collect();
        let (mut queue, places) = filled(&places);
        assert_eq!(started(&mut queue, &places, 1), [0]);
        queue.vacate(Class::First);
        assert_eq!(started(&mut queue, &places, 1), [1]);
    }
}
