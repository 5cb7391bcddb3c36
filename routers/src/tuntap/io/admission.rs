//! As whom somebody is here, and with which addresses.

use core::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use jail::sys::Credentials;

use super::super::talk::{self, LABEL_MAX, Say, Welcome, Word};
use super::super::{ADDRESSES_MAX, PeerId, Reason, Refused};
use super::closer::Rest;
use super::device::Device;
use super::events::Token;
use super::life::{Service, Source};
use super::seats::Seat;

/// Signs of a refusal.
const SENTENCE_MAX: usize = 1000;

impl Service {
    /// A client of uWSGI says who it is.
    pub(super) fn greet(&mut self, seat: Seat, sender: Option<Credentials>) -> Result<(), String> {
        self.identify(seat, sender);
        let connection = self.seats.get_mut(seat).ok_or("it has left")?;
        connection.greeted = true;
        self.park(seat);
        Ok(())
    }

    /// Somebody speaks as we do.
    ///
    /// # Errors
    /// He has to go: he has said so before, and each time has us tell him all that there is.
    pub(super) fn welcome(&mut self, seat: Seat, sender: Option<Credentials>) -> Result<(), String> {
        if self.seats.get(seat).is_some_and(|connection| connection.speaks) {
            return Err("it says hello a second time".into());
        }
        self.identify(seat, sender);
        let connection = self.seats.get_mut(seat).ok_or("it has left")?;
        connection.speaks = true;
        let uid = connection.who.uid;
        let grants = self.router.peers().given(uid).chain(self.router.peers().lent(uid));
        let given: Vec<IpAddr> =
            grants.flat_map(|grant| &grant.addresses).copied().take(ADDRESSES_MAX).collect();
        let welcome = Welcome {
            device: self.charter.device.clone(),
            routers: self.charter.addresses.clone(),
            given: self.with_lengths(&given),
            mtu: self.charter.mtu,
            mtu_beyond: self.charter.mtu_beyond,
            nameservers: self.charter.nameservers.clone(),
        };
        self.say(seat, &Word::Welcome(welcome));
        Ok(())
    }

    /// Root may speak for somebody; anybody else is who connected.
    ///
    /// A program of another user may have been brought to write what a tenant likes into his connection, and root of a
    /// tenant's user namespace has more users than one.
    fn identify(&mut self, seat: Seat, sender: Option<Credentials>) {
        let Some(connection) = self.seats.get(seat) else { return };
        if let Some(sender) =
            sender.filter(|sender| connection.who.uid == 0 || connection.who.uid == sender.uid)
        {
            self.seats.rename(seat, sender);
        }
    }

    /// Addresses with the length of the network of the device that each is in.
    fn with_lengths(&self, addresses: &[IpAddr]) -> Vec<(IpAddr, u8)> {
        let length = |address: IpAddr| {
            let networks = &self.router.settings().networks;
            let network = networks.iter().find(|network| network.contains(address));
            network.map_or(if address.is_ipv4() { 32 } else { 128 }, |network| network.length())
        };
        addresses.iter().map(|address| (*address, length(*address))).collect()
    }

    /// The peer behind a stream, which becomes one by its first packet or its rules.
    ///
    /// # Errors
    /// It is none, and why.
    pub(super) fn enrolled(&mut self, seat: Seat) -> Result<PeerId, String> {
        let connection = self.seats.get(seat).ok_or("it has left")?;
        if let Some(id) = connection.peer {
            return Ok(id);
        }
        if self.charter.credentials && !connection.greeted && !connection.speaks {
            let cure = "write tuntap-use-credentials in its config too";
            return Err(format!("it has not said who it is before its first packet: {cure}"));
        }
        let id = self.enroll(seat)?;
        self.park(seat);
        Ok(id)
    }

    fn enroll(&mut self, seat: Seat) -> Result<PeerId, String> {
        let uid = self.seats.get(seat).ok_or("it has left")?.who.uid;
        let id = self.router.connect(uid).map_err(|refused| cure(&refused))?;
        self.seats.enroll(seat, id);
        if let Some(connection) = self.seats.get_mut(seat) {
            connection.since =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        }
        Ok(id)
    }

