//! The spawner: a small process with one thread that keeps the privileges which the emperor gave up.
//!
//! It was told at its start what the administrator wants (`Charter`), takes a closed set of requests, judges
//! each config itself, and makes vassals as children of the emperor. It dies last and leaves nobody behind.

mod addresses;
mod allowance;
pub mod attributes;
pub mod birth;
mod briefs;
pub mod charter;
pub mod client;
mod court;
mod deaths;
mod enroll;
mod enter;
mod envoys;
mod errands;
mod far;
pub mod fitness;
pub mod fork_server;
mod hearing;
mod held;
mod hooks;
mod household;
mod inquiries;
pub mod jailing;
mod keeper;
mod lanes;
mod leftover;
pub mod lend;
mod listeners;
mod lookers;
pub mod magic;
pub mod owners;
mod partings;
mod push;
mod relimit;
mod rights;
mod routers;
mod scenery;
mod servant;
mod stock;
mod strains;
mod summons;
mod trial;
mod turns;
mod walks;
mod ward;
pub mod wire;

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

pub use allowance::numbered;
use charter::Charter;
use client::CROWDED;
use court::Court;
pub use court::leaf_number;
pub use relimit::limits_of;
pub use routers::nobody;
use wire::{Ask, MESSAGE_MAX, Reply, Request};

/// `argv[0]` of this role; nothing in an environment or a file can choose it.
pub const ROLE: &str = "liege: spawner";
/// The socket of requests and replies.
pub const ORDERS_FD: i32 = 3;
/// The socket of asks and answers.
pub const LEND_FD: i32 = 4;
/// The charter.
pub const CHARTER_FD: i32 = 5;
/// Our own sealed executable.
pub const EXECUTABLE_FD: i32 = 6;

/// Runs the spawner until the emperor is gone.
///
/// # Errors
/// What keeps it from starting; afterwards only the loss of its own descriptors.
pub fn main() -> Result<()> {
    leave_signals_to_the_emperor().context("cannot start the spawner")?;
    let mut spawner = Spawner::inherit().context("cannot start the spawner")?;
    let outcome = spawner.serve();
    // Whatever ended us: nobody whom we made outlives us.
    spawner.court.leave_nobody();
    outcome
}

/// A service manager that ends a service, and a terminal, signal everybody at once. The Emperor decides what happens
/// then, and needs us for it; our end is his.
fn leave_signals_to_the_emperor() -> Result<()> {
    let all = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];
    let set: SigSet = all.into_iter().collect();
    set.thread_block().context("cannot block signals")
}

struct Spawner {
    orders: OwnedFd,
    lend: OwnedFd,
    court: Court,
    /// Replies that the emperor had no room for yet.
    outbox: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    /// Too many descriptors are on their way: the next reply has to wait although there is room in the socket.
    crowded: bool,
}

impl Spawner {
    fn serve(&mut self) -> Result<()> {
        self.introduce()?;
        // An emperor that waits for an answer reads no replies meanwhile: neither may we wait for it.
        rustix::io::ioctl_fionbio(&self.orders, true)
            .context("cannot make the emperor's socket non-blocking")?;
        while self.turn()? {}
        Ok(())
    }

    fn inherit() -> Result<Self> {
        let [orders, lend, charter, executable] =
            [ORDERS_FD, LEND_FD, CHARTER_FD, EXECUTABLE_FD].map(jail::sys::adopt);
        let charter: Charter = read_charter(charter?)?;
        Ok(Self {
            orders: orders?,
            lend: lend?,
            court: Court::open(charter, executable?)?,
            outbox: VecDeque::new(),
            crowded: false,
        })
    }

    /// The first word: what was kept, with a descriptor that kills all whom we will make.
    fn introduce(&mut self) -> Result<()> {
        let (standing, switch) = self.court.standing();
        let lent: Vec<BorrowedFd<'_>> = switch.iter().map(AsFd::as_fd).collect();
        jail::run::send(&self.orders, &wire::encode(&Reply::Ready(standing))?, &lent)
            .context("cannot greet the emperor")
    }

