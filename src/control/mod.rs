//! What a person says to a running Emperor.

mod attach;
pub mod command;
pub mod door;
mod events;
mod fetch;
mod letter;
pub mod messages;
mod net;
mod place;
mod pty;
mod status;
mod target;
mod why;

pub use attach::{Looking, attach, exec};
pub use events::events;
pub use letter::Letter;
pub use net::{NetAsked, net};
pub use place::beside;
pub use pty::{PtyAsked, pty};
pub use status::status;
pub use target::{Called, Target};
pub use why::why;
