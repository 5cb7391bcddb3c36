//! How vassals end: killed, buried, and all of them at once when the emperor is gone.

use std::os::fd::BorrowedFd;

use jail::Namespaces;
use jail::run::{Cgroup, Removed, parent_of, pid_of, signal_session};
use rustix::event::poll;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::Timespec;

use super::charter::Leftover;
use super::court::{Court, leaf_number};
use super::wire::{Reply, Ticket};

/// A busy cgroup is tried again after this long.
const BURIAL_RETRY: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// One that stays busy (somebody in it cannot even be killed) is tried only so often.
const BURIAL_RETRY_LATE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// So many tries count as early.
const BURIAL_TRIES_MAX: u32 = 50;

/// How often the last cgroup is tried before it is left behind, empty of processes but not yet of their remains.
const LAST_TRIES_MAX: u32 = 250;

impl Court {
    /// SIGKILL, only for a process that we made.
    ///
    /// Must not: trust a pid; the descriptor has to name the very process of this ticket.
    pub(super) fn kill(&mut self, ticket: Ticket, pidfd: BorrowedFd<'_>) -> Vec<Reply> {
        let answer = vec![Reply::Killing(ticket)];
        let Some(ward) = self.wards.get(ticket) else { return answer };
        if pid_of(pidfd) != Some(ward.pid) || !is_of_emperor(ward.pid) {
            crate::log::warn("spawner", &format!("kill refused: not the process of {}", ward.name));
            return answer;
        }
        if let Err(errno) = pidfd_send_signal(pidfd, Signal::KILL) {
            crate::log::warn("spawner", &format!("cannot kill {}: {errno}", ward.name));
        }
        self.kill_leaf(ticket);
        answer
    }

    /// A signal that somebody wants to be sent, only for a process that we made.
    ///
    /// Must not: trust a pid, as above; send what is none of `signal(7)`.
    pub(super) fn signal(&self, ticket: Ticket, number: i32, pidfd: BorrowedFd<'_>) -> Vec<Reply> {
        let Some(ward) = self.wards.get(ticket) else { return Vec::new() };
        let signal = Signal::from_named_raw(number);
        if pid_of(pidfd) != Some(ward.pid) || !is_of_emperor(ward.pid) || signal.is_none() {
            crate::log::warn("spawner", &format!("signal {number} refused for {}", ward.name));
        } else if let Some(Err(errno)) = signal.map(|signal| pidfd_send_signal(pidfd, signal)) {
            crate::log::warn("spawner", &format!("cannot signal {}: {errno}", ward.name));
        }
        Vec::new()
    }

    fn kill_leaf(&self, ticket: Ticket) {
        let leaf = self.wards.get(ticket).is_some_and(|ward| ward.leaf);
        if let (true, Some(cgroup)) = (leaf, &self.cgroup) {
            let _ = cgroup.kill(leaf_number(ticket));
        }
    }

    /// The main process is gone: so is everything that it left behind.
    pub(super) fn bury(&mut self, ticket: Ticket) -> Vec<Reply> {
        self.kill_leaf(ticket);
        let strains = self.strains.forget(ticket);
        self.burial_tries = 0;
        self.partings.miss(ticket);
        let Some(ward) = self.wards.remove(ticket) else { return strains };
        self.walks.retain(|walk| !walk.who.is(ticket));
        if ward.leaf {
            self.bury_leaf(ticket);
        } else if !self.charter.namespaces.has(Namespaces::PID) {
            signal_session(ward.pid, Signal::KILL);
        }
        strains
    }

    /// Takes the cgroup away once it is empty. Must not: kill, as strangers may have come into one that was never a ward's.
    pub(super) fn bury_leaf(&mut self, ticket: Ticket) {
        let Some(cgroup) = &self.cgroup else { return };
        if self.charter.needs_leaf() && matches!(cgroup.remove(leaf_number(ticket)), Ok(Removed::Busy)) {
            self.busy_graves.push(ticket);
        }
    }

    /// How long the spawner may sleep.
    pub fn patience(&self) -> Option<Timespec> {
        if self.can_stock_up() {
            return Some(Timespec::default());
        }
        let retry = if self.burial_tries < BURIAL_TRIES_MAX { BURIAL_RETRY } else { BURIAL_RETRY_LATE };
        let burial = (!self.busy_graves.is_empty()).then_some(retry);
        burial
            .into_iter()
            .chain(self.lookers_patience())
            .chain(self.inquiries_patience())
            .chain(self.envoys.patience())
            .min()
    }

    /// Ends everybody who was made, and takes the cgroup away.
    pub fn leave_nobody(mut self) {
        self.listeners.unlisten_all();
        for (_, ward) in self.wards.each() {
            if let (Some(pidfd), None) = (&ward.pidfd, &self.cgroup) {
                let _ = pidfd_send_signal(pidfd, Signal::KILL);
                if !self.charter.namespaces.has(Namespaces::PID) {
                    signal_session(ward.pid, Signal::KILL);
                }
            }
        }
        self.charter.leftovers.iter().for_each(Leftover::remove);
        if let Some(mut cgroup) = self.cgroup {
            end_all(&mut cgroup);
        }
    }
}

/// A number that was reaped and given again is no child of the emperor, or one that it made itself. Where `/proc`
/// hides the process nothing is known.
fn is_of_emperor(pid: i32) -> bool {
    let emperor = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    parent_of(pid).is_none_or(|parent| Some(parent) == emperor)
}

/// Kills all and takes the cgroup away, as soon as the last one is gone.
fn end_all(cgroup: &mut Cgroup) {
    let Ok(switch) = cgroup.kill_switch() else { return };
    for _ in 0..LAST_TRIES_MAX {
        let _ = rustix::io::write(&switch, b"1");
        if !matches!(cgroup.remove_all(), Ok(Removed::Busy)) {
            return;
        }
        let _ = poll(&mut [], Some(&BURIAL_RETRY));
    }
}
