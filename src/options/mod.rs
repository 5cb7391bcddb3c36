//! Pure. Every option that has a name: ours in one table, the others of uWSGI by name alone.

mod names;
mod spec;
mod table;

pub use names::{Standing, later, nearest, standing};
pub use spec::{Group, Kind, OptionSpec, Scope};
pub use table::{GROUPS, find, options};

#[cfg(test)]
mod tests;
