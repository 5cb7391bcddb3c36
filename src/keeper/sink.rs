//! Where lines go: in whole, in order, and never waited for. What nobody takes now is kept until he does, and meanwhile nothing
//! more is read from any vassal.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::plan::errno_name;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};
use rustix::stdio::dup2_stderr;

use super::charter::{Charter, Sink};
use super::files::Files;
use super::lines::plain;
use crate::{journal, log};

/// What a pipe takes at once, if it takes anything (`PIPE_BUF`): then nobody else's text comes between.
const PIECE_MAX: usize = 4096;
/// How often the last lines are waited for, 100 ms each time.
const LAST_WAITS_MAX: u32 = 10;
/// Facility `daemon`, level `info` (RFC 3164).
const PRIORITY: u8 = 30;

/// One of them.
#[derive(Debug)]
pub enum Outlet {
    /// Standard error.
    Stderr {
        /// What is still to be written: whole lines.
        text: Vec<u8>,
        /// It is a file, which always takes more.
        is_file: bool,
    },
    /// Nowhere.
    Nowhere,
    /// A datagram for each line.
    Datagrams(Datagrams),
    /// A file for each vassal.
    Files(Files),
}

impl Outlet {
    /// What the charter says. `directory`: of the files.
    ///
    /// # Errors
    /// There are no sockets, or there is no directory.
    pub fn open(charter: &Charter, directory: Option<OwnedFd>) -> Result<Self, String> {
        let cannot = |errno: Errno| format!("cannot make a socket: {errno}");
        Ok(match &charter.sink {
            Sink::Stderr => Self::Stderr { text: Vec::new(), is_file: is_file() },
            Sink::Nowhere => Self::Nowhere,
            Sink::Journal => Self::Datagrams(Datagrams::new(journal::PLACE, Form::Journal).map_err(cannot)?),
            Sink::Syslog(place) => Self::Datagrams(Datagrams::new(place, Form::Syslog).map_err(cannot)?),
            Sink::Files => {
                Self::Files(Files::new(directory.ok_or("no directory came along")?, charter.rotation))
            }
        })
    }

    /// That nobody takes lines, and what helps: a sentence, if nobody was there when it was opened.
    pub fn unheard(&self) -> Option<String> {
        let Self::Datagrams(datagrams) = self else { return None };
        let errno = datagrams.absent?;
        let place = String::from_utf8_lossy(datagrams.place.path_bytes().unwrap_or_default());
        let (errno, cure) = (errno_name(errno.raw_os_error()), datagrams.form.cure());
        let cause = format!("nobody takes what vassals write at {place} ({errno})");
        Some(format!("{cause}: it goes nowhere until somebody does; {cure}"))
    }

    /// Takes a line.
    pub fn take(&mut self, (vassal, name): (u32, &str), line: &[u8]) {
        match self {
            Self::Stderr { text, .. } => {
                text.push(b'[');
                // Where the name ends is nobody's to say.
                plain(name.replace(']', "\\x5d").as_bytes(), text);
                text.extend_from_slice(b"] ");
                plain(line, text);
                text.push(b'\n');
            }
            Self::Nowhere => {}
            Self::Datagrams(datagrams) => datagrams.take(name, line),
            Self::Files(files) => files.take((vassal, name), line),
        }
    }

    /// Hands on what was taken of this vassal. Whether somebody has yet to take it.
    ///
    /// # Errors
    /// What was taken is lost, and why.
    pub fn flush(&mut self, vassal: u32, now_s: u64) -> Result<bool, Errno> {
        match self {
            Self::Stderr { text, is_file } => {
                write_stderr(text, *is_file);
                Ok(!text.is_empty())
            }
            Self::Nowhere => Ok(false),
            Self::Datagrams(datagrams) => Ok(datagrams.flush()),
            Self::Files(files) => files.flush(vassal, now_s).map(|()| false),
        }
    }

    /// What was taken and nobody has taken from us, in bytes.
    pub fn untaken(&self) -> usize {
        match self {
            Self::Stderr { text, .. } => text.len(),
            Self::Datagrams(datagrams) => datagrams.bytes,
            // What a file does not take is lost at once.
            Self::Nowhere | Self::Files(_) => 0,
        }
    }

