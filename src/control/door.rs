//! The control socket: everybody may connect and ask for one thing; the kernel says who he is. Nobody is waited for.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with,
};

use super::caller::{Caller, Heard};
use super::messages::{Answer, Ask, Malformed, encode};
use crate::bound::born_with;
use crate::config::vassal::Address;
use crate::emperor::event::{Moment, Owner};
use crate::emperor::sender::Sender;
use crate::parting::Visited;
use crate::reactor::{Poller, Token};
use crate::spawner::charter::Leftover;
use crate::stats::give;

/// Most of those who have not said yet what they want. Whoever comes when there are as many has the place of one who says nothing: he
/// has the time to speak in which [`STRANGERS_MAX`] others come, which at [`BATCH_MAX`] each [`PAUSE_MS`] is no less than that.
const ASKERS_MAX: usize = 128;
/// Most of them who are neither root nor ours: these are always let in.
const STRANGERS_MAX: usize = 96;
/// Most of them of one user who is neither root nor ours.
const SHARE_MAX: usize = 16;
/// Most that wait to be let in.
const QUEUE_MAX: i32 = 128;
/// Who says nothing for this long is let go, in ms.
const PATIENCE_MS: u64 = 5_000;
/// How long nobody is let in where there is no room, in ms.
const PAUSE_MS: u64 = 50;
/// After so many in that time nobody is let in for a moment, so that the loop has its turn.
const BATCH_MAX: u32 = 64;
/// Everybody may connect: who is obeyed is decided for each ask.
const MODE: u32 = 0o666;

/// The socket and those who have not said yet what they want.
#[derive(Default)]
pub struct Door {
    listener: Option<Visited>,
    file: Option<Leftover>,
    askers: BTreeMap<u32, Asker>,
    last: u32,
    crowd: Crowd,
    /// Until when nobody is let in.
    paused: Option<Moment>,
}

struct Asker {
    caller: Caller,
    sender: Sender,
    until: Moment,
}

/// Somebody who has said what he wants.
#[derive(Debug)]
pub struct Asked {
    /// Who.
    pub sender: Sender,
    /// His connection.
    pub caller: Caller,
    /// What, or what is wrong with it.
    pub ask: Result<Ask, Malformed>,
}

