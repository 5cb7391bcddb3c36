//! What a person says to a running Emperor.

pub mod command;
mod status;

pub use status::status;
