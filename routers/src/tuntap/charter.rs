//! Pure. What a router is told once, as its Emperor's config has it. Rules are texts: they have been judged before.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A router to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// Name of the device on the host, at most 15 bytes.
    pub device: String,
    /// Path of the socket that peers connect to.
    pub socket: String,
    /// Addresses of the device, each with the length of its network: the networks of the peers, and the pools of those who
    /// want an address.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Bytes of the longest packet between peers and host.
    pub mtu: u32,
    /// Bytes of the longest packet beyond the host.
    pub mtu_beyond: u32,
    /// `tuntap-router-policy`, one of the words of `Policy::parse`.
    pub policy: String,
    /// Whether whoever comes first with an address that is nobody's gets it.
    pub open: bool,
    /// `tuntap-use-credentials`: a client of uWSGI has to say who it is before anything else.
    pub credentials: bool,
    /// `tuntap-router-peer`.
    pub peers: Vec<String>,
    /// `tuntap-router-firewall-in`.
    pub firewall_in: Vec<String>,
    /// `tuntap-router-firewall-out`.
    pub firewall_out: Vec<String>,
    /// `tuntap-router-route`.
    pub routes: Vec<String>,
    /// Whom peers are told to ask for names; the standard policy lets them.
    pub nameservers: Vec<IpAddr>,
    /// Most peers at once.
    pub peers_max: usize,
    /// Most peers of one user at once.
    pub peers_of_user_max: usize,
    /// Bytes that wait for one peer that reads through its connection.
    pub queue_bytes: usize,
    /// The user whom the router is of, besides root: he may change its rules.
    pub owner: u32,
    /// Whether stats begin with a header of HTTP.
    pub stats_http: bool,
}
