//! What a person says to a running Emperor.

mod status;

pub use status::status;
