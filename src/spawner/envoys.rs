//! Children of ours with the ids of a vassal: they do for it, before it is born, what must not be done with our rights or
//! may never end. Nobody waits for one but that vassal.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use jail::plan::{Limit, Resource, Setting, Step};
use jail::{Capabilities, Identity};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use rustix::time::Timespec;
use serde::{Deserialize, Serialize};

use super::attributes::Candidate;
use super::court::Court;
use super::fork_server::{Claim, Commission};
use super::lookers::leave_all_but;
use super::turns;
use super::wire::{MESSAGE_MAX, Reply, Ticket, cut, decode, encode};
use crate::emperor::event::Moment;
use crate::reactor::clock;

/// Most of them at once.
const ENVOYS_MAX: usize = 256;
/// Most of them for one uid: whose fork server hangs, or who stops them, holds up himself.
const OWNER_MAX: usize = 16;
/// Most that wait for their turn: each keeps descriptors open here.
const WAITING_MAX: usize = 1024;
/// Most of them for one uid.
const OWNER_WAITING_MAX: usize = WAITING_MAX / 16;
/// The address space of one, in bytes: it is in no cgroup of its owner's, and reads what he wrote.
const MEMORY_MAX: u64 = 512 << 20;
/// The longest that one may take, in ms; what uWSGI's Emperor waits for a fork server.
const ANSWER_MS: u64 = 4_000;
/// The longest that one waits for its turn, in ms: as long as all that one uid may have take.
const TURN_MS: u64 = ANSWER_MS * (1 + (OWNER_WAITING_MAX / OWNER_MAX) as u64);

/// Everybody who was sent.
#[derive(Default)]
pub struct Envoys {
    out: Vec<Envoy>,
    waiting: VecDeque<Turn>,
    /// Given up, or done, and not reaped: with the uid of the vassal.
    leaving: Vec<(u32, OwnedFd)>,
}

struct Turn {
    mission: Mission,
    errand: Errand,
    until: Moment,
}

struct Envoy {
    mission: Mission,
    process: OwnedFd,
    socket: OwnedFd,
    until: Moment,
}

/// What one is sent for.
pub enum Mission {
    /// To read what a config says of its vassal.
    Read(Box<Candidate>),
    /// To ask a fork server.
    Commission(Box<Commission>),
}

/// What one says, once.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// What the config says.
    Attributes(Vec<(String, String)>),
    /// Who answered. Descriptor: that process.
    Claim(Claim),
    /// Why there is nothing to say: a sentence.
    Failed(String),
}

/// What somebody does, and with which ids.
pub struct Errand {
    /// `None` keeps ours; capabilities go in any case.
    pub identity: Option<Identity>,
    /// Descriptors that it needs.
    pub kept: Vec<OwnedFd>,
    /// What it does with them.
    pub work: Work,
}

/// What somebody does with descriptors that it was given.
pub type Work = Box<dyn Fn(&[OwnedFd]) -> (Word, Option<OwnedFd>)>;

impl Mission {
    fn ticket(&self) -> Ticket {
        match self {
            Self::Read(candidate) => candidate.ticket(),
            Self::Commission(commission) => commission.ticket(),
        }
    }

    fn uid(&self) -> u32 {
        match self {
            Self::Read(candidate) => candidate.uid(),
            Self::Commission(commission) => commission.uid(),
        }
    }

    fn sentence(&self, predicate: &str) -> String {
        match self {
            Self::Read(_) => format!("who reads its attributes {predicate}"),
            Self::Commission(commission) => commission.sentence(predicate),
        }
    }
}

