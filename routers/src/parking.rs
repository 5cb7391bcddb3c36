//! Pure. What a router and its Emperor say to each other: descriptors are kept there while a router comes back.
//!
//! One message is one packet of a `SOCK_SEQPACKET` pair, `postcard` encoded, at most `MESSAGE_MAX` bytes; descriptors
//! travel beside it (`SCM_RIGHTS`).

use serde::{Deserialize, Serialize};

use crate::packet;
pub use crate::packet::{Malformed, decode};

/// Longest message in bytes.
pub const MESSAGE_MAX: usize = 4096;
/// Most descriptors of one message.
pub const DESCRIPTORS_MAX: usize = 16;
/// The router's end of the pair.
pub const CHANNEL_FD: i32 = 3;
/// The charter: a memfd, `postcard` encoded.
pub const CHARTER_FD: i32 = 4;

/// What a descriptor of the beginning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The device on the host, with `IFF_TUN | IFF_NO_PI | IFF_VNET_HDR`, offloads set, not blocking.
    Device,
    /// Where peers connect to.
    Listener,
    /// Where whoever wants stats connects to.
    Stats,
    /// The socket of datagrams to other routers.
    Gateway,
    /// A memfd that a router writes what its successor has to know into; nothing but zeros, or empty, for the first one.
    State,
    /// The file of leases, to be written anew.
    Leases,
    /// A netlink socket of the host's network, bound to changes of addresses (`RTMGRP_IPV4_IFADDR`,
    /// `RTMGRP_IPV6_IFADDR`), not blocking.
    Addresses,
}

/// To the router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRouter {
    /// The first message. Descriptors: one for each role, in order.
    Begin(Vec<Role>),
    /// A peer that a router before has parked. Descriptors: those that were parked.
    Adopt {
        /// As it was parked.
        key: u64,
        /// As it was parked.
        state: Vec<u8>,
    },
    /// That was all: serve.
    Go,
}

/// To the Emperor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToEmperor {
    /// It serves.
    Ready,
    /// Keep these descriptors for my successor, in the place of what was kept under this key.
    Park {
        /// Chosen by the router; greater than any before.
        key: u64,
        /// Given back as it is, at most `MESSAGE_MAX` / 2 bytes.
        state: Vec<u8>,
    },
    /// Close what is kept under this key.
    Forget(u64),
    /// It cannot go on: one sentence. It ends.
    Failed(String),
}

/// The bytes of a message.
///
/// # Errors
/// It is longer than `MESSAGE_MAX`.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    packet::encode(message, MESSAGE_MAX)
}
