//! Networks of the next vassals: made in idle moments, and the way from them to ours.

use std::os::fd::OwnedFd;

use jail::Namespaces;
use jail::plan::errno_name;
use jail::run::{NetworkEnd, Pool};

use super::charter::Charter;
use super::court::Court;
use crate::trust::Trust;

impl Court {
    /// One that nobody has used, where vassals come to such.
    pub(super) fn ready_network(&mut self) -> Option<OwnedFd> {
        let wanted = self.charter.namespaces.has(Namespaces::NET);
        if wanted { self.pool.as_mut()?.take() } else { None }
    }

    /// A way to our network, for whom it is lent to by the charter that he is born with: one for each, or they would read each other's answers.
    pub(super) fn way_out(charter: &Charter, trust: Trust) -> Result<Option<NetworkEnd>, String> {
        let end = charter.lends_network(trust).then(NetworkEnd::open).transpose();
        end.map_err(|errno| format!("cannot lend a way to the network: {}", errno_name(errno.raw_os_error())))
    }

    /// True while there is useful work for an idle moment.
    pub fn can_stock_up(&self) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.len() < self.pool_wanted)
    }

    /// Makes one network namespace for later.
    pub fn stock_up(&mut self) {
        if self.can_stock_up() {
            self.refill();
        }
        self.burial_tries = self.burial_tries.saturating_add(1);
        let graves = std::mem::take(&mut self.busy_graves);
        graves.into_iter().for_each(|ticket| self.bury_leaf(ticket));
    }

    fn refill(&mut self) {
        if let Some(Err(errno)) = self.pool.as_mut().map(Pool::refill_one) {
            crate::log::warn("spawner", &format!("no network namespace can be made beforehand: {errno}"));
            self.pool = None;
        }
    }
}

/// Ready-made network namespaces are of use only where jails get one that they do not own themselves.
pub(super) fn pool_size(charter: &Charter) -> usize {
    let net = charter.namespaces.has(Namespaces::NET) && !charter.always_user();
    if net { charter.pool.into() } else { 0 }
}
