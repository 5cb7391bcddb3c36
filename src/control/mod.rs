//! What a person says to a running Emperor.

pub mod command;
mod events;
mod fetch;
mod letter;
mod net;
mod status;
mod target;
mod why;

pub use events::events;
pub use letter::Letter;
pub use net::{NetAsked, net};
pub use status::status;
pub use target::Target;
pub use why::why;
