//! Pure. Who is connected, and who holds which address: the first one who may, until it leaves.

mod holders;
mod owners;

use core::net::IpAddr;
use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};

use super::accounts::{AccountId, Accounts};
use super::grant::Grant;
use super::packet::{is_martian, is_multicast};
use super::policy::{Admission, Policy, Settings};
use super::reason::Reason;
use super::record::Record;
use super::share;
use holders::Holders;

/// A connection; no two ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    slot: usize,
    birth: u64,
}

impl PeerId {
    /// Its place among all that are there; whoever comes later may get it again.
    pub fn place(self) -> usize {
        self.slot
    }
}

/// Why nobody gets a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many as may be are there.
    #[error("all {0} places for peers are taken")]
    Crowded(usize),
    /// The user has as many as one may have.
    #[error("user {0} has {1} peers already")]
    Greedy(u32, usize),
    /// The user has no address.
    #[error("no tuntap-router-peer has uid={0}")]
    NotGranted(u32),
}

/// An address that two tenants would have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} belongs to `{owner}` already")]
pub struct GivenTwice {
    /// The address.
    pub address: IpAddr,
    /// Who has it.
    pub owner: String,
}

/// Who is behind a connection.
#[derive(Debug)]
pub struct Peer {
    uid: u32,
    /// Which grant its addresses are of.
    grant: Option<usize>,
    addresses: Vec<IpAddr>,
    /// What rules call it; nothing before its first packet says who it is.
    name: String,
    pub(super) account: AccountId,
    /// Its own rules.
    pub(super) records: Vec<Record>,
    pub(super) numbers: Numbers,
}

/// A peer's number in each chain; none where no rule names it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    pub(super) incoming: Option<u32>,
    pub(super) outgoing: Option<u32>,
    pub(super) routes: Option<u32>,
}

/// What a source is to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It holds it.
    Held,
    /// It may take it, by this grant or as whoever comes first.
    Free(Option<usize>),
}

/// All peers, and what belongs to whom.
#[derive(Debug)]
pub struct Peers {
    slots: Vec<Option<(u64, Peer)>>,
    free: Vec<usize>,
    births: u64,
    holders: Holders,
    grants: Vec<Grant>,
    /// Places of grants that were withdrawn.
    withdrawn: Vec<usize>,
    /// Which grant an address is of.
    owners: HashMap<IpAddr, usize>,
    /// Which grants an administrator gave to a user.
    granted: BTreeMap<u32, Vec<usize>>,
    /// Which ones a user was lent: he may choose others beside.
    lent: BTreeMap<u32, Vec<usize>>,
    /// Peers of each user, in the order in which they came.
    users: BTreeMap<u32, Vec<PeerId>>,
    pub(super) accounts: Accounts,
}

