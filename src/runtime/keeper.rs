//! What vassals write, while the Emperor runs: one process reads it, and the other ends of all pipes are kept here for the next one.
//!
//! The Emperor itself reads and copies nothing of it.

mod last_words;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::Result;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::geteuid;

use super::Runtime;
use super::household::HOUSEHOLD;
use super::outputs;
use super::parked::{Parked, Whose};
use crate::control::caller::Caller;
use crate::control::messages;
use crate::control::wish::OURS;
use crate::emperor::event::{Exit, Incarnation, Key, Moment, Owner, VassalId};
use crate::emperor::sender::Sender;
use crate::gateways::Revival;
use crate::keeper::charter::{Charter, Sink};
use crate::keeper::words::{self, MESSAGE_MAX, Stream, Tail, ToEmperor, ToKeeper};
use crate::log;
use crate::reactor::{Token, clock};
use crate::spawner::client::CROWDED_MS;
use crate::spawner::wire::Request;

/// Pipes of one vassal: whoever survives several processes of it writes into none.
const STREAMS_MAX: usize = 4;
/// Who wait to be told lines while there is no keeper.
const ASKERS_MAX: usize = 64;
/// Words heard in one go.
const BATCH_MAX: usize = 64;

/// The log keeper, if there is to be one.
#[derive(Default)]
pub struct LogKeeper {
    charter: Option<Charter>,
    directory: Option<OwnedFd>,
    /// Where each process of a vassal writes to, as it is read.
    parked: Parked,
    /// Whose process wrote last what is kept of a vassal.
    pub(super) owners: BTreeMap<u32, Owner>,
    channel: Option<OwnedFd>,
    untold: VecDeque<Untold>,
    /// Too many descriptors are on their way, or there is no memory for more: it is to be told again soon, as no room will be announced.
    crowded: bool,
    pid: Option<i32>,
    is_expected: bool,
    revival: Revival,
}

/// What it is still to be told.
enum Untold {
    Begin,
    Open(Stream, String),
    Close(Stream),
    Forget(VassalId),
    Disown(VassalId),
    Tail(Tail, Caller),
    Reopen,
}

impl LogKeeper {
    /// One that is told this. `directory`: of its files.
    pub fn new(charter: Option<Charter>, directory: Option<OwnedFd>) -> Self {
        Self { charter, directory, ..Self::default() }
    }

    /// When it is to be born, or given up, or told again.
    pub fn next_deadline(&self) -> Option<Moment> {
        let waits = self.charter.is_some() && (self.pid.is_some() || !self.is_expected);
        let again = self.crowded.then(|| clock::now().plus_ms(CROWDED_MS));
        self.revival.deadline().filter(|_| waits).into_iter().chain(again).min()
    }

    /// A pipe for a process about to be born.
    ///
    /// # Errors
    /// Why it can have none: half a sentence.
    fn pipe(&mut self, stream: Stream, whose: Whose) -> Result<OwnedFd, String> {
        if self.revival.is_hopeless() {
            return Err("the log keeper does not live".into());
        }
        self.parked.lay(stream, whose).map_err(|errno| match errno {
            Errno::MFILE => "of the descriptors that the Emperor may have none is left for it".into(),
            errno => format!("there is no pipe for it: {errno}"),
        })
    }

    fn tell(&mut self, word: Untold) {
        // A new one is told of what is parked, and there is nothing else that it should know.
        if self.channel.is_some() || matches!(word, Untold::Tail(..)) {
            self.untold.push_back(word);
        }
    }

