//! Routers of the Emperor's: their processes, and the ways to them that vassals get.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result, bail};
use caps::Capability;
use jail::plan::PAYERS;
use jail::run::{Birth, Born, Spawned};
use jail::{Capabilities, Failure, Identity, Namespaces, Program, Spec};
use routers::parking::{CHANNEL_FD, CHARTER_FD};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::process::{Signal, pidfd_send_signal};

use super::birth::c_string;
use super::charter::Lodging;
use super::court::Court;
use super::walks::read_report;
use crate::emperor::event::Owner;
use crate::gateways::role::ROLE;
use crate::log;

/// Longest wait for a process to come to its program. Nobody but us holds it up.
const BIRTH_MAX: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// What it has of its own. Not mounts: a copy of ours would keep busy what is to be unmounted here, and behind its fence and under
/// its filter no path leads anywhere.
pub(super) const NAMESPACES: Namespaces =
    Namespaces::NET.with(Namespaces::IPC).with(Namespaces::UTS).with(Namespaces::CGROUP);

/// The routers of the charter, each by its number.
#[derive(Debug, Default)]
pub(super) struct Routers {
    sockets: Vec<OwnedFd>,
    processes: Vec<Option<OwnedFd>>,
}

impl Routers {
    /// Names the very sockets that the Emperor has made, so that nobody is led to another one later.
    ///
    /// # Errors
    /// One of them is not there any more.
    pub fn open(lodgings: &[Lodging]) -> Result<Self> {
        let sockets = lodgings.iter().map(socket).collect::<Result<Vec<_>>>()?;
        let processes = lodgings.iter().map(|_| None).collect();
        Ok(Self { sockets, processes })
    }

    /// The ways that vassals get (`O_PATH`).
    pub fn lent(&self) -> Vec<RawFd> {
        self.sockets.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// SIGKILL for the process of this number.
    pub fn kill(&self, number: u8) {
        if let Some(Some(process)) = self.processes.get(usize::from(number)) {
            // It has ended already.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }

    /// Whether one of this number is there, and has not ended.
    fn lives(&self, number: u8) -> bool {
        let process = self.processes.get(usize::from(number)).and_then(Option::as_ref);
        process.is_some_and(|process| {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            matches!(poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)), Ok(0))
        })
    }
}

fn socket(lodging: &Lodging) -> Result<OwnedFd> {
    let (path, made) = (&lodging.socket.path, &lodging.socket);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let socket = open(path.as_str(), flags, Mode::empty()).with_context(|| path.clone())?;
    let found = fstat(&socket)?;
    let is_socket = FileType::from_raw_mode(found.st_mode) == FileType::Socket;
    if !is_socket || (found.st_dev, found.st_ino) != (made.device, made.inode) {
        bail!("{path} is not the socket that was made there");
    }
    Ok(socket)
}

impl Court {
    /// Makes the process of a router: its pid. Descriptors: its end of the channel, what it is told.
    ///
    /// Must: make none but those of the charter, and each once at a time.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn bear_router(&mut self, number: u8, lent: &[OwnedFd]) -> Result<i32, String> {
        if self.charter.routers.len() <= usize::from(number) {
            return Err("the Emperor has no such router".into());
        }
        if self.routers.lives(number) {
            return Err("this router runs already".into());
        }
        let [channel, papers] = lent else { return Err("it takes two descriptors".into()) };
        let device = &self.charter.routers[usize::from(number)].device;
        let spec = self.router(device, (channel.as_raw_fd(), papers.as_raw_fd()));
        let born = self.bear_servant(&spec)?;
        self.routers.processes[usize::from(number)] = Some(born.pidfd);
        Ok(born.pid)
    }

