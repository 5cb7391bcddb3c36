//! What is to be seen at a path of a vassal that does not run yet, as far as it can be told from here.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlink, statat};
use rustix::io::Errno;

use super::ground;
use crate::config::vassal::VassalConfig;

/// Bits of a mode by which anybody may run a file.
const RUNS: u32 = 0o111;

/// Opens what a tenant names.
pub type Open<'a> = &'a dyn Fn(&Path) -> Result<OwnedFd, Errno>;

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// A directory.
    Directory,
    /// A file that nobody may run, not even root.
    Inert,
    /// Something else, or nobody can tell.
    Unknown,
}

/// The eyes of a vassal, once its file system is built.
pub struct Sight<'a> {
    config: &'a VassalConfig,
    open: Open<'a>,
    /// Its jail has directories of its own.
    covered: bool,
    /// Another root, where it has one.
    root: Option<Result<OwnedFd, Errno>>,
}

impl<'a> Sight<'a> {
    /// Those of this config; `covered` where a jail of its Emperor puts directories of its own over the host's.
    pub fn new(config: &'a VassalConfig, covered: bool, open: Open<'a>) -> Self {
        let covered = covered || config.jail.is_some();
        Self { config, open, covered, root: ground::root(config).map(open) }
    }

    /// Whether it has the root that we have.
    pub fn is_hosts(&self) -> bool {
        self.root.is_none()
    }

    /// What it sees there. Links of a tenant's are not followed out of its root, and none is where it has the host's.
    pub fn look(&self, path: &Path) -> Seen {
        let odd = !path.is_absolute() || path.components().any(|part| part == Component::ParentDir);
        let covered = self.covered && ground::COVERED.iter().any(|own| path.starts_with(own));
        if odd || covered || ground::covers(self.config, path) {
            return Seen::Unknown;
        }
        match &self.root {
            None => look_on_host(&through_root(path), self.open),
            Some(Ok(root)) => look_in(root, path),
            Some(Err(_)) => Seen::Unknown,
        }
    }
}

/// `/bin` and its like are links of root's on most hosts.
fn through_root(path: &Path) -> PathBuf {
    let mut parts = path.components();
    let Some(first) = parts.by_ref().nth(1) else { return path.to_owned() };
    let first = Path::new("/").join(first);
    match readlink(&first, Vec::new()).ok().and_then(|text| text.into_string().ok()) {
        Some(text) => Path::new("/").join(text).join(parts.as_path()),
        None => path.to_owned(),
    }
}

fn look_on_host(path: &Path, open: Open<'_>) -> Seen {
    match open(path) {
        Ok(_) => Seen::Directory,
        Err(Errno::NOENT) => Seen::Nothing,
        // It has been opened, and is near: or something above it is no directory.
        Err(Errno::NOTDIR) => file_in(path, open).unwrap_or(Seen::Unknown),
        Err(_) => Seen::Unknown,
    }
}

fn file_in(path: &Path, open: Open<'_>) -> Option<Seen> {
    let parent = open(path.parent()?).ok()?;
    let stat = statat(parent, path.file_name()?, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(kind(stat.st_mode))
}

/// Links lead to where they lead in there; what lies on another file system is not looked at.
fn look_in(root: &OwnedFd, path: &Path) -> Seen {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    match openat2(root.as_fd(), path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
        Ok(found) => fstat(found).map_or(Seen::Unknown, |stat| kind(stat.st_mode)),
        Err(Errno::NOENT) => Seen::Nothing,
        Err(_) => Seen::Unknown,
    }
}

fn kind(mode: u32) -> Seen {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Seen::Directory,
        FileType::RegularFile if mode & RUNS == 0 => Seen::Inert,
        _ => Seen::Unknown,
    }
}

/// Where the vassal is born: the directory of its config, through no link.
pub fn birthplace(file: &Path) -> Option<PathBuf> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    parent.canonicalize().ok()
}

/// Relative to a directory that is known, without `.` in it.
pub fn below(directory: Option<&Path>, path: &Path) -> Option<PathBuf> {
    let whole = if path.is_absolute() { path.to_owned() } else { directory?.join(path) };
    Some(whole.components().collect())
}
