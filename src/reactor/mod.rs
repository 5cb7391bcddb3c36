//! What a loop of events is made of: a poller, and the clock.

pub mod clock;
mod poller;

pub use clock::Calendar;
pub use poller::{Poller, Token};
