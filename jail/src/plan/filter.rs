//! Pure. A filter of system calls, as the program that the kernel runs before each of them (`seccomp(2)`).

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize};

use super::assemble::{INSTRUCTIONS_MAX, assemble};
use super::denied::{always, roots};
use super::refusals::setid_files;
use super::rules::Rules;

/// One instruction of classic BPF (`struct sock_filter` of `linux/filter.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// Instructions to pass over when a comparison holds.
    pub yes: u8,
    /// And when it does not.
    pub no: u8,
    /// A number, or the place that is loaded.
    pub operand: u32,
}

/// A filter with a name. Ours are compiled at their first use and kept: to plan with them costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// What is refused, in words.
    pub refused: &'static str,
    /// The program.
    pub program: &'static [Instruction],
}

impl Filter {
    /// Nobody makes a file with a setuid or setgid bit.
    pub fn setid_files() -> Self {
        static PROGRAM: LazyLock<Vec<Instruction>> =
            LazyLock::new(|| assemble(&Rules::refusing(setid_files())));
        Self { refused: "no setuid or setgid files", program: &PROGRAM }
    }

    /// The default: what no tenant's program needs, and no setuid file.
    pub fn standard() -> Self {
        static PROGRAM: LazyLock<Vec<Instruction>> =
            LazyLock::new(|| assemble(&Rules::refusing(setid_files().chain(always()).chain(roots()))));
        Self { refused: "the default: docs/filters.md", program: &PROGRAM }
    }

    /// The default for root of a user namespace, whose phases mount and make namespaces.
    pub fn of_root() -> Self {
        static PROGRAM: LazyLock<Vec<Instruction>> =
            LazyLock::new(|| assemble(&Rules::refusing(setid_files().chain(always()))));
        Self { refused: "the default, less what phases of root need: docs/filters.md", program: &PROGRAM }
    }

    /// What the default has and the one for root has not.
    pub fn after_root() -> Self {
        static PROGRAM: LazyLock<Vec<Instruction>> = LazyLock::new(|| assemble(&Rules::refusing(roots())));
        Self { refused: "what only phases of root need", program: &PROGRAM }
    }

    /// A filter that is kept until this process ends.
    ///
    /// Must: be called once for each profile, not for each process.
    pub fn kept(refused: &str, program: Vec<Instruction>) -> Self {
        Self { refused: refused.to_owned().leak(), program: program.leak() }
    }
}

/// Read once by whoever is to use it as long as it lives.
impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Filter")]
        struct Sent {
            refused: String,
            program: Vec<Instruction>,
        }
        Sent::deserialize(from).map(|sent| Self::kept(&sent.refused, sent.program))
    }
}

/// The program of these rules; `None` when it is longer than the kernel takes.
pub fn compile(rules: &Rules) -> Option<Vec<Instruction>> {
    Some(assemble(rules)).filter(|program| program.len() <= INSTRUCTIONS_MAX)
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