    /// Sends what its channel takes. Whether there is more, once it has room.
    fn speak(&mut self) -> Result<bool, Errno> {
        self.crowded = false;
        let Some(channel) = &self.channel else { return Ok(false) };
        while let Some(next) = self.untold.front() {
            let (word, lent) = match next {
                Untold::Begin => {
                    let Some(charter) = self.charter.clone() else { return Ok(false) };
                    (ToKeeper::Begin(charter), self.directory.as_ref().map(AsFd::as_fd))
                }
                Untold::Open(stream, name) => {
                    let word = ToKeeper::Open { stream: *stream, name: name.clone() };
                    (word, self.parked.get(*stream))
                }
                Untold::Close(stream) => (ToKeeper::Close(*stream), None),
                Untold::Forget(id) => (ToKeeper::Forget(id.0), None),
                Untold::Disown(id) => (ToKeeper::Disown(id.0), None),
                Untold::Tail(tail, client) => (ToKeeper::Tail(tail.clone()), Some(client.as_fd())),
                Untold::Reopen => {
                    let is_ours = self.charter.as_ref().is_some_and(|charter| charter.sink == Sink::Stderr);
                    (ToKeeper::Reopen, is_ours.then(rustix::stdio::stderr))
                }
            };
            let is_gone = matches!(word, ToKeeper::Open { .. }) && lent.is_none();
            let bytes = words::encode(&word).map_err(|_| Errno::MSGSIZE)?;
            let lent: Vec<BorrowedFd<'_>> = lent.into_iter().collect();
            match if is_gone { Ok(()) } else { jail::run::send(channel, &bytes, &lent) } {
                Ok(()) => {
                    if let Some(Untold::Tail(_, client)) = self.untold.pop_front() {
                        client.leave();
                    }
                }
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM) => {
                    self.crowded = true;
                    return Ok(false);
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(false)
    }
}

impl Runtime {
    /// What a process that is about to be born writes to; `None` where it has what we have. Its pipe is told to whoever reads it.
    ///
    /// Must not: give it our own output where it is to have a pipe and there is none.
    ///
    /// # Errors
    /// No descriptor is left at all.
    pub(super) fn output_for(&mut self, one: Incarnation) -> Result<Option<OwnedFd>> {
        if self.keeper.charter.is_none() {
            return Ok(None);
        }
        let stream = Stream::from(one);
        let known = self.keeper.parked.of(stream.vassal);
        if let Some(oldest) = known.first().filter(|_| known.len() >= STREAMS_MAX) {
            self.keeper.parked.remove(*oldest);
            self.keeper.tell(Untold::Close(*oldest));
        }
        let name = self.name_of(one.id);
        let writer = match self.keeper.pipe(stream, self.whose(one.id)) {
            Ok(writer) => writer,
            Err(why) => {
                let text = format!("what it writes goes nowhere: {why} (LimitNOFILE of systemd, ulimit -n)");
                log::line(log::Level::Warn, &[("vassal", &name)], &text);
                return outputs::nowhere().map(Some);
            }
        };
        self.take_over(one.id);
        self.keeper.tell(Untold::Open(stream, name));
        self.speak_to_keeper();
        Ok(Some(writer))
    }

    fn whose(&self, id: VassalId) -> Whose {
        let ours = geteuid().as_raw();
        match self.emperor.owner(id).map_or(ours, |owner| owner.uid) {
            uid if uid == ours || uid == 0 => Whose::Ours(uid),
            uid => Whose::Tenants(uid),
        }
    }

    /// Nobody reads what was written for the owner before him.
    fn take_over(&mut self, id: VassalId) {
        let Some(owner) = self.emperor.owner(id) else { return };
        if self.keeper.owners.insert(id.0, owner).is_some_and(|before| before != owner) {
            self.keeper.tell(Untold::Disown(id));
        }
    }

    fn name_of(&self, id: VassalId) -> String {
        if id == HOUSEHOLD {
            return OURS.to_owned();
        }
        let Some(Key { monitor, name }) = self.emperor.key(id) else { return String::new() };
        match monitor.0 {
            0 => words::name(name),
            // Another source may have one that is called alike, of somebody else.
            source => words::name(&format!("{source}/{name}")),
        }
    }

    /// Its config is gone: what it wrote is forgotten.
    pub(super) fn forget_output(&mut self, id: VassalId) {
        if self.keeper.charter.is_none() {
            return;
        }
        for stream in self.keeper.parked.of(id.0) {
            self.keeper.parked.remove(stream);
        }
        self.keeper.owners.remove(&id.0);
        self.keeper.tell(Untold::Forget(id));
        self.speak_to_keeper();
    }

    /// Has its files opened anew, and our own output where that is where lines go.
    pub(super) fn reopen_outputs(&mut self) {
        self.keeper.tell(Untold::Reopen);
        self.speak_to_keeper();
    }

    /// Somebody wants to read what a vassal wrote.
    pub(super) fn tail(
        &mut self,
        asked: &messages::Tail,
        sender: Sender,
        client: Caller,
    ) -> Result<(), (String, Caller)> {
        if self.keeper.charter.is_none() {
            let sentence = "nobody keeps what vassals write: `vassals-log` says who does";
            return Err((sentence.into(), client));
        }
        let (id, daemon) = match self.meant_by(sender, &asked.name) {
            Ok(meant) => meant,
            Err(sentence) => return Err((sentence, client)),
        };
        if self.courtiers.lives_far(id) {
            let sentence =
                "a fork server made it, and what it writes is among the lines of that: ask for those";
            return Err((sentence.into(), client));
        }
        if self.keeper.untold.iter().filter(|word| matches!(word, Untold::Tail(..))).count() >= ASKERS_MAX {
            return Err(("the log keeper is not there: try again".into(), client));
        }
        if !client.seal() {
            return Err(("more came along than belongs to it".into(), client));
        }
        let (lines, follows) = (asked.lines, asked.follows);
        let tail = Tail { vassal: id.0, daemon, lines, follows, uid: sender.uid };
        self.keeper.tell(Untold::Tail(tail, client));
        self.speak_to_keeper();
        Ok(())
    }

    /// Has it born if it is to be, and ended if it was born in vain.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn mind_keeper(&mut self, now: Moment) -> Result<()> {
        if self.keeper.crowded {
            self.speak_to_keeper();
        }
        let keeper = &self.keeper;
        let is_there = keeper.pid.is_some() || keeper.is_expected;
        if keeper.charter.is_none() || self.finished {
            return Ok(());
        }
        if !is_there && keeper.revival.is_due(now) {
            return self.bear_keeper(now);
        }
        if keeper.pid.is_some() && keeper.revival.is_late(now) && keeper.channel.is_some() {
            log::warn("log keeper", "it does not serve in time, and is ended");
            return self.give_up_keeper();
        }
        Ok(())
    }

    fn bear_keeper(&mut self, now: Moment) -> Result<()> {
        self.keeper.revival.asked(now);
        let theirs = match self.lay_channel() {
            Ok(theirs) => theirs,
            Err(errno) => {
                let wait_ms = self.keeper.revival.ended(now);
                log::warn("log keeper", &format!("cannot be born: {errno}; again in {wait_ms} ms"));
                return Ok(());
            }
        };
        self.keeper.is_expected = true;
        self.courtiers.expect_hook();
        self.spawner.send(&Request::Keeper, vec![theirs])?;
        self.speak_to_keeper();
        Ok(())
    }

    /// A new channel, and on it everything that is parked.
    fn lay_channel(&mut self) -> Result<OwnedFd, Errno> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        self.poller.watch(Token::Keeper, ours.as_fd()).map_err(|_| Errno::NOSPC)?;
        let parked = self.keeper.parked.all();
        let open = |stream: Stream| Untold::Open(stream, self.name_of(VassalId(stream.vassal)));
        let known: Vec<Untold> = parked.into_iter().map(open).collect();
        let keeper = &mut self.keeper;
        let askers = std::mem::take(&mut keeper.untold).into_iter();
        let askers = askers.filter(|word| matches!(word, Untold::Tail(..)));
        keeper.untold = std::iter::once(Untold::Begin).chain(known).chain(askers).collect();
        keeper.channel = Some(ours);
        Ok(theirs)
    }

