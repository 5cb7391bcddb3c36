//! Descriptors that tenants have had a hand in are closed beside the loop: closing the last copy of one may wait, for a
//! lock of the kernel (a device) or for as long as its former owner likes (`SO_LINGER`, FUSE).

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use jail::sys::receive_all;
use rustix::net::{RecvFlags, Shutdown, shutdown};

/// Most threads that close; one that waits for a tenant is none that closes.
const CLOSERS_MAX: usize = 64;
/// Threads that one user may keep waiting.
const BUSY_OF_USER_MAX: usize = 2;
/// Closings of one user that may be under way; who has more gets no connection.
const OF_USER_MAX: usize = 64;
const STACK: usize = 128 * 1024;

/// What is to be closed.
#[derive(Debug)]
pub(super) enum Rest {
    /// A connection, with whatever lies in it.
    Connection(OwnedFd),
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
    /// Users whose descriptors are being closed.
    busy: Vec<u32>,
    threads: usize,
    idle: usize,
}

impl Closer {
    /// Closes a descriptor that this user has had a hand in, soon.
    pub(super) fn close(&self, uid: u32, rest: Rest) {
        let mut work = self.shared.lock();
        work.queue.push_back((uid, rest));
        if work.idle == 0 && work.threads < CLOSERS_MAX {
            let shared = Arc::clone(&self.shared);
            let started = Builder::new().stack_size(STACK).name("closer".into()).spawn(move || shared.work());
            work.threads += usize::from(started.is_ok());
        }
        drop(work);
        self.shared.bell.notify_one();
    }

    /// Whether a user keeps us from closing what he has sent.
    pub(super) fn is_held_up_by(&self, uid: u32) -> bool {
        let work = self.shared.lock();
        let waiting = work.queue.iter().filter(|(of, _)| *of == uid).take(OF_USER_MAX).count();
        waiting >= OF_USER_MAX || (work.is_enough(uid) && waiting > 0)
    }
}

impl Work {
    fn is_enough(&self, uid: u32) -> bool {
        self.busy.iter().filter(|of| **of == uid).count() >= BUSY_OF_USER_MAX
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
            work.busy.push(uid);
            drop(work);
            rest.close();
            work = self.lock();
            let place = work.busy.iter().position(|of| *of == uid);
            if let Some(place) = place {
                work.busy.swap_remove(place);
            }
        }
    }
}

impl Rest {
    fn close(self) {
        match self {
            Self::Descriptor(descriptor) => drop(descriptor),
            Self::Connection(socket) => {
                // Whoever has the last copy closes what lies in it: that shall not be the Emperor.
                let _ = shutdown(&socket, Shutdown::Both);
                let mut bytes = [0; 4096];
                let mut more = || receive_all(socket.as_fd(), &mut bytes, RecvFlags::empty());
                while more().is_ok_and(|got| got.length > 0) {}
            }
        }
    }
}
