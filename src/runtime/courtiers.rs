//! Who is at court: the control descriptor and the pid of each vassal's process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::earshot::Heard;
use super::spelling::{Spelled, Spelling, begins};
use crate::emperor::event::{Exit, Incarnation, Moment, VassalId};
use crate::emperor::snapshot::Snapshot;

/// Most deaths of unknown children kept for a birth that is still to be told: that is told soon, so the oldest
/// ones are orphans of others.
const UNCLAIMED_MAX: usize = 1024;

/// What the loop knows of each process.
#[derive(Default)]
pub struct Courtiers {
    present: HashMap<VassalId, Courtier>,
    by_pid: HashMap<i32, Child>,
    /// Children that died before the spawner told of their birth: pids cannot be mixed up, because births are
    /// told in the order in which they happened.
    unclaimed: VecDeque<(i32, Exit)>,
    unborn: HashSet<Incarnation>,
    hooks_unborn: usize,
}

struct Courtier {
    attempt: u32,
    pid: i32,
    control: Option<OwnedFd>,
    heard: Heard,
    /// What it says in words, if it ever does.
    words: Option<Box<Spelling>>,
}

/// A child of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    /// The process of a vassal.
    Vassal(Incarnation),
    /// Whoever does what is done around it.
    Hook(Incarnation),
    /// Whoever does what is done before it runs; its own process tells of a failure.
    Herald,
}

impl Courtiers {
    /// A process is on its way; this is our end of its control socket.
    pub fn expect(&mut self, one: Incarnation, control: OwnedFd) {
        self.unborn.insert(one);
        let (attempt, heard) = (one.attempt, Heard::default());
        let courtier = Courtier { attempt, pid: 0, control: Some(control), heard, words: None };
        self.present.insert(one.id, courtier);
    }

    /// It will not come, or it has come. Told twice (its failure after its end) it counts once.
    pub fn no_longer_expected(&mut self, one: Incarnation) {
        self.unborn.remove(&one);
        self.forget_orphans();
    }

    fn forget_orphans(&mut self) {
        if !self.awaits_births() {
            self.unclaimed.clear();
        }
    }

    fn awaits_births(&self) -> bool {
        !self.unborn.is_empty() || self.hooks_unborn > 0
    }

    /// It came. If it has died already, its end.
    pub fn born(&mut self, one: Incarnation, pid: i32) -> Option<Exit> {
        if let Some(courtier) = self.get_mut(one) {
            courtier.pid = pid;
        }
        let early = self.claim(pid);
        if early.is_none() {
            self.by_pid.insert(pid, Child::Vassal(one));
        }
        self.no_longer_expected(one);
        early
    }

    /// A process that does hooks is on its way.
    pub fn expect_hook(&mut self) {
        self.hooks_unborn += 1;
    }

    /// One that is told of before the vassal, whose birth is still expected.
    pub fn herald_born(&mut self, pid: i32) {
        if self.claim(pid).is_none() {
            self.by_pid.insert(pid, Child::Herald);
        }
    }

    /// One that was expected is there, or will not come. If it has ended already, its end.
    pub fn hook_born(&mut self, one: Incarnation, pid: Option<i32>) -> Option<Exit> {
        let early = pid.and_then(|pid| self.claim(pid));
        if let (Some(pid), None) = (pid, early) {
            self.by_pid.insert(pid, Child::Hook(one));
        }
        self.hooks_unborn = self.hooks_unborn.saturating_sub(1);
        self.forget_orphans();
        early
    }

    /// The last death of that number.
    fn claim(&mut self, pid: i32) -> Option<Exit> {
        let place = self.unclaimed.iter().rposition(|(dead, _)| *dead == pid)?;
        self.unclaimed.remove(place).map(|(_, exit)| exit)
    }

    /// A child was reaped: which one, if it is known.
    pub fn died(&mut self, pid: i32, exit: Exit) -> Option<Child> {
        let child = self.by_pid.remove(&pid);
        if child.is_none() && self.awaits_births() {
            self.unclaimed.push_back((pid, exit));
            let excess = self.unclaimed.len().saturating_sub(UNCLAIMED_MAX);
            self.unclaimed.drain(..excess);
        }
        child
    }

    /// It said so many bytes: until when it is not listened to, if that is too much.
    pub fn heard(&mut self, one: Incarnation, bytes: usize, now: Moment) -> Option<Moment> {
        self.get_mut(one)?.heard.count(bytes, now)
    }

    /// It said this byte, which may be one of a text.
    pub fn spell(&mut self, one: Incarnation, byte: u8) -> Spelled {
        let Some(courtier) = self.get_mut(one) else { return Spelled::Byte };
        match &mut courtier.words {
            Some(words) => words.take(byte),
            None if begins(byte) => courtier.words.insert(Box::default()).take(byte),
            None => Spelled::Byte,
        }
    }

