//! What a router was given at its beginning, and who was there before.

use std::os::fd::OwnedFd;

use jail::run::{Parcel, receive, send};
use jail::sys::adopt;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::super::charter::Charter;
use crate::parking::{CHANNEL_FD, CHARTER_FD, MESSAGE_MAX, Role, ToEmperor, ToRouter, decode, encode};

/// Longest charter in bytes: all rules of all chains.
const CHARTER_MAX: u64 = 64 * 1024 * 1024;

/// Descriptors by what they are.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) channel: OwnedFd,
    pub(super) device: OwnedFd,
    pub(super) listener: OwnedFd,
    pub(super) stats: Option<OwnedFd>,
    pub(super) gateway: Option<OwnedFd>,
    pub(super) state: Option<OwnedFd>,
    pub(super) leases: Option<OwnedFd>,
    pub(super) addresses: Option<OwnedFd>,
}

/// A peer that a router before has parked.
#[derive(Debug)]
pub(super) struct Adopted {
    pub(super) key: u64,
    pub(super) state: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// The channel and the charter that our parent has left us.
///
/// # Errors
/// One sentence.
pub(super) fn inherit() -> Result<(OwnedFd, Charter), String> {
    let missing = |what: &str, errno: Errno| {
        format!("cannot take {what} over: {errno}; this program is started by an Emperor, not by hand")
    };
    let channel = adopt(CHANNEL_FD).map_err(|errno| missing("the channel", errno))?;
    let charter = adopt(CHARTER_FD).map_err(|errno| missing("the charter", errno))?;
    let bytes = read_all(&charter, CHARTER_MAX).map_err(|errno| missing("the charter", errno))?;
    let charter =
        postcard::from_bytes(&bytes).map_err(|wrong| format!("cannot read the charter: {wrong}"))?;
    Ok((channel, charter))
}

/// All bytes of a file of memory.
///
/// # Errors
/// `EFBIG` for more than `most`; those of `pread(2)`.
pub(super) fn read_all(file: &OwnedFd, most: u64) -> Result<Vec<u8>, Errno> {
    let size = u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(u64::MAX);
    if size > most {
        return Err(Errno::FBIG);
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| Errno::FBIG)?];
    let mut at = 0;
    while at < bytes.len() {
        match rustix::io::pread(file, &mut bytes[at..], at as u64)? {
            0 => break,
            read => at += read,
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}

impl Ports {
    /// Hears what the Emperor has for a router that begins, up to the word to go.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn receive(channel: OwnedFd) -> Result<(Self, Vec<Adopted>), String> {
        let (first, descriptors) = hear(&channel)?;
        let ToRouter::Begin(roles) = first else { return Err("the Emperor begins in the midst".into()) };
        if roles.len() != descriptors.len() {
            let (wanted, got) = (roles.len(), descriptors.len());
            return Err(format!("the Emperor speaks of {wanted} descriptors and sends {got}"));
        }
        let mut adopted = Vec::new();
        loop {
            match hear(&channel)? {
                (ToRouter::Adopt { key, state }, descriptors) => {
                    adopted.push(Adopted { key, state, descriptors });
                }
                (ToRouter::Go, _) => break,
                (ToRouter::Begin(_), _) => return Err("the Emperor begins twice".into()),
            }
        }
        Ok((Self::sort(channel, roles.into_iter().zip(descriptors))?, adopted))
    }

    fn sort(channel: OwnedFd, given: impl Iterator<Item = (Role, OwnedFd)>) -> Result<Self, String> {
        let [mut device, mut listener, mut stats, mut gateway] = [const { None }; 4];
        let [mut state, mut leases, mut addresses] = [const { None }; 3];
        for (role, descriptor) in given {
            let place = match role {
                Role::Device => &mut device,
                Role::Listener => &mut listener,
                Role::Stats => &mut stats,
                Role::Gateway => &mut gateway,
                Role::State => &mut state,
                Role::Leases => &mut leases,
                Role::Addresses => &mut addresses,
            };
            *place = Some(descriptor);
        }
        let device = device.ok_or("the Emperor has sent no device")?;
        let listener = listener.ok_or("the Emperor has sent no socket for peers")?;
        Ok(Self { channel, device, listener, stats, gateway, state, leases, addresses })
    }

    /// Says something to the Emperor. Never waits where the channel does not.
    ///
    /// # Errors
    /// `EAGAIN`; `ETOOMANYREFS`, `ENOBUFS` and `ENOMEM` by what others do; any other means that he is gone.
    pub(super) fn tell(
        &self,
        message: &ToEmperor,
        descriptors: &[std::os::fd::BorrowedFd<'_>],
    ) -> Result<(), Errno> {
        let bytes = encode(message).map_err(|_| Errno::MSGSIZE)?;
        send(&self.channel, &bytes, descriptors)
    }
}

fn hear(channel: &OwnedFd) -> Result<(ToRouter, Vec<OwnedFd>), String> {
    let mut bytes = [0; MESSAGE_MAX];
    let Parcel { length, descriptors } = loop {
        match receive(channel, &mut bytes) {
            Ok(Some(parcel)) => break parcel,
            Ok(None) => return Err("the Emperor is gone".into()),
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(channel, PollFlags::IN)], None);
            }
            Err(errno) => return Err(format!("cannot hear the Emperor: {errno}")),
        }
    };
    let message = decode(&bytes[..length]).map_err(|_| "the Emperor says what is no message of ours")?;
    Ok((message, descriptors))
}
