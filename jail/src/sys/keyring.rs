//! `keyctl(2)`, for one operation.
#![allow(unsafe_code, reason = "rustix has no keyctl")]

use rustix::io::Errno;

/// `KEYCTL_JOIN_SESSION_KEYRING` of `linux/keyctl.h`.
const JOIN_SESSION_KEYRING: libc::c_long = 1;

/// A new session keyring without a name, for this process and all that it starts.
///
/// # Errors
/// `EDQUOT` (quota of our user), `ENOSYS` (a kernel without keyrings), `EPERM` (a filter).
pub(crate) fn join_session_keyring() -> Result<(), Errno> {
    let no_name = std::ptr::null::<libc::c_char>();
    // SAFETY: the one argument is a null pointer, which means "without a name".
    super::answer(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, no_name) }).map(|_| ())
}
