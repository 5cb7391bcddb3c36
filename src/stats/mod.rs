//! What the Emperor shows of itself: uWSGI's JSON, made from a snapshot, and the server that hands it out.

mod checks;
mod document;
mod events;
mod form;
mod guests;
mod naming;
mod server;
mod vacant;

pub use checks::Rules;
pub use document::{Facts, Own, RouterView, document};
pub use events::{Events, LINE_MAX, Line, beside};
pub use guests::{GUARDED, Guests};
pub use naming::Naming;
pub use server::{OF_ROOT, Server, give, listen, usual_path};
