//! Pure. What has gone by, and what has not.

use super::reason::{REASONS, Reason};

/// Packets and their bytes, without headers of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub packets: u64,
    /// Bytes in all of them.
    pub bytes: u64,
}

/// One direction: whatever came was passed on or dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Passed on.
    pub passed: Tally,
    /// Dropped packets, by `Reason::index`.
    pub dropped: [u64; REASONS],
}

/// Both directions of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What it has sent.
    pub sent: Flow,
    /// What was sent to it.
    pub received: Flow,
}

impl Tally {
    /// One more packet.
    pub fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

impl Flow {
    /// One more that was dropped.
    pub fn drop(&mut self, reason: Reason) {
        self.dropped[reason.index()] += 1;
    }

    /// One that was passed on after all was not.
    pub fn revoke(&mut self, bytes: usize, reason: Reason) {
        self.passed.packets -= 1;
        self.passed.bytes -= bytes as u64;
        self.drop(reason);
    }

    /// Dropped packets for all reasons.
    pub fn dropped_packets(&self) -> u64 {
        self.dropped.iter().sum()
    }
}
