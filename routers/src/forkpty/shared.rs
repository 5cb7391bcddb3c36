//! Pure. One terminal for many: what its program writes goes to everybody, what anybody types goes in.
//!
//! What was written last is kept once, and everybody has a place in it. The fastest client says how fast it goes on, and so
//! does the log: with one client nothing is lost. Whoever is too far behind the fastest is let go, and when nobody takes
//! anything at all the program waits no longer than `PATIENCE_MS`.

use std::collections::{BTreeMap, VecDeque};

use super::stream::Stream;

/// Bytes that are kept for those who are slower than others.
pub const KEPT: usize = 262_144;
/// Bytes that may wait for the program.
const INPUT: usize = 65_536;
/// How long the program waits while nobody takes what it wrote, in ms.
pub const PATIENCE_MS: u64 = 3_000;

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A client: one that is too slow is let go.
    Client,
    /// The log: what it does not take in time is left out.
    Log,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Let go of this client, who is too slow.
    LetGo(u64),
    /// Tell that so many bytes are not in the log.
    LeftOut(u64),
}

#[derive(Clone, Copy, Debug)]
struct Place {
    who: Listener,
    /// Bytes of all that it has taken, or that were left out.
    at: u64,
    /// Nobody waits for it any more.
    left_behind: bool,
}

/// A terminal and those who listen.
#[derive(Debug)]
pub struct Shared {
    kept: Box<[u8]>,
    /// Bytes written so far.
    written: u64,
    places: BTreeMap<u64, Place>,
    /// On the way to the program.
    pub input: Stream,
    blocked_ms: Option<u64>,
    orders: VecDeque<Order>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            kept: vec![0; KEPT].into(),
            written: 0,
            places: BTreeMap::new(),
            input: Stream::new(INPUT),
            blocked_ms: None,
            orders: VecDeque::new(),
        }
    }
}

impl Shared {
    /// One more listens from here on, under a number of its own.
    pub fn join(&mut self, id: u64, who: Listener) {
        self.places.insert(id, Place { who, at: self.written, left_behind: false });
    }

    /// It listens no more.
    pub fn leave(&mut self, id: u64) {
        self.places.remove(&id);
    }

    /// Most bytes that may be read from the terminal now.
    pub fn room(&self) -> usize {
        let behind = |who| {
            let of = self.places.values().filter(move |place| place.who == who && !place.left_behind);
            of.map(|place| self.lag(place)).min().unwrap_or(0)
        };
        KEPT - behind(Listener::Client).max(behind(Listener::Log))
    }

    /// The program has written this, no more than there was room for.
    pub fn wrote(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(KEPT) {
            let start = self.index(self.written);
            let (first, rest) = piece.split_at(piece.len().min(KEPT - start));
            self.kept[start..start + first.len()].copy_from_slice(first);
            self.kept[..rest.len()].copy_from_slice(rest);
            self.written += piece.len() as u64;
        }
        self.pass_over();
    }

    /// The next bytes for this one; there may be more behind them.
    pub fn pending(&self, id: u64) -> &[u8] {
        let Some(place) = self.places.get(&id) else { return &[] };
        let start = self.index(place.at);
        &self.kept[start..(start + self.lag(place)).min(KEPT)]
    }

    /// It has taken so many of them.
    pub fn took(&mut self, id: u64, bytes: usize) {
        if let Some(place) = self.places.get_mut(&id) {
            place.at = (place.at + bytes as u64).min(self.written);
            place.left_behind = false;
        }
    }

    /// Whether everybody has everything.
    pub fn is_taken(&self) -> bool {
        self.places.values().all(|place| place.at == self.written)
    }

    /// Some time has passed.
    pub fn settle(&mut self, now_ms: u64) {
        if self.room() > 0 {
            self.blocked_ms = None;
            return;
        }
        let since = *self.blocked_ms.get_or_insert(now_ms);
        if now_ms >= since + PATIENCE_MS {
            self.blocked_ms = None;
            self.part_with(KEPT);
        }
    }

    /// When `settle` has something to do, in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        self.blocked_ms.map(|since| since + PATIENCE_MS)
    }

    /// What is to be done next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// What some have not taken was written over.
    fn pass_over(&mut self) {
        self.part_with(KEPT + 1);
    }

    /// Nobody waits for those any more who are so far behind.
    fn part_with(&mut self, lag: usize) {
        let written = self.written;
        let is_behind = |place: &Place| written - place.at >= lag as u64;
        for (id, place) in &mut self.places {
            match place.who {
                _ if !is_behind(place) => {}
                Listener::Client => self.orders.push_back(Order::LetGo(*id)),
                Listener::Log => {
                    self.orders.push_back(Order::LeftOut(written - place.at));
                    (place.at, place.left_behind) = (written, true);
                }
            }
        }
        self.places.retain(|_, place| place.who == Listener::Log || !is_behind(place));
    }

    fn lag(&self, place: &Place) -> usize {
        usize::try_from(self.written - place.at).expect("no more than is kept")
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at % KEPT as u64).expect("less than what is kept")
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
