//! Questions of people, and rules that change while packets go.

use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

use super::super::Book;
use super::super::report::{Line, Report};
use super::super::talk::{RULES_TEXT_MAX, Say, Word, pieces, text_max};
use super::closer::Rest;
use super::leasing::write_all;
use super::life::Service;
use super::ports::read_all;
use super::seats::{Connection, Seat};
use crate::clock::now_ms;

/// Why there is no room for an answer.
const CROWDED: &str = "too much waits on this connection: read it, or ask on another one";

impl Service {
    /// Answers a question; a descriptor is only of use to `Replace`.
    pub(super) fn answer(&mut self, seat: Seat, (say, may_rule): (&Say, bool), descriptor: Option<OwnedFd>) {
        let Some(connection) = self.seats.get(seat) else { return };
        let uid = connection.who.uid;
        if !may_rule && !self.may_ask(uid) {
            self.refuse(seat, "too much is asked: wait for a second");
        } else {
            match say {
                Say::Table if may_rule => self.answer_text(seat, &self.table()),
                Say::Table => self.answer_table_of(seat, uid),
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

    fn may_ask(&mut self, uid: u32) -> bool {
        let has_peer = self.router.peers().is_there(uid);
        self.asked.take(uid, has_peer, now_ms())
    }

    /// What whoever may not rule gets waits in his queue like packets, of which it is a part: nothing of it is a descriptor, which nobody
    /// counts once it has been sent.
    fn answer_table_of(&mut self, seat: Seat, uid: u32) {
        let Some(connection) = self.seats.get(seat) else { return };
        let room = text_max(connection.queue.room());
        let own = self.seats.all().filter(|(_, connection)| connection.who.uid == uid);
        let lines = own.map(|(_, connection)| self.line(connection));
        match self.report().text_of_user(lines, room) {
            Some(text) => self.say_text(seat, &text),
            None => self.refuse(seat, CROWDED),
        }
    }

    fn answer_text(&mut self, seat: Seat, text: &str) {
        let room = self.seats.get(seat).map_or(0, |connection| text_max(connection.queue.room()));
        if text.len() <= room {
            return self.say_text(seat, text);
        }
        let sent = sealed(text).and_then(|file| self.say_with(seat, &Word::Text(self.generation), &file));
        if let Err(errno) = sent {
            self.refuse(seat, &unsent(errno));
        }
    }

    fn say_text(&mut self, seat: Seat, text: &str) {
        pieces(self.generation, text).for_each(|piece| self.say(seat, &piece));
    }

    /// Who is there, as JSON.
    pub(super) fn table(&self) -> String {
        self.report().text(self.seats.all().map(|(_, connection)| self.line(connection)))
    }

    fn line(&self, connection: &Connection) -> Line {
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
    }

    fn report(&self) -> Report<'_> {
        let ids = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let Self { charter, router, book, generation, .. } = self;
        Report { charter, router, book, generation: *generation, pid, ids }
    }

    fn answer_replace(&mut self, seat: Seat, generation: Option<u64>, descriptor: Option<&OwnedFd>) {
        match self.replace(generation, descriptor) {
            Ok(()) => {
                self.telling.info(&format!("edition {} of the rules is in force", self.generation));
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
                "other rules are in force by now (edition {now}): look at them and try again"
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

/// Why an answer that is too long for pieces was not sent with a descriptor.
fn unsent(errno: Errno) -> String {
    match errno {
        Errno::AGAIN => CROWDED.to_owned(),
        Errno::TOOMANYREFS => {
            "too many descriptors of the router's user wait to be taken by somebody: try again, or raise its LimitNOFILE".to_owned()
        }
        errno => format!("cannot send the answer: {errno}"),
    }
}

fn sealed(text: &str) -> Result<OwnedFd, Errno> {
    let file = memfd_create("tuntap-router", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    write_all(&file, text.as_bytes(), 0)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}
