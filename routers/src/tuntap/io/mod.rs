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

use super::charter::Charter;
use life::Service;
use ports::Ports;
pub use telling::{Level, Log};

use crate::parking::ToEmperor;

/// Signs of what the Emperor is told last.
const SENTENCE_MAX: usize = 1000;

/// Serves as the router that descriptors 3 and 4 are of, until its Emperor is gone.
///
/// # Errors
/// One sentence: it cannot begin, or not go on. The Emperor was told.
pub fn serve(log: Log) -> Result<(), String> {
    let (channel, charter) = ports::inherit()?;
    run(channel, charter, log)
}

/// Serves as the router of this charter, whose Emperor is at the other end of the channel.
///
/// # Errors
/// As `serve`.
pub fn run(channel: OwnedFd, charter: Charter, log: Log) -> Result<(), String> {
    let (ports, adopted) = Ports::receive(channel)?;
    let farewell = ports.channel.try_clone();
    let served = Service::new(ports, charter, log).and_then(|mut service| {
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
