//! The pure rooms that read what strangers write, as a library, and a world made of bytes for them.

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/options/mod.rs"]
pub mod options;

mod world;

pub use world::Bytes;
