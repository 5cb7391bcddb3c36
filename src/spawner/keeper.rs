//! The process of the log keeper.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use jail::{Capabilities, Identity, Namespaces, Program, Spec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::birth::c_string;
use super::court::Court;
use super::routers::{NAMESPACES, has_rights_to_namespaces, nobody};
use super::wire::Reply;
use crate::keeper::role::ROLE;
use crate::keeper::words::CHANNEL_FD;
use crate::log;

/// The one log keeper.
#[derive(Debug, Default)]
pub(super) struct KeeperProcess(Option<OwnedFd>);

impl KeeperProcess {
    /// SIGKILL for it. Nothing is answered.
    pub fn kill(&self) -> Vec<Reply> {
        if let Some(process) = &self.0 {
            // It has ended already.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        Vec::new()
    }

    fn lives(&self) -> bool {
        self.0.as_ref().is_some_and(|process| {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            matches!(poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)), Ok(0))
        })
    }
}

impl Court {
    /// Makes the log keeper: its pid. Descriptor: its end of the channel.
    ///
    /// Must: make one at a time.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn bear_keeper(&mut self, lent: &[OwnedFd]) -> Result<i32, String> {
        if self.keeper.lives() {
            return Err("the log keeper runs already".into());
        }
        let [channel] = lent else { return Err("it takes one descriptor".into()) };
        let spec = self.keeper(channel.as_raw_fd());
        let born = self.bear_servant(&spec)?;
        self.keeper.0 = Some(born.pidfd);
        Ok(born.pid)
    }

    /// Nobody, without a right, with nothing but its channel and the log. It does not die with the Emperor but by the end of
    /// its channel, once it has read the last words of vassals.
    fn keeper(&self, channel: RawFd) -> Spec {
        let privileged = self.charter.privileged;
        let identity = || {
            let id = nobody();
            Identity { uid: id.uid, gid: id.gid, groups: Vec::new() }
        };
        let journal = std::env::var(log::JOURNAL).map(|stream| format!("{}={stream}", log::JOURNAL));
        Spec {
            namespaces: if has_rights_to_namespaces() { NAMESPACES } else { Namespaces::NONE },
            identity: privileged.then(identity),
            bounding: (privileged && self.charter.may_bound()).then_some(Capabilities::NONE),
            no_new_privs: true,
            session: true,
            settings: self.charter.settings.clone(),
            arrival: Some(c"/".into()),
            descriptors: vec![(1, 1), (2, 2), (channel, CHANNEL_FD)],
            program: Program::Descriptor(self.executable.as_raw_fd(), vec![c_string(ROLE)]),
            environment: journal.into_iter().map(|one| c_string(&one)).collect::<Vec<CString>>(),
            ..Spec::default()
        }
    }
}
