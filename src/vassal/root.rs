//! Enters another file system, and tells why not.

use std::path::Path;

use jail::plan::Rootfs;
use jail::{Failure, run};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::state::Vassal;
use super::trouble::Trouble;

/// Builds and enters it.
///
/// # Errors
/// Whatever is not exactly as asked.
pub fn enter(vassal: &mut Vassal, rootfs: &Rootfs) -> Result<(), Trouble> {
    let seen = vassal.identity.as_ref().map(|who| rootfs.seen_as((who.uid, who.gid)));
    let rootfs = seen.as_ref().unwrap_or(rootfs);
    vassal.old_root = run::enter(rootfs).map_err(|failure| trouble("build the file system", &failure))?;
    vassal.moved = rootfs.moves();
    Ok(())
}

/// Leaves the old root, if it is still to be seen.
///
/// # Errors
/// It cannot be left.
pub fn leave(vassal: &mut Vassal) -> Result<(), Trouble> {
    let Some(old) = vassal.old_root.take() else { return Ok(()) };
    old.leave().map_err(|failure| trouble("leave the old root", &failure))
}

/// `chroot(2)`, and into it.
///
/// # Errors
/// No such directory.
pub fn chroot(path: &Path) -> Result<(), Trouble> {
    let changed = rustix::process::chroot(path).and_then(|()| rustix::process::chdir(c"/"));
    changed.map_err(|errno| Trouble::errno(format!("change root to {}", path.display()), errno))
}

fn trouble(what: &str, failure: &Failure) -> Trouble {
    let trouble = Trouble::new(format!("cannot {what}: {}", failure.cause()));
    Trouble { advice: advice(failure.errno).map(str::to_owned), ..trouble }
}

fn advice(errno: i32) -> Option<&'static str> {
    let errno = (errno != 0).then(|| Errno::from_raw_os_error(errno))?;
    Some(match errno {
        Errno::NOENT => "it must be there before the vassal starts: create it, or correct the path",
        Errno::ACCESS if !geteuid().is_root() => "the vassal's user must be allowed to see it",
        Errno::ACCESS => "root of the vassal may not see it: in a user namespace that is the vassal's user",
        Errno::PERM => {
            "this needs `sys_admin` (see `cap` and `emperor-cap`); a proc of its own needs one that is wholly visible outside"
        }
        Errno::INVAL => "a directory with mounts below it needs the flag `rbind` in a user namespace",
        Errno::NOSYS => "Linux 5.12 or newer is needed",
        Errno::NODEV => "this kernel lacks that file system",
        _ => return None,
    })
}
