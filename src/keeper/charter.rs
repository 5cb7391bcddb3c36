//! Pure. What the log keeper is told at its birth: where lines go, and how many.

use serde::{Deserialize, Serialize};

use crate::config::rotation::Rotation;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// Where lines go.
    pub sink: Sink,
    /// Most lines of one vassal in a second, over a while; 0 for all.
    pub rate: u32,
    /// When a file is put aside.
    pub rotation: Rotation,
}

/// Where the lines of vassals go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sink {
    /// To standard error, each with the name of its vassal before it.
    Stderr,
    /// Nowhere: the last of them are kept, as always.
    Nowhere,
    /// To the journal, with fields.
    Journal,
    /// To whoever takes datagrams of syslog at this path.
    Syslog(String),
    /// Into a file for each vassal.
    Files,
}
