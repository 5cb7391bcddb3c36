//! Judges a config before its listener is bound, or read again.

use std::os::fd::BorrowedFd;

use super::court::Court;
use super::lend;
use super::listeners::Wanted;
use super::summons::Summons;
use super::wire::{Address, Reply, cut};
use crate::trust::{self, Examined, Reach};

impl Court {
    /// One on demand gets its listener first: the answer to its first start.
    pub(super) fn listen(
        &mut self,
        summons: &Summons<'_>,
        config: &Examined,
    ) -> Result<Option<Reply>, String> {
        let Summons { ticket, file, name, directory, listener, away, .. } = summons;
        if let Some(listener) = listener {
            return self.listeners.admit(ticket.id, *listener, config.owner).map(|()| None);
        }
        if summons.zerg.is_some() {
            return Ok(None);
        }
        let told = self.inquiries.told_of(*ticket, config.owner)?;
        let wanted = Wanted { directory: *directory, file, name, away: *away, told: told.as_deref() };
        self.listeners.bind(&self.charter, *ticket, wanted, config)
    }

    /// Reads again where a vassal listens. What is not near keeps what it has.
    pub(super) fn readdress(
        &mut self,
        (number, id): (u32, u32),
        (file, name): (&str, &str),
        directory: BorrowedFd<'_>,
    ) -> Address {
        let near = Reach::Near(&self.mounts);
        if !self.charter.names(file) || lend::require_in_sources(&self.charter, directory, near).is_err() {
            return Address::Same;
        }
        let Ok(config) = trust::examine(directory, file, &lend::policy(&self.charter), near) else {
            // Its next start binds anew.
            return self.listeners.without_config(id);
        };
        if self.charter.asks() {
            return Address::Same;
        }
        let wanted = Wanted { directory, file, name, away: false, told: None };
        let moved = self.listeners.rebind(&self.charter, (number, id), wanted, &config);
        moved.unwrap_or_else(|sentence| Address::Wrong(cut(&sentence)))
    }
}
