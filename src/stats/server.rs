//! Hands out one JSON document to everybody who connects, then closes. Never waits for a reader.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, open};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags};

use super::form::{Asked, HEADER, REQUEST_MAX, judge};
use super::guests::{Guests, Pace};
use super::vacant::vacate;
use crate::bound::{self, born_with};
use crate::config::emperor::stats::Form;
use crate::config::place::Placed;
use crate::config::vassal::Address;
use crate::emperor::event::{Moment, Owner};
use crate::emperor::sender::Sender;
use crate::parting::Visited;
use crate::reactor::{Poller, Token};
use crate::words::{self, Words};
use crate::{inherited, log};

/// Most readers at one time; further ones wait in the listener's queue.
const CLIENTS_MAX: usize = 16;
/// Most that wait to be let in.
const QUEUE_MAX: i32 = 64;
/// A reader that has not taken everything within this time is let go, in ms.
const PATIENCE_MS: u64 = 5_000;
/// How long nobody is taken in when there is no room, in ms.
const PAUSE_MS: u64 = 100;

/// The listener and those who are being served.
pub struct Server {
    listeners: Vec<Visited>,
    form: Form,
    clients: HashMap<u32, Client>,
    next: u32,
    /// Until when nobody is taken in.
    paused: Option<Moment>,
    paths: Vec<PathBuf>,
    guests: Guests,
    pace: Pace,
}

struct Client {
    socket: Visited,
    reader: Sender,
    /// What was asked for so far, where that is waited for.
    request: Option<Vec<u8>>,
    header: &'static [u8],
    document: Option<(Vec<u8>, usize)>,
    until: Moment,
}

impl Server {
    /// Listens at each of these addresses, or where `liege status` looks without being told.
    ///
    /// # Errors
    /// An address that was asked for and cannot be had.
    pub fn bind(asked: &[&Placed<Address>], form: Form, guests: Guests) -> Result<Self> {
        let mut bound = Vec::new();
        for address in asked {
            let listener = listen(&address.value, guests.owner, guests.mode());
            bound.push(listener.with_context(|| format!("{}: cannot serve the stats", address.place))?);
        }
        if asked.is_empty() {
            bound.push(usual(guests));
        }
        Ok(Self::serving(bound, form, guests))
    }

    fn serving(bound: Vec<Bound>, form: Form, guests: Guests) -> Self {
        let (listeners, paths): (Vec<_>, Vec<_>) = bound.into_iter().unzip();
        let (listeners, paths) =
            (listeners.into_iter().flatten().map(Visited::from), paths.into_iter().flatten());
        let (clients, pace) = (HashMap::new(), Pace::default());
        Self {
            listeners: listeners.collect(),
            form,
            clients,
            next: 0,
            paused: None,
            paths: paths.collect(),
            guests,
            pace,
        }
    }

    /// Where it listens first.
    pub fn address(&self, asked: Option<&Placed<Address>>) -> Option<Address> {
        let usual = || self.paths.first().cloned().map(Address::Unix);
        asked.map(|address| address.value.clone()).or_else(usual)
    }

