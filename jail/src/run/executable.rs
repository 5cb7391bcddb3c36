//! Our own program in memory that nobody can change: what runs as root is never a file that a vassal may reach.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use crate::sys::{self, Strings};

/// A sealed copy of the program that runs, or of another one.
#[derive(Debug)]
pub struct Executable(OwnedFd);

impl Executable {
    /// Copies `/proc/self/exe` and seals the copy: it can be neither written, grown, shrunk nor unsealed.
    ///
    /// # Errors
    /// No memory, no `/proc`, or the host forbids executable memory files (`vm.memfd_noexec` = 2: `EACCES`).
    pub fn of_ourselves(name: &CStr) -> io::Result<Self> {
        Self::copied(name, &mut File::open("/proc/self/exe")?)
    }

    /// The same of another program.
    ///
    /// # Errors
    /// As above, less `/proc`.
    pub fn of(name: &CStr, mut program: &[u8]) -> io::Result<Self> {
        Self::copied(name, &mut program)
    }

    fn copied(name: &CStr, program: &mut impl io::Read) -> io::Result<Self> {
        let mut file = File::from(executable_memory(name)?);
        io::copy(program, &mut file)?;
        let whole = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, whole)?;
        Ok(Self(file.into()))
    }

    /// Becomes that copy; returns only the reason why not.
    pub fn reexec(&self, argv: &[CString], environment: &[CString]) -> io::Error {
        sys::execveat(self.0.as_fd(), &Strings::new(argv), &Strings::new(environment)).into()
    }
}

impl AsFd for Executable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Before Linux 6.3 every memory file was executable and the flag that asks for it unknown.
fn executable_memory(name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(name, flags),
        made => made,
    }
}
