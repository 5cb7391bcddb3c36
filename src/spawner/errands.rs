//! Sends others to look where it may take for ever, and goes on with what they bring.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::Timespec;

use super::court::Court;
use super::lanes::MountId;
use super::lend;
use super::lookers::{Expected, Heard, Job, Message, Whence, Word};
use super::summons::Summons;
use super::wire::{Answer, Ask, Place, Reply, Report, Task, cut};
use crate::emperor::event::Sight;
use crate::logfile::{self, LogFile};
use crate::reactor::clock;
use crate::trust::{self, AWAY, Examined, Reach, Refusal};

/// Where somebody is sent who turns out to be needed nowhere: what is asked about is near by now.
const NEAR: MountId = 0;

type Parcel = (Reply, Option<OwnedFd>);

impl Court {
    /// Answers one ask, about what is near.
    pub fn answer(&mut self, ask: &Ask, descriptors: &[OwnedFd]) -> (Answer, Vec<OwnedFd>) {
        match (ask, descriptors) {
            (Ask::OpenLog, []) => return open_log(self.charter.log.as_ref()),
            (Ask::TakeLog, [log]) if logfile::is_one(log) => return (took(logfile::take(log)), Vec::new()),
            (Ask::Renew { id, file }, [directory]) => return self.renew(*id, directory.as_fd(), file),
            _ => {}
        }
        lend::answer(&self.charter, Reach::Near(&self.mounts), ask, descriptors)
    }

    /// Has a place looked at for the emperor.
    pub(super) fn look(&mut self, number: u32, place: Place, task: Task) -> Vec<Reply> {
        let file = match &task {
            Task::Look(file) | Task::Lend(file) => Some(file.as_str()),
            Task::List(_) => None,
        };
        let known = self.charter.roots.contains(&place.root);
        if !known || file.is_some_and(|file| !self.charter.names(file)) {
            return vec![Reply::Report(number, Report::Failed(Errno::PERM.raw_os_error()))];
        }
        let mount = self.mount_of(&place, file);
        self.send(mount, Job::Report { number, place, task })
    }

    /// Has the config of a vassal fetched that is to be born.
    pub(super) fn send_for(&mut self, expected: Expected) -> Vec<Reply> {
        let mount = match &expected.whence {
            // Tried just now.
            Whence::Directory(_) => self.mounts.stopped(),
            Whence::Place(place) if self.charter.roots.contains(&place.root) => {
                self.mount_of(place, Some(&expected.file))
            }
            Whence::Place(_) => {
                return vec![Reply::Refused(expected.ticket, "it is a config of no source".into())];
            }
        };
        self.send(mount, Job::Birth(Box::new(expected)))
    }

    fn send(&mut self, mount: MountId, job: Job) -> Vec<Reply> {
        self.lookers
            .ask(mount, job, clock::now())
            .err()
            .map(|job| failed(job, Errno::TIMEDOUT))
            .into_iter()
            .collect()
    }

    /// The mount that a look at this would wait for.
    fn mount_of(&self, place: &Place, file: Option<&str>) -> MountId {
        let near = Reach::Near(&self.mounts);
        let top = trust::open_path(place.root.as_bytes(), near);
        let directory = top.and_then(|top| trust::open_below(top.as_fd(), place.below.as_bytes(), near));
        let stopped = match (directory, file) {
            (Err(errno), _) => errno == AWAY,
            (Ok(_), None) => false,
            (Ok(directory), Some(file)) => {
                let found = trust::examine(directory.as_fd(), file, &lend::policy(&self.charter), near);
                matches!(found, Err(Refusal::Denied(AWAY)))
            }
        };
        if stopped { self.mounts.stopped() } else { NEAR }
    }

    /// Sends those off whose turn it is, and gives up those of whom nothing was heard.
    pub fn send_lookers(&mut self) -> Vec<Parcel> {
        let now = clock::now();
        let overdue = self.lookers.give_up(now).into_iter().map(|job| (job, Errno::TIMEDOUT));
        let mut ended: Vec<(Job, Errno)> = overdue.collect();
        ended.extend(self.lookers.send_off(&self.charter, self.null.as_fd(), now));
        ended.into_iter().map(|(job, errno)| (failed(job, errno), None)).collect()
    }

