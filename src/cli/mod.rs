//! The command line: what was typed, and every text made from the table of options.

mod command;
mod help;
mod markdown;
mod parse;
mod probes;
mod verb;
pub mod world;

pub use command::{completions, man};
pub use help::{help, version};
pub use markdown::markdown;
pub use parse::{Invocation, exit_code, parse};
pub use verb::{VERBS, Verb, VerbSpec};

#[cfg(test)]
mod tests;