    /// Waits for something to do and does it. False when the emperor is gone.
    fn turn(&mut self) -> Result<bool> {
        let ready = self.wait()?;
        let sequels = self.court.hear(&ready.reports);
        self.queue(sequels)?;
        if self.outbox.is_empty() {
            let given_up = self.court.end_overdue();
            self.queue(given_up)?;
        }
        if ready.strained {
            self.court.hear_limits();
            let strains = self.court.strains.hear();
            self.queue(strains)?;
        }
        let reports = self.court.hear_lookers(&ready.lookers);
        self.queue_parcels(reports)?;
        let answers = self.court.mind_inquiries(ready.answered);
        self.queue(answers)?;
        let words = self.court.mind_envoys(ready.spoken);
        self.queue(words)?;
        let lent = !ready.lend || self.answer()?;
        let ordered = !ready.orders || self.obey()?;
        let failures = self.court.send_lookers();
        self.queue_parcels(failures)?;
        let told = self.flush()?;
        crate::parting::bury_beside();
        if ready.idle() {
            self.court.stock_up();
        }
        Ok(lent && ordered && told)
    }

    fn wait(&self) -> Result<Ready> {
        let mut set: Vec<PollFd<'_>> = vec![self.interest(), input(self.lend.as_fd())];
        if self.outbox.is_empty() {
            set.extend(self.court.reports().map(input));
        }
        let walks = set.len();
        if self.outbox.is_empty() {
            set.extend(self.court.lookers.descriptors().map(input));
        }
        let lookers = set.len();
        if self.outbox.is_empty() {
            set.extend(self.court.inquiries.descriptors().map(input));
        }
        let inquiries = set.len();
        if self.outbox.is_empty() {
            set.extend(self.court.envoys.descriptors().map(input));
        }
        let envoys = set.len();
        set.extend(self.court.strains.descriptor().map(input));
        set.extend(self.court.limits.descriptor().map(input));
        loop {
            match poll(&mut set, self.patience().as_ref()) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("cannot wait for requests"),
            }
        }
        let ready: Vec<bool> = set.iter().map(|one| !one.revents().is_empty()).collect();
        let strained = ready[envoys..].contains(&true);
        let spoken = ready[inquiries..envoys].contains(&true);
        let answered = ready[lookers..inquiries].contains(&true);
        let (reports, lookers) = (ready[2..walks].to_vec(), ready[walks..lookers].to_vec());
        Ok(Ready { orders: ready[0], lend: ready[1], reports, lookers, answered, spoken, strained })
    }

    /// Nothing new is begun while there are replies that nobody takes: so there are never many.
    fn interest(&self) -> PollFd<'_> {
        let flags = match (self.outbox.is_empty(), self.crowded) {
            (true, _) => PollFlags::IN,
            (false, false) => PollFlags::OUT,
            (false, true) => PollFlags::empty(),
        };
        PollFd::from_borrowed_fd(self.orders.as_fd(), flags)
    }

    fn patience(&self) -> Option<Timespec> {
        // As long as replies wait no report is heard, and nobody is given up.
        let walks = if self.outbox.is_empty() { self.court.walks_patience() } else { None };
        self.court.patience().into_iter().chain(walks).chain(self.crowded.then_some(CROWDED)).min()
    }

    /// One request. False at the end of the socket.
    fn obey(&mut self) -> Result<bool> {
        if !self.outbox.is_empty() {
            return Ok(true);
        }
        let Some((bytes, descriptors)) = receive(self.orders.as_fd())? else { return Ok(false) };
        match wire::decode::<Request>(&bytes) {
            Ok(request) => {
                let replies = self.court.obey(request, descriptors);
                self.queue(replies)?;
            }
            Err(malformed) => tell(&format!("request refused: {malformed}")),
        }
        Ok(true)
    }

    /// One ask. False at the end of the socket.
    fn answer(&mut self) -> Result<bool> {
        let Some((bytes, descriptors)) = receive(self.lend.as_fd())? else { return Ok(false) };
        let (answer, lent) = match wire::decode::<Ask>(&bytes) {
            Ok(ask) => self.court.answer(&ask, &descriptors),
            Err(malformed) => {
                tell(&format!("ask refused: {malformed}"));
                (wire::Answer::Error(Errno::INVAL.raw_os_error()), Vec::new())
            }
        };
        let bytes = wire::encode(&answer)?;
        let lent: Vec<BorrowedFd<'_>> = lent.iter().map(AsFd::as_fd).collect();
        match jail::run::send(&self.lend, &bytes, &lent) {
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(false),
            Err(Errno::TOOMANYREFS) => {
                let refusal = wire::encode(&wire::Answer::Error(Errno::TOOMANYREFS.raw_os_error()))?;
                jail::run::send(&self.lend, &refusal, &[]).map(|()| true).context("cannot answer the emperor")
            }
            sent => sent.map(|()| true).context("cannot answer the emperor"),
        }
    }

    fn queue(&mut self, replies: Vec<Reply>) -> Result<()> {
        self.queue_parcels(replies.into_iter().map(|reply| (reply, None)).collect())
    }

    fn queue_parcels(&mut self, replies: Vec<(Reply, Option<OwnedFd>)>) -> Result<()> {
        for (reply, lent) in replies {
            self.court.partings.note(&reply);
            let lent = lent.or_else(|| self.court.listeners.lent_with(&reply));
            self.outbox.push_back((wire::encode(&reply)?, lent));
        }
        Ok(())
    }

    /// Sends what the socket takes. False when the emperor is gone.
    fn flush(&mut self) -> Result<bool> {
        self.crowded = false;
        while let Some((bytes, lent)) = self.outbox.front() {
            let lent: Vec<BorrowedFd<'_>> = lent.iter().map(AsFd::as_fd).collect();
            match jail::run::send(&self.orders, bytes, &lent) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(Errno::AGAIN) => break,
                Err(Errno::TOOMANYREFS) => {
                    self.crowded = true;
                    break;
                }
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(false),
                Err(errno) => return Err(errno).context("cannot reply to the emperor"),
            }
        }
        Ok(true)
    }
}

