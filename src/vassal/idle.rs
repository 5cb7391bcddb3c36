//! Looks whether anybody needs a command on demand: who is connected to its listener, and what its processes do.
//!
//! A connection that was accepted is a socket of one of those processes with the address of the listener. Those sockets
//! are asked themselves, each through its process (`pidfd_getfd(2)`): tables of sockets show a network namespace, and
//! the listener's is the Emperor's, its peers' any.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{SocketAddrAny, getsockname};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::quiet::{Quiet, Seen};
use super::state::Vassal;
use super::trouble::Trouble;
use super::watch::now;
use crate::emperor::event::Moment;
use crate::inherited;

/// Most processes that are looked at; with more it counts as busy.
const MEMBERS_MAX: usize = 4_096;
/// Most descriptors of one process that are looked at; with more it counts as busy.
const DESCRIPTORS_MAX: usize = 65_536;

/// The rule of one command.
#[derive(Debug)]
pub struct Idle {
    listener: OwnedFd,
    address: SocketAddrAny,
    quiet: Quiet,
    told: bool,
}

impl Idle {
    /// The rule, if there is one: for a vassal whose listener the Emperor holds, so that it can wait again.
    pub fn new(vassal: &Vassal, idle_s: u32) -> Option<Self> {
        let wanted = idle_s > 0 && vassal.control.is_some();
        let listener = wanted.then(inherited::standard_input).flatten()?;
        let address = getsockname(&listener).ok()?;
        Some(Self { listener, address, quiet: Quiet::new(idle_s, now()), told: false })
    }

    /// When it wants to be asked.
    pub fn next_deadline(&self) -> Moment {
        self.quiet.next_deadline()
    }

    /// Looks, if it is time to. Whether the command is idle.
    pub fn is_over(&mut self, vassal: &Vassal, command: Pid) -> bool {
        if now() < self.next_deadline() {
            return false;
        }
        let seen = self.look(command);
        if let Err(errno) = &seen
            && !std::mem::replace(&mut self.told, true)
        {
            let trouble =
                Trouble::errno("see who is connected to the command, so `idle` cannot end it", *errno);
            vassal.teller.trouble(&trouble);
        }
        self.quiet.take(seen.ok(), now())
    }

    fn look(&self, command: Pid) -> Result<Seen, Errno> {
        let members = members(command)?;
        let cpu_ms = members.iter().filter_map(|pid| cpu_ms(*pid)).sum();
        let mut known = BTreeSet::from([fstat(&self.listener)?.st_ino]);
        let mut connected = self.is_called()?;
        for pid in members {
            connected = connected || self.is_connected(pid, &mut known)?;
        }
        Ok(Seen { connected, cpu_ms })
    }

    /// Whether somebody waits to be accepted.
    fn is_called(&self) -> Result<bool, Errno> {
        let mut waiting = [PollFd::new(&self.listener, PollFlags::IN)];
        Ok(poll(&mut waiting, Some(&Timespec::default()))? > 0)
    }

    /// Whether a process has a connection that none had which was looked at before.
    fn is_connected(&self, pid: Pid, known: &mut BTreeSet<u64>) -> Result<bool, Errno> {
        // Who has ended since has none.
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(false),
            process => process?,
        };
        for (number, inode) in sockets(pid)? {
            if !known.insert(inode) {
                continue;
            }
            match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
                Ok(socket) if self.is_of_listener(socket.as_fd()) => return Ok(true),
                // Closed since; or ended.
                Ok(_) | Err(Errno::BADF | Errno::SRCH) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(false)
    }

    fn is_of_listener(&self, socket: BorrowedFd<'_>) -> bool {
        // Neither the listener by another number nor one of its own.
        let accepted = matches!(socket_acceptconn(socket), Ok(false));
        accepted && getsockname(socket).is_ok_and(|address| is_at(&address, &self.address))
    }
}

/// Whether a connection with this address of its own was accepted there.
fn is_at(own: &SocketAddrAny, listener: &SocketAddrAny) -> bool {
    match (SocketAddr::try_from(own.clone()), SocketAddr::try_from(listener.clone())) {
        (Ok(own), Ok(listener)) => {
            own.port() == listener.port() && (listener.ip().is_unspecified() || own.ip() == listener.ip())
        }
        (Err(_), Err(_)) => own == listener,
        _ => false,
    }
}

/// The command and all below us: orphans come to us.
fn members(command: Pid) -> Result<HashSet<Pid>, Errno> {
    let mut members = HashSet::new();
    let mut waiting = children("thread-self");
    while let Some(pid) = waiting.pop() {
        if members.len() >= MEMBERS_MAX {
            return Err(Errno::TOOBIG);
        }
        if members.insert(pid) {
            waiting.extend(threads(pid).iter().flat_map(|thread| children(&format!("{pid}/task/{thread}"))));
        }
    }
    // Without a /proc of our own nobody is seen at all.
    if members.contains(&command) { Ok(members) } else { Err(Errno::NOENT) }
}

fn threads(pid: Pid) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn children(thread: &str) -> Vec<Pid> {
    let list = std::fs::read_to_string(format!("/proc/{thread}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// CPU time of a process and of those of its children that have ended, `proc_pid_stat(5)`.
fn cpu_ms(pid: Pid) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses, whatever is in it; the state behind it is field 3.
    let after = stat.rsplit_once(") ")?.1;
    let ticks: u64 = after.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(ticks * 1_000 / clock_ticks_per_second())
}

/// The sockets of a process: numbers and inodes.
fn sockets(pid: Pid) -> Result<Vec<(i32, u64)>, Errno> {
    let directory = format!("/proc/{pid}/fd");
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound) => return Ok(Vec::new()),
        entries => entries.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?,
    };
    let mut sockets = Vec::new();
    for (count, entry) in entries.flatten().enumerate() {
        if count >= DESCRIPTORS_MAX {
            return Err(Errno::TOOBIG);
        }
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        let inode =
            link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        sockets.extend(number.zip(inode));
    }
    Ok(sockets)
}
