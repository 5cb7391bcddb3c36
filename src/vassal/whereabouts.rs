//! Where a vassal stands. Who was born into mounts of his own has his directory by a descriptor of the host's: for `getcwd(3)` that is
//! nowhere, and what is mounted below is not to be seen from there.

use rustix::fs::{Mode, OFlags, fstat, open, stat};
use rustix::process::{fchdir, getcwd};

/// What the kernel says before the name of a directory that is among other mounts (`getcwd(2)`).
const ELSEWHERE: &[u8] = b"(unreachable)";

/// Goes to the directory of the same name among our own mounts, if it is the same one; else we stay where we are.
pub fn settle() {
    let Ok(told) = getcwd(Vec::new()) else { return };
    let Some(path) = told.to_bytes().strip_prefix(ELSEWHERE) else { return };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = open(path, flags, Mode::empty()) else { return };
    let (Ok(there), Ok(here)) = (fstat(&directory), stat(c".")) else { return };
    if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) {
        let _ = fchdir(directory);
    }
}
