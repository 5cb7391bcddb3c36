//! Looks at configs where that may take for ever: a copy of the spawner does, and is given up when nothing is heard of it.
//!
//! What it read comes back as a copy: a descriptor of such a file system may keep waiting whoever closes it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use jail::run::{receive, send};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal,
    set_parent_process_death_signal, waitid,
};
use serde::{Deserialize, Serialize};

use super::charter::Charter;
use super::far;
use super::lanes::{Lanes, MountId};
use super::wire::{MESSAGE_MAX, Place, Report, Seen, Task, Ticket, decode, encode};
use crate::emperor::event::{Moment, Owner};
use crate::parting::Visited;
use crate::trust::Trust;

/// Most vassals whose config is fetched at once: each keeps a control socket open here.
const BIRTHS_MAX: usize = 256;

/// What somebody is sent for.
#[derive(Debug)]
pub enum Job {
    /// To report to the emperor.
    Report {
        /// Named by the report.
        number: u32,
        /// Where.
        place: Place,
        /// What for.
        task: Task,
    },
    /// To fetch the config of a vassal that is to be born.
    Birth(Box<Expected>),
}

/// A vassal whose config is fetched.
#[derive(Debug)]
pub struct Expected {
    /// The process to be.
    pub ticket: Ticket,
    /// File name of its config.
    pub file: String,
    /// The vassal as people know it.
    pub name: String,
    /// It is the zerg of this number.
    pub zerg: Option<u32>,
    /// Where that is.
    pub whence: Whence,
    /// Its control socket.
    pub control: OwnedFd,
    /// Where its output goes, if not where ours does.
    pub output: Option<OwnedFd>,
    /// Its listener, if it has one already.
    pub listener: Option<Visited>,
}

/// The directory of a config.
#[derive(Debug)]
pub enum Whence {
    /// Still to be opened.
    Place(Place),
    /// Near: only its file is not.
    Directory(OwnedFd),
}

/// What is said by who was sent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Word {
    /// For the emperor. Descriptor: the copy that was asked for.
    Report(Report),
    /// A config that may run. Descriptors: its copy, its directory.
    Config(Owner, Trust, Seen),
    /// It may not run.
    Refused(String),
    /// It cannot be run now.
    Failed(String),
}

/// One word, with what belongs to it.
#[derive(Debug)]
pub struct Message {
    /// What was said.
    pub word: Word,
    /// What came along.
    pub descriptors: Vec<OwnedFd>,
}

/// Everybody who was sent.
#[derive(Debug, Default)]
pub struct Lookers {
    lanes: Lanes<Job>,
    away: BTreeMap<MountId, Looker>,
    births: usize,
}

#[derive(Debug)]
struct Looker {
    pidfd: OwnedFd,
    /// Until the last word was heard: with the job that it is of.
    errand: Option<(OwnedFd, Job)>,
}

impl Lookers {
    /// Takes a job in.
    ///
    /// # Errors
    /// The job, where the mount did not answer lately, or too many wait.
    pub fn ask(&mut self, mount: MountId, job: Job, now: Moment) -> Result<(), Job> {
        let birth = matches!(job, Job::Birth(_));
        if birth && self.births >= BIRTHS_MAX {
            return Err(job);
        }
        self.lanes.forget_old(now);
        self.lanes.ask(mount, job, now)?;
        self.births += usize::from(birth);
        Ok(())
    }

    fn count_off(&mut self, job: &Job) {
        self.births -= usize::from(matches!(job, Job::Birth(_)));
    }

    /// Sends somebody for each job whose turn it is; those for whom nobody could be sent come back.
    pub fn send_off(&mut self, charter: &Charter, null: BorrowedFd<'_>, now: Moment) -> Vec<(Job, Errno)> {
        let mut failed = Vec::new();
        while let Some((mount, job)) = self.lanes.next(now) {
            match begin(charter, null, &job) {
                Ok((pidfd, socket)) => {
                    let errand = Some((socket, job));
                    drop(self.away.insert(mount, Looker { pidfd, errand }));
                }
                Err(errno) => {
                    self.lanes.ended(mount);
                    self.count_off(&job);
                    failed.push((job, errno));
                }
            }
        }
        failed
    }