impl Peers {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            births: 0,
            holders: Holders::default(),
            grants: Vec::new(),
            withdrawn: Vec::new(),
            owners: HashMap::new(),
            granted: BTreeMap::new(),
            lent: BTreeMap::new(),
            users: BTreeMap::new(),
            accounts: Accounts::new(),
        }
    }

    /// The peer takes these addresses, all of them or as many as go before the first that does not.
    ///
    /// # Errors
    /// The first one that it may not have.
    pub(super) fn take_all(
        &mut self,
        id: PeerId,
        addresses: &[IpAddr],
        settings: &Settings,
    ) -> Result<(), (IpAddr, Reason)> {
        for address in addresses {
            match self.standing(id, *address, settings).map_err(|reason| (*address, reason))? {
                Standing::Held => {}
                Standing::Free(grant) => self.claim(id, *address, grant),
            }
        }
        Ok(())
    }

    /// Nobody holds what is the host's.
    pub(super) fn clear(&mut self, hosts: &[IpAddr]) {
        hosts.iter().for_each(|address| self.take_away(*address));
    }

    fn take_away(&mut self, address: IpAddr) {
        let holder = self.holders.remove(&address).and_then(|id| self.get_mut(id));
        holder.into_iter().for_each(|peer| peer.addresses.retain(|held| *held != address));
    }

    pub(super) fn connect(&mut self, uid: u32, settings: &Settings) -> Result<PeerId, Refused> {
        self.admit(uid, settings)?;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.births += 1;
        let id = PeerId { slot, birth: self.births };
        self.slots[slot] = Some((id.birth, Peer::new(uid)));
        self.users.entry(uid).or_default().push(id);
        if let Some(&[only]) = self.granted.get(&uid).map(Vec::as_slice) {
            self.adopt(id, only);
        }
        Ok(id)
    }

    fn admit(&self, uid: u32, settings: &Settings) -> Result<(), Refused> {
        let same = self.users.get(&uid).map_or(0, Vec::len);
        if self.slots.len() - self.free.len() >= settings.peers_max {
            return Err(Refused::Crowded(settings.peers_max));
        }
        if same >= settings.peers_of_user_max {
            return Err(Refused::Greedy(uid, same));
        }
        match settings.admission {
            Admission::Granted if !self.granted.contains_key(&uid) && !self.lent.contains_key(&uid) => {
                Err(Refused::NotGranted(uid))
            }
            Admission::Granted | Admission::Open => Ok(()),
        }
    }

    /// The peer has left; who waits for one of its addresses gets it.
    pub(super) fn disconnect(&mut self, id: PeerId) {
        let Some(peer) = self.remove(id) else { return };
        for address in &peer.addresses {
            self.holders.remove(address);
        }
        let Some(grant) = peer.grant else { return };
        let waiting = self.users.get(&peer.uid).into_iter().flatten().copied();
        let waiting: Vec<PeerId> = waiting.filter(|id| self.is_waiting(*id, grant)).collect();
        waiting.into_iter().for_each(|id| self.adopt(id, grant));
    }

    fn remove(&mut self, id: PeerId) -> Option<Peer> {
        let (_, peer) = self.slots.get_mut(id.slot)?.take_if(|(birth, _)| *birth == id.birth)?;
        self.free.push(id.slot);
        if let Entry::Occupied(mut same) = self.users.entry(peer.uid) {
            same.get_mut().retain(|other| *other != id);
            if same.get().is_empty() {
                same.remove();
            }
        }
        Some(peer)
    }

    fn is_waiting(&self, id: PeerId, grant: usize) -> bool {
        self.get(id).is_some_and(|peer| peer.grant == Some(grant))
    }

    /// The peer is the tenant of this grant, and gets what can only be meant for it.
    fn adopt(&mut self, id: PeerId, grant: usize) {
        self.call(id, self.grants[grant].name.clone());
        self.get_mut(id).into_iter().for_each(|peer| peer.grant = Some(grant));
        if !self.grants[grant].is_plain() {
            return;
        }
        for address in self.grants[grant].addresses.clone() {
            if !self.holders.has(&address) {
                self.take(id, address);
            }
        }
    }

    /// The peer is the tenant of this name.
    fn call(&mut self, id: PeerId, name: String) {
        let account = self.accounts.open(&name);
        self.get_mut(id).into_iter().for_each(|peer| (peer.name, peer.account) = (name.clone(), account));
    }

    fn take(&mut self, id: PeerId, address: IpAddr) {
        let Some(peer) = self.get_mut(id) else { return };
        peer.addresses.push(address);
        let uid = peer.uid;
        self.holders.insert(address, id, uid);
    }

    /// What a source is to a peer.
    ///
    /// # Errors
    /// It must not send from there.
    pub(super) fn standing(
        &self,
        id: PeerId,
        source: IpAddr,
        settings: &Settings,
    ) -> Result<Standing, Reason> {
        let peer = self.get(id).ok_or(Reason::NoPeer)?;
        if peer.addresses.contains(&source) {
            return Ok(Standing::Held);
        }
        if self.holders.has(&source) {
            return Err(Reason::Spoofed);
        }
        match self.owners.get(&source) {
            Some(owner)
                if self.grants[*owner].uid == peer.uid && peer.grant.is_none_or(|grant| grant == *owner) =>
            {
                Ok(Standing::Free(Some(*owner)))
            }
            Some(_) => Err(Reason::Spoofed),
            None if self.may_choose(peer, source) && is_to_be_had(source, settings) => {
                let has_share = self.may_have_one_more(peer.uid, source, settings);
                if has_share { Ok(Standing::Free(None)) } else { Err(Reason::NotGranted) }
            }
            None if peer.addresses.is_empty() => Err(Reason::NotGranted),
            None => Err(Reason::Spoofed),
        }
    }

    /// Whoever was given nothing may take one address of each version.
    fn may_choose(&self, peer: &Peer, source: IpAddr) -> bool {
        let has_one = peer.addresses.iter().any(|address| address.is_ipv4() == source.is_ipv4());
        !has_one && !self.granted.contains_key(&peer.uid)
    }

    /// Of the network of an address.
    fn may_have_one_more(&self, uid: u32, address: IpAddr, settings: &Settings) -> bool {
        let network = settings.networks.iter().find(|network| network.contains(address));
        let (his, all) = self.held(uid, address.is_ipv4());
        network.is_none_or(|network| share::may_have_one_more(uid, his, network.size().saturating_sub(all)))
    }

    /// How many addresses of a version a user holds, and all users.
    pub fn held(&self, uid: u32, is_v4: bool) -> (usize, usize) {
        self.holders.count(uid, is_v4)
    }

    /// Name of the tenant that a peer is once it has taken a source.
    pub(super) fn name_with(&self, id: PeerId, source: IpAddr, grant: Option<usize>) -> String {
        let first = self.get(id).and_then(|peer| peer.addresses.first());
        grant.map_or_else(|| first.unwrap_or(&source).to_string(), |grant| self.grants[grant].name.clone())
    }

    /// The peer takes a source that `standing` has found free.
    pub(super) fn claim(&mut self, id: PeerId, source: IpAddr, grant: Option<usize>) {
        match grant {
            Some(grant) => self.adopt(id, grant),
            None => self.call(id, self.name_with(id, source, None)),
        }
        if !self.holders.has(&source) {
            self.take(id, source);
        }
    }

    /// Who holds an address.
    pub fn holder(&self, address: IpAddr) -> Option<PeerId> {
        self.holders.get(&address)
    }

    /// Whether a user has a peer that is there.
    pub fn is_there(&self, uid: u32) -> bool {
        self.users.contains_key(&uid)
    }

    /// The peer behind a connection that is still there.
    pub fn get(&self, id: PeerId) -> Option<&Peer> {
        let (birth, peer) = self.slots.get(id.slot)?.as_ref()?;
        (*birth == id.birth).then_some(peer)
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        let (birth, peer) = self.slots.get_mut(id.slot)?.as_mut()?;
        (*birth == id.birth).then_some(peer)
    }

    /// All peers, by their places.
    pub fn all(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        let held = self.slots.iter().enumerate().filter_map(|(slot, held)| Some((slot, held.as_ref()?)));
        held.map(|(slot, (birth, peer))| (PeerId { slot, birth: *birth }, peer))
    }
}

/// An address that whoever comes first may have.
///
/// Where peers reach each other here, one that could take any address would take that of a server of everybody's.
fn is_to_be_had(address: IpAddr, settings: &Settings) -> bool {
    let on_the_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let anywhere = settings.networks.is_empty() && settings.policy == Policy::Allow;
    let within = anywhere || settings.networks.iter().any(|network| network.contains(address));
    let strange = is_martian(address) || is_multicast(address) || on_the_link;
    settings.admission == Admission::Open && within && !strange && !settings.hosts.contains(&address)
}

impl Peer {
    fn new(uid: u32) -> Self {
        Self {
            uid,
            grant: None,
            addresses: Vec::new(),
            name: String::new(),
            account: AccountId::NOBODY,
            records: Vec::new(),
            numbers: Numbers::default(),
        }
    }

    /// The user that it runs as.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// What rules and accounts call it; empty before it has an address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}
