//! Pure. Who looks where it may take for ever: one process for each mount at a time, given up when nothing is heard of
//! it. What waited behind it is told so at once, and for a while so is whatever comes: a thousand names on a mount that
//! does not answer cost one wait.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::emperor::event::Moment;

/// Longest time without a word.
pub const ANSWER_MAX_MS: u64 = 1_000;
/// Nobody is sent to a mount that did not answer for so long, doubled each time.
const AGAIN_MS: u64 = 500;
/// But no longer than this.
const AGAIN_MAX_MS: u64 = 10_000;
/// Most that wait behind one who looks.
const WAITING_MAX: usize = 4_096;
/// Most mounts that are looked at at once.
const AT_ONCE_MAX: usize = 64;

/// A mount, by its number.
pub type MountId = u64;

/// One mount, and what is asked about it.
#[derive(Debug)]
struct Lane<J> {
    waiting: VecDeque<J>,
    state: State,
    /// Times in a row that nobody answered.
    times: u32,
    closed_until: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// Somebody looks; he must be heard of by then.
    Looking(Moment),
    /// He was killed, and has not ended.
    Stuck,
}

/// All mounts that are asked about, or did not answer.
#[derive(Debug)]
pub struct Lanes<J> {
    lanes: BTreeMap<MountId, Lane<J>>,
    /// Whose turn it was last.
    last: MountId,
}

impl<J> Default for Lanes<J> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), last: 0 }
    }
}

impl<J> Lanes<J> {
    /// Takes a job in.
    ///
    /// # Errors
    /// The job, where the mount did not answer lately, or too many ask.
    pub fn ask(&mut self, mount: MountId, job: J, now: Moment) -> Result<(), J> {
        let lane = self.lanes.entry(mount).or_default();
        let closed = lane.state == State::Stuck || lane.closed_until > now;
        if closed || lane.waiting.len() >= WAITING_MAX {
            return Err(job);
        }
        lane.waiting.push_back(job);
        Ok(())
    }

    /// The next job to be done. Must: be begun, or `ended` told.
    pub fn next(&mut self, now: Moment) -> Option<(MountId, J)> {
        // Those who are stuck are as many as there are mounts that do not answer: they take nobody's place.
        let looking = self.lanes.values().filter(|lane| matches!(lane.state, State::Looking(_))).count();
        if looking >= AT_ONCE_MAX {
            return None;
        }
        let waits = |(mount, lane): (&MountId, &Lane<J>)| {
            (lane.state == State::Free && !lane.waiting.is_empty()).then_some(*mount)
        };
        let after = self.lanes.range((Bound::Excluded(self.last), Bound::Unbounded)).find_map(waits);
        self.last = after.or_else(|| self.lanes.iter().find_map(waits))?;
        let job = self.lanes.get_mut(&self.last)?.begin(now)?;
        Some((self.last, job))
    }

    /// He who looks there said something.
    pub fn heard(&mut self, mount: MountId, now: Moment) {
        if let Some(lane) = self.lanes.get_mut(&mount).filter(|lane| lane.state != State::Stuck) {
            lane.state = State::Looking(now.plus_ms(ANSWER_MAX_MS));
            (lane.times, lane.closed_until) = (0, Moment::default());
        }
    }

    /// He has ended.
    pub fn ended(&mut self, mount: MountId) {
        let Some(lane) = self.lanes.get_mut(&mount) else { return };
        lane.state = State::Free;
        if lane.waiting.is_empty() && lane.times == 0 {
            self.lanes.remove(&mount);
        }
    }

    /// Somebody of whom nothing was heard in time, to be killed; with what waited behind him.
    pub fn overdue(&mut self, now: Moment) -> Option<(MountId, Vec<J>)> {
        let late = |lane: &Lane<J>| matches!(lane.state, State::Looking(until) if until <= now);
        let (mount, lane) = self.lanes.iter_mut().find(|(_, lane)| late(lane))?;
        lane.state = State::Stuck;
        lane.closed_until = now.plus_ms((AGAIN_MS << lane.times.min(10)).min(AGAIN_MAX_MS));
        lane.times = lane.times.saturating_add(1);
        Some((*mount, lane.waiting.drain(..).collect()))
    }

    /// When the next one is overdue.
    pub fn next_deadline(&self) -> Option<Moment> {
        let until = |lane: &Lane<J>| match lane.state {
            State::Looking(until) => Some(until),
            State::Free | State::Stuck => None,
        };
        self.lanes.values().filter_map(until).min()
    }

