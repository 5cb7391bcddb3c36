//! A directory below another one, reached through no link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the directory `path` below `top`, which an empty path or `.` means itself.
///
/// One step for each element, so that this also works where a filter hides `openat2(2)`: in a vassal of our own.
///
/// # Errors
/// `EXDEV` for a path that leads up or begins at the root, `ENOTDIR` for a link on the way or at the end.
pub fn open_beneath(top: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut here = openat(top, c".", PASS, Mode::empty())?;
    for element in path.components() {
        match element {
            Component::Normal(name) => here = openat(&here, name, PASS, Mode::empty())?,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(Errno::XDEV),
        }
    }
    openat(here.as_fd(), c".", LIST | OFlags::NONBLOCK, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out_and_no_link_is_followed() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/b")).unwrap();
        symlink("a", top.path().join("link")).unwrap();
        symlink("/", top.path().join("a/out")).unwrap();
        std::fs::write(top.path().join("a/file"), "").unwrap();
        let open = std::fs::File::open(top.path()).unwrap();
        let ask = |path: &str| open_beneath(open.as_fd(), Path::new(path)).map(drop);
        for path in ["", ".", "a", "a/b", "./a/./b/"] {
            assert_eq!(ask(path), Ok(()), "{path}");
        }
        for path in ["link", "link/b", "a/out", "a/out/etc", "a/file"] {
            assert_eq!(ask(path), Err(Errno::NOTDIR), "{path}");
        }
        for path in ["..", "a/..", "/", "/etc", "a/b/../.."] {
            assert_eq!(ask(path), Err(Errno::XDEV), "{path}");
        }
        assert_eq!(ask("a/none"), Err(Errno::NOENT));
    }
}
