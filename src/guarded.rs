//! Directories in which the Emperor makes files by name: nobody else may put anything there, or root could be led elsewhere.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlink, readlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::emperor::event::Owner;
use crate::vassal::identity::is_hosts_root;

/// Links on one way, as the kernel has it.
const LINKS_MAX: usize = 40;
/// Only names what is there: opens no device, waits for nobody, follows no link.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Others may write.
pub const SHARED: u32 = 0o022;
/// Everybody may.
const PUBLIC: u32 = 0o002;
/// Only owners take something away.
const STICKY: u32 = 0o1000;

/// Who may put something into a directory besides root and us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// The user that we are about to become.
    pub owner: Option<Owner>,
    /// Members of the directory's group: `/var/log` is such a one on some hosts.
    pub group: bool,
}

/// A name in a directory that was judged.
#[derive(Debug)]
pub struct Name {
    /// The directory (`O_PATH`).
    pub directory: OwnedFd,
    /// The whole path, without a link before the last name.
    pub path: PathBuf,
}

impl Name {
    /// Where `path` leads. Who is not the host's root does no harm but to himself: there nothing is judged.
    ///
    /// # Errors
    /// Its directory cannot be opened, or others can put something there.
    pub fn of(path: &Path, others: Others) -> Result<Self, String> {
        let name = path.file_name().ok_or_else(|| format!("{} names no file", path.display()))?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = match is_hosts_root() {
            true => directory(above, others)?,
            false => openat(CWD, above, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| format!("{} {}", above.display(), closed(errno)))?,
        };
        let real = readlink(format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new());
        let real = real.map_err(|errno| format!("{}: {errno}", above.display()))?;
        Ok(Self { directory, path: Path::new(OsStr::from_bytes(real.as_bytes())).join(name) })
    }

    /// The last name.
    pub fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

/// Opens a directory (`O_PATH`), name by name from the root: each directory on the way is judged before anything in it is
/// believed, and links only where root or we ourselves alone could have made them.
///
/// # Errors
/// It cannot be opened, or others could put something there, or have led us there.
pub fn directory(path: &Path, others: Others) -> Result<OwnedFd, String> {
    let whole = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    walk(&whole, others).map_err(|why| format!("{} {why}", path.display()))
}

fn walk(path: &Path, others: Others) -> Result<OwnedFd, String> {
    let top = || openat(CWD, "/", LOOK | OFlags::DIRECTORY, Mode::empty()).map_err(closed);
    let mut here = (top()?, PathBuf::from("/"));
    let (mut left, mut links) = (names(path), 0);
    while let Some(name) = left.pop() {
        let found = look(here.0.as_fd())?;
        judge(&found, others, true).map_err(|why| format!("lies in {}, which {why}", here.1.display()))?;
        let next = openat(&here.0, &name, LOOK, Mode::empty()).map_err(closed)?;
        let kind = look(next.as_fd())?;
        if FileType::from_raw_mode(kind.st_mode) != FileType::Symlink {
            here.1.push(&name);
            here.0 = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX || !is_ours(&found) || !is_ours(&kind) {
            return Err(format!(
                "leads through the link {}, which others may have made",
                here.1.join(&name).display()
            ));
        }
        let target = readlinkat(&next, "", Vec::new()).map_err(closed)?;
        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
        if target.is_absolute() {
            here = (top()?, PathBuf::from("/"));
        }
        left.extend(names(target));
    }
    judge(&look(here.0.as_fd())?, others, false)?;
    openat(&here.0, ".", LOOK | OFlags::DIRECTORY, Mode::empty()).map_err(closed)
}

fn look(file: BorrowedFd<'_>) -> Result<Stat, String> {
    fstat(file).map_err(|errno| errno.to_string())
}

fn closed(errno: Errno) -> String {
    format!("cannot be opened: {errno}; make the directory")
}

/// The names of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        Component::ParentDir | Component::Normal(_) => Some(component.as_os_str().to_owned()),
    };
    path.components().rev().filter_map(name).collect()
}

/// Of root or of us, and of a directory: nobody else writes to it.
fn is_ours(stat: &Stat) -> bool {
    let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    (stat.st_uid == 0 || stat.st_uid == geteuid().as_raw()) && (link || stat.st_mode & SHARED == 0)
}

/// Whether nobody but root, us and those others can put anything into a directory; above it, take anything of ours out
/// of it.
fn judge(stat: &Stat, others: Others, above: bool) -> Result<(), String> {
    let owners = [Some(0), Some(geteuid().as_raw()), others.owner.map(|owner| owner.uid)];
    if !owners.contains(&Some(stat.st_uid)) {
        return Err(format!("belongs to uid {}: only who starts liege may", stat.st_uid));
    }
    let sticky = above && stat.st_mode & STICKY != 0;
    let shared = if others.group { PUBLIC } else { SHARED };
    if stat.st_mode & shared != 0 && !sticky {
        return Err(format!("is writable by others (mode {:04o})", stat.st_mode & 0o7777));
    }
    Ok(())
}
