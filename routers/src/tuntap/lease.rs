//! Pure. Addresses from a pool: each tenant gets one and keeps it, also when it was away for long.
//!
//! They are kept as lines `ADDRESS TENANT`, the one that came or left longest ago first, with `%XX` for what a line cannot have.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Write as _;

use super::prefix::{Prefix, address, key};
use super::share::may_have_one_more;
use super::words::Wrong;

/// Most leases of one pool.
pub const LEASES_MAX: usize = 65_536;

/// Why somebody gets no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoneLeft {
    /// All are held.
    #[error("all addresses of {0} are in use")]
    ForAnybody(Prefix),
    /// Those that are left are for others.
    #[error("user {1} has {2} addresses of {0}: those that are left are for others")]
    ForHim(Prefix, u32, usize),
}

/// Who asks for an address, and what is held of the pool's version already, whether it was asked for here or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user; what a tenant is called begins with it.
    pub uid: u32,
    /// How many he holds.
    pub his: usize,
    /// How many anybody holds.
    pub all: usize,
}

/// A pool and who has what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leases {
    pool: Prefix,
    reserved: BTreeSet<u128>,
    tenants: BTreeMap<String, Lease>,
    taken: BTreeSet<u128>,
    /// Tenants by when they came last, or left.
    order: BTreeMap<u64, String>,
    /// How many leases a user has.
    of: BTreeMap<String, usize>,
    held: usize,
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
        let lowest = key(pool.network());
        Self {
            pool,
            reserved,
            tenants,
            taken,
            order,
            of: BTreeMap::new(),
            held: 0,
            changes: 0,
            lowest,
            passed,
        }
    }

    /// The tenant's address, from now on held: the one it had, or a free one, or one whose tenant is away; none that
    /// is taken just now by somebody who has not asked for it here. A user has no more than he leaves to others, unless he is root.
    ///
    /// # Errors
    /// All are held, or all that he may have.
    pub fn hold(
        &mut self,
        tenant: &str,
        asker: Asker,
        is_taken: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, NoneLeft> {
        let is_v4 = self.pool.network().is_ipv4();
        let is_taken = |key: u128| is_taken(address(key, is_v4));
        let key = match self.tenants.get(tenant).map(|lease| lease.key) {
            Some(key) if !is_taken(key) => self.forget(tenant).map(|lease| lease.key),
            Some(_) | None => {
                self.discard(tenant);
                Some(self.another(asker, is_taken)?)
            }
        };
        let key = key.ok_or(NoneLeft::ForAnybody(self.pool))?;
        self.keep(tenant, key, true);
        Ok(address(key, is_v4))
    }

    /// One that the user has not had: of those that nobody has as long as he has his share of them, else of his own, else of whoever
    /// has most that are away.
    fn another(&mut self, asker: Asker, is_taken: impl Fn(u128) -> bool) -> Result<u128, NoneLeft> {
        let user = asker.uid.to_string();
        let his = self.of.get(&user).copied().unwrap_or(0).max(asker.his);
        let free = self.size().saturating_sub(self.taken.len().max(asker.all));
        if may_have_one_more(asker.uid, his, free)
            && let Some(key) = self.free(&is_taken)
        {
            return Ok(key);
        }
        let away = self.tenants.len() - self.held;
        let may_take = may_have_one_more(asker.uid, his, away);
        let found = self.reclaim(|tenant| user_of(tenant) == user, &is_taken);
        let found = found.or_else(|| may_take.then(|| self.reclaim_of_the_greediest(&is_taken)).flatten());
        found.ok_or(match his {
            0 => NoneLeft::ForAnybody(self.pool),
            _ => NoneLeft::ForHim(self.pool, asker.uid, his),
        })
    }

    /// How many addresses there are for tenants.
    fn size(&self) -> usize {
        let reserved = self
            .reserved
            .iter()
            .filter(|key| self.pool.contains(address(**key, self.pool.network().is_ipv4())));
        self.pool.size().saturating_sub(reserved.count()).min(LEASES_MAX)
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
        self.is_v4() == address.is_ipv4()
    }

    /// Whether its addresses are of version 4.
    pub fn is_v4(&self) -> bool {
        self.pool.network().is_ipv4()
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
        *self.of.entry(user_of(tenant).to_owned()).or_default() += 1;
        self.held += usize::from(is_held);
        self.order.insert(self.changes, tenant.to_owned());
        self.taken.insert(key);
    }

    fn forget(&mut self, tenant: &str) -> Option<Lease> {
        let lease = self.tenants.remove(tenant)?;
        self.order.remove(&lease.at);
        self.taken.remove(&lease.key);
        if let Entry::Occupied(mut count) = self.of.entry(user_of(tenant).to_owned()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.held -= usize::from(lease.is_held);
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

    /// The address of the one of these who is longest away.
    fn reclaim(&mut self, is_one: impl Fn(&str) -> bool, is_taken: impl Fn(u128) -> bool) -> Option<u128> {
        let is_away = |tenant: &&String| {
            let lease = self.tenants[*tenant];
            !lease.is_held && is_one(tenant) && !is_taken(lease.key)
        };
        let away = self.order.values().find(is_away)?.clone();
        self.forget(&away).map(|lease| lease.key)
    }

    /// Of the user who has most leases, and one of them that is away: whoever has one alone keeps it while there are such.
    fn reclaim_of_the_greediest(&mut self, is_taken: impl Fn(u128) -> bool) -> Option<u128> {
        let away = self.order.values().filter(|tenant| {
            let lease = self.tenants[*tenant];
            !lease.is_held && !is_taken(lease.key)
        });
        // Of several who have as many the one who is longest away.
        let away = away.rev().max_by_key(|tenant| self.of[user_of(tenant)])?.clone();
        self.forget(&away).map(|lease| lease.key)
    }
}

/// What stands before the colon: whose a tenant is.
fn user_of(tenant: &str) -> &str {
    tenant.split_once(':').map_or(tenant, |(user, _)| user)
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
