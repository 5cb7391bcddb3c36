//! Pure. When a name that changes has come to rest.
//!
//! Editors and copying programs touch a file many times for one change. Each name has a small state; what comes out is
//! either "look at it" or "see whether it is gone", once for each change and never while somebody writes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::emperor::event::Moment;

/// A writer that keeps the file open has paused for so long.
pub const QUIET_MS: u64 = 250;
/// Editors rename a file away before they write the new one.
pub const MOVED_MS: u64 = 150;
/// Deleting must stop a vassal at once; "delete, then create" in one go is a change of it.
pub const DELETED_MS: u64 = 1;
/// Owner and mode of a new file are often set just after it was closed.
pub const FRESH_MS: u64 = 1;

/// What the kernel (or a comparison) says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A regular file was made; its content is still to come.
    Created,
    /// Something came that is whole at once: a link, a hard link, a directory.
    Appeared,
    /// Content was written.
    Modified,
    /// A writer closed it.
    Closed,
    /// It was renamed to this name.
    MovedIn,
    /// It was renamed away.
    MovedOut,
    /// It was deleted.
    Deleted,
    /// Times, owner or mode changed.
    Touched,
}

/// What is to be done about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Examine it.
    Look,
    /// It went and did not come back; make sure of it.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Somebody writes; `new` if the file itself is new.
    Writing { until: Moment, new: bool },
    /// Written and closed for the first time.
    Fresh { until: Moment },
    /// Gone, perhaps to be replaced.
    Leaving { until: Moment },
    /// At rest, waiting to be fetched.
    Due(Finding),
}

use Change::{Appeared, Closed, Created, Deleted, Modified, MovedIn, MovedOut, Touched};
use State::{Due, Fresh, Leaving, Writing};

/// The names that have not come to rest, or whose finding was not fetched.
#[derive(Debug)]
pub struct Settle<K> {
    states: BTreeMap<K, State>,
    deadlines: BTreeSet<(Moment, K)>,
    due: VecDeque<K>,
}

impl<K: Ord + Clone> Settle<K> {
    /// Everything rests.
    pub fn new() -> Self {
        Self { states: BTreeMap::new(), deadlines: BTreeSet::new(), due: VecDeque::new() }
    }

    /// Something happened to a name.
    pub fn handle(&mut self, key: &K, change: Change, now: Moment) {
        let before = self.states.get(key).copied();
        self.put(key, next(before, change, now));
    }

    /// Finds what has come to rest by now.
    pub fn handle_deadline(&mut self, now: Moment) {
        while let Some((until, key)) = self.deadlines.first().cloned() {
            if until > now {
                return;
            }
            let finding = match self.states.get(&key) {
                Some(Leaving { .. }) => Finding::Gone,
                _ => Finding::Look,
            };
            self.put(&key, Due(finding));
        }
    }

    /// The next name to be dealt with, in the order in which they came to rest.
    pub fn next_finding(&mut self) -> Option<(K, Finding)> {
        while let Some(key) = self.due.pop_front() {
            if let Some(Due(finding)) = self.states.get(&key).copied() {
                self.states.remove(&key);
                return Some((key, finding));
            }
        }
        None
    }

    /// Whether a finding waits.
    pub fn has_finding(&self) -> bool {
        !self.due.is_empty()
    }

    /// When the next name may come to rest.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// Whether something is going on with this name.
    pub fn is_unsettled(&self, key: &K) -> bool {
        self.states.contains_key(key)
    }

    /// Those with which something is going on.
    pub fn unsettled(&self) -> impl Iterator<Item = &K> {
        self.states.keys()
    }

    fn put(&mut self, key: &K, state: State) {
        let before = self.states.insert(key.clone(), state);
        if let Some(until) = before.and_then(deadline) {
            self.deadlines.remove(&(until, key.clone()));
        }
        if let Some(until) = deadline(state) {
            self.deadlines.insert((until, key.clone()));
        }
        if matches!(state, Due(_)) && !matches!(before, Some(Due(_))) {
            self.due.push_back(key.clone());
        }
    }
}

