//! Pure. The default filter: what no tenant's program needs, with the reason for each. `docs/filters.md` has the same
//! table for people.
//!
//! It refuses what is known to be of no use and to have been a way out; everything else goes. What takes a capability
//! that no tenant has, and has no other use (`chroot`, `nice`), is left to the kernel.

use super::refusals::Refusal;
use super::rules::{Compare, Relation, Test};

/// Refused to every tenant.
pub(super) fn always() -> impl Iterator<Item = &'static Refusal> {
    OLD.iter().chain(ALWAYS)
}

/// Refused besides, once the phases of a vassal that is root of its own user namespace are over.
pub(super) fn roots() -> impl Iterator<Item = &'static Refusal> {
    ROOTS.iter()
}

const ALWAYS: &[Refusal] = &[
    // Keys of the kernel: a keyring is per user, not per jail, so that vassals of one user share it.
    never(libc::SYS_add_key),
    never(libc::SYS_request_key),
    never(libc::SYS_keyctl),
    // Code in the kernel.
    never(libc::SYS_init_module),
    never(libc::SYS_finit_module),
    never(libc::SYS_delete_module),
    never(libc::SYS_bpf),
    // Another kernel, or none.
    never(libc::SYS_kexec_load),
    never(KEXEC_FILE_LOAD),
    never(libc::SYS_reboot),
    // Matters of the whole machine: swap, accounting, quotas of a file system, its log, its time.
    never(libc::SYS_swapon),
    never(libc::SYS_swapoff),
    never(libc::SYS_acct),
    never(libc::SYS_quotactl),
    never(QUOTACTL_FD),
    never(libc::SYS_syslog),
    never(libc::SYS_settimeofday),
    never(libc::SYS_clock_settime),
    never(libc::SYS_clock_adjtime),
    // Sees what others on the machine do, and is large and young.
    never(libc::SYS_perf_event_open),
    // Stops the kernel in the midst of a copy for as long as a program likes: what exploits of it are made with.
    never(libc::SYS_userfaultfd),
    // Opens any file of a file system by number, whatever the root of the jail is.
    never(libc::SYS_open_by_handle_at),
    // Removed from the kernel, old ones still have it: for profilers of the whole machine.
    never(LOOKUP_DCOOKIE),
    // Its flags are in memory, which changes after a look at it. Without it libraries take `clone`.
    Refusal { number: libc::SYS_clone3 as u32, tests: &[], errno: libc::ENOSYS },
    // Any personality but Linux's own, its 32 bits, its old version numbers and fixed addresses (debuggers,
    // sanitizers): the others change what the kernel takes memory and files for. All ones only asks.
    refused(libc::SYS_personality, &[low(0, Relation::NotEqual, u32::MAX), any(0, !HARMLESS_PERSONALITIES)]),
    // Types into the terminal of whoever started us.
    refused(libc::SYS_ioctl, &[low(1, Relation::Equal, TIOCSTI)]),
    // Pastes into a virtual console.
    refused(libc::SYS_ioctl, &[low(1, Relation::Equal, TIOCLINUX)]),
    // Line disciplines other than a terminal's: modules of the kernel that are loaded on demand.
    refused(libc::SYS_ioctl, &[low(1, Relation::Equal, TIOCSETD)]),
    // Families of sockets beyond files, internet and netlink. AF_ALG has written to files that were only open for
    // reading, AF_VSOCK leads past every network to the host of a VM, AF_PACKET is large and for root only; the
    // others are modules that nobody has looked at for long.
    without_family(libc::SYS_socket),
    without_family(libc::SYS_socketpair),
];

