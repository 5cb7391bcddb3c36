//! SIGINT, SIGTERM and SIGHUP as something to wait for.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// While it lives these signals end nobody, and none of the programs that we start: what takes long is done before.
#[derive(Debug)]
pub struct Interrupt {
    signals: SignalFd,
    before: SigSet,
}

impl Interrupt {
    /// From now on.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn listen() -> Result<Self> {
        let mask: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), Some(&mut before)).context("cannot block signals")?;
        let signals =
            SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC).context("cannot wait for signals")?;
        Ok(Self { signals, before })
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // One that is waiting ends us now, when everything else is cleared away.
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