impl Envoys {
    /// Each readable when somebody has spoken, or ended.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let out = self.out.iter().map(|envoy| envoy.socket.as_fd());
        out.chain(self.leaving.iter().map(|(_, process)| process.as_fd()))
    }

    /// Until somebody is overdue, or has a place.
    pub fn patience(&self) -> Option<Timespec> {
        if self.next_place().is_some() {
            return Some(Timespec::default());
        }
        let out = self.out.iter().map(|envoy| envoy.until);
        let until = out.chain(self.waiting.front().map(|turn| turn.until)).min()?;
        let left = until.0.saturating_sub(clock::now().0);
        Timespec::try_from(std::time::Duration::from_nanos(left)).ok()
    }

    /// One that was given up and does not end (it may wait for a file system of its owner's) holds up its owner alone.
    fn next_place(&self) -> Option<usize> {
        if self.waiting.is_empty() || self.out.len() >= ENVOYS_MAX {
            return None;
        }
        let sent = self.out.iter().map(|envoy| envoy.mission.uid());
        let mut of = HashMap::<u32, usize>::new();
        sent.chain(self.leaving.iter().map(|(uid, _)| *uid)).for_each(|uid| *of.entry(uid).or_default() += 1);
        let owners = self.waiting.iter().map(|turn| turn.mission.uid());
        turns::next(owners, |uid| of.get(&uid).copied().unwrap_or(0), OWNER_MAX)
    }

    fn is_full_for(&self, uid: u32) -> bool {
        let of = self.waiting.iter().filter(|turn| turn.mission.uid() == uid).count();
        of >= OWNER_WAITING_MAX || self.waiting.len() >= WAITING_MAX
    }

    /// Somebody who has waited too long: perhaps behind what was given up and does not end.
    fn impatient(&mut self, now: Moment) -> Option<Mission> {
        // They came in this order.
        let overdue = self.waiting.front()?.until <= now;
        overdue.then(|| self.waiting.pop_front()).flatten().map(|turn| turn.mission)
    }

    /// Those who have spoken or are overdue, with their word.
    fn heard(&mut self, now: Moment) -> Vec<(Mission, Word, Option<OwnedFd>)> {
        let mut heard = Vec::new();
        for envoy in std::mem::take(&mut self.out) {
            match hear(envoy.socket.as_fd()) {
                Err(Errno::AGAIN) if now < envoy.until => self.out.push(envoy),
                outcome => {
                    // One that waits in the kernel may stay there until whatever it waits for answers.
                    let _ = pidfd_send_signal(&envoy.process, Signal::KILL);
                    self.leaving.push((envoy.mission.uid(), envoy.process));
                    let (word, lent) = outcome.unwrap_or_else(|errno| (silence(errno), None));
                    heard.push((envoy.mission, word, lent));
                }
            }
        }
        heard
    }

    fn reap(&mut self) {
        self.leaving.retain(|(_, process)| {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            matches!(waitid(WaitId::PidFd(process.as_fd()), options), Ok(None) | Err(Errno::INTR))
        });
    }
}

impl Court {
    /// Has somebody sent when it is his turn. What comes of it is told by [`Self::mind_envoys`].
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn send_envoy(&mut self, mission: Mission, errand: Errand) -> Result<(), String> {
        if self.envoys.is_full_for(mission.uid()) {
            return Err(mission.sentence("is not asked: too many starts wait for one"));
        }
        let until = clock::now().plus_ms(TURN_MS);
        self.envoys.waiting.push_back(Turn { mission, errand, until });
        Ok(())
    }

    /// Sends those whose turn it is.
    fn send_waiting(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(mission) = self.envoys.impatient(clock::now()) {
            replies.push(failed(&mission, "is not asked: earlier questions take too long"));
        }
        while let Some(place) = self.envoys.next_place() {
            let Some(Turn { mission, errand, .. }) = self.envoys.waiting.remove(place) else { break };
            match begin(self.null.as_fd(), &self.charter.settings, &errand) {
                Ok((process, socket)) => {
                    let until = clock::now().plus_ms(ANSWER_MS);
                    self.envoys.out.push(Envoy { mission, process, socket, until });
                }
                Err(errno) => replies.push(failed(&mission, &format!("cannot be sent: {errno}"))),
            }
        }
        replies
    }