    /// The files of the listening sockets.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// How documents are handed out.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Watches the listening sockets.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch(&self, poller: &Poller) -> Result<()> {
        self.listeners.iter().try_for_each(|listener| poller.watch(Token::StatsListener, listener.as_fd()))
    }

    /// Takes in one reader at each socket.
    pub fn accept(&mut self, poller: &mut Poller, now: Moment) {
        for place in 0..self.listeners.len() {
            if self.paused.is_none() {
                self.accept_at(place, poller, now);
            }
        }
    }

    fn accept_at(&mut self, place: usize, poller: &mut Poller, now: Moment) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match rustix::net::accept_with(&self.listeners[place], flags) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            // No descriptor is free, and whoever waits would have us ask again at once, for ever.
            Err(_) => return self.pause(poller, now),
        };
        let socket = Visited::from(socket);
        let reader = self.guests.reader(&socket);
        if self.pace.is_over(reader) {
            self.pause(poller, now);
        }
        if !Guests::have_room(reader, self.clients.values().map(|one| one.reader)) {
            return;
        }
        self.next = self.next.wrapping_add(1);
        let token = Token::StatsClient(self.next);
        let watched = match self.form.http {
            true => poller.watch(token, socket.as_fd()),
            false => poller.watch_output(token, socket.as_fd()),
        };
        if watched.is_ok() {
            let request = self.form.http.then(Vec::new);
            let until = now.plus_ms(PATIENCE_MS);
            self.clients
                .insert(self.next, Client { socket, reader, request, header: b"", document: None, until });
        }
        if self.clients.len() >= CLIENTS_MAX {
            self.pause(poller, now);
        }
    }

    fn pause(&mut self, poller: &Poller, now: Moment) {
        self.listeners.iter().for_each(|listener| poller.forget(listener));
        self.paused = Some(now.plus_ms(PAUSE_MS));
    }

    /// Takes others in again as soon as there is room.
    fn resume(&mut self, poller: &Poller, now: Moment) {
        if self.paused.is_none_or(|until| until > now) {
            return;
        }
        let room = self.clients.len() < CLIENTS_MAX;
        let watched = room && self.watch(poller).is_ok();
        self.paused = (!watched).then(|| now.plus_ms(PAUSE_MS));
    }

    /// Whether somebody may have what is handed out here.
    pub fn admits(&self, reader: Sender) -> bool {
        self.guests.welcome || reader.is_master()
    }

    /// Who is to have a document, if one is to be made now: when its first byte can go.
    pub fn reader_of_next(&self, number: u32) -> Option<Sender> {
        let client = self.clients.get(&number)?;
        (client.request.is_none() && client.document.is_none()).then_some(client.reader)
    }

    /// Gives a reader what its socket takes.
    pub fn serve(&mut self, number: u32, poller: &mut Poller, document: Option<Vec<u8>>) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        if client.request.is_some() {
            return self.hear(number, poller);
        }
        if client.write(document) {
            self.let_go(number, poller);
        }
    }

    /// Reads what a reader asks for; it is served once that is whole.
    fn hear(&mut self, number: u32, poller: &mut Poller) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        match client.hear() {
            Some(Asked::NotYet) => return,
            Some(Asked::Request) => client.header = HEADER,
            Some(Asked::Bare) => {}
            None => return self.let_go(number, poller),
        }
        client.request = None;
        poller.forget(&client.socket);
        if poller.watch_output(Token::StatsClient(number), client.socket.as_fd()).is_err() {
            self.clients.remove(&number);
        }
    }

    /// Lets those go who take too long, and others in.
    pub fn handle_deadline(&mut self, now: Moment, poller: &mut Poller) {
        let late = self.clients.iter().filter(|(_, client)| client.until <= now).map(|(number, _)| *number);
        for number in late.collect::<Vec<u32>>() {
            self.let_go(number, poller);
        }
        self.resume(poller, now);
    }

    /// When the next reader loses its turn, or others are let in.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.clients.values().map(|client| client.until).chain(self.paused).min()
    }

    fn let_go(&mut self, number: u32, poller: &mut Poller) {
        if let Some(client) = self.clients.remove(&number) {
            poller.forget(&client.socket);
        }
    }
}

impl Client {
    /// Reads what has come, as far as there is room; `None` when a descriptor is with it.
    fn hear(&mut self) -> Option<Asked> {
        let request = self.request.get_or_insert_default();
        let mut piece = [0; REQUEST_MAX];
        loop {
            let room = REQUEST_MAX.saturating_sub(request.len());
            match words::hear(&self.socket, &mut piece[..room]) {
                Words::Said(length) => request.extend_from_slice(&piece[..length]),
                Words::Nothing => return Some(judge(request, false)),
                Words::End => return Some(judge(request, true)),
                Words::Smuggled => return None,
            }
            if request.len() >= REQUEST_MAX {
                return Some(judge(request, false));
            }
        }
    }

