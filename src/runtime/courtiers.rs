//! Who is at court: the control descriptor and the pid of each vassal's process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use jail::plan::standard::Strictness;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::daemons::Daemons;
use super::earshot::Heard;
use super::spelling::{Spelled, Spelling, begins};
use crate::daemons::Word;
use crate::emperor::event::{Exit, Incarnation, Moment, VassalId};
use crate::emperor::snapshot::{JailView, Snapshot};
use crate::parting::Visited;
use crate::spawner::jailing::Inside;
use crate::spawner::leaf_number;
use crate::spawner::wire::Jailed;

/// Most deaths of unknown children kept for a birth that is still to be told. Of one that is not kept, only the
/// way it ended is lost.
const UNCLAIMED_MAX: usize = 1024;

/// What the loop knows of each process.
pub struct Courtiers {
    present: HashMap<VassalId, Courtier>,
    by_pid: HashMap<i32, Child>,
    /// Children that died, perhaps before the spawner told of their birth. A tenant can make children of ours end with
    /// any number while somebody's birth takes its time: this says how one ended, never that it did.
    unclaimed: VecDeque<(i32, Exit)>,
    is_there: fn(i32) -> bool,
    unborn: HashSet<Incarnation>,
    hooks_unborn: usize,
}

struct Courtier {
    attempt: u32,
    pid: i32,
    control: Option<Visited>,
    heard: Heard,
    /// What it says in words, if it ever does.
    words: Option<Box<Spelling>>,
    /// What it tells of its daemons; `None` for whoever has never told of any.
    daemons: Option<Box<Daemons>>,
    /// What it was born into, once its program runs.
    jail: Option<Jailed>,
    limits: OwnLimits,
}

/// What its own config puts on its command.
#[derive(Debug, Default)]
pub enum OwnLimits {
    /// Nothing, as far as we know.
    #[default]
    None,
    /// Its master lends it to whoever enters, by this channel once somebody has.
    Lent(Option<OwnedFd>),
    /// It was put on a program that has taken the place of the master.
    Gone,
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
    /// The router of this number.
    Router(u8),
    /// Whoever minds the session of this number.
    Session(u32),
    /// The log keeper.
    Keeper,
}

impl Default for Courtiers {
    fn default() -> Self {
        Self {
            present: HashMap::new(),
            by_pid: HashMap::new(),
            unclaimed: VecDeque::new(),
            is_there: is_our_child,
            unborn: HashSet::new(),
            hooks_unborn: 0,
        }
    }
}

