//! The pid file of a smart daemon: what stands in it is no more than a number to ask the kernel about.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, ftruncate, openat};
use rustix::io::Errno;
use rustix::process::Pid;

use super::super::hooks::spot::{self, Last};
use super::super::trouble::{Trouble, number};
use crate::config::vassal::daemons::Daemon;
use crate::leftovers::is_child;

/// As much of it is read: a number, and what may be before it.
const BYTES_MAX: u64 = 32;

/// Who it names, if that is a child of ours: whoever left for the background came to us, and nobody else can.
pub fn read(daemon: &Daemon, directory: Option<&OwnedFd>) -> Option<Pid> {
    let path = daemon.pidfile.as_ref()?;
    // Waits for no FIFO.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match directory {
        Some(directory) => openat(directory, path, flags, Mode::empty()),
        None => openat(CWD, path, flags, Mode::empty()),
    };
    let file = File::from(opened.ok()?);
    if FileType::from_raw_mode(fstat(&file).ok()?.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    leading_number(&bytes).and_then(Pid::from_raw).filter(is_child)
}

/// What follows the number (as in `postmaster.pid`) is not ours to read.
fn leading_number(bytes: &[u8]) -> Option<i32> {
    let digits = bytes.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok().filter(|number| *number > 0)
}

/// Writes it for a daemon that stays in the foreground: a regular file, and as root none that somebody else may have put there.
///
/// # Errors
/// What the system refuses, or a file of another kind.
pub fn write(daemon: &Daemon, directory: Option<&OwnedFd>, pid: Pid) -> Result<(), Trouble> {
    let Some(path) = &daemon.pidfile else { return Ok(()) };
    let cannot = |errno| Trouble::errno(format!("write {}", path.display()), errno);
    let spot = spot::find(directory, path, Last::Itself).map_err(cannot)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK;
    let opened = spot.open_or_make(flags, 0o644).map_err(cannot)?;
    if FileType::from_raw_mode(fstat(&opened).map_err(cannot)?.st_mode) != FileType::RegularFile {
        return Err(cannot(Errno::INVAL));
    }
    ftruncate(&opened, 0).map_err(cannot)?;
    writeln!(File::from(opened), "{}", pid.as_raw_nonzero()).map_err(|error| cannot(number(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_at_the_beginning_counts_and_nothing_else() {
        assert_eq!(leading_number(b"77\n"), Some(77));
        assert_eq!(leading_number(b" 77\n/var/lib/postgresql\n"), Some(77));
        for odd in [b"".as_slice(), b"-1", b"0", b"x", b"99999999999999", b"\n", b"\xff7"] {
            assert_eq!(leading_number(odd), None, "{odd:?}");
        }
    }
}