    /// The spawner has made it, or could not.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn keeper_born(&mut self, outcome: Result<i32, String>) -> Result<()> {
        let early = self.courtiers.keeper_born(outcome.as_ref().ok().copied());
        self.keeper.is_expected = false;
        match (outcome, early) {
            (Ok(pid), None) => {
                self.keeper.pid = Some(pid);
                Ok(())
            }
            (Ok(_), Some(exit)) => self.keeper_ended(exit),
            (Err(sentence), _) => {
                let wait_ms = self.keeper.revival.ended(clock::now());
                log::error("log keeper", &format!("{sentence}; again in {wait_ms} ms"));
                self.hang_up_keeper();
                Ok(())
            }
        }
    }

    /// Its process was reaped. What vassals have written meanwhile is in their pipes.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn keeper_ended(&mut self, exit: Exit) -> Result<()> {
        self.hear_keeper()?;
        self.hang_up_keeper();
        self.keeper.pid = None;
        let wait_ms = self.keeper.revival.ended(clock::now());
        if !self.finished {
            log::warn("log keeper", &format!("ended ({exit}); born again in {wait_ms} ms"));
        }
        self.mind_keeper(clock::now())
    }

    fn hang_up_keeper(&mut self) {
        let channel = self.keeper.channel.take();
        channel.inspect(|channel| self.poller.forget(channel));
        self.keeper.untold.clear();
    }

    fn give_up_keeper(&mut self) -> Result<()> {
        self.hang_up_keeper();
        self.spawner.send(&Request::EndKeeper, Vec::new())
    }

    /// Tells it what is to be told. One that is gone is told of by its death.
    pub(super) fn speak_to_keeper(&mut self) {
        let more = self.keeper.speak().unwrap_or(false);
        if let Some(channel) = &self.keeper.channel {
            let _ = self.poller.want(Token::Keeper, channel.as_fd(), more);
        }
    }

    /// Hears what it says.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn hear_keeper(&mut self) -> Result<()> {
        for _ in 0..BATCH_MAX {
            let Some(channel) = &self.keeper.channel else { return Ok(()) };
            let mut buffer = [0; MESSAGE_MAX];
            let word = match jail::run::receive(channel, &mut buffer) {
                Ok(Some(parcel)) => words::decode(&buffer[..parcel.length]),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                // Its end follows.
                Ok(None) | Err(_) => return self.give_up_keeper(),
            };
            match word {
                Ok(ToEmperor::Ready) => drop(self.keeper.revival.serves(clock::now())),
                Ok(ToEmperor::Closed(stream)) => self.keeper.parked.remove(stream),
                Err(_) => {
                    log::warn("log keeper", "it says what is no message, and is ended");
                    return self.give_up_keeper();
                }
            }
        }
        Ok(())
    }
}
