//! Pure. The option language: text in, typed options out, each with its place.

mod act;
mod admit;
mod blocks;
mod calculate;
pub mod check;
mod conditions;
mod declare;
pub mod emperor;
mod expand;
mod files;
mod ini;
mod lists;
pub mod load;
mod logic;
mod loops;
mod magic;
pub mod place;
pub mod probe;
mod show;
pub mod source;
mod values;
pub mod vassal;

pub use ini::FILE_MAX;
pub use load::{Loaded, load};
pub use show::quoted;
pub use values::address;

#[cfg(test)]
mod tests;
