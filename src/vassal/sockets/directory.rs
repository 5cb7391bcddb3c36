//! The directory of a socket file, opened so that nobody but root and the vassal can lead us elsewhere.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::vassal::trouble::Trouble;

/// Symbolic links followed on the way to one directory.
const LINKS_MAX: u32 = 16;
/// `/proc/self/uid_map` where no user namespace is between us and the host.
const WHOLE_MAP: [&str; 3] = ["0", "0", "4294967295"];
/// Others may write here, but not rename or remove what is not theirs.
const STICKY: u32 = 0o1000;
/// Writable by the group or by everybody.
const SHARED: u32 = 0o022;

/// Opens `path` as a directory (`O_PATH`).
///
/// Root walks it step by step: what belongs neither to root nor to `vassal` is not walked through, so that no
/// tenant makes root create a file in a place of his choice. Anybody else has only rights that are his own.
///
/// # Errors
/// The first element that does not exist or is not to be trusted.
pub fn open(path: &Path, vassal: u32) -> Result<OwnedFd, Trouble> {
    if geteuid().is_root() && !in_user_namespace() {
        return Walk { vassal, links: LINKS_MAX, walked: PathBuf::new() }.open(path);
    }
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    openat(CWD, path, directory(), Mode::empty()).map_err(|errno| cannot_open(path, errno))
}

/// Whether uid 0 is somebody else's uid outside. Without `/proc` we do not know, and trust nobody.
fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let words: Vec<&str> = map.split_whitespace().collect();
    !words.is_empty() && words != WHOLE_MAP
}

fn directory() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

struct Walk {
    vassal: u32,
    links: u32,
    walked: PathBuf,
}

impl Walk {
    fn open(mut self, path: &Path) -> Result<OwnedFd, Trouble> {
        let mut left: Vec<OsString> = elements(path);
        let mut here = self.start(path)?;
        while let Some(name) = left.pop() {
            if name == "/" {
                here = self.start(Path::new("/"))?;
                continue;
            }
            let stat =
                statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| self.cannot(&name, errno))?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                left.extend(elements(&self.follow(&here, &name, &stat)?));
            } else {
                here = self.step(&here, &name)?;
            }
        }
        Ok(here)
    }

    fn start(&mut self, path: &Path) -> Result<OwnedFd, Trouble> {
        let from = if path.is_absolute() { Path::new("/") } else { Path::new(".") };
        self.walked = from.into();
        let opened =
            openat(CWD, from, directory(), Mode::empty()).map_err(|errno| cannot_open(from, errno))?;
        self.judge(&opened).map(|()| opened)
    }

    fn step(&mut self, here: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Trouble> {
        let opened = openat(here, name, directory() | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| self.cannot(name, errno))?;
        self.walked.push(name);
        self.judge(&opened).map(|()| opened)
    }

    /// The target of a link that root made. The directory it stands in was judged already.
    fn follow(&mut self, here: &OwnedFd, name: &OsStr, stat: &Stat) -> Result<PathBuf, Trouble> {
        self.links = self.links.checked_sub(1).ok_or_else(|| self.cannot(name, Errno::LOOP))?;
        if stat.st_uid != 0 {
            let link = self.walked.join(name);
            return Err(Trouble::new(format!(
                "{} is a symbolic link of uid {}",
                link.display(),
                stat.st_uid
            ))
            .advise("name the real directory"));
        }
        let target = readlinkat(here, name, Vec::new()).map_err(|errno| self.cannot(name, errno))?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    fn judge(&self, opened: &OwnedFd) -> Result<(), Trouble> {
        let stat = fstat(opened).map_err(|errno| cannot_open(&self.walked, errno))?;
        distrust(stat.st_uid, stat.st_mode, self.vassal).map_or(Ok(()), |reason| {
            let trouble = Trouble::new(format!("directory {} {reason}", self.walked.display()));
            Err(trouble.advise("put the socket where only root or the user of the vassal can write"))
        })
    }

    fn cannot(&self, name: &OsStr, errno: Errno) -> Trouble {
        cannot_open(&self.walked.join(name), errno)
    }
}

fn cannot_open(path: &Path, errno: Errno) -> Trouble {
    Trouble::errno(format!("open directory {}", path.display()), errno)
}

/// Elements in reverse, as they are taken; `/` alone stands for the root.
fn elements(path: &Path) -> Vec<OsString> {
    let kept = path.components().filter(|one| !matches!(one, Component::CurDir | Component::Prefix(_)));
    kept.rev().map(|one| one.as_os_str().to_owned()).collect()
}

/// Why a directory is not to be trusted, if so.
fn distrust(owner: u32, mode: u32, vassal: u32) -> Option<String> {
    if owner != 0 && owner != vassal {
        return Some(format!("belongs to uid {owner}"));
    }
    let open = mode & SHARED != 0 && mode & STICKY == 0;
    open.then(|| format!("is writable by others (mode {:04o})", mode & 0o7777))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_root_and_of_the_vassal_are_trusted() {
        for (owner, mode, trusted) in [
            (0, 0o40755, true),
            (1000, 0o40700, true),
            (0, 0o41777, true),
            (1001, 0o40700, false),
            (0, 0o40775, false),
            (0, 0o40777, false),
            (1000, 0o40770, false),
        ] {
            assert_eq!(distrust(owner, mode, 1000).is_none(), trusted, "{owner} {mode:o}");
        }
    }

    #[test]
    fn a_path_is_walked_from_its_first_element() {
        let mut walk = elements(Path::new("/run/./a/../b"));
        walk.reverse();
        assert_eq!(walk, ["/", "run", "a", "..", "b"]);
    }
}
