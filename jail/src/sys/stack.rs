//! A stack for children that share our memory.
#![allow(unsafe_code, reason = "the stack is mapped memory that no allocation of Rust may own")]

use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::sync::Mutex;

use rustix::io::Errno;

/// Bytes of the stack. A walk needs about 16 KiB; pages never touched cost nothing.
const SIZE: usize = 256 * 1024;
/// Bytes below it that nobody may touch: an overflow ends the child instead of spoiling our memory.
const GUARD: usize = 64 * 1024;

/// The one that is kept between two spawns: mapping it anew costs more than the rest of a small spawn.
static SPARE: Mutex<Option<Stack>> = Mutex::new(None);

/// A stack on loan; back in its place when dropped.
#[derive(Debug)]
pub(crate) struct Lent(Option<Stack>);

/// Mapped memory with a guard below, used by one child after the other.
#[derive(Debug)]
pub(crate) struct Stack(NonNull<libc::c_void>);

// SAFETY: the mapping belongs to the value alone and has no tie to the thread that made it.
unsafe impl Send for Stack {}

impl Stack {
    /// The spare stack, or a new one. Never waits: a child may be a copy of a process that has it on loan.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn lend() -> Result<Lent, Errno> {
        let spare = SPARE.try_lock().ok().and_then(|mut spare| spare.take());
        spare.map_or_else(Self::new, Ok).map(|stack| Lent(Some(stack)))
    }

    fn new() -> Result<Self, Errno> {
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a fresh anonymous mapping overlaps nothing.
        let start = unsafe { libc::mmap(ptr::null_mut(), GUARD + SIZE, libc::PROT_NONE, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(super::last_errno());
        }
        let stack = Self(NonNull::new(start).ok_or(Errno::NOMEM)?);
        // SAFETY: the range lies within the mapping just made, to which nobody else points.
        let opened =
            unsafe { libc::mprotect(start.byte_add(GUARD), SIZE, libc::PROT_READ | libc::PROT_WRITE) };
        super::answer(opened.into()).map(|_| stack)
    }

    /// Lowest usable address, and size: as `clone3(2)` wants them. Both are multiples of a page.
    pub(super) fn span(&mut self) -> (u64, u64) {
        (self.0.as_ptr() as u64 + GUARD as u64, SIZE as u64)
    }
}

impl Deref for Lent {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        self.0.as_ref().expect("it is taken out only by drop")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Stack {
        self.0.as_mut().expect("it is taken out only by drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Ok(mut spare) = SPARE.try_lock() {
            *spare = self.0.take();
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `new` mapped; a child that used it has gone before we run again.
        unsafe { libc::munmap(self.0.as_ptr(), GUARD + SIZE) };
    }
}
