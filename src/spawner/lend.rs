//! Lends the emperor what it may not open itself: only at or below the sources of the charter.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::inotify::{WatchFlags, add_watch};
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use super::charter::Charter;
use super::wire::{Answer, Ask, Seen};
use crate::trust::{self, Examined, Reach, Refusal, Target, TrustPolicy};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// An answer, and what goes along.
pub type Lent = (Answer, Vec<OwnedFd>);

/// Answers one ask, with the descriptor that goes along. What is away (`AWAY`) is looked at by others.
///
/// Must not: open, watch or look at anything outside of the charter's sources, or follow a link on the way there.
pub fn answer(charter: &Charter, near: Reach<'_>, ask: &Ask, descriptors: &[OwnedFd]) -> Lent {
    let result = match (ask, descriptors) {
        (Ask::Directory(path), []) => directory(charter, near, path),
        (Ask::Below(path), [top]) => below(charter, near, top.as_fd(), path),
        (Ask::Examine { file, lend }, [directory]) => {
            examine(charter, near, directory.as_fd(), file).and_then(|found| shown(found, *lend))
        }
        (Ask::Watch { mask }, [inotify, file]) => watch(charter, near, (inotify, file.as_fd()), *mask),
        _ => Err(Errno::INVAL),
    };
    or_errno(result)
}

/// An errno is an answer.
pub fn or_errno(result: Result<Lent, Errno>) -> Lent {
    result.unwrap_or_else(|errno| (Answer::Error(errno.raw_os_error()), Vec::new()))
}

/// Where an admin's own path leads, links of the admin's included; below it no link is followed.
fn directory(charter: &Charter, near: Reach<'_>, path: &str) -> Result<Lent, Errno> {
    let root = charter.roots.iter().find(|root| is_below(path, root)).ok_or(Errno::PERM)?;
    let top = trust::open_path(root.as_bytes(), near)?;
    let rest = path.strip_prefix(root.as_str()).ok_or(Errno::PERM)?;
    beneath(near, top.as_fd(), rest)
}

fn is_below(path: &str, root: &str) -> bool {
    let path = Path::new(path);
    path.components().all(|part| !matches!(part, Component::ParentDir)) && path.starts_with(root)
}

fn below(charter: &Charter, near: Reach<'_>, top: BorrowedFd<'_>, path: &str) -> Result<Lent, Errno> {
    require_in_sources(charter, top, near)?;
    beneath(near, top, path)
}

fn beneath(near: Reach<'_>, top: BorrowedFd<'_>, rest: &str) -> Result<Lent, Errno> {
    let found = trust::open_below(top, rest.as_bytes(), near)?;
    Ok((Answer::Directory, vec![openat(found, c".", DIRECTORY, Mode::empty())?]))
}

/// A config of a source, as it is judged.
///
/// # Errors
/// It is of no source.
pub fn examine(
    charter: &Charter,
    near: Reach<'_>,
    directory: BorrowedFd<'_>,
    file: &str,
) -> Result<Result<Examined, Refusal>, Errno> {
    require_in_sources(charter, directory, near)?;
    if !charter.names(file) {
        return Err(Errno::PERM);
    }
    Ok(trust::examine(directory, file, &policy(charter), near))
}

/// What the emperor gets to know of it, and with `lend` the config itself.
///
/// # Errors
/// It cannot be looked at.
pub fn shown(found: Result<Examined, Refusal>, lend: bool) -> Result<Lent, Errno> {
    match found {
        Ok(examined) => {
            let config = Seen::of(&examined);
            Ok(seen(config, lend.then_some(examined.file), examined.targets))
        }
        Err(Refusal::Absent) => Ok((Answer::Missing, Vec::new())),
        Err(Refusal::Denied(errno)) => Err(errno),
        Err(Refusal::Refused(sight, targets)) => Ok(seen(Seen::from(&sight), None, targets)),
    }
}

fn seen(mut seen: Seen, file: Option<OwnedFd>, targets: Vec<Target>) -> Lent {
    let (names, directories): (Vec<String>, Vec<OwnedFd>) =
        targets.into_iter().map(|target| (target.name, target.directory)).unzip();
    seen.targets = names;
    (Answer::Seen(seen), file.into_iter().chain(directories).collect())
}

