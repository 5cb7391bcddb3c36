//! Pure. What the master of a command is told, and what it does.

use super::super::exit::Exit;

/// What the master is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The command ended, and nobody of its group is left who may take his time.
    Ended(Exit),
    /// The command ended, and others of its group have not.
    Left,
    /// A signal that is meant for the command.
    Signal(i32),
    /// A byte of the Emperor.
    Byte(u8),
    /// The new config was read.
    Checked(Newest),
    /// The command says that it is ready.
    Ready,
    /// The command says that it lives.
    Beat,
    /// A byte of whoever speaks with the Emperor in its place.
    Spoken(u8),
    /// Whether anybody does.
    Proxied(bool),
    /// Nobody has needed it for as long as it may be idle.
    Idle,
    /// The Emperor closed its end.
    EmperorGone,
}

/// What routers are to know of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is not ready.
    Absent,
    /// It serves.
    Serving,
    /// It ends, to come back at once.
    Reloading,
    /// It ends, or has ended.
    Leaving,
}

/// What the newest config is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// No vassal can be started with it.
    Bad,
    /// The one that the command was started with.
    Same,
    /// Another one, or one that only the next start can read.
    Good,
}

/// What the master does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A byte to the Emperor.
    Send(u8),
    /// A byte of the Emperor to whoever speaks in the command's place.
    Pass(u8),
    /// A signal to the process group of the command.
    Signal(i32),
    /// Read the new config; answered by `Checked`.
    Check,
    /// Leave with this status.
    Finish(u8),
    /// Begin anew with the new config: by leaving with status 0 where the Emperor starts us again.
    Renew,
}
