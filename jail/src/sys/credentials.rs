//! `getresuid(2)` and `getresgid(2)`: what we really are, to be compared with what we asked to be; `setfsuid(2)`; real ids alone.
#![allow(unsafe_code, reason = "rustix has neither getresuid nor setfsuid")]

use rustix::io::Errno;

/// Real, effective and saved user id.
pub(crate) fn real_effective_saved_uid() -> [u32; 3] {
    let [mut real, mut effective, mut saved] = [u32::MAX; 3];
    // SAFETY: three writable u32; the call fails only for bad addresses.
    unsafe { libc::syscall(libc::SYS_getresuid, &raw mut real, &raw mut effective, &raw mut saved) };
    [real, effective, saved]
}

/// Real, effective and saved group id.
pub(crate) fn real_effective_saved_gid() -> [u32; 3] {
    let [mut real, mut effective, mut saved] = [u32::MAX; 3];
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_getresgid, &raw mut real, &raw mut effective, &raw mut saved) };
    [real, effective, saved]
}

/// `setfsuid(2)`; false where it is another one afterwards.
pub(crate) fn set_file_uid(uid: u32) -> bool {
    // SAFETY: numbers alone; the call answers with the id before, so the second one shows what the first one did.
    let after = unsafe {
        libc::syscall(libc::SYS_setfsuid, uid);
        libc::syscall(libc::SYS_setfsuid, u32::MAX)
    };
    after == libc::c_long::from(uid)
}

/// `setfsgid(2)`; false where it is another one afterwards.
pub(crate) fn set_file_gid(gid: u32) -> bool {
    // SAFETY: as above.
    let after = unsafe {
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsgid, u32::MAX)
    };
    after == libc::c_long::from(gid)
}

/// The group that files are made with.
pub(crate) fn file_gid() -> u32 {
    // SAFETY: a number that is no id changes nothing, and the call answers with the id that is.
    let gid = unsafe { libc::syscall(libc::SYS_setfsgid, u32::MAX) };
    u32::try_from(gid).unwrap_or(u32::MAX)
}

/// Real user and group alone, by `setresuid(2)` and `setresgid(2)`: who may send signals to this thread, and for whom it may speak.
///
/// # Errors
/// `EPERM` without CAP_SETUID and CAP_SETGID.
pub fn set_real_ids(uid: u32, gid: u32) -> Result<(), Errno> {
    const SAME: u32 = u32::MAX;
    // SAFETY: numbers alone.
    let group = unsafe { libc::syscall(libc::SYS_setresgid, gid, SAME, SAME) };
    super::answer(group)?;
    // SAFETY: as above.
    let user = unsafe { libc::syscall(libc::SYS_setresuid, uid, SAME, SAME) };
    super::answer(user).map(|_| ())
}
