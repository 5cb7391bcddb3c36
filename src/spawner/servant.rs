//! A process that the spawner makes for the Emperor, of which there is one at a time.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::wire::Reply;

/// The one that there is.
#[derive(Debug, Default)]
pub(super) struct Servant(pub(super) Option<OwnedFd>);

impl Servant {
    /// SIGKILL for it. Nothing is answered.
    pub(super) fn kill(&self) -> Vec<Reply> {
        if let Some(process) = &self.0 {
            // It has ended already.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        Vec::new()
    }

    pub(super) fn lives(&self) -> bool {
        self.0.as_ref().is_some_and(|process| {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            matches!(poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)), Ok(0))
        })
    }
}