impl Door {
    /// Listens at this address. `owner`: the ids that the Emperor is about to take.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn bind(address: &Address, owner: Option<Owner>) -> Result<Self> {
        let listener = listener(address)?;
        if let (Address::Unix(path), Some(owner)) = (address, owner) {
            give(path, owner)?;
        }
        let file = match address {
            Address::Unix(path) => Leftover::of(&std::path::absolute(path)?),
            _ => None,
        };
        let mut door = Self::default();
        (door.listener, door.file) = (Some(listener.into()), file);
        Ok(door)
    }

    /// Its file, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| Path::new(&file.path))
    }

    /// Waits for those who come.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch(&self, poller: &Poller) -> Result<()> {
        let listener = self.listener.as_ref();
        listener.map_or(Ok(()), |listener| poller.watch(Token::AskListener, listener.as_fd()))
    }

    /// Lets one in; what he has said already is given back, or what another one has said.
    pub fn accept(&mut self, poller: &Poller, now: Moment) -> Option<Asked> {
        let listener = self.listener.as_ref()?;
        let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return None,
            Err(_) => {
                self.pause(poller, now);
                return None;
            }
        };
        if self.crowd.is_full_with_one_more(now) || self.askers.len() >= ASKERS_MAX {
            self.pause(poller, now);
        }
        let uid = jail::sys::peer_uid(socket.as_fd()).unwrap_or(u32::MAX);
        let sender = Sender { uid, emperor: rustix::process::geteuid().as_raw() };
        self.last = self.last.wrapping_add(1);
        let number = self.last;
        let caller = Caller::new(socket);
        self.askers.insert(number, Asker { caller, sender, until: now.plus_ms(PATIENCE_MS) });
        self.hear(number, poller).or_else(|| self.keep(number, poller))
    }

    /// One who has said nothing yet waits; where there is no room for him another one goes, or has just said what he wants.
    fn keep(&mut self, number: u32, poller: &Poller) -> Option<Asked> {
        let asker = self.askers.get(&number)?;
        if poller.watch(Token::Asker(number), asker.caller.as_fd()).is_err() {
            self.askers.remove(&number);
            return None;
        }
        let silent = one_too_many(self.askers.iter().map(|(number, one)| (*number, one.sender)))?;
        self.hear(silent, poller).or_else(|| {
            let asker = self.let_go(silent, poller)?;
            tell(asker.caller.as_fd(), &Answer::Refused("too many ask at once: try again".into()));
            None
        })
    }

    /// Takes what one says; `None` while he says nothing, and when he has gone.
    pub fn hear(&mut self, number: u32, poller: &Poller) -> Option<Asked> {
        let asker = self.askers.get(&number)?;
        let ask = match asker.caller.hear() {
            Heard::Nothing => return None,
            Heard::Ask(ask) => ask,
            Heard::End => {
                self.let_go(number, poller);
                return None;
            }
        };
        let Asker { caller, sender, .. } = self.let_go(number, poller)?;
        Some(Asked { sender, caller, ask })
    }

    fn let_go(&mut self, number: u32, poller: &Poller) -> Option<Asker> {
        let asker = self.askers.remove(&number)?;
        poller.forget(&asker.caller);
        Some(asker)
    }

    fn pause(&mut self, poller: &Poller, now: Moment) {
        self.listener.iter().for_each(|listener| poller.forget(listener));
        self.paused = Some(now.plus_ms(PAUSE_MS));
    }

    /// Lets those go who say nothing, and others in.
    pub fn handle_deadline(&mut self, now: Moment, poller: &Poller) {
        let late = self.askers.iter().filter(|(_, asker)| asker.until <= now).map(|(number, _)| *number);
        for number in late.collect::<Vec<u32>>() {
            self.let_go(number, poller);
        }
        if self.paused.is_some_and(|until| until <= now) {
            let watched = self.askers.len() < ASKERS_MAX && self.watch(poller).is_ok();
            self.paused = (!watched).then(|| now.plus_ms(PAUSE_MS));
        }
    }

    /// When that is to be done.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.askers.values().map(|asker| asker.until).chain(self.paused).min()
    }
}

/// Who is to go of these, the longest silent one first, if there is one more than there may be: a stranger of the user of whom there are
/// most; else the last one.
fn one_too_many(askers: impl Iterator<Item = (u32, Sender)>) -> Option<u32> {
    let askers: Vec<(u32, Sender)> = askers.collect();
    let mut shares: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
    for (number, sender) in askers.iter().filter(|(_, sender)| !sender.is_master()) {
        shares.entry(sender.uid).or_insert((0, *number)).0 += 1;
    }
    let strangers: usize = shares.values().map(|(count, _)| count).sum();
    let (most, silent) = shares.into_values().max_by_key(|(count, first)| (*count, Reverse(*first))).unzip();
    let is_crowded = askers.len() > ASKERS_MAX || strangers > STRANGERS_MAX || most > Some(SHARE_MAX);
    is_crowded.then(|| silent.or(askers.last().map(|(number, _)| *number))).flatten()
}

/// Those who came in a short time.
#[derive(Debug, Default)]
struct Crowd {
    since: Moment,
    count: u32,
}

