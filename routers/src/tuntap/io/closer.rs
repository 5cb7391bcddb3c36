//! Descriptors that tenants have had a hand in are closed beside the loop: closing the last copy of one may wait, for a
//! lock of the kernel (a device) or for as long as its former owner likes (`SO_LINGER`, FUSE).

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use jail::sys::receive_all;
use rustix::net::{RecvFlags, Shutdown, shutdown};

use super::unread::Unread;

/// Most threads that close; one that waits for a tenant is none that closes.
const CLOSERS_MAX: usize = 64;
/// Threads that one user may keep waiting.
const BUSY_OF_USER_MAX: usize = 2;
/// Closings of one user that may be under way; who has more gets no connection.
const OF_USER_MAX: usize = 64;
/// The same of devices: many of his vassals may leave at once.
const DEVICES_OF_USER_MAX: usize = 1024;
/// How long all that he may keep waiting have to wait before he gets none either: kernels take some milliseconds for themselves.
const PATIENCE: Duration = Duration::from_secs(1);
const STACK: usize = 128 * 1024;

/// What is to be closed.
#[derive(Debug)]
pub(super) enum Rest {
    /// A connection, with whatever lies in it.
    Connection(OwnedFd),
    /// What was found to be a device: the kernel takes its time for it, and no user makes it take more.
    Device(OwnedFd),
    /// Anything else.
    Descriptor(OwnedFd),
}

/// Closes what it is given.
#[derive(Debug, Default)]
pub(super) struct Closer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    work: Mutex<Work>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    queue: VecDeque<(u32, Rest)>,
    busy: Vec<Busy>,
    unread: Unread,
    threads: usize,
    idle: usize,
}

/// What is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Busy {
    uid: u32,
    is_device: bool,
    since: Instant,
}

impl Busy {
    /// Its user does, not the kernel.
    fn keeps_us(&self) -> bool {
        !self.is_device && self.since.elapsed() >= PATIENCE
    }
}

impl Closer {
    /// Closes a descriptor that this user has had a hand in, soon.
    pub(super) fn close(&self, uid: u32, rest: Rest) {
        let mut work = self.shared.lock();
        work.queue.push_back((uid, rest));
        // Whoever was rung for is idle until he has the lock.
        if work.queue.len() > work.idle && work.threads < CLOSERS_MAX {
            let shared = Arc::clone(&self.shared);
            let started = Builder::new().stack_size(STACK).name("closer".into()).spawn(move || shared.work());
            work.threads += usize::from(started.is_ok());
        }
        drop(work);
        self.shared.bell.notify_one();
    }

    /// Connections that are ended and were not read; some are looked at where they would be too many.
    pub(super) fn unread(&self, most: usize) -> usize {
        self.shared.lock().unread.in_all(most)
    }

    /// Those of this user; all are looked at where they would be too many.
    pub(super) fn unread_of(&self, uid: u32, most: usize) -> usize {
        self.shared.lock().unread.of_user(uid, most)
    }

    /// Whether a user keeps us from closing what he has sent.
    pub(super) fn is_held_up_by(&self, uid: u32) -> bool {
        let work = self.shared.lock();
        let his = || work.queue.iter().filter(|(of, _)| *of == uid);
        let devices = his().filter(|(_, rest)| rest.is_device()).take(DEVICES_OF_USER_MAX).count();
        let waiting = his().filter(|(_, rest)| !rest.is_device()).take(OF_USER_MAX).count();
        let stuck = work.busy.iter().filter(|one| one.uid == uid && one.keeps_us()).count();
        waiting >= OF_USER_MAX || devices >= DEVICES_OF_USER_MAX || (stuck >= BUSY_OF_USER_MAX && waiting > 0)
    }
}

impl Work {
    fn is_enough(&self, uid: u32) -> bool {
        self.busy.iter().filter(|one| one.uid == uid).count() >= BUSY_OF_USER_MAX
    }

    /// The next one whose user keeps not too many waiting already.
    fn next(&mut self) -> Option<(u32, Rest)> {
        let place = self.queue.iter().position(|(uid, _)| !self.is_enough(*uid))?;
        self.queue.remove(place)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut work = self.lock();
        loop {
            let Some((uid, rest)) = work.next() else {
                work.idle += 1;
                work = self.bell.wait(work).unwrap_or_else(PoisonError::into_inner);
                work.idle -= 1;
                continue;
            };
            let busy = Busy { uid, is_device: rest.is_device(), since: Instant::now() };
            work.busy.push(busy);
            drop(work);
            let unread = rest.close();
            work = self.lock();
            unread.into_iter().for_each(|socket| work.unread.keep(uid, socket));
            let place = work.busy.iter().position(|one| *one == busy);
            if let Some(place) = place {
                work.busy.swap_remove(place);
            }
        }
    }
}

impl Rest {
    fn is_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    /// A connection that is ended and empty is left over.
    fn close(self) -> Option<OwnedFd> {
        match self {
            Self::Descriptor(descriptor) | Self::Device(descriptor) => {
                drop(descriptor);
                None
            }
            Self::Connection(socket) => {
                // Whoever has the last copy closes what lies in it: that shall not be the Emperor.
                let _ = shutdown(&socket, Shutdown::Both);
                let mut bytes = [0; 4096];
                let mut more = || receive_all(socket.as_fd(), &mut bytes, RecvFlags::empty());
                while more().is_ok_and(|got| got.length > 0) {}
                Some(socket)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null() -> OwnedFd {
        std::fs::File::open("/dev/null").expect("there is one").into()
    }

    /// Nobody closes anything; as much of this user waits.
    fn waiting(since: Instant, is_device: bool, rest: fn(OwnedFd) -> Rest, count: usize) -> Closer {
        let closer = Closer::default();
        let mut work = closer.shared.lock();
        work.busy = vec![Busy { uid: 7, is_device, since }; BUSY_OF_USER_MAX];
        work.queue.extend((0..count).map(|_| (7, rest(null()))));
        drop(work);
        closer
    }

    #[test]
    fn only_who_keeps_us_waiting_for_long_gets_no_connection() {
        let now = Instant::now();
        let long_ago = now.checked_sub(PATIENCE).expect("the clock runs");
        assert!(
            !waiting(now, false, Rest::Descriptor, 1).is_held_up_by(7),
            "many vassals of one user have left"
        );
        let stuck = waiting(long_ago, false, Rest::Descriptor, 1);
        assert!(stuck.is_held_up_by(7) && !stuck.is_held_up_by(8));
        assert!(
            !waiting(long_ago, true, Rest::Descriptor, 1).is_held_up_by(7),
            "that is the kernel's own time"
        );
        assert!(!waiting(long_ago, false, Rest::Device, 1).is_held_up_by(7), "nothing of his own waits");
    }

    /// Row W6.
    #[test]
    fn nobody_has_more_than_so_many_waiting() {
        let now = Instant::now();
        for (rest, most) in
            [(Rest::Descriptor as fn(OwnedFd) -> Rest, OF_USER_MAX), (Rest::Device, DEVICES_OF_USER_MAX)]
        {
            assert!(!waiting(now, true, rest, most - 1).is_held_up_by(7));
            let full = waiting(now, true, rest, most);
            assert!(full.is_held_up_by(7) && !full.is_held_up_by(8));
        }
    }

    #[test]
    fn each_that_waits_has_somebody_who_closes_it() {
        let closer = Closer::default();
        closer.shared.lock().idle = 1;
        closer.close(7, Rest::Descriptor(null()));
        closer.close(8, Rest::Descriptor(null()));
        assert_eq!(closer.shared.lock().threads, 1, "one of the two was rung for already");
    }
}
