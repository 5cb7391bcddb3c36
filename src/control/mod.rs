//! What a person says to a running Emperor.

mod attach;
pub mod caller;
pub mod command;
pub mod door;
mod events;
mod fetch;
mod letter;
pub mod messages;
mod net;
mod pattern;
mod place;
mod prompt;
mod pty;
mod status;
mod steer;
mod tail;
mod target;
mod why;
pub mod wish;

pub use attach::{Looking, attach, exec, login};
pub use events::events;
pub use letter::Letter;
pub use net::{NetAsked, net};
pub use place::beside;
pub use prompt::Prompt;
pub use pty::{PtyAsked, pty};
pub use status::status;
pub use steer::{Manner, names, reach, shutdown, signal, steer, update};
pub use tail::tail;
pub use target::{Called, Named, Target, names_of};
pub use why::why;
