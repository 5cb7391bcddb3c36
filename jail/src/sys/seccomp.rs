//! `seccomp(2)`: a filter of system calls for this thread and everybody it makes from now on.
#![allow(unsafe_code, reason = "rustix has no seccomp")]

use rustix::io::Errno;

use crate::plan::Instruction;

const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());

/// Installs a filter; it cannot be taken off any more.
///
/// No flags: with `SECCOMP_FILTER_FLAG_SPEC_ALLOW` we would take away from a tenant the mitigations which kernels
/// before 5.16 give to whoever is filtered. Newer ones make no difference.
///
/// # Errors
/// `EACCES` without `no_new_privs` and CAP_SYS_ADMIN, `EINVAL` for a program that the kernel does not take,
/// `ENOSYS` or `EINVAL` where it was built without filters.
pub(crate) fn filter(program: &[Instruction]) -> Result<(), Errno> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::TOOBIG)?;
    let filter = program.as_ptr().cast_mut().cast();
    let program = libc::sock_fprog { len, filter };
    // SAFETY: the kernel reads `len` instructions, which have its layout, and writes none.
    super::answer(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    })
    .map(|_| ())
}
