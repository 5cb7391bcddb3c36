//! `clone3(2)`: a process born into its namespaces and its cgroup, known by a descriptor from birth.
#![allow(unsafe_code, reason = "clone3 has no safe wrapper anywhere")]

use std::ffi::c_void;
use std::os::fd::{AsRawFd, RawFd};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::{Stack, exit_now};
use crate::plan::Namespaces;

/// What `clone3` is asked for, beyond a pidfd and fresh signal handlers, which every child gets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CloneFlags<'a> {
    /// Made together with the process.
    pub namespaces: Namespaces,
    /// A child of our parent instead of ours (`CLONE_PARENT`).
    pub sibling: bool,
    /// Born in this cgroup (`CLONE_INTO_CGROUP`).
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// A process that was made.
#[derive(Debug)]
pub(crate) struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

// `libc` has these as `c_int`, into which the last two do not fit.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of `clone3(2)`, as of Linux 5.7.
#[repr(C, align(8))]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

fn arguments(flags: CloneFlags<'_>, pidfd: &mut RawFd) -> Arguments {
    let mut bits = CLONE_CLEAR_SIGHAND | libc::CLONE_PIDFD as u64 | namespace_bits(flags.namespaces);
    bits |= if flags.sibling { libc::CLONE_PARENT as u64 } else { 0 };
    bits |= if flags.cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
    // A sibling tells our parent what we would have told it: the kernel refuses a signal of its own.
    let exit_signal = if flags.sibling { 0 } else { libc::SIGCHLD as u64 };
    let cgroup = flags.cgroup.map_or(0, |fd| fd.as_raw_fd() as u64);
    Arguments { flags: bits, pidfd: &raw mut *pidfd as u64, exit_signal, cgroup, ..Arguments::default() }
}

/// The `CLONE_NEW*` bits of a set.
pub(super) fn namespace_bits(set: Namespaces) -> u64 {
    set.each().map(|(_, one)| bit(one)).fold(0, |bits, bit| bits | bit as u64)
}

/// The `CLONE_NEW*` bit of one namespace.
pub(super) fn bit(one: Namespaces) -> libc::c_int {
    match one {
        Namespaces::FS => libc::CLONE_NEWNS,
        Namespaces::NET => libc::CLONE_NEWNET,
        Namespaces::IPC => libc::CLONE_NEWIPC,
        Namespaces::PID => libc::CLONE_NEWPID,
        Namespaces::UTS => libc::CLONE_NEWUTS,
        Namespaces::USER => libc::CLONE_NEWUSER,
        Namespaces::CGROUP => libc::CLONE_NEWCGROUP,
        Namespaces::TIME => libc::CLONE_NEWTIME,
        _ => 0,
    }
}

/// True where [`clone_sharing`] works.
pub(crate) const CAN_SHARE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Makes a process with a copy of our memory, which runs `walk` and ends when that returns.
///
/// Must: be called while this process has one thread; the copy has only that one, and whatever another
/// thread held (a lock of the allocator) would be held for ever.
///
/// # Errors
/// What `clone3(2)` says.
pub(crate) fn clone_apart(flags: CloneFlags<'_>, walk: impl FnOnce()) -> Result<Child, Errno> {
    let mut pidfd: RawFd = -1;
    let arguments = arguments(flags, &mut pidfd);
    // SAFETY: `arguments` is a whole clone_args of the size given and outlives the call; `pidfd` is writable.
    // Without CLONE_VM the child runs on its own copy of this stack, and leaves this function only by exit.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<Arguments>()) };
    match super::answer(answer) {
        Err(Errno::NOSYS) => clone_filtered(flags, walk),
        Err(errno) => Err(errno),
        Ok(0) => contained(walk),
        Ok(pid) => Ok(born(pid, pidfd)),
    }
}

