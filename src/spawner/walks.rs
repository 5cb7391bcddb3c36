//! Children that take their time between birth and program: each says on a pipe how its walk ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::Plan;

use super::court::Court;
use super::wire::{Reply, Ticket, cut};

/// A child that still walks through steps which may take their time.
pub(super) struct Walk {
    pub(super) ticket: Ticket,
    pub(super) plan: Plan,
    pub(super) report: OwnedFd,
    /// What is told when its program runs. No descriptor: others can hold up a walk, and many of them.
    pub(super) running: Reply,
}

impl Court {
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
                Ok(()) => walk.running,
                Err(failure) => Reply::Failed(walk.ticket, cut(&failure.sentence(&walk.plan, &self.host))),
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
