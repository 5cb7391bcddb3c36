//! Pure. Every option that has a name: ours in one table, those of uWSGI in another.

mod elsewhere;
mod names;
mod parts;
mod spec;
mod table;
mod uwsgi;

pub use elsewhere::instead;
pub use names::{Standing, nearest, standing};
pub use parts::{PARTS, Part};
pub use spec::{Group, Kind, OptionSpec, Scope};
pub use table::{GROUPS, find, options};
pub use uwsgi::{Argument, Fate, UwsgiOption, all, uwsgi};

#[cfg(test)]
mod tests;
