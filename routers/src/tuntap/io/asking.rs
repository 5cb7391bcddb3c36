//! Pure. What the Emperor is still to be told: whom to keep no more, at once; whom to keep, so many in a second. Whoever has
//! gone before he was asked for costs nothing, and whoever could not be told of now is told of later.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::seats::Seat;

/// Connections that the Emperor is asked to keep in one second: he has more to do.
const PARKED_MAX: u32 = 1000;
/// Of those, while peers may come: ones that are no peers, which anybody makes as fast as he likes.
const SILENT_MAX: u32 = PARKED_MAX / 2;
const SECOND: Duration = Duration::from_secs(1);
/// Until he is told again what the kernel did not take, although there was room: too many descriptors were on their way, of all
/// processes of our user. Twice as long each time that it is in vain, up to the longest.
const CROWDED: Duration = Duration::from_millis(20);
const CROWDED_MAX: Duration = Duration::from_secs(5);

/// Why he cannot be told now. Nothing is lost by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hindrance {
    /// He has not taken what he was told before. When there is room that is announced.
    Full,
    /// The kernel takes no descriptor more, or has no memory. When it does again nobody says so.
    Crowded,
}

/// A place among those who wait to be kept. Peers come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    is_silent: bool,
    number: u64,
}

#[derive(Debug)]
pub(super) struct Asking {
    gone: VecDeque<u64>,
    waiting: BTreeMap<Place, Seat>,
    births: u64,
    /// Since when, and how many he was asked to keep.
    asked: (Instant, u32),
    /// He is asked for nobody before.
    again: Option<Instant>,
    /// How long he is to be left alone next.
    pause: Duration,
}

