//! Questions of people, and rules that change while packets go.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

use super::super::Book;
use super::super::report::{Line, Report};
use super::super::talk::{RULES_TEXT_MAX, Say, Word};
use super::closer::Rest;
use super::leasing::write_all;
use super::life::Service;
use super::ports::read_all;
use super::seats::Seat;

/// Questions of one second that are answered; each looks at all peers.
const QUESTIONS_MAX: u32 = 100;

/// How often was asked.
#[derive(Debug)]
pub(super) struct Asked {
    since: Instant,
    count: u32,
}

impl Default for Asked {
    fn default() -> Self {
        Self { since: Instant::now(), count: 0 }
    }
}

impl Asked {
    fn is_too_often(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::default();
        }
        self.count += 1;
        self.count > QUESTIONS_MAX
    }
}

impl Service {
    /// Answers a question; a descriptor is only of use to `Replace`.
    pub(super) fn answer(&mut self, seat: Seat, (say, may_rule): (&Say, bool), descriptor: Option<OwnedFd>) {
        let Some(connection) = self.seats.get(seat) else { return };
        let uid = connection.who.uid;
        if !may_rule && self.asked.is_too_often() {
            self.refuse(seat, "too much is asked: wait for a second");
        } else {
            match say {
                Say::Table => self.answer_text(seat, &self.table((!may_rule).then_some(uid))),
                Say::Rules if may_rule => self.answer_text(seat, &self.book.text()),
                Say::Replace { generation } if may_rule => {
                    self.answer_replace(seat, *generation, descriptor.as_ref());
                }
                _ => {
                    let owner = self.charter.owner;
                    self.refuse(
                        seat,
                        &format!("the rules are root's and user {owner}'s: ask as one of them"),
                    );
                }
            }
        }
        descriptor.into_iter().for_each(|one| self.closer.close(uid, Rest::Descriptor(one)));
    }

    fn answer_text(&mut self, seat: Seat, text: &str) {
        match sealed(text) {
            Ok(file) => self.say_with(seat, &Word::Text(self.generation), &file),
            Err(errno) => self.refuse(seat, &format!("cannot write the answer down: {errno}")),
        }
    }

    /// Who is there, as JSON; for one user his own peers.
    pub(super) fn table(&self, only: Option<u32>) -> String {
        let peers = self.seats.all().map(|(_, connection)| {
            let peer = connection.peer.and_then(|id| self.router.peers().get(id));
            Line {
                uid: connection.who.uid,
                gid: connection.who.gid,
                pid: connection.who.pid,
                name: peer.map(|peer| peer.name().to_owned()).unwrap_or_default(),
                label: connection.label.clone(),
                addresses: peer.map(|peer| peer.addresses().to_vec()).unwrap_or_default(),
                has_device: connection.device.is_some(),
                counts: [connection.received, connection.sent, connection.dropped],
                since: connection.since,
                queue_bytes: connection.queue.bytes(),
            }
        });
        let peers: Vec<Line> = peers.collect();
        let ids = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let Self { charter, router, book, generation, .. } = self;
        Report { charter, router, book, generation: *generation, pid, ids }.text(&peers, only)
    }

    fn answer_replace(&mut self, seat: Seat, generation: Option<u64>, descriptor: Option<&OwnedFd>) {
        match self.replace(generation, descriptor) {
            Ok(()) => {
                self.telling.info(&format!("rules number {} are in force", self.generation));
                self.keep();
                self.say(seat, &Word::Done(self.generation));
            }
            Err(why) => self.refuse(seat, &why),
        }
    }

    fn replace(&mut self, generation: Option<u64>, descriptor: Option<&OwnedFd>) -> Result<(), String> {
        if generation.is_some_and(|seen| seen != self.generation) {
            let now = self.generation;
            return Err(format!(
                "other rules are in force by now (number {now}): look at them and try again"
            ));
        }
        let descriptor = descriptor.ok_or("no rules came along: send a sealed memfd with the message")?;
        let text = read_rules(descriptor)?;
        let book = Book::parse(&text).map_err(|wrong| wrong.to_string())?;
        let has_gateway = self.ports.gateway.is_some();
        if !book.routes.is_empty() && !has_gateway {
            return Err("routes need a socket to other routers: write tuntap-router-gateway".into());
        }
        let chains = book.chains(self.router.settings(), has_gateway)?;
        self.router.replace(chains);
        (self.book, self.generation) = (book, self.generation + 1);
        Ok(())
    }
}

/// Nobody may change what is being read.
fn read_rules(descriptor: &OwnedFd) -> Result<String, String> {
    let wanted = SealFlags::WRITE | SealFlags::SHRINK;
    let seals = fcntl_get_seals(descriptor).map_err(|_| "the rules are not in a memfd".to_owned())?;
    if !seals.contains(wanted) {
        return Err("the memfd of the rules is not sealed against writing and shrinking".into());
    }
    let bytes =
        read_all(descriptor, RULES_TEXT_MAX).map_err(|errno| format!("cannot read the rules: {errno}"))?;
    String::from_utf8(bytes).map_err(|_| "the rules are no text".to_owned())
}

fn sealed(text: &str) -> Result<OwnedFd, Errno> {
    let file = memfd_create("tuntap-router", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    write_all(&file, text.as_bytes(), 0)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}