/// The same by `clone(2)`: filters of system calls (ours, those of containers) hide `clone3`, whose flags they cannot
/// see. The child enters its cgroup by itself, and handlers of signals are reset by its plan.
fn clone_filtered(flags: CloneFlags<'_>, walk: impl FnOnce()) -> Result<Child, Errno> {
    let mut pidfd: RawFd = -1;
    let asked = arguments(flags, &mut pidfd);
    let bits = (asked.flags & !CLONE_CLEAR_SIGHAND & !CLONE_INTO_CGROUP) | asked.exit_signal;
    // SAFETY: without CLONE_VM the child runs on its own copy of this stack, and leaves this function only by exit;
    // `pidfd` is writable. What differs between architectures in the order of the last two is 0 in both.
    let answer = unsafe { libc::syscall(libc::SYS_clone, bits, 0, &raw mut pidfd, 0, 0) };
    match super::answer(answer)? {
        0 => contained(|| {
            if flags.cgroup.is_none_or(|cgroup| enter(cgroup).is_ok()) {
                walk();
            }
        }),
        pid => Ok(born(pid, pidfd)),
    }
}

fn enter(cgroup: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let members = openat(cgroup, c"cgroup.procs", flags, Mode::empty())?;
    rustix::io::write(&members, b"0").map(|_| ())
}

fn born(pid: i64, pidfd: RawFd) -> Child {
    // SAFETY: clone3 succeeded with CLONE_PIDFD: it has put a descriptor there that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Child { pid: i32::try_from(pid).expect("a pid is below 2^22"), pidfd }
}

/// Runs the child's part. It must never return into the parent's code, not even by a panic.
fn contained(walk: impl FnOnce()) -> ! {
    let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(walk));
    exit_now(if walked.is_ok() { CHILD_FAILED } else { CHILD_PANICKED })
}

/// Exit status of a child whose walk did not end in a program.
pub(crate) const CHILD_FAILED: i32 = 126;
/// Exit status of a child whose walk panicked.
pub(crate) const CHILD_PANICKED: i32 = 125;

/// Makes a process that shares our memory and runs `walk` on `stack` while we stand still
/// (`CLONE_VM|CLONE_VFORK`): until it has become another program, or ended.
///
/// Must: `walk` holds no memory of the heap when it becomes another program (nobody would give it back),
/// and changes nothing but what it is given.
/// Must not: be used for a child that others may stop or kill half-way, see `Plan::can_wait`.
///
/// Once the child has changed its ids the kernel marks the shared memory as not dumpable, and we leave it so:
/// nobody else may then look into the child, nor into us.
///
/// # Errors
/// What `clone3(2)` says; `ENOSYS` on a processor that we have no trampoline for.
pub(crate) fn clone_sharing(
    flags: CloneFlags<'_>,
    stack: &mut Stack,
    walk: &mut dyn FnMut(),
) -> Result<Child, Errno> {
    let mut pidfd: RawFd = -1;
    let mut arguments = arguments(flags, &mut pidfd);
    arguments.flags |= (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
    (arguments.stack, arguments.stack_size) = stack.span();
    let mut walk = walk;
    let pid = trampoline(&arguments, (&raw mut walk).cast())?;
    Ok(born(pid, pidfd))
}

/// Where the child of [`clone_sharing`] begins, on its own stack.
extern "C" fn entry(walk: *mut c_void) -> ! {
    // SAFETY: `clone_sharing` passes a `&mut &mut dyn FnMut()` that lives until the child has gone, because
    // CLONE_VFORK keeps the parent inside the system call; so it is not touched by two.
    let walk = unsafe { &mut *walk.cast::<&mut dyn FnMut()>() };
    contained(walk)
}

#[cfg(target_arch = "x86_64")]
fn trampoline(arguments: &Arguments, walk: *mut c_void) -> Result<i64, Errno> {
    let answer: i64;
    // SAFETY: the child returns from `syscall` with rax 0 and rsp at the top of its own stack (16-byte
    // aligned by `Stack`), keeps r12 and r13, and calls `entry`, which never returns. The parent goes on at
    // label 2 with every register but rax, rcx and r11 as it was. Memory may have changed: no `nomem`.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => answer,
            in("rdi") &raw const *arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") walk,
            in("r13") entry as extern "C" fn(*mut c_void) -> !,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    raw(answer)
}

#[cfg(target_arch = "aarch64")]
fn trampoline(arguments: &Arguments, walk: *mut c_void) -> Result<i64, Errno> {
    let answer: i64;
    // SAFETY: as on x86_64: the child returns from `svc` with x0 0 and sp at the top of its own stack, keeps
    // x20 and x21, and calls `entry`, which never returns; the parent goes on at label 2.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            inlateout("x0") &raw const *arguments => answer,
            in("x1") size_of::<Arguments>(),
            in("x8") libc::SYS_clone3,
            in("x20") walk,
            in("x21") entry as extern "C" fn(*mut c_void) -> !,
        );
    }
    raw(answer)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn trampoline(_: &Arguments, _: *mut c_void) -> Result<i64, Errno> {
    let _ = entry;
    Err(Errno::NOSYS)
}