impl Courtiers {
    /// A process is on its way; this is our end of its control socket.
    pub fn expect(&mut self, one: Incarnation, control: OwnedFd) {
        self.unborn.insert(one);
        let (attempt, heard) = (one.attempt, Heard::default());
        let courtier = Courtier {
            attempt,
            pid: 0,
            control: Some(control.into()),
            heard,
            words: None,
            daemons: None,
            jail: None,
            limits: OwnLimits::None,
        };
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

    /// A router that was expected as a hook is, or that will not come. If it has ended already, its end.
    pub fn router_born(&mut self, number: u8, pid: Option<i32>) -> Option<Exit> {
        self.attendant_born(Child::Router(number), pid)
    }

    /// The same for one that minds a session.
    pub fn session_born(&mut self, number: u32, pid: Option<i32>) -> Option<Exit> {
        self.attendant_born(Child::Session(number), pid)
    }

    /// The same for the log keeper.
    pub fn keeper_born(&mut self, pid: Option<i32>) -> Option<Exit> {
        self.attendant_born(Child::Keeper, pid)
    }

    fn attendant_born(&mut self, child: Child, pid: Option<i32>) -> Option<Exit> {
        let early = pid.and_then(|pid| self.claim(pid));
        if let (Some(pid), None) = (pid, early) {
            self.by_pid.insert(pid, child);
        }
        self.hooks_unborn = self.hooks_unborn.saturating_sub(1);
        self.forget_orphans();
        early
    }

    /// Whether it was made by somebody else, in a jail that we do not know.
    pub fn is_far(&self, one: Incarnation) -> bool {
        self.get(one).is_some_and(|courtier| courtier.jail == Some(Jailed::FarFromHere))
    }

    /// Whether the present process of this vassal was made so.
    pub fn lives_far(&self, id: VassalId) -> bool {
        self.present.get(&id).is_some_and(|courtier| courtier.jail == Some(Jailed::FarFromHere))
    }

    /// How the child of that number ended; `None` while it is there, whoever had the number before.
    fn claim(&mut self, pid: i32) -> Option<Exit> {
        let last = self.unclaimed.iter().rfind(|(dead, _)| *dead == pid).map(|(_, exit)| *exit);
        self.unclaimed.retain(|(dead, _)| *dead != pid);
        if (self.is_there)(pid) { None } else { Some(last.unwrap_or(Exit::UNKNOWN)) }
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

    /// It tells of one of its daemons, or begins to. Whether that is anything new.
    pub fn hear_of_daemon(&mut self, one: Incarnation, word: Option<Word>, now: Moment) -> bool {
        let Some(courtier) = self.get_mut(one) else { return false };
        courtier.daemons.get_or_insert_default().hear(word, now)
    }

    /// Another program takes the place of its master.
    pub fn forget_daemons(&mut self, one: Incarnation) {
        self.get_mut(one).into_iter().for_each(|courtier| courtier.daemons = None);
    }

    /// The running process of a vassal, if it tells of daemons, and what it tells.
    pub fn daemons(&self, id: VassalId) -> Option<(BorrowedFd<'_>, &Daemons)> {
        let courtier = self.present.get(&id)?;
        Some((courtier.control.as_ref()?.as_fd(), courtier.daemons.as_ref()?))
    }

    /// Its config puts limits of its own on its command.
    pub fn is_limited(&mut self, one: Incarnation) {
        if let Some(limits @ OwnLimits::None) = self.limits_of(one) {
            *limits = OwnLimits::Lent(None);
        }
    }

    /// Another program takes the place of its master, with all that was put on it.
    pub fn is_another(&mut self, one: Incarnation) {
        if let Some(limits @ OwnLimits::Lent(_)) = self.limits_of(one) {
            *limits = OwnLimits::Gone;
        }
    }

    /// What it says of these.
    pub fn limits_of(&mut self, one: Incarnation) -> Option<&mut OwnLimits> {
        self.get_mut(one).map(|courtier| &mut courtier.limits)
    }

    /// Its program runs, in this jail.
    pub fn confined(&mut self, one: Incarnation, jail: Jailed) {
        self.get_mut(one).into_iter().for_each(|courtier| courtier.jail = Some(jail));
    }

    /// Adds to each vassal its jail; `leaves` is the directory of the cgroups of all.
    pub fn add_jails(&self, snapshot: &mut Snapshot, leaves: Option<&Path>) {
        for view in &mut snapshot.vassals {
            let one = Incarnation { id: view.id, attempt: view.attempts };
            let jail = self.get(one).and_then(|courtier| courtier.jail);
            view.jail = jail.map(|jail| residence(jail, leaves.map(|leaves| leaf(leaves, one))));
        }
    }

    /// Adds to each vassal what it says of itself, where it listens, and its daemons.
    pub fn add_words(&self, snapshot: &mut Snapshot) {
        for view in &mut snapshot.vassals {
            let one = Incarnation { id: view.id, attempt: view.attempts };
            let Some(courtier) = self.get(one) else { continue };
            view.daemons = courtier.daemons.as_ref().map(|daemons| daemons.views()).unwrap_or_default();
            let Some(words) = courtier.words.as_ref() else { continue };
            let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Into::into);
            (view.said, view.serves) = (text(words.said()), text(words.serves()));
        }
    }

    /// Its control descriptor.
    pub fn control(&self, one: Incarnation) -> Option<BorrowedFd<'_>> {
        self.get(one)?.control.as_ref().map(AsFd::as_fd)
    }