    /// A process that serves beside the vassals, a child of the Emperor's: it ends with everybody else.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn bear_servant(&self, spec: &Spec) -> Result<Born, String> {
        let plan = jail::plan::plan(spec);
        let sentence = |failure: Failure| failure.sentence(&plan, &self.host);
        let birth =
            Birth { sibling: true, cgroup: self.shared.as_ref().map(AsFd::as_fd), ..Birth::default() };
        match jail::run::spawn(&plan, &birth).map_err(|error| sentence(error.0))? {
            Spawned::Running(born) => Ok(born),
            Spawned::Walking(born, report) => {
                arrived(&report).map_err(sentence)?;
                Ok(born)
            }
            // It has ended, and the Emperor reaps a child that it knows nothing of.
            Spawned::Failed(_, failure) => Err(sentence(failure)),
        }
    }

    /// Nobody, without a right, with nothing but two descriptors and the log.
    fn router(&self, device: &str, (channel, papers): (RawFd, RawFd)) -> Spec {
        let privileged = self.charter.privileged;
        let journal = std::env::var(log::JOURNAL).map(|stream| format!("{}={stream}", log::JOURNAL));
        Spec {
            namespaces: if has_rights_to_namespaces() { NAMESPACES } else { Namespaces::NONE },
            identity: privileged.then(|| Identity {
                uid: nobody().uid,
                gid: nobody().gid,
                groups: Vec::new(),
            }),
            bounding: (privileged && self.charter.may_bound()).then_some(Capabilities::NONE),
            no_new_privs: true,
            dies_with_parent: true,
            session: true,
            settings: self.charter.settings.clone(),
            arrival: Some(c"/".into()),
            descriptors: vec![(1, 1), (2, 2), (channel, CHANNEL_FD), (papers, CHARTER_FD)],
            program: Program::Descriptor(self.executable.as_raw_fd(), vec![c_string(ROLE), c_string(device)]),
            environment: journal.into_iter().map(|one| c_string(&one)).collect::<Vec<CString>>(),
            ..Spec::default()
        }
    }
}

/// In a container there may be the right to a device and not to this; its filter holds a router all the same.
pub(super) fn has_rights_to_namespaces() -> bool {
    let needed = [Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN];
    needed.into_iter().all(|one| crate::permitted().has(one))
}

/// Waits until it runs its program.
fn arrived(report: &OwnedFd) -> Result<(), Failure> {
    match poll(&mut [PollFd::new(report, PollFlags::IN)], Some(&BIRTH_MAX)) {
        Ok(0) => Err("it does not come to its program".into()),
        _ => read_report(report),
    }
}

/// Whom nobody else is.
pub fn nobody() -> Owner {
    Owner { uid: nobodys("uid_map"), gid: nobodys("gid_map") }
}

/// A number that nobody is ever called by: no tenant's sum, as root has none (`PAYERS`). Where a user namespace has not that many,
/// its last one.
fn nobodys(map: &str) -> u32 {
    of_map(&std::fs::read_to_string(format!("/proc/self/{map}")).unwrap_or_default())
}

fn of_map(map: &str) -> u32 {
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u32>().ok());
        let (first, _, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
        (count > 0).then(|| first..=first.saturating_add(count - 1))
    };
    let ranges = || map.lines().filter_map(extent);
    if ranges().any(|range| range.contains(&PAYERS)) {
        return PAYERS;
    }
    ranges().map(|range| *range.end()).max().unwrap_or(PAYERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawner::charter::Leftover;

    fn lodging(path: &std::path::Path) -> Lodging {
        Lodging { device: "emperor0".into(), socket: Leftover::of(path).expect("a file") }
    }

    /// Row W9.
    #[test]
    fn only_the_very_socket_that_was_made_is_shown_to_vassals() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("router.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let made = lodging(&path);
        assert_eq!(Routers::open(std::slice::from_ref(&made)).expect("it is there").lent().len(), 1);
        // Held open, so that its number is not another's.
        let _old = open(&path, OFlags::PATH, Mode::empty()).expect("a file");
        std::fs::rename(&path, place.path().join("old")).expect("it can be moved");
        assert!(Routers::open(std::slice::from_ref(&made)).is_err(), "it is gone");
        let other = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        assert!(Routers::open(std::slice::from_ref(&made)).is_err(), "it is another");
        std::fs::remove_file(&path).expect("it is there");
        std::os::unix::fs::symlink(place.path().join("old"), &path).expect("a link");
        assert!(Routers::open(&[made]).is_err(), "a link leads to it");
        std::fs::remove_file(&path).expect("it is there");
        std::fs::write(&path, "").expect("a file");
        assert!(Routers::open(&[lodging(&path)]).is_err(), "no socket");
        drop((listener, other));
    }

    #[test]
    fn nobody_is_killed_whose_number_is_none_of_the_charter() {
        let routers = Routers::default();
        routers.kill(0);
        assert!(!routers.lives(0) && !routers.lives(255));
    }

    #[test]
    fn a_router_is_somebody_whom_nobody_else_is() {
        assert_eq!(of_map("         0          0 4294967295\n"), 1 << 31);
        assert_eq!(of_map("         0     100000      65536\n"), 65_535);
        assert_eq!(of_map("0 1000 1\n1 100000 65536\n"), 65_536);
        assert_eq!(of_map("0 1000 1\n"), 0, "root of one number has no other, and no right by it");
        assert_eq!(of_map(""), 1 << 31);
    }
}