/// The kernel's own convention: -4095 to -1 are errors.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn raw(answer: i64) -> Result<i64, Errno> {
    match i32::try_from(answer) {
        Ok(errno @ -4095..0) => Err(Errno::from_raw_os_error(-errno)),
        _ => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::process::Command;

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    /// Once more in a process with one thread, which is what `clone_*` are for: the test runner has several.
    fn alone(name: &str, test: fn()) {
        if std::env::var_os("ALONE").is_some() {
            return test();
        }
        let again = std::env::current_exe().unwrap();
        let name = format!("sys::clone::tests::{name}");
        let output = Command::new(again)
            .args(["--exact", &name, "--test-threads=1"])
            .env("ALONE", "1")
            .env("RUST_BACKTRACE", "0")
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    fn end(child: &Child) -> Option<i32> {
        let end = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
        end.exit_status()
    }

    #[test]
    fn a_panic_in_the_child_ends_it_there() {
        alone("a_panic_in_the_child_ends_it_there", || {
            let apart = clone_apart(CloneFlags::default(), || panic!("on purpose")).unwrap();
            assert_eq!(end(&apart), Some(CHILD_PANICKED));
            let mut stack = Stack::lend().unwrap();
            let sharing =
                clone_sharing(CloneFlags::default(), &mut stack, &mut || panic!("on purpose")).unwrap();
            assert_eq!(end(&sharing), Some(CHILD_PANICKED));
        });
    }

    #[test]
    fn a_sharing_child_writes_into_our_memory_and_an_apart_one_does_not() {
        alone("a_sharing_child_writes_into_our_memory_and_an_apart_one_does_not", || {
            let mut written = vec![0];
            let apart = clone_apart(CloneFlags::default(), || written.push(1)).unwrap();
            assert_eq!((end(&apart), &written), (Some(CHILD_FAILED), &vec![0]));
            let mut stack = Stack::lend().unwrap();
            let sharing = clone_sharing(CloneFlags::default(), &mut stack, &mut || written.push(2)).unwrap();
            assert_eq!((end(&sharing), written), (Some(CHILD_FAILED), vec![0, 2]));
        });
    }

    #[test]
    fn a_stack_that_overflows_ends_the_child_alone() {
        #[expect(unconditional_recursion, reason = "it is to overflow")]
        fn deeper(depth: u64) -> u64 {
            std::hint::black_box([depth; 64]);
            deeper(depth + 1) + 1
        }
        alone("a_stack_that_overflows_ends_the_child_alone", || {
            let mut stack = Stack::lend().unwrap();
            let overflow = &mut || {
                std::hint::black_box(deeper(0));
            };
            let child = clone_sharing(CloneFlags::default(), &mut stack, overflow).unwrap();
            let end = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
            assert_eq!(end.terminating_signal(), Some(libc::SIGSEGV));
        });
    }
}
