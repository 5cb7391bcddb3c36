//! Takes away what the Emperor made at its start, unless something else stands there by now.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::charter::Leftover;

/// More than a pid and the end of its line.
const PID_MAX: u64 = 16;

impl Leftover {
    /// The file at this path, as it is now; `None` if there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let attributes = path.symlink_metadata().ok()?;
        let path = std::path::absolute(path).ok()?.to_str()?.to_owned();
        Some(Self { path, device: attributes.dev(), inode: attributes.ino(), pid: None })
    }

    /// The same, if it has to tell this pid still.
    pub fn of_pidfile(path: &Path, pid: u32) -> Option<Self> {
        Self::of(path).map(|leftover| Self { pid: Some(pid), ..leftover })
    }

    /// Whether it still stands there, and tells what it told.
    pub fn is_there(&self) -> bool {
        let now = Self::of(Path::new(&self.path)).map(|now| Self { pid: self.pid, ..now });
        now.as_ref() == Some(self) && self.pid.is_none_or(|pid| self.tells(pid))
    }

    /// Removes it.
    pub fn remove(&self) {
        if self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Whoever wrote another pid into our file wants it to stay.
    fn tells(&self, pid: u32) -> bool {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let Ok(file) = File::options().read(true).custom_flags(flags).open(&self.path) else { return false };
        let mut text = String::new();
        file.take(PID_MAX).read_to_string(&mut text).is_ok() && text.trim().parse() == Ok(pid)
    }
}
