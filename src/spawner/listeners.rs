//! Binds the listeners of vassals on demand, in the one directory that the administrator named for their sockets.
//!
//! Where one listens may be a tenant's wish. So a name is never a path: it is one element in an open directory where
//! root alone can write, and what stands there is replaced only if it is a socket that was left behind.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Uid, chmodat, chownat, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, socket_acceptconn};
use rustix::net::{AddressFamily, SocketAddrUnix, bind, listen};

use super::addresses::{Place, place_of};
use super::charter::{Charter, OnDemand};
use super::owners::own_ids;
use super::wire::{Address, Reply, Ticket};
use crate::bound;
use crate::emperor::event::Owner;
use crate::guarded::{self, Others};
use crate::parting::Visited;
use crate::trust::Examined;

/// Connections that wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// A config whose listener is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Its directory.
    pub directory: BorrowedFd<'a>,
    /// Its file there.
    pub file: &'a str,
    /// The vassal as people know it.
    pub name: &'a str,
    /// To enter the directory may take for ever.
    pub away: bool,
    /// What the program said that was asked about it.
    pub told: Option<&'a str>,
}

/// What was bound, by the number of the vassal.
#[derive(Default)]
pub struct Listeners {
    sockets: Option<OwnedFd>,
    bound: BTreeMap<u32, Bound>,
    /// On their way to the emperor.
    fresh: Vec<(Ticket, OwnedFd)>,
}

/// A name in the directory, and the device and inode of what was made there.
type Made = (String, (u64, u64));

struct Bound {
    owner: Owner,
    place: Place,
    /// A copy of a listener that it moved to: the emperor may ask for a start before it has heard of that.
    kept: Option<Visited>,
    file: Option<Made>,
}

impl Listeners {
    /// Opens the directory of the sockets.
    ///
    /// # Errors
    /// It cannot be opened, or others could put something there.
    pub fn open(charter: &Charter) -> Result<Self, String> {
        let path = charter.on_demand.as_ref().and_then(|wanted| wanted.sockets.as_ref());
        let opened = |path: &String| guarded::directory(Path::new(path), Others::default());
        let sockets = path.map(opened).transpose().map_err(|why| format!("on-demand-sockets: {why}"))?;
        Ok(Self { sockets, ..Self::default() })
    }

    fn owner_of(&self, id: u32) -> Option<Owner> {
        self.bound.get(&id).map(|bound| bound.owner)
    }

    /// Whether this is the listener of a vassal, bound for this owner: nothing else becomes its standard input.
    ///
    /// # Errors
    /// One sentence.
    pub fn admit(&self, id: u32, listener: BorrowedFd<'_>, owner: Owner) -> Result<(), String> {
        if self.owner_of(id) != Some(owner) {
            return Err("its listener was bound for another owner".into());
        }
        match socket_acceptconn(listener) {
            Ok(true) => Ok(()),
            _ => Err("what was handed over for it does not listen".into()),
        }
    }

    /// The descriptor that goes with a reply.
    pub fn lent_with(&mut self, reply: &Reply) -> Option<OwnedFd> {
        let wanted = match reply {
            Reply::Listening { ticket, .. } => *ticket,
            Reply::Address(number, Address::Moved { .. }) => moved(*number),
            _ => return None,
        };
        let place = self.fresh.iter().position(|(fresh, _)| *fresh == wanted)?;
        Some(self.fresh.swap_remove(place).1)
    }

    /// Forgets a listener and removes its file, unless something else stands there by now.
    pub fn unlisten(&mut self, id: u32) {
        self.bound.remove(&id).into_iter().for_each(|bound| self.clear_away(bound));
    }

    fn clear_away(&self, bound: Bound) {
        let Some((name, made)) = bound.file else { return };
        let Some(sockets) = &self.sockets else { return };
        let same = |stat: &Stat| identity(stat) == made;
        if statat(sockets, &name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| same(&stat)) {
            let _ = unlinkat(sockets, &name, AtFlags::empty());
        }
    }

    /// The end of all.
    pub fn unlisten_all(&mut self) {
        let ids: Vec<u32> = self.bound.keys().copied().collect();
        ids.into_iter().for_each(|id| self.unlisten(id));
    }

    /// Binds the listener of a config; `None` when it is not on demand.
    ///
    /// # Errors
    /// One sentence.
    pub fn bind(
        &mut self,
        charter: &Charter,
        ticket: Ticket,
        wanted: Wanted<'_>,
        config: &Examined,
    ) -> Result<Option<Reply>, String> {
        let Some(rules) = &charter.on_demand else { return Ok(None) };
        let Some(place) = place_of(rules, wanted, config)? else { return Ok(None) };
        let address = place.shown(rules);
        let socket = match self.kept(ticket.id, &place, config.owner) {
            Some(socket) => socket,
            None => {
                self.unlisten(ticket.id);
                let (socket, bound) = self.open_at(charter, place, config)?;
                self.bound.insert(ticket.id, bound);
                socket
            }
        };
        self.fresh.push((ticket, socket));
        let Owner { uid, gid } = config.owner;
        Ok(Some(Reply::Listening { ticket, uid, gid, address }))
    }

