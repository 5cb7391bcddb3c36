//! Those who wait for what comes of their wishes. Nobody waits for them: what one does not take is kept for him as far as it is still true.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::AsFd;

use rustix::io::Errno;

use super::subjects::{Subject, Subjects};
use crate::control::caller::{Caller, Heard};
use crate::control::messages::{Answer, encode};
use crate::control::wish::Standing;
use crate::emperor::event::{Moment, VassalId};
use crate::emperor::sender::Sender;
use crate::reactor::{Poller, Token};

/// Most who wait at one time.
const WAITERS_MAX: usize = 256;
/// Most of one user who is neither root nor ours.
const SHARE_MAX: usize = 32;
/// Nobody waits for longer than this, in ms.
const PATIENCE_MS: u64 = 600_000;
/// Bytes of names and notes in one message: it stays below the longest one.
const BATCH_BYTES: usize = 32_768;

/// All of them, by number.
#[derive(Default)]
pub struct Waiters {
    known: BTreeMap<u32, Waiter>,
    /// Who waits for each vassal, or for a daemon of it.
    of: BTreeMap<VassalId, BTreeSet<u32>>,
    last: u32,
    /// Who has to be told of a change.
    to_tell: BTreeSet<u32>,
}

/// One of them.
struct Waiter {
    client: Caller,
    sender: Sender,
    subjects: Subjects,
    /// What he is to be told first.
    outbox: VecDeque<Vec<u8>>,
    /// Who has changed since he was told of them.
    changed: BTreeSet<Subject>,
    until: Moment,
}

/// How somebody is now, if he is still there.
pub type Look<'a> = &'a dyn Fn(&Subject) -> Option<Standing>;

impl Waiters {
    /// Whether there is no room for another one of this user's.
    pub fn is_full_for(&self, sender: Sender) -> bool {
        let of = self.known.values().filter(|one| one.sender == sender).count();
        !sender.is_master() && (self.known.len() >= WAITERS_MAX || of >= SHARE_MAX)
    }

    /// Somebody waits for these from now on. His number.
    pub fn add(&mut self, sender: Sender, client: Caller, subjects: Subjects, now: Moment) -> u32 {
        self.last = self.last.wrapping_add(1);
        let number = self.last;
        for id in subjects.vassals() {
            self.of.entry(id).or_default().insert(number);
        }
        let (outbox, changed, until) = (VecDeque::new(), BTreeSet::new(), now.plus_ms(PATIENCE_MS));
        self.known.insert(number, Waiter { client, sender, subjects, outbox, changed, until });
        number
    }

    /// Puts answers into his outbox.
    pub fn answer(&mut self, number: u32, answers: impl IntoIterator<Item = Answer>) {
        if let Some(waiter) = self.known.get_mut(&number) {
            waiter.outbox.extend(answers.into_iter().filter_map(|answer| encode(&answer).ok()));
        }
    }

    /// This vassal has changed, and with it maybe each of its daemons.
    pub fn note(&mut self, id: VassalId) {
        self.mark(id, |subjects| subjects.of(id));
    }

    /// This daemon of it has changed, and nothing else.
    pub fn note_daemon(&mut self, id: VassalId, name: &str) {
        self.mark(id, |subjects| subjects.daemon(id, name).into_iter().collect());
    }

    fn mark(&mut self, id: VassalId, changed: impl Fn(&Subjects) -> Vec<Subject>) {
        for number in self.of.get(&id).into_iter().flatten() {
            let Some(one) = self.known.get_mut(number) else { continue };
            let changed = changed(&one.subjects);
            if !changed.is_empty() {
                one.changed.extend(changed);
                self.to_tell.insert(*number);
            }
        }
    }

    /// Those who wait for what has changed.
    pub fn take_told(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.to_tell)
    }

    /// Gives him what he takes now. False when he has to be let go.
    pub fn serve(&mut self, number: u32, look: Look<'_>, poller: &Poller) -> bool {
        let Some(waiter) = self.known.get_mut(&number) else { return true };
        match waiter.flush(look) {
            Ok(all) => poller.want(Token::Waiter(number), waiter.client.as_fd(), !all).is_ok(),
            Err(_) => false,
        }
    }

    /// Whether he has gone, or says more than one thing.
    pub fn is_over(&self, number: u32) -> bool {
        let Some(waiter) = self.known.get(&number) else { return true };
        !matches!(waiter.client.hear(), Heard::Nothing)
    }

    /// His connection, to be watched.
    pub fn caller(&self, number: u32) -> Option<&Caller> {
        self.known.get(&number).map(|one| &one.client)
    }

    /// Lets him go. The vassals that nobody waits for any more.
    pub fn remove(&mut self, number: u32, poller: &Poller) -> Vec<VassalId> {
        let Some(waiter) = self.known.remove(&number) else { return Vec::new() };
        poller.forget(&waiter.client);
        let mut left = Vec::new();
        for id in waiter.subjects.vassals() {
            let Some(others) = self.of.get_mut(&id) else { continue };
            others.remove(&number);
            if others.is_empty() {
                self.of.remove(&id);
                left.push(id);
            }
        }
        left
    }

    /// Who has waited for too long.
    pub fn late(&self, now: Moment) -> Vec<u32> {
        let late = self.known.iter().filter(|(_, one)| one.until <= now);
        late.map(|(number, _)| *number).collect()
    }

    /// When that will be.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.known.values().map(|one| one.until).min()
    }
}

impl Waiter {
    /// Whether he has taken everything.
    fn flush(&mut self, look: Look<'_>) -> Result<bool, Errno> {
        loop {
            if self.outbox.is_empty() {
                let changed = std::mem::take(&mut self.changed);
                self.outbox.extend(told(&changed, look).iter().filter_map(|answer| encode(answer).ok()));
            }
            let Some(packet) = self.outbox.front() else { return Ok(true) };
            match jail::run::send(&self.client, packet, &[]) {
                Ok(()) => _ = self.outbox.pop_front(),
                Err(Errno::AGAIN) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// How these are, in messages.
pub fn told<'a>(subjects: impl IntoIterator<Item = &'a Subject>, look: Look<'_>) -> Vec<Answer> {
    let (mut answers, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for subject in subjects {
        let Some(standing) = look(subject) else {
            answers.push(Answer::Gone(subject.number()));
            continue;
        };
        bytes += standing.name.len() + standing.note.len() + 64;
        batch.push(standing);
        if bytes > BATCH_BYTES {
            answers.push(Answer::Standings(std::mem::take(&mut batch)));
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        answers.push(Answer::Standings(batch));
    }
    answers
}