    /// Takes the control descriptor away.
    pub fn take_control(&mut self, one: Incarnation) -> Option<Visited> {
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

/// The jail, in words.
fn residence(jail: Jailed, cgroup: Option<String>) -> JailView {
    let Jailed::Here { kind, namespaces, inside, leaf } = jail else {
        let (namespaces, user, root) = (String::new(), "", "");
        return JailView { kind: "fork-server", namespaces, user, root, cgroup };
    };
    JailView {
        kind: match kind {
            None => "none",
            Some(Strictness::Standard) => "standard",
            Some(Strictness::Strict) => "strict",
        },
        namespaces: namespaces.to_string(),
        user: match inside {
            Inside::Host => "host",
            Inside::Root(false) => "root",
            Inside::Root(true) => "root, then its owner",
            Inside::Owner => "owner",
        },
        root: if kind.is_some() { "jail" } else { "host" },
        cgroup: cgroup.filter(|_| leaf),
    }
}

fn leaf(leaves: &Path, one: Incarnation) -> String {
    leaves.join(leaf_number(one.into()).to_string()).display().to_string()
}

/// Whether a child of ours has this number, alive or not yet reaped (`waitid(2)`): until then nobody else gets it.
fn is_our_child(pid: i32) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Pid::from_raw(pid).is_some_and(|pid| !matches!(waitid(WaitId::Pid(pid), options), Err(Errno::CHILD)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Incarnation = Incarnation { id: VassalId(1), attempt: 1 };
    const TWO: Incarnation = Incarnation { id: VassalId(2), attempt: 1 };

    /// All of whose children have been reaped.
    fn bereft() -> Courtiers {
        Courtiers { is_there: |_| false, ..Courtiers::default() }
    }

    /// Whose child 77 is there.
    fn with_a_child() -> Courtiers {
        Courtiers { is_there: |pid| pid == 77, ..Courtiers::default() }
    }

    fn socket() -> OwnedFd {
        rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("a descriptor")
    }

    #[test]
    fn a_death_before_its_birth_is_told_is_not_lost() {
        let mut court = bereft();
        court.expect(ONE, socket());
        assert_eq!(court.died(77, Exit::Code(1)), None);
        assert_eq!(court.born(ONE, 77), Some(Exit::Code(1)));
    }

    #[test]
    fn who_fails_after_its_end_does_not_make_us_forget_another_birth() {
        let mut court = with_a_child();
        court.expect(ONE, socket());
        court.expect(TWO, socket());
        assert_eq!(court.born(ONE, 77), None);
        assert_eq!(court.died(77, Exit::Code(126)), Some(Child::Vassal(ONE)));
        court.leave(ONE);
        court.no_longer_expected(ONE);
        assert_eq!(court.died(78, Exit::Code(1)), None);
        assert_eq!(court.born(TWO, 78), Some(Exit::Code(1)));
    }

    #[test]
    fn many_orphans_do_not_hide_an_early_death() {
        let mut court = bereft();
        court.expect(ONE, socket());
        (0..2000).for_each(|orphan| assert_eq!(court.died(1000 + orphan, Exit::Code(0)), None));
        assert_eq!(court.died(77, Exit::Code(1)), None);
        assert_eq!(court.born(ONE, 77), Some(Exit::Code(1)));
    }

    /// Row N9.
    #[test]
    fn the_end_of_a_stranger_is_not_that_of_the_vassal_who_got_his_number() {
        let mut court = with_a_child();
        court.expect(ONE, socket());
        assert_eq!(court.died(77, Exit::Code(0)), None);
        court.expect(TWO, socket());
        assert_eq!(court.born(TWO, 77), None);
        assert_eq!(court.died(77, Exit::Signal(9)), Some(Child::Vassal(TWO)));
    }

    #[test]
    fn an_early_death_behind_which_too_many_orphans_died_is_a_death() {
        let mut court = bereft();
        court.expect(ONE, socket());
        assert_eq!(court.died(77, Exit::Code(1)), None);
        let crowd = i32::try_from(UNCLAIMED_MAX).unwrap();
        (0..crowd).for_each(|orphan| assert_eq!(court.died(1000 + orphan, Exit::Code(0)), None));
        assert_eq!(court.born(ONE, 77), Some(Exit::UNKNOWN));
    }

    #[test]
    fn a_child_is_there_until_it_is_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_raw(pid).unwrap()), ended).unwrap();
        assert!(is_our_child(pid));
        child.wait().unwrap();
        assert!(!is_our_child(pid));
    }

    #[test]
    fn a_program_that_ended_before_it_was_told_of_leaves_no_trace() {
        let mut court = bereft();
        court.expect_hook();
        assert_eq!(court.died(77, Exit::Code(3)), None);
        assert_eq!(court.hook_born(ONE, Some(77)), Some(Exit::Code(3)));
        assert!(court.by_pid.is_empty() && court.unclaimed.is_empty());
    }

    #[test]
    fn orphans_of_others_are_forgotten_once_nobody_is_expected() {
        let mut court = with_a_child();
        court.expect(ONE, socket());
        assert_eq!(court.died(99, Exit::Code(0)), None);
        assert_eq!(court.born(ONE, 77), None);
        assert!(court.unclaimed.is_empty());
        assert_eq!(court.died(77, Exit::Signal(9)), Some(Child::Vassal(ONE)));
    }

    #[test]
    fn who_has_been_buried_is_not_expected_and_neither_is_another_process() {
        let mut court = with_a_child();
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
