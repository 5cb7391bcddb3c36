//! Children that take their time between birth and program: each says on a pipe how its walk ended. And how many there may be.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::Plan;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Signal, getrlimit, pidfd_open, pidfd_send_signal};

use super::court::Court;
use super::enter::Visit;
use super::wire::{Reply, Ticket, cut};
use crate::emperor::event::Moment;
use crate::reactor::clock;

/// A session that has not begun by then is kept from it by whoever owns the vassal: its way takes milliseconds, and those of a
/// crowd on a busy machine a second or two.
const LATE_MS: u64 = 3_000;
/// So many late ones of one user's, and he begins no other.
const LATE_MAX: usize = 8;
/// A session that has not begun by then is ended, in ms after it was asked for: each has a descriptor of ours.
const BEGINS_BY_MS: u64 = 60_000;
/// What whoever asked for it is told then.
const ENDED: &str =
    "it has not begun for a minute: who owns its vassal keeps it from running, or the vassal's limits do";

/// A child that still walks through steps which may take their time.
pub(super) struct Walk {
    pub(super) who: Walker,
    pub(super) plan: Plan,
    pub(super) report: OwnedFd,
}

/// Who walks. No descriptor: others can hold up a walk, and many of them.
pub(super) enum Walker {
    /// And what is told when its program runs.
    Vassal(Ticket, Reply),
    /// A session of this user's, in the cgroup of a vassal, by its pid.
    Session(Visit, i32),
}

impl Walker {
    /// Whether it is this vassal.
    pub(super) fn is(&self, vassal: Ticket) -> bool {
        matches!(self, Self::Vassal(ticket, _) if *ticket == vassal)
    }

    fn visit(&self) -> Option<Visit> {
        match self {
            Self::Session(visit, _) => Some(*visit),
            Self::Vassal(..) => None,
        }
    }

    /// When it is given up. Of a vassal the emperor decides that.
    fn deadline(&self) -> Option<Moment> {
        self.visit().map(|visit| visit.since.plus_ms(BEGINS_BY_MS))
    }

    fn arrived(self) -> Reply {
        match self {
            Self::Vassal(_, running) => running,
            Self::Session(visit, pid) => Reply::Entered(visit.number, Ok(pid)),
        }
    }

    fn failed(self, sentence: &str) -> Reply {
        match self {
            Self::Vassal(ticket, _) => Reply::Failed(ticket, cut(sentence)),
            Self::Session(visit, _) => Reply::Entered(visit.number, Err(cut(sentence))),
        }
    }
}

impl Walk {
    /// Whether nothing has become of it yet.
    fn goes_on(&self) -> bool {
        let mut report = [PollFd::new(&self.report, PollFlags::IN)];
        poll(&mut report, Some(&Timespec::default())) == Ok(0)
    }

    /// Ends it. False where something has become of it that is yet to be heard. Where it stands in a freezer of version 1 it
    /// dies when that lets it run again, and where no descriptor of it can be had it finds its client gone.
    ///
    /// Must not: trust a number. It is the emperor who reaps the child, and then the number may be another's; but as long as
    /// nothing has become of the walk the child lives, and what was opened by its number before is of that child.
    fn give_up(&self) -> bool {
        let Walker::Session(_, pid) = self.who else { return false };
        let pidfd = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let goes_on = self.goes_on();
        if let Some(pidfd) = pidfd.filter(|_| goes_on) {
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
        goes_on
    }
}

/// Ends sessions that have not begun in time, and takes them out.
fn end_those_overdue(walks: &mut Vec<Walk>, now: Moment) -> Vec<Walk> {
    let is_ended = |walk: &mut Walk| walk.who.deadline().is_some_and(|at| at <= now) && walk.give_up();
    walks.extract_if(.., is_ended).collect()
}

/// When the first of them is overdue: they stand in the order in which they were asked for.
fn first_deadline(walks: &[Walk]) -> Option<Moment> {
    walks.iter().find_map(|walk| walk.who.deadline())
}

/// Sessions that have not begun, each with a descriptor of ours.
struct UnderWay {
    all: u64,
    /// Of the user who asks for another one.
    his: u64,
    /// And for longer than it should take.
    late: usize,
}

impl UnderWay {
    fn count(visits: impl Iterator<Item = Visit>, asks: Visit) -> Self {
        let mut under_way = Self { all: 0, his: 0, late: 0 };
        for visit in visits {
            under_way.all += 1;
            if visit.uid == asks.uid {
                under_way.his += 1;
                under_way.late += usize::from(asks.since.ms_since(visit.since) > LATE_MS);
            }
        }
        under_way
    }

    /// Whether there may be one more, of a process that may have so many descriptors. Half of them are never a tenant's, and of
    /// the other half nobody has more than he leaves to all others; root and the Emperor's own user leave a quarter.
    fn may_be_more(&self, is_master: bool, limit: u64) -> Result<(), &'static str> {
        if is_master {
            let fits = self.all < limit / 4 * 3;
            return fits.then_some(()).ok_or("too many sessions of all users have not begun");
        }
        if self.late >= LATE_MAX {
            return Err(
                "eight sessions of the same user have not begun for three seconds: who owns their vassal keeps it \
                        from running, or its limits do",
            );
        }
        let fits = self.his < (limit / 2).saturating_sub(self.all);
        fits.then_some(()).ok_or("too many sessions have not begun: others need what is left")
    }
}

impl Court {
    /// Whether somebody may send one more session on its way.
    pub(super) fn has_room_for(&self, visit: Visit, is_master: bool) -> Result<(), &'static str> {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let visits = self.walks.iter().filter_map(|walk| walk.who.visit());
        UnderWay::count(visits, visit).may_be_more(is_master, limit)
    }

    /// How long until a session is overdue that has not begun.
    pub fn walks_patience(&self) -> Option<Timespec> {
        let left = first_deadline(&self.walks)?.0.saturating_sub(clock::now().0);
        Timespec::try_from(std::time::Duration::from_nanos(left)).ok()
    }

    /// Gives up the sessions that are overdue.
    pub fn end_overdue(&mut self) -> Vec<Reply> {
        let now = clock::now();
        if first_deadline(&self.walks).is_none_or(|at| at > now) {
            return Vec::new();
        }
        end_those_overdue(&mut self.walks, now).into_iter().map(|walk| walk.who.failed(ENDED)).collect()
    }

    /// Reports of children that walk, in the order of `hear`.
    pub fn reports(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.walks.iter().map(|walk| walk.report.as_fd())
    }

    /// Hears those whose report is ready: it runs (end of file), or a step failed.
    pub fn hear(&mut self, ready: &[bool]) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut ready = ready.iter().copied().chain(std::iter::repeat(false));
        for walk in std::mem::take(&mut self.walks) {
            if !ready.next().unwrap_or(false) {
                self.walks.push(walk);
                continue;
            }
            replies.push(match read_report(&walk.report) {
                Ok(()) => walk.who.arrived(),
                Err(failure) => walk.who.failed(&failure.sentence(&walk.plan, &self.host)),
            });
        }
        replies
    }
}

/// What a walking child says: nothing when it runs its program, else what failed.
pub(super) fn read_report(report: &OwnedFd) -> Result<(), jail::Failure> {
    let mut wire = [0; jail::Failure::WIRE_MAX];
    match rustix::io::read(report, &mut wire) {
        Ok(0) => Ok(()),
        Ok(length) => Err(jail::Failure::decode(&wire[..length]).unwrap_or_default()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
#[path = "walks_tests.rs"]
mod tests;
