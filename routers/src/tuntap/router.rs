//! Pure. The one door of the router: a packet comes from somewhere, a verdict says where it goes.
//!
//! No clock, no descriptor, and no memory that is asked for because a packet has come.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;

use super::accounts::{AccountId, Accounts};
use super::chain::{Chain, TooManyRules};
use super::frame::Breach;
use super::grant::Grant;
use super::packet::Packet;
use super::peers::{GivenTwice, Numbers, Peer, PeerId, Peers, Refused, Standing};
use super::policy::{Policy, Settings};
use super::reason::Reason;
use super::record::{self, Record};
use super::rule::{Action, Direction};
use super::tally::Account;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the host's kernel.
    Tun,
    /// To a peer.
    Peer(PeerId),
    /// To another router, whole, as one datagram.
    Gateway(SocketAddr),
    /// Nowhere.
    Drop(Reason),
}

/// All chains of a router; they change together.
#[derive(Debug)]
pub struct Chains {
    /// For what goes to peers: `tuntap-router-firewall-in`.
    pub incoming: Chain,
    /// For what comes from peers: `tuntap-router-firewall-out`.
    pub outgoing: Chain,
    /// `tuntap-router-route`; none without a socket to other routers.
    pub routes: Option<Chain>,
}

/// A switch between peers, the host and other routers.
#[derive(Debug)]
pub struct Router {
    settings: Settings,
    chains: Chains,
    /// Routers that an administrator has named.
    gateways: BTreeSet<SocketAddr>,
    peers: Peers,
}

impl Router {
    /// A router without peers.
    pub fn new(settings: Settings, chains: Chains) -> Self {
        let gateways = gateways(&chains);
        Self { settings, chains, gateways, peers: Peers::new() }
    }

    /// Gives addresses to a tenant; whoever came first with one of them holds it no more.
    ///
    /// # Errors
    /// One of them is another tenant's or the host's.
    pub fn give(&mut self, grant: Grant) -> Result<(), GivenTwice> {
        self.peers.give(grant, &self.settings)
    }

    /// Lends addresses to a tenant, for now.
    ///
    /// # Errors
    /// One of them is another tenant's or the host's.
    pub fn lend(&mut self, grant: Grant) -> Result<(), GivenTwice> {
        self.peers.lend(grant, &self.settings)
    }

    /// Takes back what was lent to a tenant.
    pub fn withdraw(&mut self, uid: u32, name: &str) {
        self.peers.withdraw(uid, name);
    }

    /// The peer is this tenant of its user and gets the tenant's addresses; whether all of them.
    pub fn settle(&mut self, id: PeerId, name: &str) -> bool {
        let all = self.peers.settle(id, name);
        self.number(id);
        all
    }

    /// The peer takes addresses before it sends from them.
    ///
    /// # Errors
    /// The first one that it may not have; it may have got those before.
    pub fn take(&mut self, id: PeerId, addresses: &[IpAddr]) -> Result<(), (IpAddr, Reason)> {
        let taken = self.peers.take_all(id, addresses, &self.settings);
        self.number(id);
        taken
    }

