//! `getresuid(2)` and `getresgid(2)`: what we really are, to be compared with what we asked to be.
#![allow(unsafe_code, reason = "rustix has no getresuid")]

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
