//! `getsid(2)`.
#![allow(unsafe_code, reason = "a process of no session that we see has 0, which rustix has no type for")]

use rustix::io::Errno;

/// The session of a process; 0 where its leader is of another pid namespace, and for the kernel's own threads.
///
/// # Errors
/// `ESRCH`: there is no such process.
pub(crate) fn session_of(pid: i32) -> Result<i32, Errno> {
    // SAFETY: numbers go in and a number comes out.
    let session = unsafe { libc::getsid(pid) };
    super::answer(session.into()).map(|_| session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_threads_have_none_and_we_have_one() {
        let own = session_of(0).unwrap();
        assert_eq!(session_of(std::process::id().cast_signed()), Ok(own));
        assert_eq!(session_of(i32::MAX), Err(Errno::SRCH));
        // In the first pid namespace 2 is the mother of the kernel's threads.
        let is_kernels = std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n");
        assert!(!is_kernels || session_of(2) == Ok(0));
    }
}