    /// Other addresses are the host's from now on.
    ///
    /// # Errors
    /// So many that the standard policy has no room for its rules: all stays as it is.
    pub fn set_hosts(&mut self, hosts: Vec<IpAddr>) -> Result<(), TooManyRules> {
        let settings = Settings { hosts, ..self.settings.clone() };
        let written = self.chains.outgoing.written().to_vec();
        let outgoing = settings.chain(Direction::Out, written)?.succeed(&self.chains.outgoing);
        (self.settings, self.chains.outgoing) = (settings, outgoing);
        self.peers.clear(&self.settings.hosts);
        let peers: Vec<PeerId> = self.peers.all().map(|(id, _)| id).collect();
        peers.into_iter().for_each(|id| self.number(id));
        Ok(())
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Goes on with what an earlier life has counted.
    pub fn restore(&mut self, tenant: &str, account: Account) {
        self.peers.accounts.restore(tenant, account);
    }

    /// A peer of this user has come; the kernel says who it is (`SO_PEERCRED`).
    ///
    /// # Errors
    /// It gets no connection.
    pub fn connect(&mut self, uid: u32) -> Result<PeerId, Refused> {
        let id = self.peers.connect(uid, &self.settings)?;
        self.number(id);
        Ok(id)
    }

    /// A peer has gone: its addresses are free, its account stays.
    pub fn disconnect(&mut self, id: PeerId) {
        self.peers.disconnect(id);
    }

    /// Takes the rules that a peer has made for itself, in the place of those before.
    ///
    /// # Errors
    /// Too many: the peer has to go.
    pub fn upload(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Breach> {
        let records = Record::parse_all(payload)?;
        self.peers.get_mut(id).into_iter().for_each(|peer| peer.records.clone_from(&records));
        Ok(())
    }

    /// Puts other rules in force, at once and together; rules that stay go on counting.
    pub fn replace(&mut self, chains: Chains) {
        self.gateways = gateways(&chains);
        let routes = match (chains.routes, &self.chains.routes) {
            (Some(new), Some(old)) => Some(new.succeed(old)),
            (new, _) => new,
        };
        let incoming = chains.incoming.succeed(&self.chains.incoming);
        let outgoing = chains.outgoing.succeed(&self.chains.outgoing);
        self.chains = Chains { incoming, outgoing, routes };
        let peers: Vec<PeerId> = self.peers.all().map(|(id, _)| id).collect();
        peers.into_iter().for_each(|id| self.number(id));
    }

    /// A packet that the host has sent into the device.
    pub fn from_tun(&mut self, bytes: &[u8]) -> Verdict {
        let through_host = self.settings.policy == Policy::Allow;
        self.judge_arrived(bytes, through_host)
    }

    /// A packet that another router has sent.
    pub fn from_gateway(&mut self, bytes: &[u8], sender: SocketAddr) -> Verdict {
        if self.gateways.contains(&sender) {
            return self.judge_arrived(bytes, false);
        }
        self.peers.accounts.of(AccountId::NOBODY).received.drop(Reason::Stranger);
        Verdict::Drop(Reason::Stranger)
    }

    /// A packet that a peer has sent.
    pub fn from_peer(&mut self, id: PeerId, bytes: &[u8]) -> Verdict {
        let verdict = self.judge_sent(id, bytes);
        let sent = &mut self.peers.accounts.of(self.account(id)).sent;
        match verdict {
            Ok(_) => sent.passed.count(bytes.len()),
            Err(reason) => sent.drop(reason),
        }
        if let Ok(Verdict::Peer(other)) = verdict {
            self.peers.accounts.of(self.account(other)).received.passed.count(bytes.len());
        }
        verdict.unwrap_or_else(Verdict::Drop)
    }

    /// A packet of a peer, or of the host or another router where there is none, went nowhere before it was judged.
    pub fn refuse(&mut self, sender: Option<PeerId>, reason: Reason) {
        match sender {
            Some(id) => self.peers.accounts.of(self.account(id)).sent.drop(reason),
            None => self.peers.accounts.of(AccountId::NOBODY).received.drop(reason),
        }
    }

    /// The peer is told by us why a packet of its own went nowhere.
    pub fn answered(&mut self, id: PeerId, bytes: usize) {
        self.peers.accounts.of(self.account(id)).received.passed.count(bytes);
    }

    /// A packet whose verdict was this peer did not go there.
    pub fn undelivered(&mut self, id: PeerId, bytes: usize, reason: Reason) {
        let Some(account) = self.peers.get(id).map(|peer| peer.account) else { return };
        self.peers.accounts.of(account).received.revoke(bytes, reason);
    }

    /// Who is there.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// What all tenants have sent and received.
    pub fn accounts(&self) -> &Accounts {
        &self.peers.accounts
    }

    /// The rules, and what they have met.
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    fn account(&self, id: PeerId) -> AccountId {
        self.peers.get(id).map_or(AccountId::NOBODY, |peer| peer.account)
    }

    fn judge_arrived(&mut self, bytes: &[u8], may_be_of_a_peer: bool) -> Verdict {
        let (receiver, judged) = match self.find_receiver(bytes, may_be_of_a_peer) {
            Ok((id, packet)) => (self.account(id), self.receive(id, &packet, bytes.len()).map(|()| id)),
            Err(reason) => (AccountId::NOBODY, Err(reason)),
        };
        let received = &mut self.peers.accounts.of(receiver).received;
        match judged {
            Ok(id) => {
                received.passed.count(bytes.len());
                Verdict::Peer(id)
            }
            Err(reason) => {
                received.drop(reason);
                Verdict::Drop(reason)
            }
        }
    }

    fn find_receiver(&self, bytes: &[u8], may_be_of_a_peer: bool) -> Result<(PeerId, Packet), Reason> {
        let packet = Packet::parse(bytes)?;
        packet.unroutable().map_or(Ok(()), Err)?;
        let receiver = self.peers.holder(packet.destination).ok_or(Reason::NoPeer)?;
        // Peers reach each other here: who says outside that he is one of them is not.
        if !may_be_of_a_peer && self.peers.holder(packet.source).is_some() {
            return Err(Reason::Spoofed);
        }
        Ok((receiver, packet))
    }

    /// Whether a peer gets a packet.
    fn receive(&mut self, id: PeerId, packet: &Packet, bytes: usize) -> Result<(), Reason> {
        let peer = self.peers.get(id).ok_or(Reason::NoPeer)?;
        if self.chains.incoming.judge(packet, peer.numbers.incoming, bytes).action != Action::Allow {
            return Err(Reason::Denied);
        }
        let own = record::judge(&peer.records, Direction::In, packet);
        if own == Action::Allow { Ok(()) } else { Err(Reason::OwnRule) }
    }

    /// The administrator's rules come before the address is taken, the peer's own ones only ever behind them.
    fn judge_sent(&mut self, id: PeerId, bytes: &[u8]) -> Result<Verdict, Reason> {
        let packet = Packet::parse(bytes)?;
        packet.unroutable().map_or(Ok(()), Err)?;
        let standing = self.peers.standing(id, packet.source, &self.settings)?;
        let number = self.number_outgoing(id, &packet, standing);
        let judgement = self.chains.outgoing.judge(&packet, number, bytes.len());
        if judgement.action != Action::Allow {
            return Err(Reason::Denied);
        }
        if let Standing::Free(grant) = standing {
            self.peers.claim(id, packet.source, grant);
            self.number(id);
        }
        match self.other_router(id, &packet, bytes.len())? {
            Some(gateway) => Ok(Verdict::Gateway(gateway)),
            None => self.forward(&packet, judgement.explicit, bytes.len()),
        }
    }

    /// A peer's number among the names in rules; before its first packet it has the one that it would get.
    fn number_outgoing(&self, id: PeerId, packet: &Packet, standing: Standing) -> Option<u32> {
        match standing {
            Standing::Held => self.peers.get(id)?.numbers.outgoing,
            Standing::Free(grant) => {
                self.chains.outgoing.peer(&self.peers.name_with(id, packet.source, grant))
            }
        }
    }

    /// Which other router it goes to, if any: by the peer's own rules, then by the routes.
    fn other_router(
        &mut self,
        id: PeerId,
        packet: &Packet,
        bytes: usize,
    ) -> Result<Option<SocketAddr>, Reason> {
        let peer = self.peers.get(id).ok_or(Reason::NoPeer)?;
        match record::judge(&peer.records, Direction::Out, packet) {
            Action::Allow => {}
            Action::Deny => return Err(Reason::OwnRule),
            // It would be a datagram from the host to whomever the tenant likes.
            Action::Gateway(gateway) if !self.gateways.contains(&gateway) => return Err(Reason::NoGateway),
            Action::Gateway(gateway) => return Ok(Some(gateway)),
        }
        let Some(routes) = &mut self.chains.routes else { return Ok(None) };
        match routes.judge(packet, peer.numbers.routes, bytes).action {
            Action::Gateway(gateway) => Ok(Some(gateway)),
            Action::Allow | Action::Deny => Ok(None),
        }
    }

    fn forward(&mut self, packet: &Packet, is_explicit: bool, bytes: usize) -> Result<Verdict, Reason> {
        match (self.peers.holder(packet.destination), self.settings.policy) {
            (None, _) | (Some(_), Policy::Allow) => Ok(Verdict::Tun),
            (Some(_), Policy::Deny | Policy::Standard) if !is_explicit => Err(Reason::Neighbour),
            (Some(other), Policy::Deny | Policy::Standard) => {
                self.receive(other, packet, bytes).map(|()| Verdict::Peer(other))
            }
        }
    }

    /// Finds a peer's numbers among the names in rules.
    fn number(&mut self, id: PeerId) {
        let Some(name) = self.peers.get(id).map(Peer::name) else { return };
        let numbers = Numbers {
            incoming: self.chains.incoming.peer(name),
            outgoing: self.chains.outgoing.peer(name),
            routes: self.chains.routes.as_ref().and_then(|routes| routes.peer(name)),
        };
        self.peers.get_mut(id).into_iter().for_each(|peer| peer.numbers = numbers);
    }
}

/// Whom packets may go to and come from; nobody without a socket.
fn gateways(chains: &Chains) -> BTreeSet<SocketAddr> {
    let rules = chains.routes.iter().flat_map(Chain::rules);
    rules
        .filter_map(|(rule, _)| if let Action::Gateway(gateway) = rule.action { Some(gateway) } else { None })
        .collect()
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
