//! Pure. The option language: text in, typed options out, each with its place.

mod act;
mod admit;
pub mod attributes;
mod blocks;
mod calculate;
pub mod check;
mod conditions;
pub mod confine;
mod declare;
mod early;
mod effective;
pub mod emperor;
mod expand;
mod files;
mod format;
mod hazard;
pub mod hook;
pub mod jailed;
mod keyval;
mod lists;
pub mod load;
mod logic;
mod loops;
mod magic;
mod pairs;
pub mod place;
pub mod probe;
mod quantity;
pub mod rotation;
mod shellish;
mod show;
pub mod source;
mod values;
pub mod vassal;

pub use files::split_section;
pub use format::FILE_MAX;
pub use load::{Loaded, load, load_once};
pub use show::{quoted, shell_word};
pub use values::{DESCRIPTOR_MAX, Wrong, address};

#[cfg(test)]
pub(crate) mod tests;