impl Crowd {
    /// One more comes: whether these are as many as may come at once. Who comes alone is in nobody's crowd.
    fn is_full_with_one_more(&mut self, now: Moment) -> bool {
        if self.since.plus_ms(PAUSE_MS) <= now {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        self.count.is_multiple_of(BATCH_MAX)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.file.iter().for_each(Leftover::remove);
    }
}

/// Tells somebody what comes of it. Who does not read it does not get it.
pub fn tell(socket: BorrowedFd<'_>, answer: &Answer) {
    if let Ok(packet) = encode(answer) {
        let _ = jail::run::send(socket, &packet, &[]);
    }
}

fn listener(address: &Address) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Nobody is refused his descriptors: a session is lent some.
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let bound = match address {
        Address::Abstract(name) => bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?),
        Address::Unix(path) => {
            let place = SocketAddrUnix::new(path)?;
            make_room(path, &place)?;
            born_with(MODE, || bind(&socket, &place))
        }
        Address::Tcp(_) | Address::Inherited(_) => bail!("it has no clients that the kernel knows"),
    };
    bound.with_context(|| format!("cannot listen at {}", shown(address)))?;
    listen(&socket, QUEUE_MAX)?;
    Ok(socket)
}

/// A socket at which nobody listens any more is replaced, and nothing else.
fn make_room(path: &Path, place: &SocketAddrUnix) -> Result<()> {
    let probe = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    match connect(&probe, place) {
        Ok(()) => bail!("somebody serves at {} already", path.display()),
        Err(Errno::CONNREFUSED) => Ok(std::fs::remove_file(path)?),
        Err(_) => Ok(()),
    }
}

/// An address for people.
pub fn shown(address: &Address) -> String {
    match address {
        Address::Unix(path) => path.display().to_string(),
        Address::Abstract(name) => format!("@{name}"),
        Address::Tcp(address) => address.to_string(),
        Address::Inherited(number) => format!("fd://{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(apart_ms: u64) -> usize {
        let mut crowd = Crowd::default();
        let moments = (0..1_000).map(|one| Moment::default().plus_ms(one * apart_ms));
        moments.filter(|now| crowd.is_full_with_one_more(*now)).count()
    }

    /// As they come, each with his uid: who is there in the end.
    fn come(uids: impl Iterator<Item = u32>) -> BTreeMap<u32, Sender> {
        let mut there = BTreeMap::new();
        for (number, uid) in (0..).zip(uids) {
            there.insert(number, Sender { uid, emperor: 33 });
            one_too_many(there.iter().map(|(number, sender)| (*number, *sender)))
                .into_iter()
                .for_each(|silent| _ = there.remove(&silent));
        }
        there
    }

    fn count(there: &BTreeMap<u32, Sender>, uid: u32) -> usize {
        there.values().filter(|one| one.uid == uid).count()
    }

    /// Row C6: however many users are somebody's, whoever comes behind all of them finds a place, and keeps it while others come.
    #[test]
    fn whoever_has_most_and_is_silent_for_longest_goes() {
        let many = |count: u32| (0..count).map(|one| 1_000 + one % 6);
        let there = come(many(1_000).chain([7]).chain(many(10_000)));
        assert_eq!((there.len(), count(&there, 7)), (STRANGERS_MAX, 1));
        // Each of them is another user: he has the time in which as many others come.
        let each = |count: u32| (0..count).map(|one| 1_000 + one);
        assert_eq!(count(&come(each(1_000).chain([7]).chain(each(STRANGERS_MAX as u32 - 1))), 7), 1);
        assert_eq!(count(&come([8; 1_000].into_iter()), 8), SHARE_MAX);
    }

    /// Row C6.
    #[test]
    fn root_and_our_user_are_let_in_whoever_is_there() {
        let there = come((0..1_000).chain([0; 20]).chain([33; 12]).chain(0..1_000));
        assert_eq!((count(&there, 33), there.values().filter(|one| one.is_master()).count()), (14, 36));
        assert_eq!(come([0; 1_000].into_iter()).len(), ASKERS_MAX);
    }

    #[test]
    fn only_who_comes_with_many_others_waits() {
        assert_eq!(pauses(0), 1_000 / 64);
        assert_eq!(pauses(1), 0);
        assert_eq!(pauses(60_000), 0);
    }
}
