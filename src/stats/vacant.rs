//! A path that somebody may serve already: whoever does is left alone, and what an Emperor that was killed leaves behind is waited for.

use std::fs::{read_link, read_to_string, remove_file};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Result, bail};
use jail::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long those who hold the socket of somebody dead may take to follow him.
const WAIT_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// `SIGKILL` in a mask of signals.
const KILL: u64 = 1 << 8;

/// Makes room for a socket at this path.
///
/// # Errors
/// Somebody serves there.
pub(super) fn vacate(path: &Path) -> Result<()> {
    match UnixStream::connect(path) {
        Err(error) => remove_dead(path, error.kind()),
        // His children hold his socket until they are gone too, and his end is theirs.
        Ok(stream) if is_dead_mans(&stream) && has_closed(&stream) => match UnixStream::connect(path) {
            Err(error) => remove_dead(path, error.kind()),
            Ok(_) => bail!(SERVED),
        },
        Ok(_) => bail!(SERVED),
    }
    Ok(())
}

const SERVED: &str = "somebody serves there already";

fn remove_dead(path: &Path, kind: ErrorKind) {
    if kind == ErrorKind::ConnectionRefused {
        let _ = remove_file(path);
    }
}

/// Whether who began to listen there is no more, or about to be.
fn is_dead_mans(stream: &UnixStream) -> bool {
    // Whoever is in another pid namespace has no number here.
    let Some(who) = sys::peer(stream.as_fd()).ok().filter(|who| who.pid > 0) else { return false };
    let place = format!("/proc/{}", who.pid);
    // Who is dead, or dies, has no program any more.
    let has_none = read_link(format!("{place}/exe")).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    has_none || read_to_string(format!("{place}/status")).is_ok_and(|status| is_killed(&status))
}

/// Whether a `/proc/PID/status` says that SIGKILL is on its way.
fn is_killed(status: &str) -> bool {
    let pending =
        status.lines().filter_map(|line| line.strip_prefix("ShdPnd:").or(line.strip_prefix("SigPnd:")));
    pending.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).any(|mask| mask & KILL != 0)
}

/// Whether the socket that this waits at closes in time.
fn has_closed(stream: &UnixStream) -> bool {
    let mut watched = [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::RDHUP)];
    poll(&mut watched, Some(&WAIT_MAX)).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;
    use crate::config::vassal::Address;
    use crate::stats::{GUARDED, listen};

    /// It listens and ends; its child has the socket, and ends once somebody is there.
    const DYING: &str = "import os, select, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(5)
os.fork() or (select.select([s], [], [], 20), os._exit(0))";

    #[test]
    fn what_somebody_dead_has_left_behind_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let status = Command::new("python3").args(["-c", DYING]).arg(&path).status().expect("python3");
        assert!(status.success());
        let listener = listen(&Address::Unix(path.clone()), None, GUARDED).expect("a place");
        assert!(UnixStream::connect(&path).is_ok());
        drop(listener);
    }

    #[test]
    fn whoever_lives_is_left_alone_at_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).expect("a socket");
        let stream = UnixStream::connect(&path).expect("a connection");
        assert!(!is_dead_mans(&stream));
        assert!(vacate(&path).is_err() && path.exists());
        drop(listener);
        assert!(vacate(&path).is_ok() && !path.exists());
        assert!(vacate(&path).is_ok());
    }

    #[test]
    fn a_kill_on_its_way_is_seen() {
        assert!(is_killed("SigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n"));
        assert!(is_killed("SigPnd:\t0000000000000100\n"));
        assert!(!is_killed("SigPnd:\t0000000000004000\nSigBlk:\t0000000000000100\n") && !is_killed(""));
    }
}
