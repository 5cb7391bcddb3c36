//! `getresuid(2)` and `getresgid(2)`: what we really are, to be compared with what we asked to be; and `setfsuid(2)`.
#![allow(unsafe_code, reason = "rustix has neither getresuid nor setfsuid")]

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
