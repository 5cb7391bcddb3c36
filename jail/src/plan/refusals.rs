//! Pure. Which system calls would make a setuid file: a table; and what every table is made of.

use super::rules::{Compare, Test};

/// A system call that is refused when all of its tests hold; without tests always.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub number: u32,
    pub tests: &'static [Test],
    pub errno: i32,
}

/// Our own door into the kernel (`AUDIT_ARCH_*` of `linux/audit.h`).
#[cfg(target_arch = "x86_64")]
pub(super) const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const NATIVE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
pub(super) const NATIVE: u32 = 0xc000_00f3;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
compile_error!("no filter can be made without the AUDIT_ARCH_ number of this architecture");

/// From this number on the same door leads to the calls of x32, which are the same ones again.
pub(super) const OTHER_ABI: Option<u32> = if cfg!(target_arch = "x86_64") { Some(0x4000_0000) } else { None };

/// `S_ISUID` and `S_ISGID`.
const SETID: u32 = 0o6000;
/// Only with one of these is the mode of `open(2)` read, else it may be anything. (`O_TMPFILE` has the bit of
/// `O_DIRECTORY` too, which alone creates nothing.)
const CREATES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY).cast_unsigned();

/// Every call that sets the mode of a file. New ones are a reason to look here again.
///
/// `openat2` has its mode in memory that changes after a look at it, and `io_uring` does all of this without a
/// call: both answer as a kernel does that lacks them, and programs fall back.
pub(super) fn setid_files() -> impl Iterator<Item = &'static Refusal> {
    OLD.iter().chain(&EVERYWHERE)
}

/// Those that newer architectures were spared.
#[cfg(target_arch = "x86_64")]
const OLD: [Refusal; 5] = [
    with_mode(libc::SYS_chmod, &[setid(1)]),
    with_mode(libc::SYS_creat, &[setid(1)]),
    with_mode(libc::SYS_mkdir, &[setid(1)]),
    with_mode(libc::SYS_mknod, &[setid(1)]),
    with_mode(libc::SYS_open, &[creates(1), setid(2)]),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [Refusal; 0] = [];

/// Those that every architecture has.
const EVERYWHERE: [Refusal; 11] = [
    with_mode(libc::SYS_fchmod, &[setid(1)]),
    with_mode(libc::SYS_fchmodat, &[setid(2)]),
    with_mode(FCHMODAT2, &[setid(2)]),
    with_mode(libc::SYS_mkdirat, &[setid(2)]),
    with_mode(libc::SYS_mknodat, &[setid(2)]),
    with_mode(libc::SYS_openat, &[creates(2), setid(3)]),
    with_mode(libc::SYS_mq_open, &[creates(1), setid(2)]),
    unknown(libc::SYS_openat2),
    unknown(libc::SYS_io_uring_setup),
    unknown(libc::SYS_io_uring_enter),
    unknown(libc::SYS_io_uring_register),
];

/// Since Linux 6.6, and the same number everywhere.
const FCHMODAT2: libc::c_long = 452;

const fn with_mode(number: libc::c_long, tests: &'static [Test]) -> Refusal {
    Refusal { number: number as u32, tests, errno: libc::EPERM }
}

const fn unknown(number: libc::c_long) -> Refusal {
    Refusal { number: number as u32, tests: &[], errno: libc::ENOSYS }
}

const fn setid(argument: u8) -> Test {
    Test { argument, compare: Compare::AnyBit(SETID) }
}

const fn creates(argument: u8) -> Test {
    Test { argument, compare: Compare::AnyBit(CREATES) }
}
