//! The trigger socket: whoever connects has all sources looked at anew.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use rustix::net::{SocketFlags, accept_with};

use super::super::Runtime;
use super::Door;
use crate::config::vassal::Address;
use crate::emperor::event::Owner;
use crate::reactor::{Token, clock};
use crate::spawner::charter::Leftover;
use crate::{parting, stats};

/// How long nobody is let in after a look, in ms: a look costs something for each config there is.
pub(super) const PAUSE_MS: u64 = 1_000;
/// Connections that are taken as one wish at most.
const CALLERS_MAX: usize = 64;

pub(super) fn bind(address: &Address, owner: Option<Owner>) -> Result<Door> {
    let (socket, path) = stats::listen(address, owner, stats::GUARDED)?;
    let socket = socket.context("there is no socket at this address")?;
    let file = path.and_then(|path| Leftover::of(&path));
    Ok(Door { socket: socket.into(), file, token: Token::Trigger, closed_until: None })
}

impl Runtime {
    /// Lets everybody in who waits, says nothing, and looks once.
    pub(in crate::runtime) fn hear_trigger(&mut self) {
        let Some(door) = &mut self.doors.trigger else { return };
        let now = clock::now();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let callers = (0..CALLERS_MAX).map_while(|_| accept_with(door.socket.as_fd(), flags).ok());
        callers.for_each(parting::close);
        door.close_for(PAUSE_MS, now, &self.poller);
        self.monitors.rescan(now);
    }
}