    /// A message of somebody who speaks as we do.
    ///
    /// # Errors
    /// He has to go.
    pub(super) fn hear(
        &mut self,
        seat: Seat,
        (payload, sender): (&[u8], Option<Credentials>),
        descriptor: Option<OwnedFd>,
    ) -> Result<(), String> {
        let connection = self.seats.get(seat).ok_or("it has left")?;
        let uid = connection.who.uid;
        let understood = match talk::decode::<Say>(payload) {
            Ok(_) if !connection.speaks => Err("it speaks before its hello".to_owned()),
            Ok(say) => Ok(say),
            Err(unsaid) => Err(unsaid.to_string()),
        };
        let say = match understood {
            Ok(say) => say,
            Err(why) => {
                descriptor.into_iter().for_each(|one| self.closer.close(uid, Rest::Descriptor(one)));
                return Err(why);
            }
        };
        // Root's connection in the hands of somebody else is not root's.
        let is_own = sender.is_some_and(|sender| sender.uid == uid || sender.uid == 0);
        if !is_own {
            self.identify(seat, sender);
        }
        match say {
            Say::Claim { addresses, label } => self.answer_claim(seat, (addresses, label), descriptor),
            Say::Lend => self.answer_lend(seat, descriptor),
            Say::Table | Say::Rules | Say::Replace { .. } => {
                let may_rule = is_own && self.seats.silence().may_rule(uid);
                self.answer(seat, (&say, may_rule), descriptor);
            }
        }
        Ok(())
    }

    fn answer_claim(&mut self, seat: Seat, claim: (Vec<IpAddr>, String), descriptor: Option<OwnedFd>) {
        match self.claim(seat, claim, descriptor) {
            Ok(held) => {
                let held = self.with_lengths(&held);
                self.say(seat, &Word::Held(held));
                self.notice_addresses(seat);
                self.park(seat);
            }
            Err(why) => self.refuse(seat, &why),
        }
    }

    fn answer_lend(&mut self, seat: Seat, descriptor: Option<OwnedFd>) {
        let lent = self.prove(seat, descriptor).and_then(|device| {
            let device = device.ok_or("no device came along: send its descriptor with the message")?;
            match self.enrolled(seat) {
                Ok(_) => self.attach(seat, Some(device)),
                Err(why) => self.throw_away(seat, Some(device), why),
            }
        });
        match lent {
            Ok(()) => {
                self.seats.get_mut(seat).into_iter().for_each(|connection| connection.lent = true);
                self.say(seat, &Word::Taken);
                self.park(seat);
            }
            Err(why) => self.refuse(seat, &why),
        }
    }

    /// Says no, which ends who would be a peer.
    pub(super) fn refuse(&mut self, seat: Seat, why: &str) {
        let Some(connection) = self.seats.get(seat) else { return };
        let uid = connection.who.uid;
        self.telling.warn(&format!("user {uid} is refused: {why}"));
        let sentence = why.chars().take(SENTENCE_MAX).collect();
        self.say(seat, &Word::Refused(sentence));
    }

    /// # Errors
    /// Why it gets no address.
    fn claim(
        &mut self,
        seat: Seat,
        (addresses, label): (Vec<IpAddr>, String),
        descriptor: Option<OwnedFd>,
    ) -> Result<Vec<IpAddr>, String> {
        let device = self.prove(seat, descriptor)?;
        let connection = self.seats.get_mut(seat).ok_or("it has left")?;
        if connection.peer.is_some() {
            return self.throw_away(
                seat,
                device,
                "this connection is a peer's already: claim on another one".into(),
            );
        }
        if label.len() > LABEL_MAX || addresses.len() > ADDRESSES_MAX {
            let why = format!("a label has {LABEL_MAX} bytes, and a peer {ADDRESSES_MAX} addresses at most");
            return self.throw_away(seat, device, why);
        }
        connection.label.clone_from(&label);
        let settled =
            if addresses.is_empty() { self.settle(seat, &label) } else { self.take(seat, &addresses) };
        match settled {
            Ok(id) => {
                self.attach(seat, device)?;
                Ok(self.router.peers().get(id).map(|peer| peer.addresses().to_vec()).unwrap_or_default())
            }
            Err(why) => self.throw_away(seat, device, why),
        }
    }

    fn throw_away<T>(&mut self, seat: Seat, device: Option<Device>, why: String) -> Result<T, String> {
        let uid = self.seats.get(seat).map_or(0, |connection| connection.who.uid);
        device.into_iter().for_each(|one| self.closer.close(uid, Rest::Device(one.into_descriptor())));
        Err(why)
    }

    fn prove(&mut self, seat: Seat, descriptor: Option<OwnedFd>) -> Result<Option<Device>, String> {
        let Some(descriptor) = descriptor else { return Ok(None) };
        Device::prove(descriptor).map(Some).map_err(|(descriptor, wrong)| {
            let uid = self.seats.get(seat).map_or(0, |connection| connection.who.uid);
            self.closer.close(uid, Rest::Descriptor(descriptor));
            format!("the descriptor is no device that can be used: {wrong}")
        })
    }