    /// Adds to each vassal what it says of itself, and where it listens.
    pub fn add_words(&self, snapshot: &mut Snapshot) {
        for view in &mut snapshot.vassals {
            let one = Incarnation { id: view.id, attempt: view.attempts };
            let Some(words) = self.get(one).and_then(|courtier| courtier.words.as_ref()) else { continue };
            let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Into::into);
            (view.said, view.serves) = (text(words.said()), text(words.serves()));
        }
    }

    /// Its control descriptor.
    pub fn control(&self, one: Incarnation) -> Option<BorrowedFd<'_>> {
        self.get(one)?.control.as_ref().map(AsFd::as_fd)
    }

    /// Takes the control descriptor away.
    pub fn take_control(&mut self, one: Incarnation) -> Option<OwnedFd> {
        self.get_mut(one)?.control.take()
    }

    /// Its pid, once it was born.
    pub fn pid(&self, one: Incarnation) -> Option<i32> {
        self.get(one).map(|courtier| courtier.pid).filter(|pid| *pid > 0)
    }

    /// True while its birth is to be told.
    pub fn is_expected(&self, one: Incarnation) -> bool {
        self.get(one).is_some_and(|courtier| courtier.pid == 0)
    }

    /// It is gone.
    pub fn leave(&mut self, one: Incarnation) {
        if self.get(one).is_some() {
            self.present.remove(&one.id);
        }
    }

    /// The entry of this very process; a token keeps the low bits of the attempt only.
    fn get(&self, one: Incarnation) -> Option<&Courtier> {
        self.present.get(&one.id).filter(|courtier| courtier.attempt == one.attempt)
    }

    fn get_mut(&mut self, one: Incarnation) -> Option<&mut Courtier> {
        self.present.get_mut(&one.id).filter(|courtier| courtier.attempt == one.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Incarnation = Incarnation { id: VassalId(1), attempt: 1 };

    fn socket() -> OwnedFd {
        rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("a descriptor")
    }

    #[test]
    fn a_death_before_its_birth_is_told_is_not_lost() {
        let mut court = Courtiers::default();
        court.expect(ONE, socket());
        assert_eq!(court.died(77, Exit::Code(1)), None);
        assert_eq!(court.born(ONE, 77), Some(Exit::Code(1)));
    }

    #[test]
    fn who_fails_after_its_end_does_not_make_us_forget_another_birth() {
        let two = Incarnation { id: VassalId(2), attempt: 1 };
        let mut court = Courtiers::default();
        court.expect(ONE, socket());
        court.expect(two, socket());
        assert_eq!(court.born(ONE, 77), None);
        assert_eq!(court.died(77, Exit::Code(126)), Some(Child::Vassal(ONE)));
        court.leave(ONE);
        court.no_longer_expected(ONE);
        assert_eq!(court.died(78, Exit::Code(1)), None);
        assert_eq!(court.born(two, 78), Some(Exit::Code(1)));
    }

    #[test]
    fn many_orphans_do_not_hide_an_early_death() {
        let mut court = Courtiers::default();
        court.expect(ONE, socket());
        (0..2000).for_each(|orphan| assert_eq!(court.died(1000 + orphan, Exit::Code(0)), None));
        assert_eq!(court.died(77, Exit::Code(1)), None);
        assert_eq!(court.born(ONE, 77), Some(Exit::Code(1)));
    }

    #[test]
    fn a_program_that_ended_before_it_was_told_of_leaves_no_trace() {
        let mut court = Courtiers::default();
        court.expect_hook();
        assert_eq!(court.died(77, Exit::Code(3)), None);
        assert_eq!(court.hook_born(ONE, Some(77)), Some(Exit::Code(3)));
        assert!(court.by_pid.is_empty() && court.unclaimed.is_empty());
    }

    #[test]
    fn orphans_of_others_are_forgotten_once_nobody_is_expected() {
        let mut court = Courtiers::default();
        court.expect(ONE, socket());
        assert_eq!(court.died(99, Exit::Code(0)), None);
        assert_eq!(court.born(ONE, 77), None);
        assert!(court.unclaimed.is_empty());
        assert_eq!(court.died(77, Exit::Signal(9)), Some(Child::Vassal(ONE)));
    }

    #[test]
    fn who_has_been_buried_is_not_expected_and_neither_is_another_process() {
        let mut court = Courtiers::default();
        let next = Incarnation { attempt: 2, ..ONE };
        court.expect(ONE, socket());
        assert!(court.is_expected(ONE) && !court.is_expected(next));
        court.born(ONE, 77);
        court.leave(ONE);
        court.expect(next, socket());
        assert!(!court.is_expected(ONE) && court.is_expected(next));
    }

    #[test]
    fn an_earlier_process_has_nothing_to_say() {
        let mut court = Courtiers::default();
        court.expect(Incarnation { attempt: 2, ..ONE }, socket());
        assert!(court.control(ONE).is_none());
        court.leave(ONE);
        assert!(court.control(Incarnation { attempt: 2, ..ONE }).is_some());
    }
}