/// What a wait brought.
struct Ready {
    orders: bool,
    lend: bool,
    reports: Vec<bool>,
    lookers: Vec<bool>,
    answered: bool,
    spoken: bool,
    strained: bool,
}

impl Ready {
    fn idle(&self) -> bool {
        !self.orders
            && !self.lend
            && !self.reports.contains(&true)
            && !self.lookers.contains(&true)
            && !self.answered
            && !self.spoken
    }
}

fn input(descriptor: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(descriptor, PollFlags::IN)
}

fn receive(socket: BorrowedFd<'_>) -> Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut buffer = [0; MESSAGE_MAX];
    match jail::run::receive(socket, &mut buffer) {
        Ok(Some(parcel)) => Ok(Some((buffer[..parcel.length].to_vec(), parcel.descriptors))),
        Ok(None) | Err(Errno::CONNRESET) => Ok(None),
        // Lost as a whole; what is left is no message and is refused as such.
        Err(Errno::MSGSIZE) => Ok(Some((Vec::new(), Vec::new()))),
        Err(error) => Err(error).context("cannot read from the emperor"),
    }
}

fn read_charter(memory: OwnedFd) -> Result<Charter> {
    let bytes =
        std::fs::read(format!("/proc/self/fd/{}", memory.as_raw_fd())).context("cannot read the charter")?;
    Ok(wire::decode(&bytes)?)
}

fn tell(sentence: &str) {
    crate::log::warn("spawner", sentence);
}
