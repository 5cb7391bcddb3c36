//! Pure. Who holds which address, and how many each user holds.

use core::net::IpAddr;
use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};

use super::PeerId;

/// Addresses that are held.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by: HashMap<IpAddr, (PeerId, u32)>,
    /// How many of each version a user holds.
    of: BTreeMap<(u32, bool), usize>,
    of_v4: usize,
}

impl Holders {
    pub(super) fn get(&self, address: &IpAddr) -> Option<PeerId> {
        self.by.get(address).map(|(id, _)| *id)
    }

    pub(super) fn has(&self, address: &IpAddr) -> bool {
        self.by.contains_key(address)
    }

    /// A peer of this user holds it, whoever did before.
    pub(super) fn insert(&mut self, address: IpAddr, id: PeerId, uid: u32) {
        self.remove(&address);
        self.by.insert(address, (id, uid));
        *self.of.entry((uid, address.is_ipv4())).or_default() += 1;
        self.of_v4 += usize::from(address.is_ipv4());
    }

    /// Nobody holds it; who did.
    pub(super) fn remove(&mut self, address: &IpAddr) -> Option<PeerId> {
        let (id, uid) = self.by.remove(address)?;
        if let Entry::Occupied(mut count) = self.of.entry((uid, address.is_ipv4())) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.of_v4 -= usize::from(address.is_ipv4());
        Some(id)
    }

    /// How many of a version a user holds, and all together.
    pub(super) fn count(&self, uid: u32, is_v4: bool) -> (usize, usize) {
        let his = self.of.get(&(uid, is_v4)).copied().unwrap_or(0);
        (his, if is_v4 { self.of_v4 } else { self.by.len() - self.of_v4 })
    }
}
