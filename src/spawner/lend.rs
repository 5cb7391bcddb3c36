//! Lends the emperor what it may not open itself: only at or below the sources of the charter.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::charter::Charter;
use super::wire::{Answer, Ask, Seen};
use crate::trust::{self, Refusal, TrustPolicy};

/// Answers one ask, with the descriptor that goes along.
///
/// Must not: open anything outside of the charter's sources, or follow a link on the way there.
pub fn answer(charter: &Charter, ask: &Ask, descriptors: &[OwnedFd]) -> (Answer, Option<OwnedFd>) {
    let result = match (ask, descriptors) {
        (Ask::Directory(path), []) => directory(charter, path),
        (Ask::Examine { file, lend }, [directory]) => Ok(examine(charter, directory, file, *lend)),
        (Ask::Watch { mask }, [inotify, directory]) => watch(inotify, directory, *mask),
        _ => Err(Errno::INVAL),
    };
    result.unwrap_or_else(|errno| (Answer::Error(errno.raw_os_error()), None))
}

type Lent = (Answer, Option<OwnedFd>);

fn directory(charter: &Charter, path: &str) -> Result<Lent, Errno> {
    let root = charter.roots.iter().find(|root| is_below(path, root)).ok_or(Errno::PERM)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let top = rustix::fs::open(root.as_str(), flags, Mode::empty())?;
    let rest = Path::new(path).strip_prefix(root).map_err(|_| Errno::PERM)?;
    let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let lent = rustix::fs::openat2(top, rest, flags, Mode::empty(), resolve)?;
    Ok((Answer::Directory, Some(lent)))
}

fn is_below(path: &str, root: &str) -> bool {
    let path = Path::new(path);
    path.components().all(|part| !matches!(part, Component::ParentDir)) && path.starts_with(root)
}

fn examine(charter: &Charter, directory: &OwnedFd, file: &str, lend: bool) -> Lent {
    match trust::examine(directory.as_fd(), file, &policy(charter)) {
        Ok(examined) => (Answer::Seen(Seen::from(&examined.sight)), lend.then_some(examined.file)),
        Err(Refusal::Absent) => (Answer::Missing, None),
        Err(Refusal::Denied(errno)) => (Answer::Error(errno.raw_os_error()), None),
        Err(Refusal::Refused(sight, _)) => (Answer::Seen(Seen::from(&sight)), None),
    }
}

fn watch(inotify: &OwnedFd, directory: &OwnedFd, mask: u32) -> Result<Lent, Errno> {
    let mask = rustix::fs::inotify::WatchFlags::from_bits_truncate(mask);
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let number = rustix::fs::inotify::add_watch(inotify, path, mask)?;
    Ok((Answer::Watch(number), None))
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
    use super::is_below;

    #[test]
    fn only_what_lies_at_or_below_a_source_is_lent() {
        assert!(is_below("/srv/vassals", "/srv/vassals"));
        assert!(is_below("/srv/vassals/a", "/srv/vassals"));
        assert!(!is_below("/srv/vassals2", "/srv/vassals"));
        assert!(!is_below("/srv/vassals/../../etc", "/srv/vassals"));
        assert!(!is_below("/etc", "/srv/vassals"));
    }
}
