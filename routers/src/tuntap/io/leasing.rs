//! Addresses for whoever asks for some: the pools, and the file that outlives us.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::super::charter::Charter;
use super::super::lease::{Asker, escape};
use super::super::{Grant, Leases, Prefix, Router};
use super::ports::read_all;
use super::writer::Writer;

/// Longest file of leases in bytes.
pub(super) const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Least time between two writings: tenants come and go as often as they like.
const PAUSE: Duration = Duration::from_secs(1);

/// Pools, one of each version at most.
#[derive(Debug)]
pub(super) struct Leasing {
    pools: Vec<Leases>,
    file: Option<Writer>,
    labels_max: usize,
    has_changed: bool,
    /// When they were written last.
    last: Option<Instant>,
}

/// What a peer is called that has an address lent: nobody can choose the name of another user's.
pub(super) fn tenant(uid: u32, label: &str) -> String {
    format!("{uid}/{}", escape(label))
}

fn key(uid: u32, label: &str) -> String {
    format!("{uid}:{label}")
}

/// The pools of these networks: the first one of each version.
fn pools(charter: &Charter, reserved: &[IpAddr]) -> Vec<Leases> {
    let of_version = |is_v4: bool| charter.addresses.iter().find(|(address, _)| address.is_ipv4() == is_v4);
    let networks = [of_version(true), of_version(false)].into_iter().flatten();
    networks
        .filter_map(|(address, length)| Some(Leases::new(Prefix::new(*address, *length)?, reserved)))
        .collect()
}

impl Leasing {
    /// The pools of a charter; `kept` are the leases that a router before has left, if there is no file.
    ///
    /// # Errors
    /// One sentence: the file is none of ours, or cannot be read.
    pub(super) fn new(charter: &Charter, file: Option<OwnedFd>, kept: &str) -> Result<Self, String> {
        let grants = charter.peers.iter().filter_map(|text| Grant::parse(text).ok());
        let mut reserved: Vec<IpAddr> = grants.flat_map(|grant| grant.addresses).collect();
        reserved.extend(charter.addresses.iter().map(|(address, _)| *address));
        reserved.extend(&charter.nameservers);
        let text = match &file {
            Some(file) => read_text(file)?,
            None => kept.to_owned(),
        };
        let labels_max = charter.peers_of_user_max.saturating_mul(2);
        let (pools, file) = (pools(charter, &reserved), file.map(Writer::new));
        let mut leasing = Self { pools, file, labels_max, has_changed: false, last: None };
        leasing.read(&text)?;
        Ok(leasing)
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        for (number, line) in text.lines().enumerate() {
            let wrong = |cause: &str| format!("line {} of the leases: {cause}", number + 1);
            let address = line.split(' ').next().unwrap_or("");
            let address: IpAddr = address.parse().map_err(|_| {
                wrong(&format!("`{address}` is no address: write ADDRESS TENANT, or take the line away"))
            })?;
            let pool = self.pools.iter_mut().find(|pool| pool.is_of(address));
            pool.map_or(Ok(()), |pool| pool.read(line)).map_err(|cause| wrong(&cause.to_string()))?;
        }
        Ok(())
    }

    /// Lends again what was lent before, so that nobody else takes it while its tenant is away.
    pub(super) fn restore(&mut self, router: &mut Router, granted: &BTreeSet<u32>) {
        let known = self.pools.iter().flat_map(|pool| pool.named("").map(|(key, ..)| key.to_owned()));
        let known: BTreeSet<String> = known.collect();
        for key in known {
            let owner = key.split_once(':').and_then(|(uid, label)| Some((uid.parse().ok()?, label)));
            let lent = owner.is_some_and(|(uid, label)| {
                let addresses = self.addresses(&key);
                let grant = Grant { uid, addresses, name: tenant(uid, label) };
                !granted.contains(&uid) && router.lend(grant).is_ok()
            });
            if !lent {
                self.discard(&key);
            }
        }
    }

    fn addresses(&self, key: &str) -> Vec<IpAddr> {
        let of_pool =
            |pool: &Leases| pool.named(key).find(|(name, ..)| *name == key).map(|(_, address, _)| address);
        self.pools.iter().filter_map(of_pool).collect()
    }

    fn discard(&mut self, key: &str) {
        self.pools.iter_mut().for_each(|pool| pool.discard(key));
        self.has_changed = true;
    }

    /// Lends a tenant its addresses, the same as ever where that can be.
    ///
    /// # Errors
    /// One sentence with its cure.
    pub(super) fn hold(&mut self, router: &mut Router, uid: u32, label: &str) -> Result<String, String> {
        if self.pools.is_empty() {
            let cure =
                "write `tuntap-router-address = 10.0.0.1/24` in the Emperor's config, or ask for addresses";
            return Err(format!("this router has no network to give addresses of: {cure}"));
        }
        let (name, key) = (tenant(uid, label), key(uid, label));
        self.bound(router, uid, &key)?;
        let mut addresses = Vec::new();
        for pool in &mut self.pools {
            let (his, all) = router.peers().held(uid, pool.is_v4());
            let asker = Asker { uid, his, all };
            // Only while somebody uses it without having asked: whoever chose it for a moment takes it from nobody.
            match pool.hold(&key, asker, |address| is_taken(router, address, &name)) {
                Ok(address) => addresses.push(address),
                Err(full) => {
                    self.pools.iter_mut().for_each(|pool| pool.release(&key));
                    let cure = "give the router a larger network (`tuntap-router-address`)";
                    return Err(format!("{full}: {cure}"));
                }
            }
        }
        self.has_changed = true;
        if router.peers().lent(uid).any(|grant| grant.name == name && grant.addresses == addresses) {
            return Ok(name);
        }
        self.lend(router, Grant { uid, addresses, name })
    }