impl Asking {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            gone: VecDeque::new(),
            waiting: BTreeMap::new(),
            births: 0,
            asked: (now, 0),
            again: None,
            pause: CROWDED,
        }
    }

    /// What stands under this key is to be kept no more.
    pub(super) fn forget(&mut self, key: u64) {
        self.gone.push_back(key);
    }

    /// The key that he is to be told next.
    pub(super) fn first_gone(&self) -> Option<u64> {
        self.gone.front().copied()
    }

    /// He was told that key, or could not be.
    ///
    /// # Errors
    /// He is to be told it later.
    pub(super) fn forgotten(&mut self, hindrance: Option<Hindrance>, now: Instant) -> Result<(), Hindrance> {
        self.heed(hindrance, now)?;
        self.gone.pop_front();
        Ok(())
    }

    /// Whether he may be asked for anybody.
    ///
    /// # Errors
    /// Not yet.
    pub(super) fn begin(&mut self, now: Instant) -> Result<(), Hindrance> {
        if self.again.is_some_and(|again| now < again) {
            return Err(Hindrance::Crowded);
        }
        self.again = None;
        Ok(())
    }

    fn heed(&mut self, hindrance: Option<Hindrance>, now: Instant) -> Result<(), Hindrance> {
        let Some(hindrance) = hindrance else { return Ok(()) };
        if hindrance == Hindrance::Crowded && self.again.is_none_or(|again| again <= now) {
            self.again = Some(now + self.pause);
            self.pause = (2 * self.pause).min(CROWDED_MAX);
        }
        Err(hindrance)
    }

    /// A connection waits to be kept: its place, which is the one that it has unless it is a peer by now.
    pub(super) fn wait(&mut self, seat: Seat, is_silent: bool, has: Option<Place>) -> Place {
        if let Some(has) = has.filter(|has| has.is_silent == is_silent) {
            return has;
        }
        has.into_iter().for_each(|has| self.leave(has));
        self.births += 1;
        let place = Place { is_silent, number: self.births };
        self.waiting.insert(place, seat);
        place
    }

    /// It waits no more.
    pub(super) fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Whom he may be asked to keep next.
    pub(super) fn first(&mut self, now: Instant) -> Option<(Place, Seat)> {
        if now.saturating_duration_since(self.asked.0) >= SECOND {
            self.asked = (now, 0);
        }
        let (place, seat) = self.waiting.first_key_value()?;
        let most = if place.is_silent { SILENT_MAX } else { PARKED_MAX };
        (self.asked.1 < most).then_some((*place, *seat))
    }

    /// He was asked for whoever has this place, or will never be, or could not be now.
    ///
    /// # Errors
    /// He is to be asked later.
    pub(super) fn asked(
        &mut self,
        place: Place,
        outcome: Result<bool, Hindrance>,
        now: Instant,
    ) -> Result<(), Hindrance> {
        self.heed(outcome.err(), now)?;
        if outcome == Ok(true) {
            (self.asked.1, self.pause) = (self.asked.1 + 1, CROWDED);
        }
        self.leave(place);
        Ok(())
    }

    /// When he may be told again, if there is anything to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        self.again.or_else(|| (!self.waiting.is_empty()).then(|| self.asked.0 + SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(place: u32) -> Seat {
        Seat { place, birth: 1 }
    }

    /// All whom he is asked for at this moment.
    fn ask_all(asking: &mut Asking, now: Instant) -> Vec<Seat> {
        let one = || {
            let (place, seat) = asking.first(now)?;
            asking.asked(place, Ok(true), now).ok()?;
            Some(seat)
        };
        std::iter::from_fn(one).collect()
    }

    /// Row W6.
    #[test]
    fn whoever_has_gone_costs_nothing() {
        let now = Instant::now();
        let mut asking = Asking::new(now);
        for place in 0..100_000 {
            let waits = asking.wait(seat(place), place % 2 == 0, None);
            asking.leave(waits);
        }
        assert_eq!((asking.due(), asking.first(now)), (None, None));
        asking.wait(seat(7), false, None);
        assert_eq!(ask_all(&mut asking, now), [seat(7)]);
    }

    /// Row W6.
    #[test]
    fn peers_come_before_whoever_is_none_and_have_half_of_the_time_for_themselves() {
        let now = Instant::now();
        let mut asking = Asking::new(now);
        let crowd = SILENT_MAX + 200;
        let places: Vec<Place> = (0..crowd).map(|place| asking.wait(seat(place), true, None)).collect();
        assert_eq!(ask_all(&mut asking, now).len(), SILENT_MAX as usize);
        assert_eq!(asking.due(), Some(now + SECOND));
        // One of those who wait is a peer by now, and another one comes.
        let last = places[crowd as usize - 1];
        assert_ne!(asking.wait(seat(crowd - 1), false, Some(last)), last);
        asking.wait(seat(crowd), false, None);
        assert_eq!(ask_all(&mut asking, now), [seat(crowd - 1), seat(crowd)]);
        let rest: Vec<Seat> = (SILENT_MAX..crowd - 1).map(seat).collect();
        assert_eq!(ask_all(&mut asking, now + SECOND), rest);
    }

    #[test]
    fn he_is_asked_for_so_many_in_a_second() {
        let now = Instant::now();
        let mut asking = Asking::new(now);
        (0..PARKED_MAX + 1).for_each(|place| _ = asking.wait(seat(place), false, None));
        assert_eq!(ask_all(&mut asking, now).len(), PARKED_MAX as usize);
        assert_eq!(ask_all(&mut asking, now + SECOND / 2), []);
        assert_eq!(ask_all(&mut asking, now + SECOND), [seat(PARKED_MAX)]);
    }

    #[test]
    fn a_place_is_kept_by_whoever_asks_again() {
        let now = Instant::now();
        let mut asking = Asking::new(now);
        let first = asking.wait(seat(1), false, None);
        asking.wait(seat(2), false, None);
        assert_eq!(asking.wait(seat(1), false, Some(first)), first);
        assert_eq!(ask_all(&mut asking, now), [seat(1), seat(2)]);
        asking.forget(8);
        asking.forget(9);
        assert_eq!(asking.first_gone(), Some(8));
        assert_eq!(asking.forgotten(None, now), Ok(()));
        assert_eq!(asking.first_gone(), Some(9));
    }

    #[test]
    fn what_he_cannot_be_told_now_he_is_told_later() {
        use Hindrance::{Crowded, Full};
        let now = Instant::now();
        let mut asking = Asking::new(now);
        let place = asking.wait(seat(1), false, None);
        asking.forget(8);
        assert_eq!(asking.forgotten(Some(Crowded), now), Err(Crowded));
        let again = now + CROWDED;
        assert_eq!((asking.due(), asking.begin(now)), (Some(again), Err(Crowded)));
        assert_eq!((asking.begin(again), asking.first_gone()), (Ok(()), Some(8)));
        assert_eq!(asking.forgotten(None, again), Ok(()));
        assert_eq!(asking.asked(place, Err(Full), again), Err(Full));
        assert_eq!(asking.begin(again), Ok(()), "room is announced");
        assert_eq!(asking.asked(place, Err(Crowded), again), Err(Crowded));
        assert_eq!(asking.first(again), Some((place, seat(1))), "it has its place still");
        assert_eq!(asking.begin(again), Err(Crowded));
        let again = asking.due().expect("he is to be asked again");
        assert_eq!(asking.begin(again), Ok(()));
        assert_eq!(ask_all(&mut asking, again), [seat(1)]);
        assert_eq!((asking.due(), asking.first_gone()), (None, None));
        // Whoever cannot be kept at all has no place any more, and takes none of the second.
        let place = asking.wait(seat(2), false, None);
        assert_eq!(asking.asked(place, Ok(false), again), Ok(()));
        assert_eq!((asking.first(again), asking.asked.1), (None, 1));
    }

    /// Row W6.
    #[test]
    fn he_is_left_alone_for_longer_each_time_that_it_was_in_vain() {
        let begin = Instant::now();
        let mut asking = Asking::new(begin);
        let place = asking.wait(seat(1), false, None);
        let mut pauses = Vec::new();
        let mut now = begin;
        for _ in 0..12 {
            assert!(asking.asked(place, Err(Hindrance::Crowded), now).is_err());
            // Whatever else happens meanwhile takes no part in it.
            asking.forget(8);
            assert!(asking.forgotten(Some(Hindrance::Crowded), now).is_err());
            let again = asking.due().expect("he is to be asked again");
            assert_eq!(asking.begin(now), Err(Hindrance::Crowded));
            pauses.push((again - now).as_millis());
            now = again;
            assert_eq!((asking.begin(now), asking.first(now)), (Ok(()), Some((place, seat(1)))));
        }
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000, 5000, 5000]);
        assert_eq!(asking.asked(place, Ok(true), now), Ok(()));
        let place = asking.wait(seat(2), false, None);
        assert!(asking.asked(place, Err(Hindrance::Crowded), now).is_err());
        assert_eq!(asking.due(), Some(now + CROWDED), "it was not in vain");
    }

    #[test]
    fn whoever_goes_while_he_cannot_be_told_wakes_nobody_twice() {
        let now = Instant::now();
        let mut asking = Asking::new(now);
        let place = asking.wait(seat(1), false, None);
        assert!(asking.asked(place, Err(Hindrance::Crowded), now).is_err());
        asking.leave(place);
        let due = asking.due().expect("he is to be told again");
        assert_eq!((asking.begin(due), asking.due()), (Ok(()), None));
    }
}
