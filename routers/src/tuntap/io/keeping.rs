//! What a successor has to know that nobody else does: the rules in force, what was counted, and leases without a file.
//!
//! A file of memory with two places that are written by turns: whenever we are killed, one of them is whole.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::{Account, Accounts, Book, Flow, REASONS, Router, Tally};
use super::leasing::write_all;

/// Where the second place begins, and the most that one has.
const PLACE: u64 = 256 * 1024 * 1024;
/// Number, length and sum of what a place has.
const HEAD: usize = 24;
/// Least time between two writings that nobody waits for.
const PAUSE: Duration = Duration::from_secs(1);
/// A writing takes so much of the time at most: one part in as many.
const SHARE: u32 = 50;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) generation: u64,
    /// As `Book::text` has it.
    pub(super) rules: String,
    pub(super) accounts: Vec<(String, [Counted; 2])>,
    pub(super) leases: String,
}

/// A flow: packets, bytes, and drops for each reason.
pub(super) type Counted = (u64, u64, Vec<u64>);

/// Where it is kept, and when it was written last.
#[derive(Debug)]
pub(super) struct Keeping {
    file: Option<OwnedFd>,
    number: u64,
    due: Option<Instant>,
    last: Option<Instant>,
    pause: Duration,
}

impl Keeping {
    /// Finds what a router before has left.
    pub(super) fn open(file: Option<OwnedFd>) -> (Self, Option<Kept>) {
        let places = [0, PLACE].map(|at| file.as_ref().and_then(|file| read_place(file, at)));
        let newest = places.into_iter().flatten().max_by_key(|(number, _)| *number);
        let number = newest.as_ref().map_or(0, |(number, _)| *number);
        (Self { file, number, due: None, last: None, pause: PAUSE }, newest.map(|(_, kept)| kept))
    }

    /// Something has changed that may be lost for a moment.
    pub(super) fn touch(&mut self, now: Instant) {
        if self.due.is_none() && self.file.is_some() {
            self.due = Some(self.last.map_or(now, |last| now.max(last + self.pause)));
        }
    }

    /// When it is to be written, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of writing; what was written before is still there.
    pub(super) fn save(&mut self, kept: &Kept) -> Result<(), Errno> {
        let begin = Instant::now();
        (self.due, self.last) = (None, Some(begin));
        let Some(file) = &self.file else { return Ok(()) };
        let body = postcard::to_stdvec(kept).map_err(|_| Errno::NOMEM)?;
        if body.len() as u64 > PLACE - HEAD as u64 {
            return Err(Errno::FBIG);
        }
        let number = self.number + 1;
        let head =
            [number.to_le_bytes(), (body.len() as u64).to_le_bytes(), sum(number, &body).to_le_bytes()];
        let at = if number.is_multiple_of(2) { 0 } else { PLACE };
        write_all(file, &head.concat(), at)?;
        write_all(file, &body, at + HEAD as u64)?;
        self.number = number;
        self.pause = PAUSE.max(begin.elapsed() * SHARE);
        Ok(())
    }
}

fn read_place(file: &OwnedFd, at: u64) -> Option<(u64, Kept)> {
    let mut head = [0; HEAD];
    (rustix::io::pread(file, &mut head, at).ok()? == HEAD).then_some(())?;
    let number = |index: usize| u64::from_le_bytes(head[index * 8..][..8].try_into().expect("eight bytes"));
    let length = usize::try_from(number(1)).ok().filter(|length| *length as u64 <= PLACE)?;
    let mut body = vec![0; length];
    let mut read = 0;
    while read < length {
        match rustix::io::pread(file, &mut body[read..], at + (HEAD + read) as u64).ok()? {
            0 => return None,
            more => read += more,
        }
    }
    (number(0) > 0 && sum(number(0), &body) == number(2)).then_some(())?;
    Some((number(0), postcard::from_bytes(&body).ok()?))
}

/// FNV-1a, over words: it finds what was not written, not what somebody has forged.
fn sum(number: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let (words, rest) = bytes.as_chunks::<8>();
    let start = 0xcbf2_9ce4_8422_2325 ^ number;
    let sum = words.iter().fold(start, |sum, word| (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME));
    rest.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(PRIME))
}

impl Kept {
    /// Everything as it is now.
    pub(super) fn of(router: &Router, generation: u64, book: &Book, leases: String) -> Self {
        let accounts = count_all(router.accounts());
        Self { generation, rules: book.text(), accounts, leases }
    }

    /// Goes on counting.
    pub(super) fn restore(&self, router: &mut Router) {
        for (name, [sent, received]) in &self.accounts {
            router.restore(name, Account { sent: flow(sent), received: flow(received) });
        }
    }
}

fn count_all(accounts: &Accounts) -> Vec<(String, [Counted; 2])> {
    let one = |flow: &Flow| (flow.passed.packets, flow.passed.bytes, flow.dropped.to_vec());
    accounts
        .all()
        .map(|(name, account)| (name.to_owned(), [one(&account.sent), one(&account.received)]))
        .collect()
}

fn flow((packets, bytes, drops): &Counted) -> Flow {
    let mut dropped = [0; REASONS];
    dropped.iter_mut().zip(drops).for_each(|(slot, count)| *slot = *count);
    Flow { passed: Tally { packets: *packets, bytes: *bytes }, dropped }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;

    fn kept(generation: u64) -> Kept {
        Kept { generation, rules: "in deny\n".repeat(generation as usize), ..Kept::default() }
    }

    #[test]
    fn a_successor_reads_what_was_written_last_and_whole() {
        let file = memfd_create("state", MemfdFlags::CLOEXEC).unwrap();
        let copy = || Some(file.try_clone().unwrap());
        assert_eq!(Keeping::open(copy()).1, None);
        let (mut keeping, _) = Keeping::open(copy());
        for generation in 1..5 {
            keeping.save(&kept(generation)).unwrap();
            assert_eq!(Keeping::open(copy()).1, Some(kept(generation)));
        }
        // Killed in the midst of the fifth writing.
        write_all(&file, &[7; 9], PLACE).unwrap();
        let (mut keeping, found) = Keeping::open(copy());
        assert_eq!(found, Some(kept(4)));
        keeping.save(&kept(9)).unwrap();
        assert_eq!(Keeping::open(copy()).1, Some(kept(9)));
    }

    #[test]
    fn nothing_is_due_where_nothing_has_changed() {
        let file = memfd_create("state", MemfdFlags::CLOEXEC).unwrap();
        let (mut keeping, _) = Keeping::open(Some(file));
        assert_eq!(keeping.due(), None);
        let now = Instant::now();
        keeping.touch(now);
        keeping.touch(now + PAUSE);
        assert_eq!(keeping.due(), Some(now));
        keeping.save(&kept(1)).unwrap();
        assert_eq!(keeping.due(), None);
        keeping.touch(Instant::now());
        assert!(keeping.due() >= Some(now + PAUSE), "not all the time");
    }
}
