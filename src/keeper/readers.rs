//! Whoever reads what vassals write (`liege tail`). Nobody waits for him: who does not read in time is let go.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::marks::for_reader;
use super::words::Tail;
use crate::control::messages;
use crate::control::messages::{Answer, LINES_MAX};

/// Most who read on at once.
const READERS_MAX: usize = 256;
/// Most of them of one user who is not root.
const SHARE_MAX: usize = 16;

/// All of them.
#[derive(Default)]
pub struct Readers {
    known: BTreeMap<u64, Reader>,
    last: u64,
}

struct Reader {
    socket: OwnedFd,
    uid: u32,
    vassal: u32,
    /// Of which he reads this daemon alone.
    daemon: Option<String>,
}

impl Readers {
    /// Lets one read on, if there is room: his number.
    pub fn add(&mut self, socket: OwnedFd, tail: &Tail) -> Option<u64> {
        let (uid, vassal, daemon) = (tail.uid, tail.vassal, tail.daemon.clone());
        let of = self.known.values().filter(|one| one.uid == uid).count();
        if self.known.len() >= READERS_MAX || (uid != 0 && of >= SHARE_MAX) {
            let sentence = "too many read along: end one".to_owned();
            let _ = say(socket.as_fd(), &Answer::Refused(sentence));
            return None;
        }
        self.last += 1;
        self.known.insert(self.last, Reader { socket, uid, vassal, daemon });
        Some(self.last)
    }

    /// His connection.
    pub fn descriptor(&self, number: u64) -> Option<BorrowedFd<'_>> {
        self.known.get(&number).map(|one| one.socket.as_fd())
    }

    /// Gives him those of these lines that he reads. False when he does not take them.
    pub fn give(&self, number: u64, lines: &[u8]) -> bool {
        let Some(reader) = self.known.get(&number) else { return false };
        let his = lines.split_inclusive(|byte| *byte == b'\n');
        let his: Vec<u8> =
            his.filter_map(|line| for_reader(line, reader.daemon.as_deref())).flatten().copied().collect();
        give(reader.socket.as_fd(), &his)
    }

    /// He is gone, or let go: the vassal that he read.
    pub fn remove(&mut self, number: u64) -> Option<(OwnedFd, u32)> {
        self.known.remove(&number).map(|one| (one.socket, one.vassal))
    }
}

/// Gives somebody lines. False when he does not take them.
pub fn give(socket: BorrowedFd<'_>, lines: &[u8]) -> bool {
    lines.chunks(LINES_MAX).all(|piece| say(socket, &Answer::Lines(piece.to_vec())))
}

/// Tells somebody something, if he takes it.
pub fn say(socket: BorrowedFd<'_>, answer: &Answer) -> bool {
    messages::encode(answer).is_ok_and(|packet| jail::run::send(socket, &packet, &[]).is_ok())
}
