//! Pure. What a filter answers to a call, as the kernel would find it: instruction by instruction.

use super::assemble::{ABOVE, ANSWER, ANY_BIT, AT_LEAST, EQUAL, JUMP, LOAD, MASK};
use super::filter::{Filter, Instruction};
use super::refusals::NATIVE;

/// A system call: its number and its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// As `syscalls(2)` counts them.
    pub number: u32,
    /// The six of them, as they stand in registers.
    pub arguments: [u64; 6],
}

impl Call {
    /// A call that is judged by its number alone.
    pub const fn plain(number: libc::c_long) -> Self {
        Self { number: number as u32, arguments: [0; 6] }
    }
}

impl Filter {
    /// Whether the kernel carries such a call out under this filter.
    pub fn lets(&self, call: &Call) -> bool {
        answer(self.program, NATIVE, call) == Some(libc::SECCOMP_RET_ALLOW)
    }
}

/// The answer of `seccomp(2)`; `None` for a program that is none of ours.
pub(super) fn answer(program: &[Instruction], architecture: u32, call: &Call) -> Option<u32> {
    let mut seen = [call.number.to_ne_bytes(), architecture.to_ne_bytes()].concat();
    // Where the call came from: no filter of ours asks.
    seen.extend([0; 8]);
    seen.extend(call.arguments.iter().flat_map(|one| one.to_ne_bytes()));
    run(program, &seen)
}

fn run(program: &[Instruction], seen: &[u8]) -> Option<u32> {
    let (mut next, mut loaded) = (0, 0);
    // Every jump goes forward, so it ends.
    while let Some(Instruction { code, yes, no, operand }) = program.get(next).copied() {
        let over = |holds: bool| usize::from(if holds { yes } else { no });
        next += 1;
        match code {
            LOAD => loaded = word(seen, operand)?,
            MASK => loaded &= operand,
            JUMP => next += operand as usize,
            ABOVE => next += over(loaded > operand),
            EQUAL => next += over(loaded == operand),
            AT_LEAST => next += over(loaded >= operand),
            ANY_BIT => next += over(loaded & operand != 0),
            ANSWER => return Some(operand),
            _ => return None,
        }
    }
    None
}

fn word(seen: &[u8], from: u32) -> Option<u32> {
    let from = from as usize;
    let bytes = seen.get(from..from + 4)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}
