//! The emperor's side of the spawner: starts it, queues requests, reads replies, asks and waits.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use anyhow::{Context, Result, bail};
use jail::plan::Host;
use jail::run::{Birth, Cgroup, Executable, Removed, SpawnError, Spawned};
use jail::{Program, Spec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::birth::SEARCH;
use super::charter::Charter;
use super::wire::{self, Answer, Ask, MESSAGE_MAX, Reply, Request, Standing};
use super::{CHARTER_FD, EXECUTABLE_FD, LEND_FD, ORDERS_FD, ROLE};
use crate::log;

/// Longest wait for an answer of the spawner, which looks at nothing that could keep it.
/// A time in which we were frozen, and perhaps the spawner with us, counts as one of them.
const ANSWER_PIECES_MAX: u32 = 10;
const ANSWER_PIECE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Longest wait for the spawner's end.
const DISMISSAL_MAX: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// How often the cgroup of a spawner that was killed is tried: what was in it is dying.
const CLEARING_TRIES_MAX: usize = 100;
/// Between two tries.
const CLEARING_RETRY: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// Longest wait until something is sent again that the kernel did not take because too many descriptors are on their
/// way (`ETOOMANYREFS`): it counts those of all processes of our user, so it need not be our fault.
pub const CROWDED_MS: u64 = 20;
/// The same.
pub const CROWDED: Timespec = Timespec { tv_sec: 0, tv_nsec: CROWDED_MS.cast_signed() * 1_000_000 };
const CROWDED_TRIES_MAX: usize = 50;

/// Talks to the spawner without ever waiting for it while vassals live.
pub struct Client {
    orders: OwnedFd,
    outbox: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// Too many descriptors are on their way.
    crowded: bool,
    /// Pid of the spawner, a child of ours.
    pub pid: i32,
}

/// Asks the spawner and waits for its answer.
pub struct Lender {
    socket: OwnedFd,
    lost: Cell<bool>,
}

/// A spawner that was started.
pub struct Started {
    /// For requests.
    pub client: Client,
    /// For asks.
    pub lender: Lender,
    /// What the spawner says of itself.
    pub standing: Standing,
    /// Writing `1` here kills every vassal, whatever became of the spawner.
    pub kill_switch: Option<OwnedFd>,
}

/// Starts the spawner from a sealed copy of our own executable, so that nobody in a jail can change it.
///
/// # Errors
/// What keeps it from starting, or what it says that no vassal can be made here.
pub fn start(charter: &Charter) -> Result<Started> {
    let executable =
        Executable::of_ourselves(c"liege").context("cannot make a sealed copy of our own executable")?;
    let papers = papers(charter).context("cannot write the charter")?;
    let (orders, theirs) = pair()?;
    let (lend, their_lend) = pair()?;
    let descriptors = vec![
        (1, 1),
        (2, 2),
        (theirs.as_raw_fd(), ORDERS_FD),
        (their_lend.as_raw_fd(), LEND_FD),
        (papers.as_raw_fd(), CHARTER_FD),
        (executable.as_fd().as_raw_fd(), EXECUTABLE_FD),
    ];
    let pid = run(&executable, descriptors)?;
    drop((theirs, their_lend));
    let client = Client { orders, outbox: VecDeque::new(), crowded: false, pid };
    let (standing, kill_switch) = client.first_word()?;
    rustix::io::ioctl_fionbio(&client.orders, true)
        .context("cannot make the spawner's socket non-blocking")?;
    Ok(Started { client, lender: Lender { socket: lend, lost: Cell::new(false) }, standing, kill_switch })
}

fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .context("cannot make a socket pair")
}

fn papers(charter: &Charter) -> Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("charter", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(&postcard::to_stdvec(charter)?)?;
    Ok(file.into())
}

/// Nothing but how to write to the log.
fn environment() -> Vec<CString> {
    let path = format!("PATH={}", SEARCH.join(":"));
    let journal = std::env::var(log::JOURNAL).map(|stream| format!("{}={stream}", log::JOURNAL));
    [Ok(path), journal].into_iter().flatten().map(|one| super::birth::c_string(&one)).collect()
}

fn run(executable: &Executable, descriptors: Vec<(RawFd, RawFd)>) -> Result<i32> {
    let spec = Spec {
        session: true,
        descriptors,
        program: Program::Descriptor(executable.as_fd().as_raw_fd(), vec![super::birth::c_string(ROLE)]),
        environment: environment(),
        ..Spec::default()
    };
    let plan = jail::plan::plan(&spec);
    match jail::run::spawn(&plan, &Birth::default()) {
        Ok(Spawned::Running(born) | Spawned::Walking(born, _)) => Ok(born.pid),
        Ok(Spawned::Failed(_, failure)) | Err(SpawnError(failure)) => {
            bail!("cannot start the spawner: {}", failure.sentence(&plan, &Host::look()))
        }
    }
}