    /// Goes on with those births about which somebody has spoken, if anybody has, gives those up who take too long, and
    /// sends the next ones.
    pub(super) fn mind_envoys(&mut self, spoken: bool) -> Vec<Reply> {
        let now = clock::now();
        if !spoken && self.envoys.out.iter().all(|envoy| now < envoy.until) {
            return self.send_waiting();
        }
        let heard = self.envoys.heard(now).into_iter();
        self.envoys.reap();
        let mut replies: Vec<Reply> =
            heard.flat_map(|(mission, word, lent)| self.conclude_mission(mission, word, lent)).collect();
        replies.extend(self.send_waiting());
        replies
    }

    fn conclude_mission(&mut self, mission: Mission, word: Word, lent: Option<OwnedFd>) -> Vec<Reply> {
        let ticket = mission.ticket();
        let concluded = match (mission, word, lent) {
            (mission, Word::Failed(predicate), _) => Err(mission.sentence(&predicate)),
            (Mission::Read(candidate), Word::Attributes(list), _) => self.go_on_with(*candidate, list),
            (Mission::Commission(commission), Word::Claim(claim), Some(process)) => {
                self.adopt(*commission, claim, process)
            }
            (mission, ..) => Err(mission.sentence("was asked by somebody who makes no sense")),
        };
        concluded.unwrap_or_else(|sentence| vec![Reply::Failed(ticket, cut(&sentence))])
    }
}

fn failed(mission: &Mission, predicate: &str) -> Reply {
    Reply::Failed(mission.ticket(), cut(&mission.sentence(predicate)))
}

fn silence(errno: Errno) -> Word {
    Word::Failed(match errno {
        Errno::AGAIN => format!("did not answer within {ANSWER_MS} ms"),
        errno => format!("could not be heard: {errno}"),
    })
}

/// Must: be called while this process has one thread.
fn begin(null: BorrowedFd<'_>, settings: &[Setting], errand: &Errand) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    ioctl_fionbio(&ours, true)?;
    let kept: Vec<RawFd> = errand.kept.iter().map(AsRawFd::as_raw_fd).chain([theirs.as_raw_fd()]).collect();
    let spawner = rustix::process::getpid();
    let child = jail::sys::fork(|| {
        let alone = leave_all_but(null, &kept).is_ok()
            && be_ordinary(settings)
            && stand_back(errand.identity.as_ref());
        if !alone || rustix::process::getppid() != Some(spawner) {
            return 1;
        }
        let (word, lent) = (errand.work)(&errand.kept);
        let lent: Vec<BorrowedFd<'_>> = lent.iter().map(AsFd::as_fd).collect();
        let said = encode(&word).map(|bytes| jail::run::send(&theirs, &bytes, &lent));
        i32::from(!matches!(said, Ok(Ok(()))))
    })?;
    // Ours alone, and not reaped, so its number is its own.
    Ok((pidfd_open(child, PidfdFlags::empty())?, ours))
}

/// It is killed as soon as others when memory runs out, and does not take much of it.
fn be_ordinary(settings: &[Setting]) -> bool {
    let memory = Limit { soft: MEMORY_MAX, hard: MEMORY_MAX };
    let own = [Setting::Limit(Resource::As, memory)];
    settings.iter().chain(&own).all(|setting| jail::run::perform(&Step::Set(setting.clone())).is_ok())
}

/// From here on nothing is done with our rights. The tenant's other processes may end or stop this one, and see nothing of
/// it: it cannot be looked into, as we cannot.
fn stand_back(identity: Option<&Identity>) -> bool {
    jail::run::shed(identity, Capabilities::NONE, Capabilities::NONE).is_ok()
        && jail::run::not_dumpable().is_ok()
        && jail::run::die_with_parent().is_ok()
}

fn hear(socket: BorrowedFd<'_>) -> Result<(Word, Option<OwnedFd>), Errno> {
    let mut buffer = [0; MESSAGE_MAX];
    let ended = || (Word::Failed("could not be asked: who was sent has ended".into()), None);
    let Some(parcel) = jail::run::receive(socket, &mut buffer)? else { return Ok(ended()) };
    let word = decode(&buffer[..parcel.length]).map_err(|_| Errno::BADMSG)?;
    Ok((word, parcel.descriptors.into_iter().next()))
}
