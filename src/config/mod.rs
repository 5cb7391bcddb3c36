//! Pure. The option language: text in, typed options out, each with its place.

mod admit;
pub mod check;
mod effective;
pub mod emperor;
mod expand;
mod files;
mod format;
mod hazard;
mod keyval;
pub mod load;
mod magic;
pub mod place;
mod quantity;
mod show;
pub mod source;
mod values;
pub mod vassal;

pub use files::split_section;
pub use format::FILE_MAX;
pub use load::{Loaded, load};
pub use show::quoted;
pub use values::address;

#[cfg(test)]
mod tests;