impl Client {
    /// The socket, for the event loop.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.orders.as_fd()
    }

    fn first_word(&self) -> Result<(Standing, Option<OwnedFd>)> {
        let mut buffer = [0; MESSAGE_MAX];
        let parcel = jail::run::receive(&self.orders, &mut buffer)?
            .context("the spawner ended before it was ready")?;
        match wire::decode(&buffer[..parcel.length])? {
            Reply::Ready(standing) => Ok((standing, parcel.descriptors.into_iter().next())),
            other => bail!("the spawner began with {other:?}"),
        }
    }

    /// Lets the spawner end, and waits until it has tidied up; not for ever.
    ///
    /// Must: come last. Whoever started us may end everybody whom we leave behind: a container does, and so does a
    /// service manager.
    pub fn dismiss(&self) {
        let _ = shutdown(&self.orders, Shutdown::Both);
        let Some(spawner) = self.process() else { return };
        if matches!(poll(&mut [PollFd::new(&spawner, PollFlags::IN)], Some(&DISMISSAL_MAX)), Ok(0)) {
            let _ = pidfd_send_signal(&spawner, Signal::KILL);
        }
    }

    /// Takes away what a spawner that was killed could not any more, where we still have the right to; else the next
    /// start does.
    pub fn clear_away(&self) {
        for _ in 0..CLEARING_TRIES_MAX {
            if !matches!(Cgroup::remove_remains(self.pid), Ok(Removed::Busy)) {
                return;
            }
            let _ = poll(&mut [], Some(&CLEARING_RETRY));
        }
    }

    /// SIGKILL for a spawner that does not answer.
    pub fn kill(&self) {
        if let Some(spawner) = self.process() {
            let _ = pidfd_send_signal(&spawner, Signal::KILL);
        }
    }

    /// Not reaped before the loop has ended, so the pid is its own.
    fn process(&self) -> Option<OwnedFd> {
        Pid::from_raw(self.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
    }

    /// Queues a request with its descriptors and sends what the socket takes.
    ///
    /// # Errors
    /// The spawner is gone.
    pub fn send(&mut self, request: &Request, descriptors: Vec<OwnedFd>) -> Result<()> {
        self.outbox.push_back((wire::encode(request)?, descriptors));
        self.flush()
    }

    /// Sends what is queued, as far as the socket takes it.
    ///
    /// # Errors
    /// The spawner is gone.
    pub fn flush(&mut self) -> Result<()> {
        self.crowded = false;
        while let Some((bytes, descriptors)) = self.outbox.front() {
            let lent: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            match jail::run::send(&self.orders, bytes, &lent) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(Errno::AGAIN) => break,
                Err(Errno::TOOMANYREFS) => {
                    self.crowded = true;
                    break;
                }
                Err(error) => return Err(error).context("the spawner is gone"),
            }
        }
        Ok(())
    }

    /// True while requests wait for room in the socket.
    pub fn has_mail(&self) -> bool {
        !self.outbox.is_empty() && !self.crowded
    }

    /// True while requests wait although there is room in the socket: to be flushed again after [`CROWDED`].
    pub fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// The next reply, with the descriptor that came along; `None` when there is none now.
    ///
    /// # Errors
    /// The spawner is gone, or said something that is no reply.
    pub fn receive(&mut self) -> Result<Option<(Reply, Option<OwnedFd>)>> {
        let mut buffer = [0; MESSAGE_MAX];
        match jail::run::receive(&self.orders, &mut buffer) {
            Ok(Some(parcel)) => {
                Ok(Some((wire::decode(&buffer[..parcel.length])?, parcel.descriptors.into_iter().next())))
            }
            Ok(None) => bail!("the spawner is gone"),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error).context("the spawner is gone"),
        }
    }
}

impl Lender {
    /// Asks and waits for the answer, with the descriptors that came along; not for ever.
    ///
    /// # Errors
    /// The spawner is gone, does not answer, or refused with this error.
    pub fn ask(&self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> io::Result<(Answer, Vec<OwnedFd>)> {
        if self.lost.get() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.say(&wire::encode(ask).map_err(io::Error::other)?, descriptors)?;
        self.wait()?;
        let mut buffer = [0; MESSAGE_MAX];
        let Some(parcel) = jail::run::receive(&self.socket, &mut buffer)? else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match wire::decode(&buffer[..parcel.length]).map_err(io::Error::other)? {
            Answer::Error(errno) => Err(io::Error::from_raw_os_error(errno)),
            answer => Ok((answer, parcel.descriptors)),
        }
    }

    fn say(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        for _ in 0..CROWDED_TRIES_MAX {
            match jail::run::send(&self.socket, bytes, descriptors) {
                Err(Errno::TOOMANYREFS) => drop(poll(&mut [], Some(&CROWDED))),
                sent => return Ok(sent?),
            }
        }
        Err(Errno::TOOMANYREFS.into())
    }

    /// Whether an answer did not come: it could be taken for that of a later ask, so there is none any more.
    pub fn is_lost(&self) -> bool {
        self.lost.get()
    }

    fn wait(&self) -> io::Result<()> {
        let mut missed = 0;
        while missed < ANSWER_PIECES_MAX {
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&ANSWER_PIECE)) {
                Err(Errno::INTR) => {}
                Ok(0) => missed += 1,
                Ok(_) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.lost.set(true);
        Err(io::ErrorKind::TimedOut.into())
    }
}