    /// Addresses that it asked for.
    fn take(&mut self, seat: Seat, addresses: &[IpAddr]) -> Result<PeerId, String> {
        let id = self.enroll(seat)?;
        let uid = self.seats.get(seat).map_or(0, |connection| connection.who.uid);
        self.router.take(id, addresses).map(|()| id).map_err(|(address, reason)| {
            self.expel(seat, id);
            no_address(uid, address, reason)
        })
    }

    /// Addresses that are its own, or that it is lent.
    fn settle(&mut self, seat: Seat, label: &str) -> Result<PeerId, String> {
        let uid = self.seats.get(seat).ok_or("it has left")?.who.uid;
        if !self.granted.contains(&uid) {
            return self.settle_lent(seat, uid, label);
        }
        let id = self.enroll(seat)?;
        let names: Vec<String> = self.router.peers().given(uid).map(|grant| grant.name.clone()).collect();
        // The one of that name; else the first that nobody has.
        let named = names.iter().filter(|name| *name == label);
        let tenant = named.chain(&names).find(|name| self.router.settle(id, name)).cloned();
        let Some(tenant) = tenant else {
            self.expel(seat, id);
            let cure = "stop the peer that has them, or give the user others (`tuntap-router-peer`)";
            return Err(format!("all addresses of user {uid} are in use: {cure}"));
        };
        self.seats.get_mut(seat).into_iter().for_each(|connection| connection.tenant = Some(tenant.clone()));
        Ok(id)
    }

    fn settle_lent(&mut self, seat: Seat, uid: u32, label: &str) -> Result<PeerId, String> {
        let tenant = super::leasing::tenant(uid, label);
        let is_there = self.seats.all().any(|(_, other)| other.tenant.as_ref() == Some(&tenant));
        if is_there {
            let cure = "stop it, or give this one another name";
            return Err(format!("a peer of user {uid} with the label `{label}` is there already: {cure}"));
        }
        let name = self.leasing.hold(&mut self.router, uid, label)?;
        let id = self.enroll(seat).inspect_err(|_| self.leasing.release(uid, label))?;
        self.router.settle(id, &name);
        if let Some(connection) = self.seats.get_mut(seat) {
            connection.tenant = Some(name);
        }
        Ok(id)
    }

    /// A peer that was refused its addresses is none.
    fn expel(&mut self, seat: Seat, id: PeerId) {
        self.router.disconnect(id);
        self.seats.expel(seat);
    }

    /// Packets go through this device from now on, if there is one.
    fn attach(&mut self, seat: Seat, device: Option<Device>) -> Result<(), String> {
        let connection = self.seats.get_mut(seat).ok_or("it has left")?;
        let Some(device) = device else { return Ok(()) };
        if connection.device.is_some() {
            return self.throw_away(seat, Some(device), "this connection has a device already".into());
        }
        if let Err(errno) = self.events.watch_edge_in(&device, Token::Tun(seat)) {
            return self.throw_away(seat, Some(device), format!("cannot wait for the device: {errno}"));
        }
        connection.device = Some(device);
        self.turns.wake(Source::Tun(seat));
        Ok(())
    }

    /// A peer has got an address: it is told of, and parked with it.
    pub(super) fn notice_addresses(&mut self, seat: Seat) {
        let Some(connection) = self.seats.get(seat) else { return };
        let Some(peer) = connection.peer.and_then(|id| self.router.peers().get(id)) else { return };
        if peer.addresses().len() == connection.parked_addresses {
            return;
        }
        let addresses: Vec<String> = peer.addresses().iter().map(ToString::to_string).collect();
        let line = format!("peer {} of user {} has {}", peer.name(), peer.uid(), addresses.join(", "));
        self.telling.info(&line);
        self.seats
            .get_mut(seat)
            .into_iter()
            .for_each(|connection| connection.parked_addresses = addresses.len());
        self.park(seat);
    }
}

fn cure(refused: &Refused) -> String {
    let cure = match refused {
        Refused::Crowded(_) => "raise tuntap-router-peers",
        Refused::Greedy(..) => "raise tuntap-router-peers-of-user",
        Refused::NotGranted(_) => "add one, or write tuntap-router-admission = open",
    };
    format!("{refused}: {cure}")
}

fn no_address(uid: u32, address: IpAddr, reason: Reason) -> String {
    match reason {
        Reason::NotGranted => format!(
            "user {uid} may not have {address}: write `tuntap-router-peer = uid={uid} addr={address}` in the Emperor's \
             config, or ask for an address of the router's network"
        ),
        _ => format!("{address} is somebody else's: ask for another address, or for whichever is free"),
    }
}
