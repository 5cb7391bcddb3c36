//! A directory tree of one test, where nobody but root may write: a world-writable parent would be refused.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// All trees of all tests.
const TOP: &str = "/var/lib/liege-test";
static NEXT: AtomicU32 = AtomicU32::new(0);

/// `TOP/PID-N`, with directories `vassals` and `run`; removed in the end.
pub struct Tree {
    top: PathBuf,
}

impl Tree {
    /// Makes a fresh one.
    pub fn new() -> Self {
        super::demand_root();
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let top = Path::new(TOP).join(name);
        super::eventually("a directory below /var/lib", || std::fs::create_dir_all(&top).ok());
        let tree = Self { top };
        for path in [Path::new(TOP), &tree.top] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        tree.dir("vassals");
        tree.dir("run");
        tree
    }

    /// A path below it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    /// The directory of configs.
    pub fn vassals(&self) -> PathBuf {
        self.path("vassals")
    }

    /// A directory of root's, mode 755.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// The program, where every user reaches it: who built it may have closed the directories above.
    pub fn liege(&self) -> PathBuf {
        let here = self.path("liege");
        super::lend_program(super::LIEGE, &here);
        here
    }

    /// A directory of a tenant's, mode 755.
    pub fn dir_of(&self, owner: u32, name: &str) -> PathBuf {
        let path = self.dir(name);
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    }

    /// Makes it and the directories in it this user's.
    pub fn hand_over(&self, owner: u32) {
        for path in [&self.top, &self.vassals(), &self.path("run")] {
            chown(path, Some(owner), Some(owner)).unwrap();
        }
    }

    /// Makes `run` this user's.
    pub fn hand_over_run(&self, owner: u32) {
        chown(self.path("run"), Some(owner), Some(owner)).unwrap();
    }

    /// A config of root's: the whole file appears at once.
    pub fn vassal(&self, name: &str, body: &str) -> PathBuf {
        self.vassal_of(0, name, body)
    }

    /// A config of this uid and gid: the whole file appears at once, as its owner's.
    pub fn vassal_of(&self, owner: u32, name: &str, body: &str) -> PathBuf {
        let path = self.vassals().join(name);
        self.place(&path, owner, &format!("[uwsgi]\n{body}"));
        path
    }

    /// A file that appears at once, with this owner and text, mode 644.
    pub fn place(&self, path: &Path, owner: u32, text: &str) {
        let fresh = self.path(&format!(".fresh-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&fresh, text).unwrap();
        std::fs::set_permissions(&fresh, PermissionsExt::from_mode(0o644)).unwrap();
        chown(&fresh, Some(owner), Some(owner)).unwrap();
        std::fs::rename(&fresh, path).unwrap();
    }

    /// A shell script of root's that everybody may run.
    pub fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// The text of a file, once it is there and ends a line.
    pub fn text(&self, name: &str) -> String {
        let path = self.path(name);
        super::eventually(&format!("a line in {}", path.display()), || {
            std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'))
        })
    }

    /// Socket files anywhere below.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect_sockets(&self.top, &mut found);
        found
    }
}

fn collect_sockets(directory: &Path, found: &mut Vec<PathBuf>) {
    use std::os::unix::fs::FileTypeExt;
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect_sockets(&entry.path(), found),
            Ok(kind) if kind.is_socket() => found.push(entry.path()),
            _ => {}
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.top);
        let _ = std::fs::remove_dir(TOP);
        if !std::thread::panicking() {
            removed.expect("the tree of a test can be removed");
        }
    }
}
