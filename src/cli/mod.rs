//! The command line: what was typed, and every text made from the table of options.

mod command;
mod help;
mod markdown;
mod names;
mod parse;
mod probes;
mod verb;
pub mod world;

pub use command::{completions, man};
pub use help::{help, help_of, version};
pub use markdown::markdown;
pub use names::is_one_line;
pub use parse::{Invocation, exit_code, parse};
pub use verb::{Verb, VerbSpec, instead};

#[cfg(test)]
mod tests;
