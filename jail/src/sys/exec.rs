//! `execve(2)` and `execveat(2)`, with pointers made beforehand.
#![allow(unsafe_code, reason = "exec takes arrays of pointers, which rustix leaves to libc")]

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use rustix::io::Errno;

/// A null-terminated array of pointers to strings. Made before the process is: a child that shares our memory
/// must not allocate what exec would never free.
#[derive(Debug)]
pub(crate) struct Strings<'a> {
    pointers: Vec<*const c_char>,
    strings: PhantomData<&'a CStr>,
}

impl<'a> Strings<'a> {
    pub(crate) fn new(strings: &'a [CString]) -> Self {
        let pointers = strings.iter().map(|one| one.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, strings: PhantomData }
    }
}

/// Becomes the program at `path`; returns only the reason why not.
pub(crate) fn execve(path: &CStr, argv: &Strings<'_>, environment: &Strings<'_>) -> Errno {
    // SAFETY: both arrays end in null and their strings outlive the call; by the lifetime of `Strings`.
    unsafe {
        libc::syscall(libc::SYS_execve, path.as_ptr(), argv.pointers.as_ptr(), environment.pointers.as_ptr())
    };
    super::last_errno()
}

/// Becomes the program that is open as `file` (`AT_EMPTY_PATH`); returns only the reason why not.
pub(crate) fn execveat(file: BorrowedFd<'_>, argv: &Strings<'_>, environment: &Strings<'_>) -> Errno {
    let (argv, environment) = (argv.pointers.as_ptr(), environment.pointers.as_ptr());
    let (file, empty) = (file.as_raw_fd(), c"".as_ptr());
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_execveat, file, empty, argv, environment, libc::AT_EMPTY_PATH) };
    super::last_errno()
}
