//! Takes away what the Emperor made at its start, unless something else stands there by now.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::charter::Leftover;

impl Leftover {
    /// The file at this path, as it is now; `None` if there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let attributes = path.symlink_metadata().ok()?;
        let path = std::path::absolute(path).ok()?.to_str()?.to_owned();
        Some(Self { path, device: attributes.dev(), inode: attributes.ino() })
    }

    /// Removes it.
    pub fn remove(&self) {
        if Self::of(Path::new(&self.path)).as_ref() == Some(self) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
