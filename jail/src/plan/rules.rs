//! Pure. What becomes of system calls, before it is made a program.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What becomes of each system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What becomes of those that are not listed, and of listed ones none of whose clauses holds.
    pub otherwise: Answer,
    /// By number; the first clause that holds decides.
    pub calls: BTreeMap<u32, Vec<Clause>>,
    /// What becomes of numbers above all listed ones: calls that were not known when the rules were written.
    pub newer: Answer,
}

/// What becomes of a call when all tests hold; without tests always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// All have to hold.
    pub tests: Cow<'static, [Test]>,
    /// What then becomes of the call.
    pub answer: Answer,
}

/// What becomes of a call, as the kernel writes it (`SECCOMP_RET_*` of `linux/seccomp.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(pub u32);

impl Answer {
    /// It is done.
    pub const ALLOW: Self = Self(libc::SECCOMP_RET_ALLOW);
    /// It ends the process.
    pub const KILL: Self = Self(libc::SECCOMP_RET_KILL_PROCESS);
    /// It ends the thread.
    pub const KILL_THREAD: Self = Self(libc::SECCOMP_RET_KILL_THREAD);
    /// SIGSYS.
    pub const TRAP: Self = Self(libc::SECCOMP_RET_TRAP);
    /// It is done, and the kernel's log says so.
    pub const LOG: Self = Self(libc::SECCOMP_RET_LOG);
    /// Highest error that a call can have (`MAX_ERRNO` of the kernel).
    pub const ERRNO_MAX: u16 = 4095;

    /// It fails with this error.
    pub const fn errno(errno: i32) -> Self {
        Self(libc::SECCOMP_RET_ERRNO | errno.unsigned_abs() & 0xffff)
    }
}

/// A test of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// Which argument, from 0.
    pub argument: u8,
    /// What is asked of it.
    pub compare: Compare,
}

/// What is asked of an argument.
///
/// The kernel takes modes, flags, commands and families from the low half of a register; what stands in the high half
/// is nobody's. So whoever refuses looks at the low half only, or a bit in the other one would be a way around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The low half has any of these bits.
    AnyBit(u32),
    /// The low half, as an unsigned number.
    Low(Relation, u32),
    /// The whole register, as an unsigned number.
    Whole(Relation, u64),
    /// The bits of the mask, in the whole register.
    Masked {
        /// Which bits.
        mask: u64,
        /// What they are to be.
        value: u64,
    },
}

/// How two numbers are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are what they are called")]
pub enum Relation {
    Equal,
    NotEqual,
    Greater,
    AtLeast,
    Less,
    AtMost,
}

impl Rules {
    /// Everything goes but what is listed.
    pub(super) fn refusing<'a>(rows: impl Iterator<Item = &'a super::refusals::Refusal>) -> Self {
        let mut calls: BTreeMap<u32, Vec<Clause>> = BTreeMap::new();
        for row in rows {
            let clause = Clause { tests: Cow::Borrowed(row.tests), answer: Answer::errno(row.errno) };
            calls.entry(row.number).or_default().push(clause);
        }
        Self { otherwise: Answer::ALLOW, calls, newer: Answer::ALLOW }
    }
}
