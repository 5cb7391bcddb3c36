//! Pure. Addresses from a pool: each tenant gets one and keeps it, also when it was away for long.
//!
//! They are kept as lines `ADDRESS TENANT`, the one that came or left longest ago first, with `%XX` for what a line cannot have.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::prefix::{Prefix, address, key};
use super::words::Wrong;

/// Most leases of one pool.
pub const LEASES_MAX: usize = 65_536;

/// Nobody can get an address any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all addresses of {0} are in use")]
pub struct Exhausted(pub Prefix);

/// A pool and who has what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leases {
    pool: Prefix,
    reserved: BTreeSet<u128>,
    tenants: BTreeMap<String, Lease>,
    taken: BTreeSet<u128>,
    /// Tenants by when they came last, or left.
    order: BTreeMap<u64, String>,
    changes: u64,
    /// All below are taken, reserved or passed: an address that somebody has had is never free again.
    lowest: u128,
    /// Addresses that were taken by somebody else when they were looked at: they are looked at again, and are no more than there
    /// were such at once.
    passed: BTreeSet<u128>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lease {
    key: u128,
    at: u64,
    is_held: bool,
}

impl Leases {
    /// A pool whose network, broadcast and reserved addresses nobody gets.
    pub fn new(pool: Prefix, reserved: &[IpAddr]) -> Self {
        let edges = [pool.network(), pool.last()];
        let reserved = edges.iter().chain(reserved).map(|address| key(*address)).collect();
        let (tenants, taken, passed, order) =
            (BTreeMap::new(), BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { pool, reserved, tenants, taken, order, changes: 0, lowest: key(pool.network()), passed }
    }

    /// The tenant's address, from now on held: the one it had, or a free one, or the one whose tenant is longest away; none that
    /// is taken just now by somebody who has not asked for it here.
    ///
    /// # Errors
    /// All are held.
    pub fn hold(&mut self, tenant: &str, is_taken: impl Fn(IpAddr) -> bool) -> Result<IpAddr, Exhausted> {
        let is_v4 = self.pool.network().is_ipv4();
        let is_taken = |key: u128| is_taken(address(key, is_v4));
        let key = match self.tenants.get(tenant).map(|lease| lease.key) {
            Some(key) if !is_taken(key) => self.forget(tenant).map(|lease| lease.key),
            Some(_) | None => {
                self.discard(tenant);
                self.free(is_taken).or_else(|| self.reclaim(is_taken))
            }
        };
        let key = key.ok_or(Exhausted(self.pool))?;
        self.keep(tenant, key, true);
        Ok(address(key, is_v4))
    }

    /// The tenant goes on holding this address, as it did in an earlier life; whether it can.
    pub fn hold_at(&mut self, tenant: &str, address: IpAddr) -> bool {
        let wanted = key(address);
        let is_own = self.tenants.get(tenant).is_some_and(|lease| lease.key == wanted);
        let is_free = !self.taken.contains(&wanted) && !self.reserved.contains(&wanted);
        if !self.is_of(address) || !self.pool.contains(address) || !(is_own || is_free) {
            return false;
        }
        self.discard(tenant);
        self.keep(tenant, wanted, true);
        true
    }

    /// The tenant has gone; its address stays its own while there are others.
    pub fn release(&mut self, tenant: &str) {
        if let Some(lease) = self.tenants.get(tenant).copied().filter(|lease| lease.is_held) {
            self.forget(tenant);
            self.keep(tenant, lease.key, false);
        }
    }

    /// Whether an address is of the version of this pool.
    pub fn is_of(&self, address: IpAddr) -> bool {
        self.pool.network().is_ipv4() == address.is_ipv4()
    }

    /// The tenant has no address any more, and somebody else may get it.
    pub fn discard(&mut self, tenant: &str) {
        if let Some(lease) = self.forget(tenant) {
            self.lowest = self.lowest.min(lease.key);
        }
    }

    /// Tenants whose names begin so, each with its address and whether it is there.
    pub fn named<'a>(&'a self, begin: &'a str) -> impl Iterator<Item = (&'a str, IpAddr, bool)> {
        let tenants =
            self.tenants.range(begin.to_owned()..).take_while(move |(name, _)| name.starts_with(begin));
        let is_v4 = self.pool.network().is_ipv4();
        tenants.map(move |(name, lease)| (name.as_str(), address(lease.key, is_v4), lease.is_held))
    }

