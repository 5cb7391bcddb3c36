//! Pure. The option language: text in, typed options out, each with its place.

pub mod emperor;
pub mod place;
pub mod vassal;
