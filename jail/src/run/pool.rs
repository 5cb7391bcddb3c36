//! Network namespaces made beforehand: making one is half the price of a jail.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::plan::Namespaces;
use crate::sys;

/// Network namespaces that nobody has used, `lo` up. Each is given away once and never comes back.
#[derive(Debug)]
pub struct Pool {
    home: OwnedFd,
    ready: VecDeque<OwnedFd>,
}

impl Pool {
    /// An empty pool of a process that lives in the network namespace it is in now.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self { home: current()?, ready: VecDeque::new() })
    }

    /// Makes one more.
    ///
    /// Must: be called by the only thread, or by one that nobody else counts on: for a moment it is elsewhere.
    ///
    /// # Errors
    /// `EPERM` without CAP_SYS_ADMIN, `ENOSPC` at the limit of namespaces, `EMFILE`. Whatever happens, the caller
    /// is back in its own namespace; were that impossible, the process would end.
    pub fn refill_one(&mut self) -> Result<(), Errno> {
        sys::unshare(Namespaces::NET)?;
        let made = sys::loopback_up().and_then(|()| current());
        if move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Network)).is_err() {
            // Everything this process does from here on would happen in the wrong network.
            std::process::abort();
        }
        self.ready.push_back(made?);
        Ok(())
    }

    /// One that nobody has used.
    pub fn take(&mut self) -> Option<OwnedFd> {
        self.ready.pop_front()
    }

    /// How many are ready.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// True when none is ready.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }
}

fn current() -> Result<OwnedFd, Errno> {
    openat(CWD, c"/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}
