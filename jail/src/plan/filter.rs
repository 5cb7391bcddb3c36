//! Pure. A filter of system calls, as the program that the kernel runs before each of them (`seccomp(2)`).
//!
//! What no filter mentions is allowed: the kernel notices that for each number when the filter is installed, and
//! never runs the program for those again.

use std::sync::LazyLock;

use super::refusals::{NATIVE, OTHER_ABI, Refusal, Test, setid_files};

/// One instruction of classic BPF (`struct sock_filter` of `linux/filter.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A filter with a name. Compiled at its first use and kept: to plan with it costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is refused, in words.
    pub refused: &'static str,
    /// The program.
    pub program: &'static [Instruction],
}

impl Filter {
    /// Nobody makes a file with a setuid or setgid bit.
    pub fn setid_files() -> Self {
        static PROGRAM: LazyLock<Vec<Instruction>> = LazyLock::new(|| assemble(setid_files()));
        Self { refused: "no setuid or setgid files", program: &PROGRAM }
    }
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

// Places in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What comes of a call: refused with the second when all of the first hold. Many calls share one.
type Outcome = (&'static [Test], i32);

/// Where things will stand in the program: the shorter it is, the sooner the kernel has compiled it.
struct Layout {
    outcomes: Vec<(Outcome, usize)>,
    allow: usize,
}

/// The whole program: calls by another architecture's door end the process, since their numbers mean other things;
/// then the number is looked up in a tree, which leads to the outcomes, which lead to the end.
fn assemble<'a>(refusals: impl Iterator<Item = &'a Refusal>) -> Vec<Instruction> {
    let mut sorted: Vec<&Refusal> = refusals.collect();
    sorted.sort_by_key(|refusal| refusal.number);
    let mut program = vec![
        load(ARCHITECTURE),
        jump(EQUAL, NATIVE, (1, 0)),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
    ];
    if let Some(first) = OTHER_ABI {
        // What a kernel without that second set of numbers says.
        program.extend([jump(AT_LEAST, first, (0, 1)), refuse(libc::ENOSYS)]);
    }
    let layout = Layout::after(program.len(), &sorted);
    program.extend(layout.tree(program.len(), &sorted));
    program.extend(layout.outcomes.iter().flat_map(|(outcome, at)| layout.outcome(*at, outcome)));
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

impl Layout {
    fn after(head: usize, sorted: &[&Refusal]) -> Self {
        let mut layout = Self { outcomes: Vec::new(), allow: head + tree_length(sorted.len()) };
        for refusal in sorted {
            if !layout.outcomes.iter().any(|(known, _)| *known == refusal.outcome()) {
                layout.outcomes.push((refusal.outcome(), layout.allow));
                layout.allow += 2 * refusal.tests.len() + 1;
            }
        }
        layout
    }

    fn tree(&self, at: usize, sorted: &[&Refusal]) -> Vec<Instruction> {
        match sorted {
            [] => Vec::new(),
            [one] => {
                let found = self.outcomes.iter().find(|(known, _)| *known == one.outcome());
                let (_, place) = found.expect("every outcome has its place");
                vec![jump(EQUAL, one.number, (place - at - 1, self.allow - at - 1))]
            }
            several => {
                let (low, high) = several.split_at(several.len() / 2);
                let mut tree = vec![jump(AT_LEAST, high[0].number, (tree_length(low.len()), 0))];
                tree.extend(self.tree(at + 1, low));
                tree.extend(self.tree(at + tree.len(), high));
                tree
            }
        }
    }

    fn outcome(&self, at: usize, (tests, errno): &Outcome) -> Vec<Instruction> {
        let test = |(number, test): (usize, &Test)| {
            let behind = at + 2 * (number + 1);
            [load(low_half(test)), jump(ANY_BIT, test.bits, (0, self.allow - behind))]
        };
        tests.iter().enumerate().flat_map(test).chain([refuse(*errno)]).collect()
    }
}

/// One leaf for each number, one branch between each two.
fn tree_length(leaves: usize) -> usize {
    (2 * leaves).saturating_sub(1)
}

/// The kernel takes modes and flags from the low half of a register; what stands in the high one is nobody's.
fn low_half(test: &Test) -> u32 {
    let half = if cfg!(target_endian = "big") { 4 } else { 0 };
    ARGUMENTS + 8 * u32::from(test.argument) + half
}

fn load(place: u32) -> Instruction {
    Instruction { code: LOAD, yes: 0, no: 0, operand: place }
}

fn jump(code: u16, operand: u32, (yes, no): (usize, usize)) -> Instruction {
    let short = |over: usize| u8::try_from(over).expect("no filter is so long that a jump is");
    Instruction { code, yes: short(yes), no: short(no), operand }
}

fn answer(operand: u32) -> Instruction {
    Instruction { code: ANSWER, yes: 0, no: 0, operand }
}

fn refuse(errno: i32) -> Instruction {
    answer(libc::SECCOMP_RET_ERRNO | errno.unsigned_abs())
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
