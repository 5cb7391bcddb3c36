//! What the command says to its `NOTIFY_SOCKET` (`sd_notify(3)`): that it is ready, that it lives, and how it is.
//!
//! The name is abstract and of the kernel's choice, so it needs no place in any root, and belongs to the network
//! namespace; where the command is kept from abstract names, it is a file that only its user reaches. Whoever is no member of the vassal is not heard, and nothing but these words means anything: no
//! descriptor is taken, no pid believed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use jail::sys;
use rustix::fs::{Mode, mkdir};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, socket_with};
use rustix::process::{Pid, getpid};

use super::sayings::Sayings;
use crate::bound::born_with;

/// Longest message, in bytes.
const MESSAGE_MAX: usize = 4_096;
/// Messages in a row; what is left is heard when we have looked at all else.
const MESSAGES_MAX: usize = 32;
/// Names tried for a directory.
const NAMES_MAX: u32 = 16;
/// Where such a directory is, as its name begins.
const PLACE: &str = "/tmp/liege-notify-";
/// Generations between us and whoever speaks.
const GENERATIONS_MAX: usize = 64;

/// The socket.
#[derive(Debug)]
pub struct Notified {
    socket: OwnedFd,
    name: String,
    /// The directory of its file, if it has one.
    directory: Option<PathBuf>,
}

/// Where a command can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By a name in its network namespace.
    Abstract,
    /// By a file.
    File,
}

/// What was said since the last time.
#[derive(Debug, Default)]
pub struct Heard {
    /// `READY=1`.
    pub ready: bool,
    /// `WATCHDOG=1`.
    pub beat: bool,
    /// Messages of strangers, and such as are too long.
    pub ignored: u32,
    /// Words about itself.
    pub sayings: Sayings,
}

impl Notified {
    /// Listens in the network namespace, or the root, of this moment.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and `mkdir(2)`.
    pub fn new(reach: Reach) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        set_socket_passcred(&socket, true)?;
        // An older kernel cannot refuse descriptors; then they are closed as they come, since there is no room for them.
        let _ = sys::refuse_rights(socket.as_fd());
        let mut notified = Self { socket, name: String::new(), directory: None };
        match reach {
            Reach::Abstract => notified.bind_abstract()?,
            Reach::File => notified.bind_file()?,
        }
        Ok(notified)
    }

    fn bind_abstract(&mut self) -> Result<(), Errno> {
        bind(&self.socket, &SocketAddrUnix::new_unnamed())?;
        let address = SocketAddrUnix::try_from(getsockname(&self.socket)?)?;
        let name = address.abstract_name().ok_or(Errno::INVAL)?;
        self.name = format!("@{}", std::str::from_utf8(name).map_err(|_| Errno::INVAL)?);
        Ok(())
    }

    /// In a directory that is made here: one that is there already may be anybody's.
    fn bind_file(&mut self) -> Result<(), Errno> {
        let mut names = (0..NAMES_MAX).map(|number| PathBuf::from(format!("{PLACE}{}-{number}", getpid())));
        let made = born_with(0o700, || names.find(|path| mkdir(path, Mode::RWXU).is_ok()));
        let directory = self.directory.insert(made.ok_or(Errno::EXIST)?);
        let path = directory.join("socket");
        self.name = path.to_string_lossy().into_owned();
        bind(&self.socket, &SocketAddrUnix::new(&path)?)
    }

    /// For `NOTIFY_SOCKET`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds what was said. Never waits.
    pub fn hear(&self, heard: &mut Heard) {
        for _ in 0..MESSAGES_MAX {
            let mut bytes = [0; MESSAGE_MAX];
            match self.receive(&mut bytes) {
                Ok(Some(count)) => heard.take(&bytes[..count]),
                Ok(None) => heard.ignored = heard.ignored.saturating_add(1),
                Err(_) => return,
            }
        }
    }

    /// The length of a message, or `None` for one that is not to be heard.
    fn receive(&self, bytes: &mut [u8]) -> Result<Option<usize>, Errno> {
        let message = sys::receive_with_sender(self.socket.as_fd(), bytes)?;
        // Whoever has no number here is in another pid namespace.
        let sender = Pid::from_raw(message.pid);
        Ok((message.whole && sender.is_some_and(is_member)).then_some(message.length))
    }
}

impl Drop for Notified {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_file(directory.join("socket"));
            let _ = std::fs::remove_dir(directory);
        }
    }
}

impl AsFd for Notified {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Heard {
    fn take(&mut self, message: &[u8]) {
        for line in message.split(|byte| *byte == b'\n') {
            match line {
                b"READY=1" => self.ready = true,
                b"WATCHDOG=1" => self.beat = true,
                _ => {}
            }
            self.sayings.take(line);
        }
    }
}

/// As PID 1 we see nobody but our own; elsewhere a member is our child, or a child of such, as we adopt orphans.
fn is_member(pid: Pid) -> bool {
    if getpid() == Pid::INIT {
        return true;
    }
    let mut one = pid;
    for _ in 0..GENERATIONS_MAX {
        match parent(one) {
            Some(parent) if parent == getpid() => return true,
            Some(parent) => one = parent,
            None => return false,
        }
    }
    false
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses, whatever is in it.
    let after = stat.rsplit_once(") ")?.1;
    Pid::from_raw(after.split(' ').nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::*;

    fn say(notified: &Notified, message: &[u8]) {
        let name = notified.name().strip_prefix('@').expect("abstract");
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        UnixDatagram::unbound().and_then(|one| one.send_to_addr(message, &address)).expect("room");
    }

    #[test]
    fn words_are_read_line_by_line_and_others_mean_nothing() {
        let mut heard = Heard::default();
        heard.take(b"STATUS=READY=1\nMAINPID=1\nREADY=12\nFDSTORE=1\nREADY");
        assert_eq!((heard.ready, heard.beat), (false, false));
        heard.take(b"MAINPID=1\nREADY=1\nWATCHDOG=1\n");
        assert_eq!((heard.ready, heard.beat, heard.ignored), (true, true, 0));
    }

    /// Row C7: whoever is no member is not heard. A process is no descendant of itself.
    #[test]
    fn strangers_are_not_heard_and_counted() {
        let notified = Notified::new(Reach::Abstract).expect("a socket");
        say(&notified, b"READY=1");
        say(&notified, &[b'x'; MESSAGE_MAX * 2]);
        let mut heard = Heard::default();
        notified.hear(&mut heard);
        assert_eq!((heard.ready, heard.beat, heard.ignored), (false, false, 2));
    }

    #[test]
    fn a_file_is_for_its_user_alone_and_goes_in_the_end() {
        let notified = Notified::new(Reach::File).expect("a socket");
        let directory = notified.directory.clone().expect("a directory");
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&directory).expect("it is there"));
        assert_eq!(mode & 0o777, 0o700);
        UnixDatagram::unbound().and_then(|one| one.send_to(b"READY=1", notified.name())).expect("room");
        drop(notified);
        assert!(!directory.exists());
    }

    #[test]
    fn children_and_their_children_are_members() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("a child");
        let pid = Pid::from_child(&child);
        assert!(is_member(pid) && !is_member(getpid()) && !is_member(Pid::INIT));
        child.kill().and_then(|()| child.wait()).expect("it ends");
    }
}
