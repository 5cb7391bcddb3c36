//! Children of ours with the ids of a vassal: they do for it, before it is born, what must not be done with our rights or
//! may never end. Nobody waits for one but that vassal.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

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
use super::wire::{MESSAGE_MAX, Reply, Ticket, cut, decode, encode};
use crate::emperor::event::Moment;
use crate::reactor::clock;

/// Most of them at once.
const ENVOYS_MAX: usize = 256;
/// Most of them for one uid: whose fork server hangs holds up himself.
const OWNER_MAX: usize = 64;
/// The longest that one may take, in ms; what uWSGI's Emperor waits for a fork server.
const ANSWER_MS: u64 = 4_000;

/// Everybody who was sent.
#[derive(Default)]
pub struct Envoys {
    out: Vec<Envoy>,
    /// Given up, or done, and not reaped: with the uid of the vassal.
    leaving: Vec<(u32, OwnedFd)>,
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
pub struct Errand<'a> {
    /// `None` keeps ours; capabilities go in any case.
    pub identity: Option<Identity>,
    /// Descriptors of ours that it needs.
    pub kept: &'a [RawFd],
    /// What it does.
    pub work: &'a dyn Fn() -> (Word, Option<OwnedFd>),
}

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

    /// Until somebody is overdue.
    pub fn patience(&self) -> Option<Timespec> {
        let until = self.out.iter().map(|envoy| envoy.until).min()?;
        let left = until.0.saturating_sub(clock::now().0);
        Timespec::try_from(std::time::Duration::from_nanos(left)).ok()
    }

    fn has_room_for(&self, uid: u32) -> bool {
        let uids = self.out.iter().map(|envoy| envoy.mission.uid());
        let uids: Vec<u32> = uids.chain(self.leaving.iter().map(|(uid, _)| *uid)).collect();
        uids.len() < ENVOYS_MAX && uids.iter().filter(|one| **one == uid).count() < OWNER_MAX
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
    /// Sends somebody. What comes of it is told by [`Self::mind_envoys`].
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn send_envoy(&mut self, mission: Mission, errand: &Errand<'_>) -> Result<(), String> {
        if !self.envoys.has_room_for(mission.uid()) {
            return Err(mission.sentence("is not asked: too many starts wait for one"));
        }
        let cannot = |errno: Errno| mission.sentence(&format!("cannot be sent: {errno}"));
        let (process, socket) = begin(self.null.as_fd(), errand).map_err(cannot)?;
        let until = clock::now().plus_ms(ANSWER_MS);
        self.envoys.out.push(Envoy { mission, process, socket, until });
        Ok(())
    }

    /// Goes on with those births about which somebody has spoken, if anybody has, and gives those up who take too long.
    pub(super) fn mind_envoys(&mut self, spoken: bool) -> Vec<Reply> {
        let now = clock::now();
        if !spoken && self.envoys.out.iter().all(|envoy| now < envoy.until) {
            return Vec::new();
        }
        let heard = self.envoys.heard(now);
        self.envoys.reap();
        heard
            .into_iter()
            .flat_map(|(mission, word, lent)| self.conclude_mission(mission, word, lent))
            .collect()
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

fn silence(errno: Errno) -> Word {
    Word::Failed(match errno {
        Errno::AGAIN => format!("did not answer within {ANSWER_MS} ms"),
        errno => format!("could not be heard: {errno}"),
    })
}

/// Must: be called while this process has one thread.
fn begin(null: BorrowedFd<'_>, errand: &Errand<'_>) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    ioctl_fionbio(&ours, true)?;
    let kept: Vec<RawFd> = errand.kept.iter().copied().chain([theirs.as_raw_fd()]).collect();
    let spawner = rustix::process::getpid();
    let child = jail::sys::fork(|| {
        let alone = leave_all_but(null, &kept).is_ok() && stand_back(errand.identity.as_ref());
        if !alone || rustix::process::getppid() != Some(spawner) {
            return 1;
        }
        let (word, lent) = (errand.work)();
        let lent: Vec<BorrowedFd<'_>> = lent.iter().map(AsFd::as_fd).collect();
        let said = encode(&word).map(|bytes| jail::run::send(&theirs, &bytes, &lent));
        i32::from(!matches!(said, Ok(Ok(()))))
    })?;
    // Ours alone, and not reaped, so its number is its own.
    Ok((pidfd_open(child, PidfdFlags::empty())?, ours))
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
