//! Pure. What a router may ask of the kernel: what it takes to carry packets between descriptors that it was given, and nothing by
//! which it could get others: no file, no socket, no process, no code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr as _;

use jail::plan::{Answer, Clause, Compare, Filter, Relation, Rules, Test, compile};
use rustix::io::Errno;
use syscalls::Sysno;

/// Whatever its arguments are; an architecture has not all of them.
const ALLOWED: &[&str] = &[
    // Packets, words, stats, leases: over what is open.
    "read",
    "readv",
    "pread64",
    "preadv",
    "preadv2",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "accept",
    "accept4",
    "shutdown",
    "close",
    "close_range",
    "lseek",
    "ftruncate",
    "fsync",
    "fdatasync",
    // What a descriptor is, and who is at its other end.
    "fstat",
    "statx",
    "newfstatat",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "fcntl",
    "dup",
    // Answers go out as sealed memory.
    "memfd_create",
    // To wait.
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "poll",
    "ppoll",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "eventfd2",
    "clock_gettime",
    "gettimeofday",
    "time",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "restart_syscall",
    "sched_yield",
    "futex",
    // Memory, never to be executed.
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "getrandom",
    // Itself.
    "getpid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    // Threads: to close what a tenant has sent may wait.
    "set_robust_list",
    "rseq",
    "sched_getaffinity",
    "rt_sigprocmask",
    "rt_sigaction",
    "rt_sigreturn",
    "sigaltstack",
    "exit",
    "exit_group",
];
/// Requests of `ioctl(2)`: flags of a device, not to wait, bytes that wait, and those that nobody has read. Not those that would keep a device after our end or give
/// it away.
const IOCTLS: [u32; 4] = [0x8004_54d2, 0x5421, 0x541b, 0x5411];
/// `CLONE_FILES`: a thread has its descriptors for itself, and nothing else.
const FILES: u32 = 0x400;
/// `CLONE_THREAD`: no other process.
const THREAD: u32 = 0x0001_0000;
/// `PR_SET_NAME`.
const SET_NAME: u32 = 15;
/// `PROT_EXEC`.
const EXECUTABLE: u32 = 4;

/// The filter.
pub fn filter() -> Option<Filter> {
    with(&[])
}

/// The same with a few calls more, whatever their arguments are.
pub fn with(more: &[&str]) -> Option<Filter> {
    compile(&rules(more)).map(|program| Filter::kept("all but what carries packets", program))
}

fn rules(more: &[&str]) -> Rules {
    let always = || vec![Clause { tests: Cow::Borrowed(&[]), answer: Answer::ALLOW }];
    let mut calls: BTreeMap<u32, Vec<Clause>> = BTreeMap::new();
    let number = |name: &str| Sysno::from_str(name).ok().map(|call| call.id().unsigned_abs());
    let names = ALLOWED.iter().chain(more);
    calls.extend(names.filter_map(|name| number(name)).map(|number| (number, always())));
    let one = |test: Test, answer| Clause { tests: Cow::Owned(vec![test]), answer };
    let refused = Answer::errno(Errno::PERM.raw_os_error());
    for name in ["mmap", "mprotect"] {
        let test = Test { argument: 2, compare: Compare::AnyBit(EXECUTABLE) };
        let clauses = [vec![one(test, refused)], always()].concat();
        calls.extend(number(name).map(|number| (number, clauses)));
    }
    let files = Test { argument: 0, compare: Compare::Low(Relation::Equal, FILES) };
    calls.extend(number("unshare").map(|number| (number, vec![one(files, Answer::ALLOW)])));
    let thread = Test { argument: 0, compare: Compare::AnyBit(THREAD) };
    calls.extend(number("clone").map(|number| (number, vec![one(thread, Answer::ALLOW)])));
    // Its flags are where no filter looks: whoever makes threads falls back to the other one.
    let unknown = Clause { tests: Cow::Borrowed(&[]), answer: Answer::errno(Errno::NOSYS.raw_os_error()) };
    calls.extend(number("clone3").map(|number| (number, vec![unknown])));
    let name = Test { argument: 0, compare: Compare::Low(Relation::Equal, SET_NAME) };
    calls.extend(number("prctl").map(|number| (number, vec![one(name, Answer::ALLOW)])));
    let request = |request| Test { argument: 1, compare: Compare::Low(Relation::Equal, request) };
    let clauses = IOCTLS.map(|known| one(request(known), Answer::ALLOW)).to_vec();
    calls.extend(number("ioctl").map(|number| (number, clauses)));
    Rules { otherwise: refused, calls, newer: Answer::errno(Errno::NOSYS.raw_os_error()) }
}

#[cfg(test)]
mod tests {
    use jail::plan::Call;

    use super::*;

    fn lets(name: &str, arguments: [u64; 6]) -> bool {
        let number = Sysno::from_str(name).expect("a call").id().unsigned_abs();
        filter().expect("short").lets(&Call { number, arguments })
    }

    /// Row W8.
    #[test]
    fn nothing_new_can_be_had() {
        for name in [
            "openat",
            "openat2",
            "socket",
            "connect",
            "bind",
            "clone",
            "clone3",
            "execve",
            "execveat",
            "kill",
            "tgkill",
            "ptrace",
            "process_vm_writev",
            "pidfd_getfd",
            "pidfd_open",
            "mount",
            "unshare",
            "setns",
            "bpf",
            "io_uring_setup",
            "userfaultfd",
            "keyctl",
            "prctl",
            "seccomp",
            "setuid",
            "chmod",
            "unlinkat",
            "linkat",
            "memfd_secret",
            "prlimit64",
        ] {
            assert!(!lets(name, [0; 6]), "{name}");
        }
        assert!(lets("recvmsg", [0; 6]) && lets("epoll_pwait", [0; 6]) && lets("write", [0; 6]));
    }

    #[test]
    fn threads_are_made_and_no_processes() {
        assert!(lets("clone", [0x003d_0f00, 0, 0, 0, 0, 0]) && !lets("clone", [17, 0, 0, 0, 0, 0]));
        assert!(!lets("clone", [0x1_0000_0000_0000 | 17, 0, 0, 0, 0, 0]));
        assert!(lets("unshare", [0x400, 0, 0, 0, 0, 0]) && !lets("unshare", [0x1000_0400, 0, 0, 0, 0, 0]));
        assert!(lets("prctl", [15, 0, 0, 0, 0, 0]) && !lets("prctl", [4, 1, 0, 0, 0, 0]));
    }

    #[test]
    fn memory_is_never_code() {
        assert!(lets("mmap", [0, 4096, 3, 0, 0, 0]) && !lets("mmap", [0, 4096, 7, 0, 0, 0]));
        assert!(
            lets("mprotect", [0, 4096, 1, 0, 0, 0]) && !lets("mprotect", [0, 4096, 1 << 32 | 5, 0, 0, 0])
        );
    }

    /// Row W8.
    #[test]
    fn a_device_is_neither_kept_nor_given_away() {
        let (persist, owner, group, filter) = (0x4004_54cb, 0x4004_54cc, 0x4004_54ce, 0x4010_54d5);
        for request in [persist, owner, group, filter, 0x4004_54ca, 0x8912] {
            assert!(!lets("ioctl", [9, request, 0, 0, 0, 0]), "{request:x}");
        }
        let (flags, unread) = (0x8004_54d2, 0x5411);
        assert!([flags, unread].iter().all(|request| lets("ioctl", [9, *request, 0, 0, 0, 0])));
    }
}
