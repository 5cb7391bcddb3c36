//! What was said to somebody who does not read it stays after we have ended his connection, at our expense: it counts for his user
//! as a connection until it is read, or closed at its other end.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use jail::sys::unread;
use rustix::net::sockopt::socket_send_buffer_size;

/// Bytes that lie unread at most in a connection whose user may have left too much already.
pub(super) const NARROW: usize = 4096;
/// Ended connections that are kept to be counted: everybody gets narrow ones long before they are so many.
const UNREAD_MAX: usize = 16_384;
/// The same of narrow ones. Beyond, there are as many as their users pay for, who keep the other ends open.
const NARROW_MAX: usize = UNREAD_MAX / 4;
/// Looks at others for each that comes or is too much, so that nobody's stay who never comes back.
const LOOKS_MAX: usize = 16;

/// Ended connections with something in them, those first that were looked at longest ago.
#[derive(Debug, Default)]
pub(super) struct Unread {
    all: VecDeque<(u32, OwnedFd)>,
    of_users: BTreeMap<u32, usize>,
}

fn has_unread(socket: &OwnedFd) -> bool {
    unread(socket.as_fd()).is_ok_and(|bytes| bytes > 0)
}

/// The kernel doubles what it is told, for what it needs itself (`socket(7)`).
fn is_narrow(socket: &OwnedFd) -> bool {
    socket_send_buffer_size(socket).is_ok_and(|bytes| bytes <= 2 * NARROW)
}

impl Unread {
    /// Keeps an ended connection of this user, if it has to be counted.
    pub(super) fn keep(&mut self, uid: u32, socket: OwnedFd) {
        if !has_unread(&socket) {
            return;
        }
        self.look();
        let most = if is_narrow(&socket) { NARROW_MAX } else { UNREAD_MAX };
        if self.all.len() < most {
            self.put(uid, socket);
        }
    }

    /// Looks at some of them.
    fn look(&mut self) {
        for _ in 0..LOOKS_MAX.min(self.all.len()) {
            let Some((of, oldest)) = self.all.pop_front() else { break };
            self.count(of, false);
            self.put(of, oldest);
        }
    }

    fn put(&mut self, uid: u32, socket: OwnedFd) {
        if has_unread(&socket) {
            self.all.push_back((uid, socket));
            self.count(uid, true);
        }
    }

    /// How many there are; looks at some where they would be too many.
    pub(super) fn in_all(&mut self, most: usize) -> usize {
        if self.all.len() >= most {
            self.look();
        }
        self.all.len()
    }

    /// How many there are of this user; looks at them where they would be too many.
    pub(super) fn of_user(&mut self, uid: u32, most: usize) -> usize {
        let count = self.of_users.get(&uid).copied().unwrap_or(0);
        if count == 0 || count < most {
            return count;
        }
        self.all.retain(|(of, socket)| *of != uid || has_unread(socket));
        let left = self.all.iter().filter(|(of, _)| *of == uid).count();
        self.of_users.insert(uid, left);
        if left == 0 {
            self.of_users.remove(&uid);
        }
        left
    }

    fn count(&mut self, uid: u32, comes: bool) {
        let count = self.of_users.entry(uid).or_default();
        *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.of_users.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Our end of a connection in which a byte lies, and the other one.
    fn spoken() -> (OwnedFd, UnixStream) {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        ours.write_all(b"x").expect("room");
        (ours.into(), theirs)
    }

    /// Row W6.
    #[test]
    fn what_somebody_does_not_read_counts_for_him_until_he_reads_or_closes_it() {
        let mut unread = Unread::default();
        let theirs: Vec<UnixStream> = (0..10)
            .map(|_| {
                let (ours, theirs) = spoken();
                unread.keep(7, ours);
                theirs
            })
            .collect();
        let (silent, _other) = UnixStream::pair().expect("a pair");
        unread.keep(8, silent.into());
        assert_eq!((unread.of_user(7, 10), unread.of_user(8, 1)), (10, 0));
        let mut theirs = theirs.into_iter();
        let mut read = theirs.next().expect("ten");
        read.read_exact(&mut [0]).expect("a byte");
        drop(theirs.next());
        assert_eq!((unread.of_user(7, 10), unread.of_user(7, 9)), (8, 8));
        drop((read, theirs));
        assert_eq!((unread.of_user(7, 8), unread.all.len(), unread.of_users.len()), (0, 0, 0));
    }

    #[test]
    fn nothing_is_kept_of_those_who_never_come_back() {
        let mut unread = Unread::default();
        for uid in 0..100 {
            let (ours, theirs) = spoken();
            unread.keep(uid, ours);
            drop(theirs);
        }
        assert!(unread.all.len() <= LOOKS_MAX && unread.of_users.len() == unread.all.len());
        let (ours, theirs) = spoken();
        unread.keep(7, ours);
        assert_eq!((unread.in_all(2), unread.in_all(1)), (1, 1));
        drop(theirs);
        assert_eq!((unread.in_all(2), unread.in_all(1)), (1, 0));
    }
}
