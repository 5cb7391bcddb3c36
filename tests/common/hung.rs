//! A file system that answers, until it is told not to. It is mounted where only the Emperor sees it, and goes with it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Emperor, Start, Tree};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hung/server.py");
/// Serves below the one who becomes the Emperor, in a mount namespace of their own.
const SCRIPT: &str = r#"server=$1 point=$2 shown=$3 control=$4 id=$5; shift 5
/usr/bin/python3 "$server" "$point" "$shown" "$control" "$id" </dev/null &
read -r ready <"$control/ready" || exit 1
exec "$@""#;

/// What the server shows, and what tells it to hang.
pub struct Hung {
    shown: PathBuf,
    control: PathBuf,
    point: PathBuf,
    server: u32,
}

impl Hung {
    /// Prepares one that will be mounted on this directory of the tree.
    pub fn on(tree: &Tree, point: &str) -> Self {
        let (shown, control) = (tree.dir("shown"), tree.dir("control"));
        let made = Command::new("mkfifo").arg(control.join("ready")).status().unwrap();
        assert!(made.success());
        Self { shown, control, point: tree.path(point), server: 0 }
    }

    /// It is a process of this user.
    pub fn served_by(self, server: u32) -> Self {
        Self { server, ..self }
    }

    /// Has this Emperor live where it is mounted.
    pub fn around(&self, start: Start) -> Start {
        let paths =
            [Path::new(SERVER), &self.point, &self.shown, &self.control].map(|path| path.to_str().unwrap());
        let before = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT, "sh"];
        start.through(&[&before[..], &paths, &[&self.server.to_string()]].concat())
    }

    /// A path in what it shows, to be written to from outside.
    pub fn shown(&self, name: &str) -> PathBuf {
        self.shown.join(name)
    }

    /// From now on it answers nothing.
    pub fn hang(&self) {
        std::fs::write(self.control.join("hang"), "").unwrap();
    }

    /// It answers again.
    pub fn answer(&self) {
        std::fs::remove_file(self.control.join("hang")).unwrap();
    }

    /// Takes it away where the Emperor sees it, as an administrator would who has had enough.
    pub fn unmount(&self, emperor: &Emperor) {
        let pid = emperor.process.pid.to_string();
        let point = self.point.to_str().unwrap();
        let status =
            Command::new("nsenter").args(["--mount", "--target", &pid, "umount", "--lazy", point]).status();
        assert!(status.unwrap().success());
    }
}

/// Whether such a file system can be made here.
pub fn can_hang() -> bool {
    let mut byte = [0];
    let there = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let there = there.map(|mut device| device.read(&mut byte).is_err()).unwrap_or(false);
    if !there {
        eprintln!("skipped: there is no FUSE here");
    }
    there
}
