//! From a name in an open directory to an open config, or to the reason why not.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::{Errno, pread};

use super::fingerprint::{Identity, LinkIdentity, of_content, of_link, of_refused};
use super::judge::{Kind, Verdict, Way, judge};
use super::name::judge_name;
use super::reach::{AWAY, Reach};
use super::stat::{Stat, made_up, proc_path, stat};
use super::walk::{Destination, Passed};
use super::{CONFIG_MAX, Examined, Refusal, Target, TrustPolicy};
use crate::emperor::event::{Fingerprint, Owner, Sight};

const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Examines the config `name` in `dir`.
///
/// Must: be what decides about the descriptor that is run; its owner, its content and its way are those of one inode.
/// Must not: wait for anybody (unless `reach` allows it: what lies beyond is `Denied` with `AWAY`), follow more than one
/// link to the file, or open anything but a regular file.
pub fn examine(
    dir: BorrowedFd<'_>,
    name: &str,
    policy: &TrustPolicy,
    reach: Reach<'_>,
) -> Result<Examined, Refusal> {
    let mut found = Found { name, link: None, file: None, targets: Vec::new() };
    look(&mut found, dir, policy, reach).map_err(|stop| found.refuse(stop))
}

/// What is known so far; what a refusal can still say.
struct Found<'a> {
    name: &'a str,
    link: Option<(LinkIdentity, Stat)>,
    file: Option<Stat>,
    targets: Vec<Target>,
}

enum Stop {
    Absent,
    Denied(Errno),
    Refused(String),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        if is_ours(errno) { Self::Denied(errno) } else { Self::Refused(format!("cannot open it: {errno}")) }
    }
}

fn look(
    found: &mut Found<'_>,
    dir: BorrowedFd<'_>,
    policy: &TrustPolicy,
    reach: Reach<'_>,
) -> Result<Examined, Stop> {
    judge_name(found.name.as_bytes()).map_err(|fault| Stop::Refused(fault.to_string()))?;
    let entry = open_entry(dir, found.name, reach)?;
    let mut passed = Passed::above(dir, reach)?;
    let (opened, file) = resolve(found, dir, entry, (&mut passed, reach))?;
    if policy.privileged {
        passed.find_private_groups(dir);
    }
    let link = found.link.as_ref().map(|(_, stat)| stat.facts);
    let way = Way { link, passed: passed.facts().to_vec(), file: file.facts };
    let verdict = judge(&way, policy).map_err(|fault| {
        let path = fault.place().map(|place| passed.path(dir, place)).unwrap_or_default();
        Stop::Refused(fault.sentence(&path))
    })?;
    let server = passed.foreign_server(dir, opened.as_fd(), verdict.owner).filter(|_| policy.privileged);
    if let Some(Owner { uid, gid }) = server {
        return Err(Stop::Refused(format!(
            "its file system is a process of uid {uid} gid {gid}, which can say that a file is anybody's"
        )));
    }
    if let Some(name) = made_up(opened.as_fd(), &file)? {
        return Err(Stop::Refused(format!("it is on a {name} file system")));
    }
    read(found, opened.as_fd(), policy, verdict)
}

fn open_entry(dir: BorrowedFd<'_>, name: &str, reach: Reach<'_>) -> Result<OwnedFd, Stop> {
    find(dir, name, reach).map_err(|errno| match errno {
        Errno::NOENT => Stop::Absent,
        errno => errno.into(),
    })
}

/// Opens a name in a directory (`O_PATH`), and no link behind it.
///
/// # Errors
/// `AWAY`; what opening gives.
pub fn find(dir: BorrowedFd<'_>, name: &str, reach: Reach<'_>) -> Result<OwnedFd, Errno> {
    reach.admit(dir)?;
    reach.open(dir, &CString::new(name).map_err(|_| Errno::INVAL)?)
}

/// The file itself, or what its link leads to.
fn resolve(
    found: &mut Found<'_>,
    dir: BorrowedFd<'_>,
    entry: OwnedFd,
    (passed, reach): (&mut Passed<'_>, Reach<'_>),
) -> Result<(OwnedFd, Stat), Stop> {
    let own = stat(entry.as_fd(), c"")?;
    if own.facts.kind != Kind::Link {
        found.file = Some(own);
        return Ok((entry, own));
    }
    let text = readlinkat(&entry, c"", Vec::new())?.into_bytes();
    found.link = Some((LinkIdentity { own: own.identity, text: text.clone() }, own));
    let destination = passed.follow(dir, &text);
    found.targets = passed.take_turns();
    let Destination { directory, name } = destination.map_err(|errno| unreachable(errno, &text))?;
    let opened = reach.open(directory.as_fd(), &name).map_err(|errno| unreachable(errno, &text))?;
    let file = stat(opened.as_fd(), c"")?;
    found.file = Some(file);
    Ok((opened, file))
}