fn deadline(state: State) -> Option<Moment> {
    match state {
        Writing { until, .. } | Fresh { until } | Leaving { until } => Some(until),
        Due(_) => None,
    }
}

/// The table: state × change.
fn next(state: Option<State>, change: Change, now: Moment) -> State {
    let writing = |new| Writing { until: now.plus_ms(QUIET_MS), new };
    let fresh = Fresh { until: now.plus_ms(FRESH_MS) };
    let moved = Leaving { until: now.plus_ms(MOVED_MS) };
    let deleted = Leaving { until: now.plus_ms(DELETED_MS) };
    let look = Due(Finding::Look);
    match (state, change) {
        // A new file is empty at first, whatever was there before.
        (_, Created) => writing(true),
        // These come whole.
        (_, Appeared | MovedIn) => look,

        (None, Modified) => writing(false),
        (None, Closed | Touched) => look,
        (None, MovedOut) => moved,
        (None, Deleted) => deleted,

        (Some(Writing { new, .. }), Modified) => writing(new),
        (Some(Writing { new: true, .. }), Closed) => fresh,
        (Some(Writing { new: false, .. }), Closed) => look,
        // Copying programs set the times before they close.
        (Some(state @ Writing { .. }), Touched) => state,
        (Some(Writing { .. }), MovedOut) => moved,
        (Some(Writing { .. }), Deleted) => deleted,

        (Some(Fresh { .. }), Modified) => writing(true),
        (Some(state @ Fresh { .. }), Closed | Touched) => state,
        (Some(Fresh { .. }), MovedOut) => moved,
        (Some(Fresh { .. }), Deleted) => deleted,

        // A late word about the file that went; and it cannot go twice.
        (Some(state @ Leaving { .. }), Modified | Closed | Touched | MovedOut | Deleted) => state,

        // It was at rest, but nobody has looked yet.
        (Some(Due(_)), Modified) => writing(false),
        (Some(Due(_)), Closed | Touched) => look,
        (Some(Due(Finding::Look)), MovedOut) => moved,
        (Some(Due(Finding::Look)), Deleted) => deleted,
        (Some(state @ Due(Finding::Gone)), MovedOut | Deleted) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays (ms, change) on one name and says what came out, with the time.
    fn play(script: &[(u64, Change)]) -> Vec<(u64, Finding)> {
        let mut settle = Settle::new();
        let mut out = Vec::new();
        for &(at, change) in script {
            run_until(&mut settle, at, &mut out);
            settle.handle(&"x", change, Moment::default().plus_ms(at));
            fetch(&mut settle, at, &mut out);
        }
        run_until(&mut settle, 1_000_000, &mut out);
        assert!(settle.states.is_empty() && settle.deadlines.is_empty() && settle.due.is_empty());
        out
    }

    fn run_until(settle: &mut Settle<&'static str>, end: u64, out: &mut Vec<(u64, Finding)>) {
        while let Some(at) = settle.next_deadline().filter(|at| *at <= Moment::default().plus_ms(end)) {
            settle.handle_deadline(at);
            fetch(settle, at.ms_since(Moment::default()), out);
        }
    }

    fn fetch(settle: &mut Settle<&'static str>, at: u64, out: &mut Vec<(u64, Finding)>) {
        out.extend(std::iter::from_fn(|| settle.next_finding()).map(|(_, finding)| (at, finding)));
    }

    #[test]
    fn each_way_to_change_a_file_is_one_look() {
        use Finding::{Gone, Look};
        type Case<'a> = (&'a str, &'a [(u64, Change)], &'a [(u64, Finding)]);
        let cases: &[Case<'_>] = &[
            ("touch", &[(0, Touched)], &[(0, Look)]),
            ("rename over it", &[(0, MovedIn)], &[(0, Look)]),
            ("cp over it", &[(0, Modified), (1, Modified), (2, Closed)], &[(2, Look)]),
            ("cp -p over it", &[(0, Modified), (1, Touched), (2, Closed)], &[(2, Look)]),
            ("a new file", &[(0, Created), (1, Modified), (2, Closed)], &[(3, Look)]),
            (
                "install",
                &[(0, Deleted), (0, Created), (1, Modified), (2, Closed), (2, Touched)],
                &[(3, Look)],
            ),
            ("vim", &[(0, MovedOut), (3, Created), (4, Modified), (5, Closed)], &[(6, Look)]),
            ("a slow vim", &[(0, MovedOut), (149, Created), (300, Modified), (500, Closed)], &[(501, Look)]),
            ("emacs", &[(0, MovedOut), (140, MovedIn)], &[(140, Look)]),
            ("ln -sf", &[(0, Deleted), (0, Appeared)], &[(0, Look)]),
            ("rm", &[(5, Deleted)], &[(6, Gone)]),
            ("mv away", &[(0, MovedOut)], &[(150, Gone)]),
            ("rm of an unfinished file", &[(0, Created), (1, Deleted)], &[(2, Gone)]),
            ("a writer that stays", &[(0, Modified), (200, Modified)], &[(450, Look)]),
            ("a new file that stays open", &[(0, Created)], &[(250, Look)]),
            (
                "rm, much later a new one",
                &[(0, Deleted), (9, Created), (10, Closed)],
                &[(1, Gone), (11, Look)],
            ),
            ("a late word about a deleted file", &[(0, Deleted), (0, Modified), (0, Closed)], &[(1, Gone)]),
        ];
        for (name, script, expected) in cases {
            assert_eq!(play(script), *expected, "{name}");
        }
    }

    #[test]
    fn what_nobody_fetched_is_not_looked_at_while_it_is_written() {
        let mut settle = Settle::new();
        let now = Moment::default();
        settle.handle(&1, Touched, now);
        settle.handle(&2, Touched, now);
        settle.handle(&1, Modified, now);
        assert_eq!(settle.next_finding(), Some((2, Finding::Look)));
        assert_eq!(settle.next_finding(), None);
        settle.handle(&1, Closed, now);
        settle.handle(&1, Touched, now);
        assert_eq!(settle.next_finding(), Some((1, Finding::Look)));
        assert_eq!(settle.next_finding(), None);
    }

    /// A model of a file under random hands: whatever happens, the last word is about what is true in the end, and no
    /// look falls between a write and the close that follows it within the quiet time.
    #[test]
    fn random_hands_always_end_in_the_truth() {
        for seed in 1..2_000u64 {
            let mut random = seed;
            let mut draw = |bound: u64| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % bound
            };
            let (mut script, mut at, mut exists) = (Vec::new(), 0, false);
            for _ in 0..draw(12) + 1 {
                at += [0, 0, 1, 2, 40, 400][draw(6) as usize];
                match (exists, draw(4)) {
                    (false, 0) => script.push((at, MovedIn)),
                    (false, 1) => script.push((at, Appeared)),
                    (false, _) => script.extend([(at, Created), (at + 1, Modified), (at + 2, Closed)]),
                    (true, 0) => script.push((at, Deleted)),
                    (true, 1) => script.push((at, MovedOut)),
                    (true, 2) => script.push((at, Touched)),
                    (true, _) => script.extend([(at, Modified), (at + 2, Closed)]),
                }
                at = script.last().map_or(at, |(at, _)| *at);
                exists = !matches!(script.last(), Some((_, Deleted | MovedOut)));
            }
            let out = play(&script);
            let last = out.last().expect("something happened").1;
            assert_eq!(last, if exists { Finding::Look } else { Finding::Gone }, "seed {seed}: {script:?}");
            let written = |(look, finding): &(u64, Finding)| {
                *finding == Finding::Look
                    && script
                        .windows(2)
                        .any(|pair| pair[0].1 == Modified && pair[0].0 < *look && *look < pair[1].0)
            };
            assert!(!out.iter().any(written), "seed {seed}: {script:?} gave {out:?}");
        }
    }
}
