//! Sessions: a program that somebody has run in the jail of a running vassal (`liege attach`, `liege exec`), each minded by
//! a process of its own: our own program in another role, which joins the jail before it does anything.

mod enter;
mod life;
mod limits;
mod mind;
mod model;
mod papers;
mod program;
mod settings;

pub use limits::Lender;
pub use mind::main;
pub use papers::{Papers, sealed};

/// `argv[0]` of this role; nothing in an environment or a file can choose it.
pub const ROLE: &str = "liege: session";
/// Where it finds a descriptor of the vassal's process.
pub const VASSAL_FD: i32 = 4;
/// What is asked for.
pub const ENTRY_FD: i32 = 5;
/// The connection of the client.
pub const CLIENT_FD: i32 = 6;
/// The end of its channel to the Emperor.
pub const CHANNEL_FD: i32 = 7;
/// The way to the vassal's master, if its config has limits of its own.
pub const LIMITS_FD: i32 = 8;

/// What is said on the channel: nobody looks at it any more, and somebody does.
pub const ALONE: u8 = b'a';
/// Somebody does.
pub const ATTENDED: u8 = b'c';
