//! The emperor's side of the spawner: starts it, queues requests, reads replies, asks and waits.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use anyhow::{Context, Result, bail};
use jail::run::{Birth, Cgroup, Executable, Spawned, packet};
use jail::{Program, Spec};
use rustix::fs::MemfdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::birth::SEARCH;
use super::charter::Charter;
use super::wire::{self, Answer, Ask, DESCRIPTORS_MAX, MESSAGE_MAX, Reply, Request, Standing};
use super::{CGROUP_FD, CHARTER_FD, EXECUTABLE_FD, LEND_FD, ORDERS_FD, ROLE};

/// Talks to the spawner without ever waiting for it.
pub struct Client {
    orders: OwnedFd,
    outbox: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// Pid of the spawner, a child of ours.
    pub pid: i32,
}

/// Asks the spawner and waits for its answer.
pub struct Lender {
    socket: OwnedFd,
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
    let executable = Executable::sealed().context("cannot make a sealed copy of our own executable")?;
    let papers = papers(charter).context("cannot write the charter")?;
    let (orders, theirs) = pair()?;
    let (lend, their_lend) = pair()?;
    let (cgroup, note) = Cgroup::found(charter.privileged);
    let kill_switch = cgroup.as_ref().and_then(Cgroup::kill_switch);
    let null = jail::sys::null()?;
    let directory = cgroup.as_ref().map(Cgroup::directory);
    let descriptors = [
        (Some(null.as_raw_fd()), 0),
        (Some(1), 1),
        (Some(2), 2),
        (Some(theirs.as_raw_fd()), ORDERS_FD),
        (Some(their_lend.as_raw_fd()), LEND_FD),
        (Some(papers.as_raw_fd()), CHARTER_FD),
        (Some(executable.as_fd().as_raw_fd()), EXECUTABLE_FD),
        (directory.map(|directory| directory.as_raw_fd()), CGROUP_FD),
    ];
    let pid = run(&executable, descriptors.iter().filter_map(|(here, there)| here.map(|here| (here, *there))))?;
    drop((theirs, their_lend));
    let mut client = Client { orders, outbox: VecDeque::new(), pid };
    let mut standing = client.first_word()?;
    standing.notes.extend(note);
    rustix::io::ioctl_fionbio(&client.orders, true).context("cannot make the spawner's socket non-blocking")?;
    Ok(Started { client, lender: Lender { socket: lend }, standing, kill_switch })
}

fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).context("cannot make a socket pair")
}

fn papers(charter: &Charter) -> Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("charter", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(&postcard::to_stdvec(charter)?)?;
    Ok(file.into())
}

fn run(executable: &Executable, descriptors: impl Iterator<Item = (RawFd, RawFd)>) -> Result<i32> {
    let spec = Spec {
        session: true,
        descriptors: descriptors.collect(),
        program: Program::Descriptor(executable.as_fd().as_raw_fd(), vec![super::birth::c_string(ROLE)]),
        environment: vec![super::birth::c_string(&format!("PATH={}", SEARCH.join(":")))],
        ..Spec::default()
    };
    let plan = jail::plan::plan(&spec);
    match jail::run::spawn(&plan, &Birth { sibling: false, cgroup: None }) {
        Ok(Spawned::Running(born) | Spawned::Walking(born, _)) => Ok(born.pid),
        Ok(Spawned::Failed(_, failure)) | Err(failure) => {
            bail!("cannot start the spawner: {}", failure.sentence(&plan, &jail::run::Host::look()))
        }
    }
}

impl Client {
    /// The socket, for the event loop.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.orders.as_fd()
    }

    fn first_word(&mut self) -> Result<Standing> {
        match self.receive()? {
            Some(Reply::Ready(standing)) => Ok(standing),
            _ => bail!("the spawner ended before it was ready"),
        }
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
        while let Some((bytes, descriptors)) = self.outbox.front() {
            let lent: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            match packet::send(self.orders.as_fd(), bytes, &lent) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("the spawner is gone"),
            }
        }
        Ok(())
    }

    /// True while requests wait for room in the socket.
    pub fn has_mail(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The next reply; `None` when there is none now.
    ///
    /// # Errors
    /// The spawner is gone, or said something that is no reply.
    pub fn receive(&mut self) -> Result<Option<Reply>> {
        let mut buffer = [0; MESSAGE_MAX];
        match packet::receive(self.orders.as_fd(), &mut buffer, 0) {
            Ok(Some(packet)) => Ok(Some(wire::decode(&buffer[..packet.length])?)),
            Ok(None) => bail!("the spawner is gone"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("the spawner is gone"),
        }
    }
}

impl Lender {
    /// Asks and waits for the answer, with the descriptor that came along.
    ///
    /// # Errors
    /// The spawner is gone, or refused with this error.
    pub fn ask(&self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> io::Result<(Answer, Option<OwnedFd>)> {
        packet::send(self.socket.as_fd(), &wire::encode(ask).map_err(io::Error::other)?, descriptors)?;
        let mut buffer = [0; MESSAGE_MAX];
        let Some(mut packet) = packet::receive(self.socket.as_fd(), &mut buffer, DESCRIPTORS_MAX)? else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match wire::decode(&buffer[..packet.length]).map_err(io::Error::other)? {
            Answer::Error(errno) => Err(io::Error::from_raw_os_error(errno)),
            answer => Ok((answer, packet.descriptors.pop())),
        }
    }
}
