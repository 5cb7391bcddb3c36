//! Where peers and whoever reads stats come in: closed for a moment when there is no descriptor for one more.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::events::Token;
use super::life::Service;

/// How long nobody is let in: nothing tells when a descriptor is free again, and whoever waits there would have us look again
/// at once, for ever.
const REST: Duration = Duration::from_millis(100);

/// Whether they are open.
#[derive(Debug, Default)]
pub(super) struct Doors {
    closed_until: Option<Instant>,
    /// It was told that nobody can be let in, and nobody was since.
    is_told: bool,
}

impl Doors {
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
