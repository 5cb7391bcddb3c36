//! The process of the log keeper.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use jail::{Capabilities, Identity, Namespaces, Program, Spec};

use super::birth::c_string;
use super::court::Court;
use super::routers::{NAMESPACES, has_rights_to_namespaces, nobody};
use crate::keeper::role::ROLE;
use crate::keeper::words::CHANNEL_FD;
use crate::log;

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