    /// True when it has everything, or has gone.
    fn write(&mut self, document: Option<Vec<u8>>) -> bool {
        if let Some(document) = document {
            self.document = Some(([self.header, &document].concat(), 0));
        }
        let Some((bytes, sent)) = &mut self.document else { return false };
        while *sent < bytes.len() {
            match rustix::net::send(&self.socket, &bytes[*sent..], SendFlags::NOSIGNAL) {
                Ok(count) => *sent += count,
                Err(Errno::AGAIN) => return false,
                Err(_) => return true,
            }
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for path in &self.paths {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A listener, and the file that it is.
pub type Bound = (Option<OwnedFd>, Option<PathBuf>);

/// A listener that does not wait, and its file if it has one: of this mode, the owner's.
///
/// # Errors
/// The address cannot be had.
pub fn listen(address: &Address, owner: Option<Owner>, mode: u32) -> Result<Bound> {
    match address {
        Address::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)
                .with_context(|| format!("cannot listen at {address}"))?;
            listener.set_nonblocking(true)?;
            Ok((Some(listener.into()), None))
        }
        Address::Abstract(name) => {
            let listener = bound::hidden(name).and_then(listening);
            Ok((Some(listener.with_context(|| format!("cannot listen at @{name}"))?), None))
        }
        Address::Inherited(number) => {
            let listener = inherited::take(*number).map_err(|why| anyhow!("{why}: {}", inherited::CURE))?;
            ioctl_fionbio(&listener, true)?;
            let _ = jail::sys::refuse_rights(listener.as_fd());
            Ok((Some(listener), None))
        }
        Address::Unix(path) => {
            let listener = listen_at(path, owner, mode)
                .with_context(|| format!("cannot listen at {}", path.display()))?;
            Ok((Some(listener), Some(std::path::absolute(path)?)))
        }
    }
}

/// A unix socket of this mode; one that nobody listens at any more is replaced.
fn listen_at(path: &Path, owner: Option<Owner>, mode: u32) -> Result<OwnedFd> {
    vacate(path)?;
    let (socket, place) = (bound::stream(AddressFamily::UNIX)?, SocketAddrUnix::new(path)?);
    born_with(mode, || rustix::net::bind(&socket, &place))?;
    let listener = listening(socket)?;
    if let Some(owner) = owner {
        give(path, owner)?;
    }
    Ok(listener)
}

/// It listens from here on, and never waits. Whoever connects has descriptors refused from the beginning, as it has; an older kernel
/// cannot do that.
fn listening(socket: OwnedFd) -> Result<OwnedFd, Errno> {
    let _ = jail::sys::refuse_rights(socket.as_fd());
    ioctl_fionbio(&socket, true)?;
    // Else whoever may connect could fill a queue of thousands.
    rustix::net::listen(&socket, QUEUE_MAX)?;
    Ok(socket)
}

/// Hands over the socket that we have just made, and nothing else that somebody may have put in its place.
///
/// # Errors
/// Something else stands there.
pub fn give(path: &Path, owner: Owner) -> Result<()> {
    let made = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&made)?;
    let ours = FileType::from_raw_mode(stat.st_mode) == FileType::Socket && stat.st_nlink == 1;
    if !ours || stat.st_uid != rustix::process::geteuid().as_raw() {
        bail!("something else stands in its place");
    }
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    Ok(chownat(&made, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}

/// Where root's Emperor serves unless it is told otherwise.
pub const OF_ROOT: &str = "/run/liege/stats.sock";

/// Where our own Emperor serves without being told: below `/run` for root, below `XDG_RUNTIME_DIR` for others.
pub fn usual_path() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(OF_ROOT.into());
    }
    Some(PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?).join("liege/stats.sock"))
}

/// A second Emperor on the same host finds the usual place taken; that is no error.
fn usual(guests: Guests) -> Bound {
    let owner = guests.owner;
    let Some(path) = usual_path() else { return (None, None) };
    match make_room(&path, owner).and_then(|()| listen_at(&path, owner, guests.mode())) {
        Ok(listener) => (Some(listener), Some(path)),
        Err(error) => {
            log::info("stats", &format!("no stats at {}: {error:#}", path.display()));
            (None, None)
        }
    }
}

fn make_room(path: &Path, owner: Option<Owner>) -> Result<()> {
    let directory = path.parent().context("no directory")?;
    if std::fs::create_dir(directory).is_ok() {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
        if let Some(owner) = owner {
            std::os::unix::fs::lchown(directory, Some(owner.uid), Some(owner.gid))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::super::guests::GUARDED;
    use super::*;

    const NOW: Moment = Moment(1);

    fn ready(poller: &mut Poller) -> Vec<Token> {
        poller.wait(Some(NOW), NOW).expect("a poller")
    }

    #[test]
    fn only_a_socket_is_handed_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let (socket, other) = (directory.path().join("socket"), directory.path().join("other"));
        let owner = Owner { uid, gid };
        let _listener = listen_at(&socket, Some(owner), GUARDED).expect("a socket of ours");
        std::fs::write(&other, "").expect("a file");
        assert!(give(&other, owner).is_err());
        std::fs::remove_file(&other)
            .and_then(|()| std::os::unix::fs::symlink(&socket, &other))
            .expect("a link");
        assert!(give(&other, owner).is_err());
    }

    #[test]
    fn who_waits_for_room_keeps_nobody_busy_and_is_let_in_in_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("stats");
        let bound = listen(&Address::Unix(path), None, GUARDED).expect("a socket");
        let mut server = Server::serving(vec![bound], Form::default(), Guests::default());
        let mut poller = Poller::new().expect("a poller");
        server.watch(&poller).expect("a watch");
        let name = server.paths[0].clone();
        let _clients: Vec<UnixStream> =
            (0..=CLIENTS_MAX).map(|_| UnixStream::connect(&name).expect("the queue is long")).collect();
        (0..CLIENTS_MAX).for_each(|_| server.accept(&mut poller, NOW));
        assert!(!ready(&mut poller).contains(&Token::StatsListener), "nobody else is let in");
        let later = server.next_deadline().expect("a pause");
        server.handle_deadline(later, &mut poller);
        assert!(!ready(&mut poller).contains(&Token::StatsListener), "there is no room yet");
        server.serve(1, &mut poller, Some(b"{}".to_vec()));
        let later = server.next_deadline().expect("a pause");
        server.handle_deadline(later, &mut poller);
        assert!(ready(&mut poller).contains(&Token::StatsListener));
    }
}
