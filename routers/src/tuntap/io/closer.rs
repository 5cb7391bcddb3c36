//! Descriptors that tenants have had a hand in are closed beside the loop: closing the last copy of one may wait, for a
//! lock of the kernel (a device) or for as long as its former owner likes (`SO_LINGER`, FUSE).

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use jail::sys::receive_all;
use rustix::io::ioctl_fionread;
use rustix::net::sockopt::{set_socket_linger, set_socket_oobinline};
use rustix::net::{RecvFlags, Shutdown, shutdown};

use super::grave::Grave;
use super::unread::Unread;

/// Most threads that close; one that waits for a tenant is none that closes.
const CLOSERS_MAX: usize = 64;
/// Of those, the ones that close anything but devices: whoever has many users keeps them waiting, but not the rest.
const TENANTS_MAX: usize = 48;
/// Threads that one user may keep waiting.
const BUSY_OF_USER_MAX: usize = 2;
/// Closings of one user that may be under way; who has more gets no connection.
const OF_USER_MAX: usize = 64;
/// The same of all users; nobody's are taken beyond it.
const IN_ALL_MAX: usize = 512;
/// As of one user, of devices: many of his vassals may leave at once.
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
    grave: Option<Grave>,
    work: Mutex<Work>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    queue: VecDeque<(u32, Rest)>,
    /// Those of the queue that are no devices.
    tenants: usize,
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
    /// One with a grave, if there can be one.
    pub(super) fn new(grave: Option<Grave>) -> Self {
        Self { shared: Arc::new(Shared { grave, ..Shared::default() }) }
    }

    /// Closes a descriptor that this user has had a hand in: at once where that cannot wait, else soon.
    pub(super) fn close(&self, uid: u32, rest: Rest) {
        let rest = match rest {
            Rest::Connection(socket) => self.end(uid, socket).map(Rest::Connection),
            Rest::Descriptor(one) => self.shared.bury(one).err().map(Rest::Descriptor),
            Rest::Device(device) => Some(Rest::Device(device)),
        };
        rest.into_iter().for_each(|rest| self.leave(uid, rest));
    }

    /// Ends a connection, which is given back if something lies in it. Whoever has left as much as he may is not even asked
    /// whether he reads what was said to him.
    fn end(&self, uid: u32, socket: OwnedFd) -> Option<OwnedFd> {
        // From here on nothing more gets in.
        let _ = shutdown(&socket, Shutdown::Both);
        if ioctl_fionread(&socket) == Ok(0) {
            self.shared.lock().unread.keep(uid, socket);
            return None;
        }
        let is_full = self.is_crowded() || self.is_held_up_by(uid);
        if is_full { self.shared.bury(socket).err() } else { Some(socket) }
    }

    fn leave(&self, uid: u32, rest: Rest) {
        let mut work = self.shared.lock();
        work.tenants += usize::from(!rest.is_device());
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

    /// Whether so much waits that nobody's shall be added to it.
    pub(super) fn is_crowded(&self) -> bool {
        self.shared.lock().tenants >= IN_ALL_MAX
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
        let busy = self.busy.iter().filter(|one| !one.is_device).count();
        let may = |rest: &Rest| rest.is_device() || busy < TENANTS_MAX;
        let place = self.queue.iter().position(|(uid, rest)| may(rest) && !self.is_enough(*uid))?;
        let next = self.queue.remove(place)?;
        self.tenants -= usize::from(!next.1.is_device());
        Some(next)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// There is no way to have it closed without waiting.
    fn bury(&self, descriptor: OwnedFd) -> Result<(), OwnedFd> {
        match &self.grave {
            Some(grave) => grave.bury(descriptor),
            None => Err(descriptor),
        }
    }

    /// A connection that is ended and empty is left over.
    fn close(&self, rest: Rest) -> Option<OwnedFd> {
        match rest {
            Rest::Device(device) => drop(device),
            Rest::Descriptor(one) => self.close_one(one),
            Rest::Connection(socket) => {
                // Whoever has the last copy closes what lies in it: that shall not be the Emperor.
                let _ = set_socket_oobinline(&socket, true);
                let mut bytes = [0; 4096];
                while let Ok(got) = receive_all(socket.as_fd(), &mut bytes, RecvFlags::empty())
                    && got.length > 0
                {
                    got.descriptors.into_iter().for_each(|one| self.close_one(one));
                }
                return Some(socket);
            }
        }
        None
    }

    fn close_one(&self, descriptor: OwnedFd) {
        if let Err(descriptor) = self.bury(descriptor) {
            // Whoever has a copy may set it again.
            let _ = set_socket_linger(&descriptor, None);
        }
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
            let unread = self.close(rest);
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
}

#[cfg(test)]
#[path = "closer_tests.rs"]
mod tests;
