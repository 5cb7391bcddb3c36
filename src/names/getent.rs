//! `getent(1)`, for users and groups that live elsewhere than in the files (LDAP, SSSD, systemd).

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};

use super::parse::has_other_sources;

/// Where Debian, Fedora, SUSE and Arch put it; never searched on `PATH`.
const GETENT: &str = "/usr/bin/getent";
/// A directory server that does not answer in this time does not answer.
const ANSWER_MAX_MS: u64 = 2_000;
/// Most bytes of an answer: a group of some thousand members.
const ANSWER_MAX: u64 = 1 << 20;
/// Most bytes of `nsswitch.conf`.
const NSSWITCH_MAX: u64 = 64 << 10;
/// Where the source `systemd` looks for users, of all versions (`nss-systemd(8)`).
const OF_SYSTEMD: [&str; 7] = [
    "/run/systemd/userdb",
    "/run/systemd/dynamic-uid",
    "/run/userdb",
    "/run/host/userdb",
    "/etc/userdb",
    "/usr/local/lib/userdb",
    "/usr/lib/userdb",
];
/// Longest name that is passed on.
const KEY_MAX: usize = 256;

/// Which of getent's databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Users.
    Passwd,
    /// Groups.
    Group,
    /// Supplementary groups of a user.
    Initgroups,
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Self::Passwd => "passwd",
            Self::Group => "group",
            Self::Initgroups => "initgroups",
        }
    }

    /// The database whose line in `nsswitch.conf` decides when it has none of its own.
    fn governed_by(self) -> &'static str {
        match self {
            Self::Passwd => "passwd",
            Self::Group | Self::Initgroups => "group",
        }
    }
}

/// Whether users or groups may be in places that only a directory server knows.
///
/// The users that systemd makes up are no such place: they are nobody's colleagues in a group of the files.
pub fn has_directory() -> bool {
    let known = ["files", "systemd"];
    nsswitch().is_some_and(|text| {
        ["passwd", "group", "initgroups"].iter().any(|name| has_other_sources(&text, name, &known))
    })
}

/// Whether the system has other sources than the files for this database.
fn is_wanted(database: Database) -> bool {
    let names = [database.name(), database.governed_by()];
    // Without any of its places `systemd` makes up root and nobody, whom the files have.
    let is_silent = || !OF_SYSTEMD.iter().any(|place| access(*place, Access::EXISTS).is_ok());
    nsswitch().is_some_and(|text| {
        let other = |known: &[&str]| names.iter().any(|name| has_other_sources(&text, name, known));
        other(&["files"]) && (other(&["files", "systemd"]) || !is_silent())
    })
}

fn nsswitch() -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open("/etc/nsswitch.conf").ok()?;
    file.take(NSSWITCH_MAX).read_to_string(&mut text).ok().map(|_| text)
}

/// The first line that getent prints for a key; `None` when there is no such entry, no getent, or no answer.
pub fn line(database: Database, key: &str) -> Option<String> {
    if !is_key(key) || !is_wanted(database) {
        return None;
    }
    let mut child = spawn(database, key)?;
    let answer = child
        .stdout
        .take()
        .and_then(|out| read_all(out, Instant::now() + Duration::from_millis(ANSWER_MAX_MS)));
    let finished = end(&mut child, answer.is_some());
    answer.filter(|_| finished)?.lines().next().map(Into::into)
}

/// What may be a name or a number; nothing that could be taken for an option.
fn is_key(key: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@' | b'$' | b'\\' | b'+')
    };
    !key.is_empty() && key.len() <= KEY_MAX && !key.starts_with(['-', '+']) && key.bytes().all(allowed)
}

fn spawn(database: Database, key: &str) -> Option<Child> {
    Command::new(GETENT)
        .args([database.name(), key])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

/// Everything up to the end of the answer, or `None` when it is late, too long or not UTF-8.
fn read_all(mut out: ChildStdout, deadline: Instant) -> Option<String> {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let mut ready = [PollFd::from_borrowed_fd(out.as_fd(), PollFlags::IN)];
        let timeout = Timespec::try_from(left).ok()?;
        poll(&mut ready, Some(&timeout)).ok()?;
        if ready[0].revents().is_empty() {
            continue;
        }
        match out.read(&mut chunk).ok()? {
            0 => return String::from_utf8(answer).ok(),
            count => answer.extend_from_slice(&chunk[..count]),
        }
        if answer.len() as u64 > ANSWER_MAX {
            return None;
        }
    }
}

/// Reaps the child, which is killed first unless it has said everything; false if it failed.
fn end(child: &mut Child, complete: bool) -> bool {
    if !complete {
        // It may have ended already; then there is nothing to kill, and it is reaped below.
        let _ = child.kill();
    }
    // An error means that somebody else in this process reaps all children: its answer stands.
    child.wait().map_or(complete, |status| status.success())
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_no_option_and_no_shell_text() {
        assert!(
            ["root", "33", "svc.web", "alice@example.org", "host$", "DOM\\alice"].into_iter().all(is_key)
        );
        assert!(!["", "--help", "-s", "+x", "a b", "a;b", "$(id)x y", "a\nb", "ä"].into_iter().any(is_key));
        assert!(!is_key(&"a".repeat(257)));
    }
}
