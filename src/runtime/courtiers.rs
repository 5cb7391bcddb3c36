//! Who is at court: the control descriptor and the pid of each vassal's process.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::emperor::event::{Exit, Incarnation, VassalId};

/// Most deaths of unknown children kept for a birth that is still to be told; more are orphans of others.
const UNCLAIMED_MAX: usize = 1024;

/// What the loop knows of each process.
#[derive(Default)]
pub struct Courtiers {
    present: HashMap<VassalId, Courtier>,
    by_pid: HashMap<i32, Child>,
    /// Children that died before the spawner told of their birth: pids cannot be mixed up, because births are
    /// told in the order in which they happened.
    unclaimed: Vec<(i32, Exit)>,
    unborn: usize,
}

struct Courtier {
    attempt: u32,
    pid: i32,
    control: Option<OwnedFd>,
}

/// A child of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    /// The process of a vassal.
    Vassal(Incarnation),
    /// A program of `exec-as-emperor`.
    Hook(Incarnation),
}

impl Courtiers {
    /// A process is on its way; this is our end of its control socket.
    pub fn expect(&mut self, one: Incarnation, control: OwnedFd) {
        self.unborn += 1;
        self.present.insert(one.id, Courtier { attempt: one.attempt, pid: 0, control: Some(control) });
    }

    /// It will not come, or it has come: no birth is awaited for it any more.
    pub fn no_longer_expected(&mut self) {
        self.unborn = self.unborn.saturating_sub(1);
        if self.unborn == 0 {
            self.unclaimed.clear();
        }
    }

    /// It came. If it has died already, its end.
    pub fn born(&mut self, one: Incarnation, pid: i32) -> Option<Exit> {
        if let Some(courtier) = self.get_mut(one) {
            courtier.pid = pid;
        }
        let early = self.unclaimed.iter().position(|(dead, _)| *dead == pid);
        let early = early.map(|place| self.unclaimed.remove(place).1);
        if early.is_none() {
            self.by_pid.insert(pid, Child::Vassal(one));
        }
        self.no_longer_expected();
        early
    }

    /// A program of ours runs.
    pub fn hook_born(&mut self, one: Incarnation, pid: i32) {
        if let Some(place) = self.unclaimed.iter().position(|(dead, _)| *dead == pid) {
            self.unclaimed.remove(place);
        } else {
            self.by_pid.insert(pid, Child::Hook(one));
        }
    }

    /// A child was reaped: which one, if it is known.
    pub fn died(&mut self, pid: i32, exit: Exit) -> Option<Child> {
        let child = self.by_pid.remove(&pid);
        if child.is_none() && self.unborn > 0 && self.unclaimed.len() < UNCLAIMED_MAX {
            self.unclaimed.push((pid, exit));
        }
        child
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