    /// What to wait for, in the order of `hear`.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.away.values().map(|looker| match &looker.errand {
            Some((socket, _)) => socket.as_fd(),
            None => looker.pidfd.as_fd(),
        })
    }

    /// Hears those who are ready: what they said, with the job when that was the last word; `None` is an end without a
    /// word.
    pub fn hear(&mut self, ready: &[bool], now: Moment) -> Vec<(Option<Message>, Heard)> {
        let mounts: Vec<MountId> = self.away.keys().copied().collect();
        let those = mounts.into_iter().zip(ready).filter(|(_, ready)| **ready);
        let those: Vec<MountId> = those.map(|(mount, _)| mount).collect();
        those.into_iter().filter_map(|mount| self.hear_one(mount, now)).collect()
    }

    fn hear_one(&mut self, mount: MountId, now: Moment) -> Option<(Option<Message>, Heard)> {
        let looker = self.away.get_mut(&mount)?;
        let Some((socket, job)) = &looker.errand else {
            self.reap(mount);
            return None;
        };
        let message = hear(socket.as_fd());
        if message.is_some() {
            self.lanes.heard(mount, now);
        }
        if let (
            Some(Message { word: Word::Report(Report::Listed(_, _, false)), .. }),
            Job::Report { number, .. },
        ) = (&message, job)
        {
            let number = *number;
            return Some((message, Heard::Part(number)));
        }
        let (_, job) = looker.errand.take()?;
        self.count_off(&job);
        Some((message, Heard::All(job)))
    }

    /// Gives those up of whom nothing was heard in time: all jobs that this ends.
    pub fn give_up(&mut self, now: Moment) -> Vec<Job> {
        let mut ended = Vec::new();
        while let Some((mount, waiting)) = self.lanes.overdue(now) {
            if let Some(looker) = self.away.get_mut(&mount) {
                // One that waits in the kernel may stay there until its file system answers.
                let _ = pidfd_send_signal(&looker.pidfd, Signal::KILL);
                ended.extend(looker.errand.take().map(|(_, job)| job));
            }
            ended.extend(waiting);
        }
        ended.iter().for_each(|job| self.count_off(job));
        ended
    }

    /// When somebody is overdue.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.lanes.next_deadline()
    }

    fn reap(&mut self, mount: MountId) {
        let Some(looker) = self.away.get(&mount) else { return };
        let ended =
            waitid(WaitId::PidFd(looker.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        if !matches!(ended, Ok(None)) {
            self.away.remove(&mount);
            self.lanes.ended(mount);
        }
    }
}

/// What a word is of.
#[derive(Debug)]
pub enum Heard {
    /// More will be said of this number.
    Part(u32),
    /// That was all.
    All(Job),
}

/// Must: be called while this process has one thread.
fn begin(charter: &Charter, null: BorrowedFd<'_>, job: &Job) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let kept: Vec<RawFd> = kept_for(job).into_iter().chain([theirs.as_raw_fd()]).collect();
    let child = jail::sys::fork(|| match leave_all_but(null, &kept) {
        Ok(()) => i32::from(far::look(charter, job, &|word, lent| say(theirs.as_fd(), word, lent)).is_err()),
        Err(_) => 1,
    })?;
    // Ours alone, and not reaped, so its number is its own.
    let pidfd = pidfd_open(child, PidfdFlags::empty())?;
    Ok((pidfd, ours))
}

fn kept_for(job: &Job) -> Option<RawFd> {
    match job {
        Job::Birth(expected) => match &expected.whence {
            Whence::Directory(directory) => Some(directory.as_raw_fd()),
            Whence::Place(_) => None,
        },
        Job::Report { .. } => None,
    }
}

/// Whoever may have to be left behind holds nothing of ours.
pub(super) fn leave_all_but(null: BorrowedFd<'_>, kept: &[RawFd]) -> Result<(), Errno> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    for number in 0..jail::sys::FIRST {
        jail::sys::place(null, number)?;
    }
    jail::sys::close_all_but(kept)
}

fn say(socket: BorrowedFd<'_>, word: &Word, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    send(socket, &encode(word).map_err(|_| Errno::MSGSIZE)?, descriptors)
}

fn hear(socket: BorrowedFd<'_>) -> Option<Message> {
    let mut buffer = [0; MESSAGE_MAX];
    let parcel = receive(socket, &mut buffer).ok()??;
    let word = decode(&buffer[..parcel.length]).ok()?;
    Some(Message { word, descriptors: parcel.descriptors })
}
