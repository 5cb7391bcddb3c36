//! Pure. What a process may reach by name, whatever its ids are (`landlock(7)`).

use std::path::PathBuf;

/// A fence around a process and all that it starts. It can be made narrower from inside, never wider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    /// What may be read and run, with all below. With neither list, files are not fenced.
    pub read: Vec<PathBuf>,
    /// What may be written to as well.
    pub write: Vec<PathBuf>,
    /// What ends at the fence besides.
    pub scopes: Scopes,
}

/// What reaches nobody outside of the fence (`LANDLOCK_SCOPE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(pub u64);

impl Scopes {
    /// Connections to unix sockets with an abstract name, which belong to a network namespace and have no mode.
    pub const ABSTRACT_SOCKETS: Self = Self(1);
    /// Signals.
    pub const SIGNALS: Self = Self(2);

    /// These and `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True for none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Least version of Landlock that has scopes: Linux 6.12.
pub const SCOPES_SINCE: u32 = 6;
/// Least version by which a file that may only be read cannot be cut off either: Linux 6.2.
pub const FILES_SINCE: u32 = 3;

impl Fence {
    /// True when files are fenced.
    pub fn has_files(&self) -> bool {
        !self.read.is_empty() || !self.write.is_empty()
    }

    /// The version of Landlock that holds all of this; 0 for a fence around nothing.
    pub fn needs(&self) -> u32 {
        let scopes = if self.scopes.is_empty() { 0 } else { SCOPES_SINCE };
        let files = if self.has_files() { FILES_SINCE } else { 0 };
        scopes.max(files)
    }
}

/// Rights to files (`LANDLOCK_ACCESS_FS_*`).
pub(crate) struct Rights;

impl Rights {
    /// Run, read files, read directories.
    pub const READ: u64 = 0b1101;
    /// Those that a file can have; the others are a directory's.
    pub const OF_A_FILE: u64 = 0b1100_0000_0000_0111;

    /// Every right that this version knows.
    pub fn all(version: u32) -> u64 {
        let bits = match version {
            0 => 0,
            1 => 13,
            2 => 14,
            3 | 4 => 15,
            _ => 16,
        };
        (1 << bits) - 1
    }
}

impl std::fmt::Display for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |paths: &[PathBuf]| {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            names.join(",")
        };
        let scope = |scope: Scopes, words: &str| {
            (self.scopes.0 & scope.0 != 0).then(|| format!("no {words} outside"))
        };
        let files =
            |paths: &[PathBuf], what: &str| (!paths.is_empty()).then(|| format!("{what} {}", names(paths)));
        let parts = [
            files(&self.read, "reads"),
            files(&self.write, "writes"),
            scope(Scopes::ABSTRACT_SOCKETS, "abstract sockets"),
            scope(Scopes::SIGNALS, "signals"),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_says_what_the_kernel_has_to_know() {
        let files = Fence { read: vec!["/usr".into()], ..Fence::default() };
        let scoped = Fence { scopes: Scopes::SIGNALS, ..files.clone() };
        assert_eq!([Fence::default().needs(), files.needs(), scoped.needs()], [0, 3, 6]);
        assert_eq!(scoped.to_string(), "reads /usr; no signals outside");
    }

    #[test]
    fn each_version_knows_the_rights_of_those_before() {
        let all: Vec<u64> = (0..9).map(Rights::all).collect();
        assert_eq!(all, [0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff, 0xffff, 0xffff]);
    }
}
