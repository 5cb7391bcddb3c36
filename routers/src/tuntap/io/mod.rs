//! The router as a process: it waits, moves packets as they are judged, lets peers in, and answers questions.
//!
//! One thread; whatever a tenant could make wait is asked never to wait, or closed by somebody else (`closer`).

mod addresses;
mod admission;
mod answering;
mod arriving;
mod asking;
mod closer;
mod device;
mod doors;
mod ending;
mod events;
mod grave;
mod keeping;
mod leasing;
mod life;
mod park;
mod ports;
mod questions;
mod seats;
mod silence;
mod stats;
mod stream;
mod telling;
mod traffic;
mod unread;
mod writer;

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::charter::Charter;
use closer::Closer;
use grave::Grave;
use life::Service;
use ports::Ports;
pub use telling::{Level, Log};

use crate::parking::ToEmperor;

/// Signs of what the Emperor is told last.
const SENTENCE_MAX: usize = 1000;

/// What a router cannot ask for any more once it serves.
#[derive(Debug)]
pub struct Means {
    descriptors_max: u64,
    grave: (OwnedFd, OwnedFd),
}

impl Means {
    /// Those of this process, which are asked for before it goes under a filter.
    ///
    /// # Errors
    /// Those of `socketpair(2)`.
    pub fn new() -> Result<Self, Errno> {
        let limit = getrlimit(Resource::Nofile).current;
        Ok(Self { descriptors_max: limit.unwrap_or(u64::MAX), grave: grave::ends()? })
    }
}

/// Serves as the router that descriptors 3 and 4 are of, until its Emperor is gone.
///
/// # Errors
/// One sentence: it cannot begin, or not go on. The Emperor was told.
pub fn serve(means: Means, log: Log) -> Result<(), String> {
    let (channel, charter) = ports::inherit()?;
    run(means, (channel, charter), log)
}

/// Serves as the router of this charter, whose Emperor is at the other end of the channel.
///
/// # Errors
/// As `serve`.
pub fn run(means: Means, (channel, charter): (OwnedFd, Charter), log: Log) -> Result<(), String> {
    // Nothing here is a tenant's yet.
    let closer = Closer::new(Grave::new(means.grave));
    let (ports, adopted) = Ports::receive(channel)?;
    let farewell = ports.channel.try_clone();
    let served =
        Service::new((ports, charter), (means.descriptors_max, closer), log).and_then(|mut service| {
            service.adopt_all(adopted)?;
            service.live()
        });
    if let (Err(sentence), Ok(channel)) = (&served, farewell) {
        let sentence = sentence.chars().take(SENTENCE_MAX).collect();
        if let Ok(bytes) = crate::parking::encode(&ToEmperor::Failed(sentence)) {
            let _ = jail::run::send(&channel, &bytes, &[]);
        }
    }
    served
}
