//! What the command says to its `NOTIFY_SOCKET` (`sd_notify(3)`): that it is ready, that it lives, and how it is.
//!
//! The name is abstract and of the kernel's choice, so it needs no place in any root, and belongs to the network
//! namespace; where the command is kept from abstract names, it is a file that only its user reaches. Whoever is no member of the vassal is not heard, and nothing but these words means anything: no
//! descriptor is taken, no pid believed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use jail::{Identity, sys};
use nix::unistd::getsid;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, chownat, fstat, mkdir, openat, rmdir, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, socket_with};
use rustix::process::{Gid, Pid, Uid, WaitId, WaitIdOptions, getpid, waitid};

use super::sayings::Sayings;
use super::watch::now;
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
    /// The directory of its file, if it has one, and what it is: its user can put something else in its place.
    directory: Option<(PathBuf, OwnedFd)>,
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

    /// Senders are refused who send descriptors. Whoever waits for the end of one to know that he was heard (`sd_notify_barrier(3)`) is
    /// refused, too; without this they are closed as they come, since there is no room for them. No older kernel can do it.
    pub fn refuse_descriptors(&self) {
        let _ = sys::refuse_rights(self.socket.as_fd());
    }

    /// In a directory that is made here: one that is there already may be anybody's.
    fn bind_file(&mut self) -> Result<(), Errno> {
        let (path, directory) = born_with(0o700, new_directory)?;
        let (path, _) = self.directory.insert((path, directory));
        let path = path.join("socket");
        self.name = path.to_string_lossy().into_owned();
        bind(&self.socket, &SocketAddrUnix::new(&path)?)
    }

    /// Where it is a file, this user reaches it and nobody else.
    ///
    /// # Errors
    /// Those of `chown(2)`.
    pub fn belong_to(&self, identity: &Identity) -> Result<(), Errno> {
        let Some((_, directory)) = &self.directory else { return Ok(()) };
        let (uid, gid) = (Some(Uid::from_raw(identity.uid)), Some(Gid::from_raw(identity.gid)));
        chownat(directory, c"socket", uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        chownat(directory, c"", uid, gid, AtFlags::EMPTY_PATH)
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
        if let Some((path, directory)) = &self.directory {
            let _ = unlinkat(directory, c"socket", AtFlags::empty());
            if is_still(path, directory) {
                let _ = rmdir(path);
            }
        }
    }
}

/// Must: be called with a mask that lets nobody else in.
fn new_directory() -> Result<(PathBuf, OwnedFd), Errno> {
    let mut last = Errno::EXIST;
    for number in 0..NAMES_MAX {
        let path = PathBuf::from(format!("{PLACE}{}-{}-{number}", getpid(), now().0));
        match mkdir(&path, Mode::RWXU) {
            Ok(()) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let directory = openat(CWD, &path, flags, Mode::empty())?;
                return Ok((path, directory));
            }
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

fn is_still(path: &Path, directory: &OwnedFd) -> bool {
    let (there, ours) = (statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW), fstat(directory));
    matches!((there, ours), (Ok(there), Ok(ours)) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino))
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

/// As PID 1 we see nobody but our own; elsewhere a member is of a session that is ours alone, or our child, or a child of such, as we
/// adopt orphans. Where the root has no `/proc`, whoever has begun a session of his own below a child is not known for one.
fn is_member(pid: Pid) -> bool {
    getpid() == Pid::INIT || pid != getpid() && (is_of_our_session(pid) || is_descendant(pid))
}

/// Our child, or of a session that we or a child of ours began: nobody gets into a session but by being born in it.
fn is_of_our_session(pid: Pid) -> bool {
    if is_child(pid) {
        return true;
    }
    let session = getsid(Some(nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get())));
    // 0 where its leader is in another pid namespace.
    let leader = session.ok().and_then(|session| Pid::from_raw(session.as_raw()));
    leader.is_some_and(|leader| leader == getpid() || is_child(leader))
}

/// Ended ones too, until they are reaped.
fn is_child(pid: Pid) -> bool {
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT).is_ok()
}

fn is_descendant(pid: Pid) -> bool {
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
        let directory = notified.directory.as_ref().expect("a directory").0.clone();
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&directory).expect("it is there"));
        assert_eq!(mode & 0o777, 0o700);
        UnixDatagram::unbound().and_then(|one| one.send_to(b"READY=1", notified.name())).expect("room");
        drop(notified);
        assert!(!directory.exists());
    }

    /// Row F1: its user has put a link in its place.
    #[test]
    fn nothing_is_removed_but_what_was_made() {
        let place = tempfile::tempdir().expect("a place");
        std::fs::write(place.path().join("socket"), "").expect("a file");
        let notified = Notified::new(Reach::File).expect("a socket");
        let directory = notified.directory.as_ref().expect("a directory").0.clone();
        let aside = directory.with_extension("aside");
        std::fs::rename(&directory, &aside).expect("it is moved");
        std::os::unix::fs::symlink(place.path(), &directory).expect("a link");
        drop(notified);
        assert!(place.path().join("socket").exists() && directory.is_symlink());
        assert!(!aside.join("socket").exists(), "that is ours");
        std::fs::remove_file(&directory).and_then(|()| std::fs::remove_dir(&aside)).expect("they are there");
    }

    #[test]
    fn children_and_their_children_are_members() {
        // It ends with its input, whatever becomes of us.
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("a child");
        let pid = Pid::from_child(&child);
        assert!(is_member(pid) && !is_member(getpid()) && !is_member(Pid::INIT));
        assert!(is_of_our_session(pid), "without a look at /proc");
        assert!(is_descendant(pid) && !is_child(Pid::INIT) && !is_of_our_session(Pid::INIT));
        child.wait().expect("it ends");
    }
}