    /// Binds a listener for a config whose address may have changed, and removes the file of the one before. What
    /// cannot be bound leaves that one alone.
    ///
    /// # Errors
    /// One sentence.
    pub fn rebind(
        &mut self,
        charter: &Charter,
        (number, id): (u32, u32),
        wanted: Wanted<'_>,
        config: &Examined,
    ) -> Result<Address, String> {
        let Some(rules) = &charter.on_demand else { return Ok(Address::Same) };
        let Some(place) = place_of(rules, wanted, config)? else {
            return Ok(self.without_config(id));
        };
        let before = self.bound.get(&id).filter(|bound| bound.place == place);
        if before.is_some_and(|bound| bound.owner == config.owner) {
            return Ok(Address::Same);
        }
        if before.is_some() {
            self.unlisten(id);
        }
        let address = place.shown(rules);
        let (socket, mut bound) = self.open_at(charter, place, config)?;
        bound.kept = socket.try_clone().ok().map(Visited::from);
        let before = self.bound.insert(id, bound);
        before.into_iter().for_each(|bound| self.clear_away(bound));
        self.fresh.push((moved(number), socket));
        let Owner { uid, gid } = config.owner;
        Ok(Address::Moved { uid, gid, address })
    }

    /// Nobody can say where a vassal listens.
    pub fn without_config(&self, id: u32) -> Address {
        if self.bound.contains_key(&id) { Address::Gone } else { Address::Same }
    }

    fn kept(&self, id: u32, place: &Place, owner: Owner) -> Option<OwnedFd> {
        let bound = self.bound.get(&id).filter(|bound| bound.place == *place && bound.owner == owner)?;
        bound.kept.as_ref()?.as_fd().try_clone_to_owned().ok()
    }

    fn open_at(
        &self,
        charter: &Charter,
        place: Place,
        config: &Examined,
    ) -> Result<(OwnedFd, Bound), String> {
        let rules = charter.on_demand.as_ref().ok_or("no vassal is on demand")?;
        let runs_as = charter.owner_of(config.trust, own_ids());
        let (socket, file) = self.make(rules, &place, runs_as)?;
        listen(&socket, BACKLOG).map_err(|errno| format!("cannot listen on {place}: {errno}"))?;
        Ok((socket, Bound { owner: config.owner, place, kept: None, file }))
    }

    fn make(&self, rules: &OnDemand, place: &Place, owner: Owner) -> Result<(OwnedFd, Option<Made>), String> {
        let cannot = |errno: Errno| format!("cannot listen on {place}: {errno}");
        match place {
            Place::Tcp(address) => bound::tcp(*address, |socket| one_kind(*address, socket))
                .map(|socket| (socket, None))
                .map_err(cannot),
            Place::Abstract(name) => bound::hidden(name).map(|socket| (socket, None)).map_err(cannot),
            Place::File(name) => {
                let sockets = self.sockets.as_ref().ok_or(
                    "its file names a unix socket, and no directory for those is known: set on-demand-sockets",
                )?;
                self.clear(sockets, name, owner)?;
                let (socket, made) = file(sockets, name, rules.mode, owner).map_err(cannot)?;
                Ok((socket, Some((name.clone(), made))))
            }
        }
    }

    /// Makes room for a socket.
    ///
    /// Must not: remove what is no socket, what another vassal listens on, or what another user left.
    fn clear(&self, sockets: &OwnedFd, name: &str, owner: Owner) -> Result<(), String> {
        let is_bound = |bound: &Bound| bound.file.as_ref().is_some_and(|(taken, _)| taken == name);
        if self.bound.values().any(is_bound) {
            return Err(format!("another vassal listens on the socket {name}"));
        }
        let stat = match statat(sockets, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(format!("cannot look for the socket {name}: {errno}")),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
            return Err(format!("{name} is in the way of its socket, and is none"));
        }
        if stat.st_uid != owner.uid {
            return Err(format!("the socket {name} belongs to uid {}", stat.st_uid));
        }
        unlinkat(sockets, name, AtFlags::empty())
            .map_err(|errno| format!("cannot remove the old socket {name}: {errno}"))
    }
}

/// Under which the listener of one that moved is kept: no vassal has this number.
fn moved(number: u32) -> Ticket {
    Ticket { id: u32::MAX, attempt: number }
}

/// An address of one kind is not the other kind's, whatever the host's default is.
fn one_kind(address: SocketAddr, socket: &OwnedFd) -> Result<(), Errno> {
    if address.is_ipv6() { set_ipv6_v6only(socket, true) } else { Ok(()) }
}

/// A socket file that nobody can connect to before it has its mode and its owner.
///
/// Must: be called for a directory where only root (or only we) can write: its names are used more than once.
fn file(sockets: &OwnedFd, name: &str, mode: u32, owner: Owner) -> Result<(OwnedFd, (u64, u64)), Errno> {
    let socket = bound::stream(AddressFamily::UNIX)?;
    let path = format!("/proc/self/fd/{}/{name}", sockets.as_raw_fd());
    let path = SocketAddrUnix::new(path)?;
    bound::born_with(0, || bind(&socket, &path))?;
    let made = dress(sockets, name, mode, owner).inspect_err(|_| {
        let _ = unlinkat(sockets, name, AtFlags::empty());
    })?;
    Ok((socket, made))
}

fn dress(sockets: &OwnedFd, name: &str, mode: u32, owner: Owner) -> Result<(u64, u64), Errno> {
    // While it is ours: afterwards its mode is its owner's to change.
    chmodat(sockets, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    if own_ids() != owner {
        chownat(sockets, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(identity(&statat(sockets, name, AtFlags::SYMLINK_NOFOLLOW)?))
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