    /// Hears those who were sent.
    pub fn hear_lookers(&mut self, ready: &[bool]) -> Vec<Parcel> {
        let heard = self.lookers.hear(ready, clock::now());
        heard.into_iter().flat_map(|(message, heard)| self.go_on(message, heard)).collect()
    }

    fn go_on(&mut self, message: Option<Message>, heard: Heard) -> Vec<Parcel> {
        match (heard, message) {
            (Heard::Part(number), Some(Message { word: Word::Report(report), .. })) => {
                vec![(Reply::Report(number, report), None)]
            }
            (
                Heard::All(Job::Report { number, .. }),
                Some(Message { word: Word::Report(report), descriptors }),
            ) => {
                vec![(Reply::Report(number, report), descriptors.into_iter().next())]
            }
            (Heard::All(Job::Birth(expected)), Some(message)) => {
                self.born_away(&expected, message).into_iter().map(|reply| (reply, None)).collect()
            }
            (Heard::All(job), _) => vec![(failed(job, Errno::IO), None)],
            (Heard::Part(number), _) => {
                vec![(Reply::Report(number, Report::Failed(Errno::IO.raw_os_error())), None)]
            }
        }
    }

    fn born_away(&mut self, expected: &Expected, message: Message) -> Vec<Reply> {
        let Expected { ticket, file, name, zerg, control, output, listener, .. } = expected;
        // Asked for twice, while the first one was on its way.
        if self.wards.get(*ticket).is_some() {
            return vec![Reply::Failed(*ticket, "this vassal runs already".into())];
        }
        let mut descriptors = message.descriptors.into_iter();
        match (message.word, descriptors.next(), descriptors.next()) {
            (Word::Config(owner, trust, seen), Some(copy), Some(directory)) => {
                let (content, targets) = (Vec::new(), Vec::new());
                let config =
                    Examined { file: copy, content, owner, trust, sight: Sight::from(seen), targets };
                let (name, directory, control) = (name.clone(), directory.as_fd(), control.as_fd());
                let (output, listener) =
                    (output.as_ref().map(AsFd::as_fd), listener.as_ref().map(AsFd::as_fd));
                let (ticket, zerg, away) = (*ticket, *zerg, true);
                let summons =
                    Summons { ticket, file, name, zerg, directory, control, output, listener, away };
                self.bear(summons, config)
            }
            (Word::Refused(sentence), ..) => vec![Reply::Refused(*ticket, cut(&sentence))],
            (Word::Failed(sentence), ..) => vec![Reply::Failed(*ticket, cut(&sentence))],
            _ => vec![Reply::Failed(*ticket, "who looked at it brought nothing".into())],
        }
    }

    pub(super) fn lookers_patience(&self) -> Option<Timespec> {
        let left = self.lookers.next_deadline()?.0.saturating_sub(clock::now().0);
        Timespec::try_from(std::time::Duration::from_nanos(left)).ok()
    }
}

fn failed(job: Job, errno: Errno) -> Reply {
    match job {
        Job::Report { number, .. } => Reply::Report(number, Report::Failed(errno.raw_os_error())),
        Job::Birth(expected) => {
            Reply::Failed(expected.ticket, trust::trouble("cannot look at its config", errno))
        }
    }
}

/// Only where the administrator said.
fn open_log(log: Option<&LogFile>) -> (Answer, Vec<OwnedFd>) {
    let Some(log) = log else { return (Answer::Error(Errno::INVAL.raw_os_error()), Vec::new()) };
    match log.open() {
        Ok(opened) => (took(logfile::take(&opened)), vec![opened]),
        Err(why) => (Answer::NoLog(cut(&why)), Vec::new()),
    }
}

fn took(taken: Result<(), Errno>) -> Answer {
    taken.map_or_else(|errno| Answer::Error(errno.raw_os_error()), |()| Answer::Log)
}
