//! Speaks to a fork server, in a child of the spawner's that has the ids of the vassal and nothing else. It may wait for
//! ever: whoever sent it gives it up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Door;
use super::packet::{ANSWER_MAX, answer};
use super::proof::{Claim, began};
use jail::run::parent_of;

/// How many forks a server may put between itself and the vassal.
const FORKS_MAX: usize = 8;
/// How long each of those in between may live on after the answer.
const ORPHANED: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// One question.
pub struct Asked {
    /// Of whom.
    pub door: Door,
    /// The question.
    pub request: Vec<u8>,
    /// User ids that a fork server of this vassal may have: its own, and those of whoever governs.
    pub trusted: Vec<u32>,
    /// Pid of the Emperor.
    pub emperor: i32,
}

/// Asks. The process that answers comes along.
///
/// # Errors
/// A sentence.
pub fn ask(asked: &Asked, lent: &[BorrowedFd<'_>]) -> Result<(Claim, OwnedFd), String> {
    let socket = reach(&asked.door)?;
    let uid = jail::sys::peer_uid(socket.as_fd()).map_err(|errno| format!("cannot be known: {errno}"))?;
    // It is about to get the descriptors of the vassal.
    if !asked.trusted.contains(&uid) {
        return Err(format!("belongs to uid {uid}"));
    }
    // After the connection: before, it would bind a name of its own.
    set_socket_passcred(&socket, true).map_err(|errno| format!("cannot be known: {errno}"))?;
    let asked_at = now_in_ticks().ok_or("cannot be asked: there is no /proc")?;
    jail::run::send(&socket, &asked.request, lent).map_err(|errno| format!("cannot be asked: {errno}"))?;
    let (said, sender) = hear(socket.as_fd())?;
    let pid = Pid::from_raw(sender).ok_or("is of another pid namespace")?;
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| "made a process that has ended")?;
    wait_for_orphan(sender, asked.emperor);
    Ok((Claim { said, sender, asked_at }, process))
}

fn reach(door: &Door) -> Result<OwnedFd, String> {
    let cannot = |errno: Errno| format!("cannot be reached: {errno}");
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(cannot)?;
    let address = match door {
        Door::Path(path) => SocketAddrUnix::new(path),
        Door::Abstract(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
    };
    connect(&socket, &address.map_err(cannot)?).map_err(cannot)?;
    Ok(socket)
}

/// The answer, and the one process that sent all of it.
fn hear(socket: BorrowedFd<'_>) -> Result<(i32, i32), String> {
    let (mut bytes, mut from) = (Vec::new(), None);
    loop {
        let mut part = [0; ANSWER_MAX];
        wait_for(socket, None);
        let heard = match jail::sys::receive_with_sender(socket, &mut part[bytes.len()..]) {
            Err(Errno::AGAIN | Errno::INTR) => continue,
            heard => heard.map_err(|errno| format!("cannot be heard: {errno}"))?,
        };
        if heard.length == 0 {
            return Err("hung up without a whole answer".into());
        }
        if *from.get_or_insert(heard.pid) != heard.pid {
            return Err("answers with several processes".into());
        }
        let start = bytes.len();
        bytes.extend_from_slice(&part[start..start + heard.length]);
        if let Some(said) = answer(&bytes)? {
            return Ok((said, heard.pid));
        }
    }
}

/// Whoever stands between the server and the vassal ends, and leaves it to the Emperor.
fn wait_for_orphan(process: i32, emperor: i32) {
    for _ in 0..FORKS_MAX {
        let between = parent_of(process).filter(|parent| *parent != emperor && *parent > 1);
        let opened = between.and_then(Pid::from_raw).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        match opened {
            // Seen while it went: who is its parent now?
            Some(Err(_)) => {}
            Some(Ok(parent)) if wait_for(parent.as_fd(), Some(&ORPHANED)) => {}
            _ => return,
        }
    }
}

/// False when the time is over.
fn wait_for(descriptor: BorrowedFd<'_>, patience: Option<&Timespec>) -> bool {
    let mut set = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    poll(&mut set, patience).is_ok_and(|ready| ready > 0)
}

/// The time on the clock by which the kernel dates processes: this one has just begun.
fn now_in_ticks() -> Option<u64> {
    began(&std::fs::read_to_string("/proc/self/stat").ok()?)
}
