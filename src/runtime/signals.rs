//! What the Emperor is told by signals.

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::Runtime;
use crate::emperor::event::Event;
use crate::log;
use crate::reactor::clock;

impl Runtime {
    /// Hears those that have come.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn hear_signals(&mut self) -> Result<()> {
        while let Some(one) = self.signals.read_signal().context("cannot read signals")? {
            match Signal::try_from(one.ssi_signo.cast_signed()) {
                Ok(Signal::SIGCHLD) => self.unreaped = true,
                Ok(Signal::SIGHUP) => self.reload_all(),
                Ok(Signal::SIGURG) => self.tell(Event::ClearBlacklist),
                Ok(Signal::SIGUSR1) => self.log_status(),
                Ok(Signal::SIGUSR2) => self.reopen_log("SIGUSR2"),
                Ok(Signal::SIGWINCH) => self.monitors.rescan(clock::now()),
                Ok(signal) => {
                    log::info("emperor", &format!("[emperor] *** RAGNAROK EVOKED *** ({signal})"));
                    self.tell(Event::StopAll);
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The log under its name, once somebody has moved it away.
    pub(super) fn reopen_log(&mut self, why: &str) {
        let reopened = self.logs.reopen(&self.lender);
        self.reopen_outputs();
        match reopened {
            Ok(true) => log::info("emperor", &format!("the log was opened anew ({why})")),
            Ok(false) => {
                log::info("emperor", &format!("{why} means nothing here: the log is no file of ours"))
            }
            Err(error) => log::warn("emperor", &format!("the log is not opened anew: {error:#}")),
        }
    }
}
