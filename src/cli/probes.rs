//! Looks at files for the conditions and loops of a config.

use std::cell::OnceCell;
use std::io;
use std::path::Path;

use glob::{MatchOptions, Pattern};
use rustix::fs::{Access, access};
use rustix::process::{getgid, getuid};

use crate::config::probe::{FileKind, Probes};
use crate::names::{Group, User};

/// Names looked at for one pattern; `/*/*/*/*` would otherwise walk the whole machine.
pub const NAMES_MAX: usize = 20_000;
/// Bytes of a pattern: of a path, as the kernel takes it.
const PATTERN_MAX: usize = 4096;
/// As `glob(3)`: a wildcard matches no `/` and no leading dot.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The file system as this process sees it, and whom it takes this process for.
#[derive(Default)]
pub struct FileSystem {
    user: OnceCell<Option<String>>,
    group: OnceCell<Option<String>>,
}

impl Probes for FileSystem {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let attributes = std::fs::metadata(path).ok()?;
        Some(match attributes {
            file if file.is_file() => FileKind::File,
            directory if directory.is_dir() => FileKind::Directory,
            _ => FileKind::Other,
        })
    }

    fn is_readable(&self, path: &str) -> bool {
        access(path, Access::READ_OK).is_ok()
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<String>> {
        if pattern.len() > PATTERN_MAX {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let mut walk = Walk { left: NAMES_MAX };
        let start = if pattern.starts_with('/') { "/" } else { "" };
        let parts = pattern.split('/').filter(|part| !part.is_empty());
        let mut found = vec![start.to_owned()];
        for part in parts {
            found = walk.step(&found, part)?;
        }
        let only_directories = pattern.ends_with('/');
        let mut found: Vec<String> = found.into_iter().filter_map(marked).collect();
        found.retain(|path| !only_directories || path.ends_with('/'));
        found.sort();
        Ok(found)
    }

    fn user(&self) -> Option<String> {
        let name = || User::by_uid(getuid().as_raw()).map(|user| user.name);
        self.user.get_or_init(name).clone()
    }

    fn group(&self) -> Option<String> {
        let name = || Group::by_gid(getgid().as_raw()).map(|group| group.name);
        self.group.get_or_init(name).clone()
    }
}

/// A path that exists, with a slash behind a directory.
fn marked(path: String) -> Option<String> {
    let is_directory = Path::new(&path).is_dir();
    let is_there = is_directory || Path::new(&path).symlink_metadata().is_ok();
    let slash = if is_directory && !path.ends_with('/') { "/" } else { "" };
    is_there.then(|| format!("{path}{slash}"))
}

struct Walk {
    left: usize,
}

impl Walk {
    /// One component further, from each of these directories.
    fn step(&mut self, directories: &[String], part: &str) -> io::Result<Vec<String>> {
        let pattern =
            Pattern::new(part).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        let is_wild = part.contains(['*', '?', '[']);
        let mut found = Vec::new();
        for directory in directories {
            let base = if directory.is_empty() || directory.ends_with('/') {
                directory.clone()
            } else {
                format!("{directory}/")
            };
            if is_wild {
                let names = self.names(&base, &pattern)?;
                found.extend(names.into_iter().map(|name| format!("{base}{name}")));
            } else {
                found.push(format!("{base}{part}"));
            }
        }
        Ok(found)
    }

    /// Names in a directory that fit; what cannot be listed has none.
    fn names(&mut self, base: &str, pattern: &Pattern) -> io::Result<Vec<String>> {
        let Ok(listing) = std::fs::read_dir(if base.is_empty() { "." } else { base }) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in listing.flatten() {
            self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
            let name = entry.file_name();
            found.extend(name.to_str().filter(|name| pattern.matches_with(name, OPTIONS)).map(str::to_owned));
        }
        Ok(found)
    }
}

fn too_many() -> io::Error {
    io::Error::other(format!("more than {NAMES_MAX} names to look at"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_what_glob_finds() {
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("{}/{name}", room.path().display());
        for name in ["b.ini", "a.ini", ".hidden.ini", "a.txt"] {
            std::fs::write(path(name), "").unwrap();
        }
        for name in ["one", "two"] {
            std::fs::create_dir(path(name)).unwrap();
            std::fs::write(path(&format!("{name}/x.ini")), "").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", path("loose.ini")).unwrap();
        let glob = |pattern: &str| FileSystem::default().glob(&path(pattern)).unwrap();
        assert_eq!(glob("*.ini"), [path("a.ini"), path("b.ini"), path("loose.ini")]);
        assert_eq!(glob("*/x.ini"), [path("one/x.ini"), path("two/x.ini")]);
        assert_eq!(glob("o*"), [path("one/")]);
        assert_eq!(glob("[at]*/"), [path("two/")]);
        assert_eq!(glob("none*"), Vec::<String>::new());
        assert_eq!(glob("a.ini"), [path("a.ini")]);
        assert!(FileSystem::default().glob("[").is_err());
    }

    #[test]
    fn a_pattern_may_not_walk_the_machine() {
        let room = tempfile::tempdir().unwrap();
        for number in 0..150 {
            std::fs::create_dir(room.path().join(number.to_string())).unwrap();
        }
        let turns = "*/../".repeat(3);
        let error = FileSystem::default().glob(&format!("{}/{turns}*", room.path().display())).unwrap_err();
        assert!(error.to_string().contains("names to look at"));
    }

    #[test]
    fn a_path_leads_to_something_or_to_nothing() {
        assert_eq!(FileSystem::default().kind("/"), Some(FileKind::Directory));
        assert_eq!(FileSystem::default().kind("/dev/null"), Some(FileKind::Other));
        assert_eq!(FileSystem::default().kind("/proc/self/status"), Some(FileKind::File));
        assert_eq!(FileSystem::default().kind("/nowhere"), None);
        assert!(
            FileSystem::default().is_readable("/dev/null") && !FileSystem::default().is_readable("/nowhere")
        );
    }
}