    /// All leases as text, which `read` takes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for tenant in self.order.values() {
            let address = address(self.tenants[tenant].key, self.pool.network().is_ipv4());
            writeln!(text, "{address} {}", escape(tenant)).expect("text can always grow");
        }
        text
    }

    /// Takes leases of an earlier life; nobody holds any. Those that the pool has no more are left out.
    ///
    /// # Errors
    /// The first line that is none, with its place in the text: a file that somebody has changed is not guessed at.
    pub fn read(&mut self, text: &str) -> Result<(), Wrong> {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            self.read_line(line.trim_end_matches('\n')).map_err(|cause| wrong(line, start, cause))?;
            start += line.len();
        }
        Ok(())
    }

    fn read_line(&mut self, line: &str) -> Result<(), &'static str> {
        let (address, tenant) = line.split_once(' ').ok_or("no address and tenant")?;
        let address: IpAddr = address.parse().map_err(|_| "no address")?;
        let tenant = unescape(tenant).ok_or("no tenant")?;
        let key = key(address);
        if self.tenants.contains_key(&tenant) || self.taken.contains(&key) {
            return Err("an address or a tenant that stands there twice");
        }
        if self.pool.contains(address) && !self.reserved.contains(&key) && self.taken.len() < LEASES_MAX {
            self.keep(&tenant, key, false);
        }
        Ok(())
    }

    fn keep(&mut self, tenant: &str, key: u128, is_held: bool) {
        self.changes += 1;
        self.tenants.insert(tenant.to_owned(), Lease { key, at: self.changes, is_held });
        self.order.insert(self.changes, tenant.to_owned());
        self.taken.insert(key);
    }

    fn forget(&mut self, tenant: &str) -> Option<Lease> {
        let lease = self.tenants.remove(tenant)?;
        self.order.remove(&lease.at);
        self.taken.remove(&lease.key);
        Some(lease)
    }

    /// The lowest address that nobody has; each step passes one that somebody has.
    fn free(&mut self, is_taken: impl Fn(u128) -> bool) -> Option<u128> {
        if self.taken.len() >= LEASES_MAX {
            return None;
        }
        let left = |key: &&u128| !self.taken.contains(key) && !is_taken(**key);
        if let Some(key) = self.passed.iter().find(left).copied() {
            self.passed.remove(&key);
            return Some(key);
        }
        for key in self.lowest..=key(self.pool.last()) {
            if [&self.taken, &self.reserved, &self.passed].into_iter().any(|some| some.contains(&key)) {
                continue;
            }
            self.lowest = key;
            if !is_taken(key) {
                return Some(key);
            }
            self.passed.insert(key);
        }
        None
    }

    fn reclaim(&mut self, is_taken: impl Fn(u128) -> bool) -> Option<u128> {
        let is_away = |tenant: &&String| {
            let lease = self.tenants[*tenant];
            !lease.is_held && !is_taken(lease.key)
        };
        let away = self.order.values().find(is_away)?.clone();
        self.forget(&away).map(|lease| lease.key)
    }
}

fn wrong(line: &str, start: usize, cause: &str) -> Wrong {
    let span = start..start + line.trim_end().len();
    Wrong { span, cause: cause.into(), cure: "write ADDRESS TENANT, or take the line away".into() }
}

pub(super) fn escape(tenant: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    tenant.bytes().map(one).collect()
}

fn unescape(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                bytes.push(hex(*high)? * 16 + hex(*low)?);
                behind
            }
            (b'%', _) => return None,
            (byte, behind) if byte.is_ascii_graphic() => {
                bytes.push(*byte);
                behind
            }
            (_, _) => return None,
        };
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