    /// Forgets mounts that nobody has asked about for long: their number may be another's by now.
    pub fn forget_old(&mut self, now: Moment) {
        let kept = |lane: &Lane<J>| lane.state != State::Free || !lane.waiting.is_empty();
        self.lanes.retain(|_, lane| kept(lane) || lane.closed_until.plus_ms(10 * AGAIN_MAX_MS) > now);
    }
}

impl<J> Default for Lane<J> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), state: State::Free, times: 0, closed_until: Moment::default() }
    }
}

impl<J> Lane<J> {
    fn begin(&mut self, now: Moment) -> Option<J> {
        let job = self.waiting.pop_front()?;
        self.state = State::Looking(now.plus_ms(ANSWER_MAX_MS));
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::default().plus_ms(ms)
    }

    fn lanes(jobs: &[(MountId, u32)]) -> Lanes<u32> {
        let mut lanes = Lanes::default();
        jobs.iter().for_each(|(mount, job)| lanes.ask(*mount, *job, at(0)).expect("it is open"));
        lanes
    }

    #[test]
    fn one_looks_at_each_mount_at_a_time() {
        let mut lanes = lanes(&[(7, 1), (7, 2), (9, 3)]);
        assert_eq!(
            [lanes.next(at(0)), lanes.next(at(0)), lanes.next(at(0))],
            [Some((7, 1)), Some((9, 3)), None]
        );
        lanes.heard(7, at(1));
        assert_eq!(lanes.next(at(1)), None, "he has not ended");
        lanes.ended(7);
        assert_eq!(lanes.next(at(1)), Some((7, 2)));
    }

    #[test]
    fn each_mount_has_its_turn() {
        let mut lanes = lanes(&[(7, 1), (7, 2), (8, 3), (9, 4)]);
        let mut turns = Vec::new();
        while let Some((mount, _)) = lanes.next(at(0)) {
            turns.push(mount);
            lanes.ended(mount);
        }
        assert_eq!(turns, [7, 8, 9, 7]);
    }

    #[test]
    fn a_crowd_behind_one_who_does_not_return_waits_once() {
        let mut lanes = Lanes::default();
        (0..1_000).for_each(|job| lanes.ask(7, job, at(0)).expect("it is open"));
        assert_eq!(lanes.next(at(0)), Some((7, 0)));
        assert_eq!(lanes.next_deadline(), Some(at(ANSWER_MAX_MS)));
        assert_eq!(lanes.overdue(at(ANSWER_MAX_MS - 1)), None);
        let (mount, failed) = lanes.overdue(at(ANSWER_MAX_MS)).expect("he is late");
        assert_eq!((mount, failed.len()), (7, 999));
        assert_eq!((lanes.overdue(at(9_999)), lanes.next_deadline()), (None, None));
        assert_eq!(lanes.ask(7, 5, at(1_001)), Err(5));
    }

    #[test]
    fn nobody_else_is_sent_while_one_is_stuck_however_long() {
        let mut lanes = lanes(&[(7, 1)]);
        lanes.next(at(0)).expect("it waits");
        lanes.overdue(at(ANSWER_MAX_MS)).expect("he is late");
        lanes.heard(7, at(3_000));
        assert_eq!(lanes.ask(7, 2, at(1_000_000)), Err(2));
        lanes.ended(7);
        assert_eq!(lanes.ask(7, 2, at(1_000_000)), Ok(()));
    }

    #[test]
    fn the_pause_doubles_up_to_a_bound_and_ends_with_an_answer() {
        let (mut lanes, mut now, mut pauses) = (Lanes::default(), at(0), Vec::new());
        for _ in 0..8 {
            lanes.ask(7, 1, now).expect("the pause is over");
            lanes.next(now).expect("it waits");
            now = now.plus_ms(ANSWER_MAX_MS);
            lanes.overdue(now).expect("he is late");
            lanes.ended(7);
            let before = now;
            while lanes.ask(7, 1, now).is_err() {
                now = now.plus_ms(100);
            }
            lanes.lanes.get_mut(&7).expect("is known").waiting.clear();
            pauses.push(now.ms_since(before));
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
        lanes.ask(7, 1, now).expect("the pause is over");
        lanes.next(now).expect("it waits");
        lanes.heard(7, now);
        lanes.ended(7);
        assert!(lanes.lanes.is_empty(), "all is well again");
    }

    #[test]
    fn what_was_not_asked_about_for_long_is_forgotten() {
        let mut lanes = lanes(&[(7, 1)]);
        lanes.next(at(0)).expect("it waits");
        lanes.overdue(at(ANSWER_MAX_MS)).expect("he is late");
        lanes.forget_old(at(10_000_000));
        assert_eq!(lanes.lanes.len(), 1, "he is still there");
        lanes.ended(7);
        lanes.forget_old(at(10_000_000));
        assert!(lanes.lanes.is_empty());
    }
}
