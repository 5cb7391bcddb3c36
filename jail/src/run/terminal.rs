//! Pseudo terminals of the devpts that we see (`pts(4)`, `pty(7)`).

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, fstat, major, minor};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The number of `/dev/ptmx` (`pts(4)`).
const PTMX: (u32, u32) = (5, 2);

/// Both sides of a terminal.
#[derive(Debug)]
pub struct Terminal {
    /// That of whoever reads what programs write.
    pub master: OwnedFd,
    /// That of the programs.
    pub peer: OwnedFd,
}

impl Terminal {
    /// Makes one of so many lines and characters.
    ///
    /// # Errors
    /// `ENOENT` without `/dev/ptmx`, `ENOSPC` when all are taken, `ENODEV` when what stands there is no such device.
    pub fn make((rows, columns): (u16, u16)) -> Result<Self, Errno> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        let stat = fstat(&master)?;
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        // The name may be a tenant's, who may have put anything there.
        if !is_device || (major(stat.st_rdev), minor(stat.st_rdev)) != PTMX {
            return Err(Errno::NODEV);
        }
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        // By descriptor: a path could be that of another instance of devpts.
        let peer = ioctl_tiocgptpeer(&master, flags)?;
        Ok(Self { master, peer })
    }
}
