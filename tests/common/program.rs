//! Programs, copied so that they can be run at once.

use std::path::Path;
use std::process::Command;

/// Copies a program. By a process of its own: were the copy open for writing here, whatever another test forks meanwhile would hold
/// it open too, and nobody could run it (ETXTBSY).
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let copied = Command::new("cp").arg(from.as_ref()).arg(to.as_ref()).status().unwrap();
    assert!(copied.success(), "cannot copy {}: {copied}", from.as_ref().display());
}

/// The same where a link does as well.
pub fn lend_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    if !to.as_ref().exists() && std::fs::hard_link(&from, &to).is_err() {
        copy_program(from, to);
    }
}