/// Those that newer architectures were spared.
#[cfg(target_arch = "x86_64")]
const OLD: &[Refusal] = &[
    // Ports of the hardware.
    never(libc::SYS_iopl),
    never(libc::SYS_ioperm),
    // Nobody has called these for decades, which is why nobody looks at them either.
    never(libc::SYS_uselib),
    never(libc::SYS_ustat),
    never(libc::SYS_sysfs),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[Refusal] = &[];

const ROOTS: &[Refusal] = &[
    // Mounts of the jail are what its phases have made of them.
    never(libc::SYS_mount),
    never(libc::SYS_umount2),
    never(libc::SYS_pivot_root),
    never(libc::SYS_open_tree),
    never(OPEN_TREE_ATTR),
    never(libc::SYS_move_mount),
    never(libc::SYS_fsopen),
    never(libc::SYS_fsconfig),
    never(libc::SYS_fsmount),
    never(libc::SYS_fspick),
    never(libc::SYS_mount_setattr),
    // So are its namespaces. `unshare` of descriptors or of the working directory goes on.
    // A user namespace gives all capabilities over whatever it makes: most ways out of a container begin there. The
    // master of a jail goes into one when its phases of root are over, to be root no more.
    refused(libc::SYS_unshare, &[any(0, NEW_NAMESPACES | NEW_TIME | NEW_USER)]),
    refused(libc::SYS_clone, &[any(0, NEW_NAMESPACES | NEW_USER)]),
    never(libc::SYS_setns),
    // Firewall and IPsec of the jail's network: the largest surface that root of a user namespace has.
    without_protocol(&[NETLINK, low(2, Relation::Equal, libc::NETLINK_NETFILTER as u32)]),
    without_protocol(&[NETLINK, low(2, Relation::Equal, libc::NETLINK_XFRM as u32)]),
];

// Numbers that are the same everywhere, and those that libc lacks somewhere.
const OPEN_TREE_ATTR: libc::c_long = 467;
const QUOTACTL_FD: libc::c_long = 443;
const LOOKUP_DCOOKIE: libc::c_long = if cfg!(target_arch = "x86_64") { 212 } else { 18 };
const KEXEC_FILE_LOAD: libc::c_long = if cfg!(target_arch = "x86_64") { 320 } else { 294 };

const NEW_USER: u32 = libc::CLONE_NEWUSER.cast_unsigned();
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET)
    .cast_unsigned();
/// To `clone` this is a part of a signal's number.
const NEW_TIME: u32 = 0x80;

/// `PER_LINUX32`, `UNAME26`, `ADDR_NO_RANDOMIZE` of `personality(2)`.
const HARMLESS_PERSONALITIES: u32 = 0x0008 | 0x2_0000 | 0x4_0000;

// `ioctl_tty(2)`, as all three architectures have them.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const TIOCSETD: u32 = 0x5423;

const fn never(number: libc::c_long) -> Refusal {
    refused(number, &[])
}

const fn refused(number: libc::c_long, tests: &'static [Test]) -> Refusal {
    Refusal { number: number as u32, tests, errno: libc::EPERM }
}

/// What a kernel without that family says.
const fn without_family(number: libc::c_long) -> Refusal {
    Refusal { errno: libc::EAFNOSUPPORT, ..refused(number, OTHER_FAMILY) }
}

const OTHER_FAMILY: &[Test] = &[
    is_not(0, libc::AF_UNSPEC),
    is_not(0, libc::AF_UNIX),
    is_not(0, libc::AF_INET),
    is_not(0, libc::AF_INET6),
    is_not(0, libc::AF_NETLINK),
];

/// What a kernel without that protocol says.
const fn without_protocol(tests: &'static [Test]) -> Refusal {
    Refusal { errno: libc::EPROTONOSUPPORT, ..refused(libc::SYS_socket, tests) }
}

const NETLINK: Test = low(0, Relation::Equal, libc::AF_NETLINK as u32);

const fn any(argument: u8, bits: u32) -> Test {
    Test { argument, compare: Compare::AnyBit(bits) }
}

const fn low(argument: u8, relation: Relation, value: u32) -> Test {
    Test { argument, compare: Compare::Low(relation, value) }
}

const fn is_not(argument: u8, value: libc::c_int) -> Test {
    low(argument, Relation::NotEqual, value.cast_unsigned())
}