    fn lend(&mut self, router: &mut Router, grant: Grant) -> Result<String, String> {
        router.withdraw(grant.uid, &grant.name);
        for address in &grant.addresses {
            let owner = router.peers().owner(*address).map(|owner| (owner.uid, owner.name.clone()));
            // Its tenant was away for longest of all: it has it no more.
            owner.into_iter().for_each(|(uid, name)| router.withdraw(uid, &name));
        }
        let name = grant.name.clone();
        router.lend(grant).map_err(|twice| format!("{twice}: ask again"))?;
        Ok(name)
    }

    /// A user has so many labels at most; the first that is not there makes room.
    fn bound(&mut self, router: &mut Router, uid: u32, key: &str) -> Result<(), String> {
        let begin = format!("{uid}:");
        let labels = || self.pools.iter().flat_map(|pool| pool.named(&begin));
        let (count, is_known) = (self.pools[0].named(&begin).count(), labels().any(|(name, ..)| name == key));
        if is_known || count < self.labels_max {
            return Ok(());
        }
        let away = labels().find(|(.., is_held)| !is_held).map(|(name, ..)| name.to_owned());
        let away = away.ok_or_else(|| {
            format!("user {uid} has {count} names of peers already: raise tuntap-router-peers-of-user")
        })?;
        let label = away.strip_prefix(&begin).unwrap_or_default();
        router.withdraw(uid, &tenant(uid, label));
        self.discard(&away);
        Ok(())
    }

    /// The tenant is away; its addresses stay its own while there are others.
    pub(super) fn release(&mut self, uid: u32, label: &str) {
        self.pools.iter_mut().for_each(|pool| pool.release(&key(uid, label)));
        self.has_changed = true;
    }

    /// All leases.
    pub(super) fn text(&self) -> String {
        self.pools.iter().map(Leases::text).collect()
    }

    /// Has a peer of an earlier life go on with what it was lent then.
    ///
    /// # Errors
    /// One sentence: somebody else has it by now.
    pub(super) fn resume(
        &mut self,
        router: &mut Router,
        (uid, label): (u32, &str),
        addresses: &[IpAddr],
    ) -> Result<(), String> {
        let key = key(uid, label);
        for address in addresses {
            let mut of_version = self.pools.iter_mut().filter(|pool| pool.is_of(*address));
            if !of_version.all(|pool| pool.hold_at(&key, *address)) {
                return Err(format!("{address} is somebody else's by now"));
            }
        }
        self.has_changed = true;
        let (name, addresses) = (tenant(uid, label), addresses.to_vec());
        self.lend(router, Grant { uid, addresses, name }).map(drop)
    }

    /// When the file is to be written, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_due = self.has_changed && self.file.is_some();
        is_due.then(|| self.last.map_or_else(Instant::now, |last| last + PAUSE))
    }

    /// Has the file written if it is time; whether there was anything to keep elsewhere.
    ///
    /// # Errors
    /// Those of the last writing.
    pub(super) fn save(&mut self) -> Result<bool, Errno> {
        let Some(file) = &self.file else { return Ok(std::mem::take(&mut self.has_changed)) };
        let failure = file.failure();
        if self.due().is_some_and(|due| due <= Instant::now()) {
            (self.has_changed, self.last) = (false, Some(Instant::now()));
            file.write(self.text());
        }
        failure.map_or(Ok(false), Err)
    }
}

fn is_taken(router: &Router, address: IpAddr, name: &str) -> bool {
    let holder = router.peers().holder(address).and_then(|id| router.peers().get(id));
    let is_chosen = router.peers().owner(address).is_none();
    router.settings().hosts.contains(&address)
        || (is_chosen && holder.is_some_and(|peer| peer.name() != name))
}

fn read_text(file: &OwnedFd) -> Result<String, String> {
    let bytes =
        read_all(file, FILE_MAX).map_err(|errno| format!("cannot read the file of leases: {errno}"))?;
    String::from_utf8(bytes).map_err(|_| "the file of leases is no text: take it away".to_owned())
}

/// Writes bytes at a place of a file.
///
/// # Errors
/// Those of `pwrite(2)`.
pub(super) fn write_all(file: &OwnedFd, mut bytes: &[u8], mut at: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = rustix::io::pwrite(file, bytes, at)?;
        (bytes, at) = (&bytes[written..], at + written as u64);
    }
    Ok(())
}
