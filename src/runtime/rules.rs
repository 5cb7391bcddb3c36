//! Where the Emperor's own config is, for people who want to check theirs by it, and whether everybody may read it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::stats::Rules;

/// Others may read it, or enter it.
const READ: u32 = 0o004;
const ENTER: u32 = 0o001;

/// Looks at the file that the config was read from, by the name that counts from `first`, where we were started. What is no file is
/// nothing that could be named again.
pub fn look(file: Option<&str>, first: &Path) -> Rules {
    let Some(path) = file.map(|file| first.join(file)).filter(|path| path.is_file()) else {
        return Rules::default();
    };
    Rules { is_public: is_public(&path), path: path.to_str().map(str::to_owned) }
}

/// By modes alone: who is in a group or on a list does not count. A link is judged by where it leads, and the directories in which it
/// stands.
fn is_public(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    let has =
        |path: &Path, bit: u32| path.metadata().is_ok_and(|found| found.permissions().mode() & bit != 0);
    let can_be_entered = |path: &Path| path.ancestors().skip(1).all(|above| has(above, ENTER));
    has(&real, READ) && can_be_entered(&real) && can_be_entered(path)
}
