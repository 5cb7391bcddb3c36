//! `landlock(7)`: a ruleset, its rules, and the process that they hold for.
#![allow(unsafe_code, reason = "rustix has no landlock")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::null;

use rustix::io::Errno;

/// `LANDLOCK_CREATE_RULESET_VERSION`.
const VERSION: libc::c_long = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: libc::c_long = 1;

/// `struct landlock_ruleset_attr`: what is refused unless a rule allows it. A kernel that knows less takes it as long
/// as what it does not know is 0.
#[repr(C)]
struct Handled {
    files: u64,
    network: u64,
    scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    rights: u64,
    parent: libc::c_int,
}

/// The version of Landlock that this kernel has.
///
/// # Errors
/// `ENOSYS` where it was built without, `EOPNOTSUPP` where it was not turned on at boot.
pub(crate) fn landlock_version() -> Result<u32, Errno> {
    // SAFETY: with this flag no memory is looked at.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, null::<libc::c_void>(), 0_usize, VERSION) };
    super::answer(version).map(|version| u32::try_from(version).unwrap_or(0))
}

/// A ruleset that handles these rights to files and these scopes.
///
/// # Errors
/// As above; `EINVAL` or `E2BIG` for what this kernel does not know.
pub(crate) fn landlock_ruleset(files: u64, scopes: u64) -> Result<OwnedFd, Errno> {
    let handled = Handled { files, network: 0, scopes };
    let size = size_of::<Handled>();
    // SAFETY: the kernel reads a whole `Handled`, which outlives the call.
    let fd = super::answer(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size, 0)
    })?;
    // SAFETY: the kernel has just made this descriptor (close-on-exec) for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// Allows these rights to what `parent` names, and to all below.
///
/// # Errors
/// `EINVAL` for rights that the ruleset does not handle, or those of a directory to a file.
pub(crate) fn landlock_allow(
    ruleset: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    rights: u64,
) -> Result<(), Errno> {
    let beneath = Beneath { rights, parent: parent.as_raw_fd() };
    // SAFETY: the kernel reads a whole `Beneath`, which outlives the call.
    super::answer(unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, &raw const beneath, 0)
    })
    .map(|_| ())
}

/// Puts this thread and all that it starts under a ruleset, for ever.
///
/// # Errors
/// `EPERM` without `no_new_privs` and CAP_SYS_ADMIN, `E2BIG` for more than 16 rulesets on top of each other.
pub(crate) fn landlock_restrict(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: no memory is looked at.
    super::answer(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })
        .map(|_| ())
}
