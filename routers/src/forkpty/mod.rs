//! Terminals for whoever connects: `forkpty-router` (bytes as they are) and `forkpty-urouter` (frames of uWSGI 2.0).
//!
//! `Session` decides: what a client and a program do goes in, orders come out. `io::serve` carries them out.

pub mod frame;
mod gap;
pub mod io;
mod session;
mod shared;
mod signal;
mod stream;
mod window;

pub use crate::ration::Ration;
pub use gap::{Gap, Missing};
pub use session::{Event, Mode, Order, Rules, Session};
pub use shared::{Listener, Order as SharedOrder, Shared};
pub use signal::allowed;
pub use stream::Stream;
pub use window::{Sizes, Window};
