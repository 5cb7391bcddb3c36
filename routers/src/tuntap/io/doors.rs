//! Where peers and whoever reads stats come in: closed for a moment when there is no descriptor for one more.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::events::Token;
use super::life::Service;

/// How long nobody is let in: nothing tells when a descriptor is free again, and whoever waits there would have us look again
/// at once, for ever.
const REST: Duration = Duration::from_millis(100);

/// Whether they are open.
#[derive(Debug)]
pub(super) struct Doors {
    /// The number of the first descriptor that no peer gets: where the kernel has none for what somebody has sent, it is we
    /// who close that.
    reserve: RawFd,
    closed_until: Option<Instant>,
    /// It was told that nobody can be let in, and nobody was since.
    is_told: bool,
}

impl Doors {
    /// Those of a process that can have so many descriptors.
    pub(super) fn new(descriptors_max: u64) -> Self {
        let reserve = RawFd::try_from(descriptors_max - descriptors_max / 4).unwrap_or(RawFd::MAX);
        Self { reserve, closed_until: None, is_told: false }
    }

    /// # Errors
    /// `EMFILE`: what is left is not for peers. `next` is any descriptor.
    pub(super) fn has_room(&self, next: impl AsFd) -> Result<(), Errno> {
        // A new one has the lowest number that is free.
        let number = fcntl_dupfd_cloexec(next, 0)?.as_raw_fd();
        if number < self.reserve { Ok(()) } else { Err(Errno::MFILE) }
    }

    /// When they are to be opened, if they are closed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.closed_until
    }

    /// Somebody was let in.
    pub(super) fn passed(&mut self) {
        self.is_told = false;
    }
}

impl Service {
    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub(super) fn open_doors(&mut self) -> Result<(), Errno> {
        let Self { events, ports, .. } = self;
        events.watch(&ports.listener, Token::Listener)?;
        ports.stats.iter().try_for_each(|stats| events.watch(stats, Token::Stats))
    }

    /// Nobody can be let in just now.
    pub(super) fn close_doors(&mut self, errno: Errno) {
        self.doors.closed_until = Some(Instant::now() + REST);
        self.events.forget(&self.ports.listener);
        self.ports.stats.iter().for_each(|stats| self.events.forget(stats));
        if !std::mem::replace(&mut self.doors.is_told, true) {
            self.telling.warn(&format!("cannot accept another connection: {errno}"));
        }
    }

    /// Opens them again, if it is time.
    pub(super) fn mind_doors(&mut self) {
        if self.doors.closed_until.is_none_or(|until| until > Instant::now()) {
            return;
        }
        self.doors.closed_until = None;
        if let Err(errno) = self.open_doors() {
            self.close_doors(errno);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row W6.
    #[test]
    fn a_quarter_of_all_descriptors_is_for_nobody_who_comes() {
        let any = std::fs::File::open("/dev/null").expect("there is one");
        let next =
            u64::try_from(fcntl_dupfd_cloexec(&any, 0).expect("a number").as_raw_fd()).expect("a number");
        // Other tests open and close some meanwhile.
        assert_eq!(Doors::new(next / 2).has_room(&any), Err(Errno::MFILE));
        assert_eq!(Doors::new(2 * next + 1000).has_room(&any), Ok(()));
        assert_eq!((Doors::new(20_000).reserve, Doors::new(u64::MAX).reserve), (15_000, RawFd::MAX));
    }
}