fn watch(
    charter: &Charter,
    near: Reach<'_>,
    (inotify, file): (&OwnedFd, BorrowedFd<'_>),
    mask: u32,
) -> Result<Lent, Errno> {
    require_in_sources(charter, file, near)?;
    let number = add_watch(inotify, proc_path(file), WatchFlags::from_bits_truncate(mask))?;
    Ok((Answer::Watch(number), Vec::new()))
}

/// Refuses a descriptor of anything that lies elsewhere, whoever opened it. The path that the kernel gives is of
/// the open file itself, but of whatever mount namespace that was opened in. What is near is on a mount of our own; else
/// the path counts only where it leads us to the very same place.
///
/// # Errors
/// `EPERM`; what opening that path gives, `AWAY` among it.
pub fn require_in_sources(charter: &Charter, file: BorrowedFd<'_>, reach: Reach<'_>) -> Result<(), Errno> {
    reach.admit(file)?;
    let path = readlinkat(CWD, proc_path(file), Vec::new())?.into_string().map_err(|_| Errno::PERM)?;
    if matches!(reach, Reach::Anywhere) {
        require_same(file, &path)?;
    }
    if charter.roots.iter().any(|root| is_below(&path, root)) {
        return Ok(());
    }
    let real = |root: &String| {
        let opened = trust::open_path(root.as_bytes(), reach).ok()?;
        readlinkat(CWD, proc_path(opened.as_fd()), Vec::new()).ok()?.into_string().ok()
    };
    let known = charter.roots.iter().filter_map(real).any(|root| Path::new(&path).starts_with(root));
    if known { Ok(()) } else { Err(Errno::PERM) }
}

/// A copy of a mount in another namespace has a number of its own; while a descriptor is open none is given again.
fn require_same(file: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
    let there = trust::open_path(path.as_bytes(), Reach::Anywhere)?;
    let place =
        |file| trust::stat(file, c"").map(|stat| (stat.identity.device, stat.identity.inode, stat.mount));
    if place(file)? == place(there.as_fd())? { Ok(()) } else { Err(Errno::PERM) }
}

fn proc_path(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What the charter says about links and owners.
pub fn policy(charter: &Charter) -> TrustPolicy {
    TrustPolicy {
        tyrant: charter.tyrant,
        nofollow: charter.nofollow,
        tyrant_nofollow: charter.tyrant_nofollow,
        privileged: charter.privileged,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use rustix::fs::open;

    use super::*;
    use crate::trust::Mounts;

    fn charter(root: &Path) -> Charter {
        Charter { roots: vec![root.to_str().expect("UTF-8").to_owned()], ..Charter::default() }
    }

    /// Somebody who mounts `/etc` over `root` where only he sees it; he ends when his input does.
    fn in_another_namespace(root: &Path) -> Option<Child> {
        let script = format!("mount --bind /etc '{}' && echo ready && read -r _", root.display());
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a pipe");
        if line == "ready\n" { Some(child) } else { child.wait().ok().and(None) }
    }

    #[test]
    fn a_place_of_another_mount_namespace_is_in_no_source() {
        let root = tempfile::tempdir().expect("a directory");
        let Some(mut other) = in_another_namespace(root.path()) else {
            eprintln!("skipped: no user namespaces here");
            return;
        };
        let theirs = format!("/proc/{}/root{}", other.id(), root.path().display());
        let theirs = open(theirs, DIRECTORY, Mode::empty()).expect("their /etc");
        let shown = readlinkat(CWD, proc_path(theirs.as_fd()), Vec::new()).expect("a path");
        assert_eq!(
            shown.to_str().expect("UTF-8"),
            root.path().to_str().expect("UTF-8"),
            "it looks like ours"
        );
        for (reach, errno) in [(Reach::Near(&Mounts::new()), trust::AWAY), (Reach::Anywhere, Errno::PERM)] {
            assert_eq!(require_in_sources(&charter(root.path()), theirs.as_fd(), reach), Err(errno));
        }
        drop(other.stdin.take());
        other.wait().expect("it ends");
    }

    #[test]
    fn a_directory_of_a_source_is_in_it() {
        let root = tempfile::tempdir().expect("a directory");
        let ours = open(root.path(), DIRECTORY, Mode::empty()).expect("a directory");
        assert_eq!(
            require_in_sources(&charter(root.path()), ours.as_fd(), Reach::Near(&Mounts::new())),
            Ok(())
        );
        let etc = open("/etc", DIRECTORY, Mode::empty()).expect("a directory");
        assert_eq!(
            require_in_sources(&charter(root.path()), etc.as_fd(), Reach::Near(&Mounts::new())),
            Err(Errno::PERM)
        );
    }

    #[test]
    fn only_what_lies_at_or_below_a_source_is_lent() {
        assert!(is_below("/srv/vassals", "/srv/vassals"));
        assert!(is_below("/srv/vassals/a", "/srv/vassals"));
        assert!(!is_below("/srv/vassals2", "/srv/vassals"));
        assert!(!is_below("/srv/vassals/../../etc", "/srv/vassals"));
        assert!(!is_below("/etc", "/srv/vassals"));
    }
}