/// Errors that say nothing about the config: missing rights, missing memory or descriptors, a server that is away, a
/// lease that is being given up, or another process that has to look.
fn is_ours(errno: Errno) -> bool {
    let rights = [Errno::ACCESS, Errno::PERM];
    let means = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR, Errno::AGAIN];
    let server = [Errno::IO, Errno::STALE, Errno::TIMEDOUT, Errno::HOSTDOWN, Errno::NOTCONN, AWAY];
    rights.contains(&errno) || means.contains(&errno) || server.contains(&errno)
}

fn unreachable(errno: Errno, text: &[u8]) -> Stop {
    if is_ours(errno) {
        return Stop::Denied(errno);
    }
    Stop::Refused(format!("link points to {}: {errno}", String::from_utf8_lossy(text).escape_debug()))
}

fn read(
    found: &mut Found<'_>,
    opened: BorrowedFd<'_>,
    policy: &TrustPolicy,
    verdict: Verdict,
) -> Result<Examined, Stop> {
    let file = openat(CWD, proc_path(opened), READ, Mode::empty())?;
    let content = read_content(file.as_fd())?;
    let sight = found.sight(found.fingerprint(policy, &content), policy, verdict.owner);
    let Verdict { owner, trust } = verdict;
    let targets = std::mem::take(&mut found.targets);
    Ok(Examined { file, content, owner, trust, sight, targets })
}

/// All of it, and one byte more to see that it is too long. The offset stays at the start.
fn read_content(file: BorrowedFd<'_>) -> Result<Vec<u8>, Stop> {
    let mut content = vec![0; 4096];
    let mut length = 0;
    loop {
        match pread(file, &mut content[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
        if length as u64 > CONFIG_MAX {
            return Err(Stop::Refused(format!("it is larger than {CONFIG_MAX} bytes")));
        }
        if length == content.len() {
            content.resize(length * 4, 0);
        }
    }
    content.truncate(length);
    Ok(content)
}

impl Found<'_> {
    fn fingerprint(&self, policy: &TrustPolicy, content: &[u8]) -> Fingerprint {
        match (&self.link, &self.file) {
            (Some((link, _)), _) if policy.nofollow => of_link(link),
            (link, Some(file)) => of_content(link.as_ref().map(|(link, _)| link), &file.identity, content),
            (_, None) => self.refused_fingerprint("not stat'ed"),
        }
    }

    fn refused_fingerprint(&self, reason: &str) -> Fingerprint {
        let file = self.file.map(|file| file.identity);
        of_refused(self.name.as_bytes(), self.link.as_ref().map(|(link, _)| link), file.as_ref(), reason)
    }

    fn sight(&self, fingerprint: Fingerprint, policy: &TrustPolicy, owner: Owner) -> Sight {
        let link = self.link.as_ref().map(|(_, stat)| stat);
        let dated = link.filter(|_| policy.nofollow).or(self.file.as_ref()).or(link);
        let mtime_s = dated.map_or(0, |Stat { identity: Identity { mtime, .. }, .. }| mtime.0);
        Sight { fingerprint, owner, mtime_s, refusal: None }
    }

    fn refuse(&mut self, stop: Stop) -> Refusal {
        match stop {
            Stop::Absent => Refusal::Absent,
            Stop::Denied(errno) => Refusal::Denied(errno),
            Stop::Refused(reason) => {
                let link = self.link.as_ref().map(|(_, stat)| stat);
                let owner = self.file.as_ref().or(link).map(|stat| stat.facts.owner).unwrap_or_default();
                let plain = self.sight(self.refused_fingerprint(&reason), &TrustPolicy::default(), owner);
                Refusal::Refused(
                    Sight { refusal: Some(reason.into()), ..plain },
                    std::mem::take(&mut self.targets),
                )
            }
        }
    }
}

/// What a monitor says of a name that must not even be looked up.
pub fn refused_name(name: &[u8], reason: &str) -> Sight {
    let fingerprint = of_refused(name, None, None, reason);
    Sight { fingerprint, owner: Owner::default(), mtime_s: 0, refusal: Some(reason.into()) }
}

/// A sight for what could not be looked at.
pub fn denied(name: &str, errno: Errno) -> Sight {
    refused_name(name.as_bytes(), &trouble("cannot open it", errno))
}

/// What `errno` means for who asks for a file.
pub fn trouble(what: &str, errno: Errno) -> String {
    match errno {
        Errno::TIMEDOUT => format!("{what}: its file system does not answer"),
        errno => format!("{what}: {errno}"),
    }
}