    /// Files are opened anew; standard error is this one from now on.
    pub fn reopen(&mut self, stderr: Option<OwnedFd>) {
        match (self, stderr) {
            (Self::Stderr { is_file, .. }, Some(stderr)) => {
                let _ = dup2_stderr(stderr);
                *is_file = self::is_file();
                log::reopen();
            }
            (Self::Files(files), _) => files.reopen(),
            (Self::Stderr { .. } | Self::Nowhere | Self::Datagrams(_), _) => {}
        }
    }

    /// Waits a while for somebody to take what is left.
    pub fn finish(&mut self) {
        for _ in 0..LAST_WAITS_MAX {
            if !self.flush(0, 0).unwrap_or(false) {
                return;
            }
            let most = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            let waits =
                self.descriptor().map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::OUT));
            let _ = poll(&mut waits.into_iter().collect::<Vec<_>>(), Some(&most));
        }
    }

    /// What becomes writable when somebody takes more.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Stderr { .. } => Some(rustix::stdio::stderr()),
            Self::Datagrams(datagrams) => Some(datagrams.socket.as_fd()),
            Self::Nowhere | Self::Files(_) => None,
        }
    }
}

fn is_file() -> bool {
    let kind = fstat(rustix::stdio::stderr()).map(|found| FileType::from_raw_mode(found.st_mode));
    kind.is_ok_and(|kind| kind == FileType::RegularFile)
}

/// As much as is taken at once: whole lines, as far as they fit.
fn write_stderr(text: &mut Vec<u8>, is_file: bool) {
    let mut done = 0;
    while done < text.len() && (is_file || takes_more()) {
        let piece = &text[done..text.len().min(done + PIECE_MAX)];
        let end = piece.iter().rposition(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1);
        match rustix::io::write(rustix::stdio::stderr(), &piece[..end]) {
            Ok(count) => done += count,
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            // Nobody will ever take it.
            Err(_) => done = text.len(),
        }
    }
    text.drain(..done);
    if text.is_empty() && text.capacity() > PIECE_MAX * 16 {
        *text = Vec::new();
    }
}

fn takes_more() -> bool {
    let stderr = rustix::stdio::stderr();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now)), Ok(count) if count > 0)
}

/// A socket that takes a datagram for each line.
#[derive(Debug)]
pub struct Datagrams {
    socket: OwnedFd,
    place: SocketAddrUnix,
    form: Form,
    /// Why nobody could be reached at first.
    absent: Option<Errno>,
    untaken: VecDeque<Vec<u8>>,
    /// What all of these take.
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Journal,
    Syslog,
}

impl Form {
    fn cure(self) -> &'static str {
        match self {
            Self::Journal => "is systemd-journald there? Else say vassals-log = stderr, or dir:/DIRECTORY",
            Self::Syslog => {
                "is a syslog daemon there? Its socket is named by vassals-log = syslog:/PATH; else say stderr, or dir:/DIRECTORY"
            }
        }
    }
}

impl Datagrams {
    fn new(place: &str, form: Form) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        let place = SocketAddrUnix::new(place)?;
        // Whoever is not there yet may come.
        let absent = connect(&socket, &place).err();
        Ok(Self { socket, place, form, absent, untaken: VecDeque::new(), bytes: 0 })
    }

    fn take(&mut self, name: &str, line: &[u8]) {
        let datagram = match self.form {
            Form::Journal => journal::line(name, line),
            Form::Syslog => {
                let tag: String =
                    name.chars().map(|one| if one.is_whitespace() { '_' } else { one }).collect();
                let mut datagram = format!("<{PRIORITY}>{tag}: ").into_bytes();
                plain(line, &mut datagram);
                datagram
            }
        };
        self.bytes += cost(&datagram);
        self.untaken.push_back(datagram);
    }

    /// Whether there is something that nobody has taken yet.
    fn flush(&mut self) -> bool {
        while let Some(datagram) = self.untaken.front() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&self.socket, datagram, flags) {
                Err(Errno::AGAIN | Errno::NOBUFS) => return true,
                Err(Errno::INTR) => continue,
                // He may have come back. If not, this one is lost.
                Err(Errno::NOTCONN | Errno::CONNREFUSED | Errno::CONNRESET | Errno::DESTADDRREQ)
                    if connect(&self.socket, &self.place).is_ok() =>
                {
                    let _ = send(&self.socket, datagram, flags);
                }
                _ => {}
            }
            self.bytes -= self.untaken.pop_front().as_ref().map_or(0, cost);
        }
        false
    }
}

/// The memory of it: short ones are mostly what holds them.
fn cost(datagram: &Vec<u8>) -> usize {
    datagram.capacity() + size_of::<Vec<u8>>()
}
