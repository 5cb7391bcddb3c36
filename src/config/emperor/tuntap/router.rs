//! Pure. One router, with all that was said of it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use routers::tuntap::Policy;

use super::{Door, Said, Saying};
use crate::config::place::{Place, Placed};
use crate::config::vassal::Address;

/// Bytes of the longest packet where nothing else is said.
const MTU: u32 = 65_000;
const MTU_BEYOND: u32 = 1500;
const PEERS: usize = 4096;
const PEERS_OF_USER: usize = 256;
const QUEUE_BYTES: usize = 256 << 10;

/// A router to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Where its `tuntap-router` stands.
    pub place: Place,
    /// Name of its device.
    pub device: String,
    /// Path of its socket, as written.
    pub socket: PathBuf,
    /// Where its stats are served.
    pub stats: Option<Address>,
    /// Where datagrams of other routers come in.
    pub gateway: Option<SocketAddr>,
    /// Rules for packets to peers, in order.
    pub firewall_in: Vec<String>,
    /// Rules for packets from peers.
    pub firewall_out: Vec<String>,
    /// Packets for other routers.
    pub routes: Vec<String>,
    /// Who was given what.
    pub peers: Vec<String>,
    /// What holds without a rule.
    pub policy: Policy,
    /// Whoever comes first gets what was given to nobody.
    pub open: bool,
    /// Addresses of the device, with the lengths of their networks.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Bytes of the longest packet between peers and host.
    pub mtu: u32,
    /// Bytes of the longest packet beyond the host.
    pub mtu_beyond: u32,
    /// Whom jails ask for names; with none, those of the host.
    pub nameservers: Vec<IpAddr>,
    /// The file of leases.
    pub leases: Option<Placed<PathBuf>>,
    /// Most peers at once.
    pub peers_max: usize,
    /// Most peers of one user at once.
    pub peers_of_user_max: usize,
    /// Bytes that wait for one peer.
    pub queue_bytes: usize,
    /// A client of uWSGI has to say who it is.
    pub credentials: bool,
}

impl Router {
    pub(super) fn of<'a>(
        door: &Placed<Door>,
        said: impl Iterator<Item = &'a Said> + Clone,
        tyrant: bool,
    ) -> Self {
        let has_peers = said.clone().any(|said| matches!(said.what, Saying::Peer(..)));
        let mut router = Self::bare(door, tyrant, !tyrant && !has_peers);
        said.for_each(|said| router.take(said));
        // The words of its own line count more than what is said of all.
        router.stats = door.value.stats.clone().or(router.stats);
        router.gateway = door.value.gateway.or(router.gateway);
        router.mtu_beyond = router.mtu_beyond.min(router.mtu);
        router
    }

    fn bare(door: &Placed<Door>, tyrant: bool, open: bool) -> Self {
        Self {
            place: door.place.clone(),
            device: door.value.device.clone(),
            socket: door.value.socket.clone(),
            stats: None,
            gateway: None,
            firewall_in: Vec::new(),
            firewall_out: Vec::new(),
            routes: Vec::new(),
            peers: Vec::new(),
            policy: if tyrant { Policy::Standard } else { Policy::Allow },
            open,
            addresses: Vec::new(),
            mtu: MTU,
            mtu_beyond: MTU_BEYOND,
            nameservers: Vec::new(),
            leases: None,
            peers_max: PEERS,
            peers_of_user_max: PEERS_OF_USER,
            queue_bytes: QUEUE_BYTES,
            credentials: false,
        }
    }

    fn take(&mut self, said: &Said) {
        match said.what.clone() {
            Saying::Stats(address) => self.stats = Some(address),
            Saying::Gateway(address) => self.gateway = Some(address),
            Saying::FirewallIn(rule) => self.firewall_in.push(rule),
            Saying::FirewallOut(rule) => self.firewall_out.push(rule),
            Saying::Route(rule) => self.routes.push(rule),
            Saying::Peer(text, _) => self.peers.push(text),
            Saying::Policy(policy) => self.policy = policy,
            Saying::Open(open) => self.open = open,
            Saying::Address(address, length) => self.addresses.push((address, length)),
            Saying::Mtu(bytes) => self.mtu = bytes,
            Saying::MtuBeyond(bytes) => self.mtu_beyond = bytes,
            Saying::Nameserver(address) => self.nameservers.push(address),
            Saying::Leases(path) => {
                self.leases = Some(Placed { value: path, place: said.place.clone() });
            }
            Saying::Peers(count) => self.peers_max = count,
            Saying::PeersOfUser(count) => self.peers_of_user_max = count,
            Saying::QueueBytes(bytes) => self.queue_bytes = bytes,
            Saying::Credentials(on) => self.credentials = on,
        }
    }
}
