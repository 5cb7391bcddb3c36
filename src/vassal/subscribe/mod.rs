//! Tells routers of the command, in datagrams of uWSGI's subscriptions: with the rights and in the namespaces that the
//! vassal has when its command starts. Nobody is waited for, and no descriptor is kept.

mod pace;
mod packet;
mod sign;

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with,
};

use super::duties::Presence;
use super::state::Vassal;
use super::tell::Teller;
use super::trouble::Trouble;
use crate::config::vassal::Address;
use crate::config::vassal::subscriptions::{Subscription, Subscriptions, TEXT_MAX};
use crate::emperor::event::Moment;
use crate::reactor::clock::Calendar;

use pace::Pace;
use packet::{Said, packet, payload};
use sign::Signer;

/// Everything that routers are told.
#[derive(Debug)]
pub struct Subscriber {
    pace: Pace,
    notices: Vec<Notice>,
    teller: Teller,
}

/// What one router is told of one key.
#[derive(Debug)]
struct Notice {
    server: Address,
    key: String,
    fields: Vec<u8>,
    signer: Option<Signer>,
    check: Option<PathBuf>,
    /// The last announcement was not taken back.
    stands: bool,
    /// That it does not arrive was told.
    told: bool,
}

/// Makes everything ready: the sockets of the vassal are bound.
///
/// # Errors
/// No address to announce, no key to sign with, or more than a router reads.
pub fn prepare(vassal: &mut Vassal, wanted: &Subscriptions) -> Result<(), Trouble> {
    let notice = |one: &Subscription| {
        let cannot = |trouble: Trouble| {
            let cause = format!("cannot announce {}: {}", one.key, trouble.cause);
            Trouble { cause, ..trouble }
        };
        let address = one.address.clone().map_or_else(|| address(vassal, one.socket), Ok).map_err(cannot)?;
        let signer = one.signing.as_ref().map(Signer::read).transpose().map_err(cannot)?;
        let fields = payload(&wanted.fields(one, &address)).filter(|fields| is_sent(fields, signer.as_ref()));
        Ok(Notice {
            server: one.server.clone(),
            key: one.key.clone(),
            fields: fields.ok_or_else(|| cannot(Trouble::new("it has more than 4092 bytes")))?,
            signer,
            check: one.check.clone(),
            stands: false,
            told: false,
        })
    };
    let notices = wanted.list.iter().map(|one| notice(&one.value)).collect::<Result<_, Trouble>>()?;
    let pace = Pace::new(wanted.frequency_ms(), wanted.leaves_on_reload);
    vassal.subscriber = Some(Subscriber { pace, notices, teller: vassal.teller.clone() });
    Ok(())
}

/// Whether a router reads that much.
fn is_sent(fields: &[u8], signer: Option<&Signer>) -> bool {
    let signed = |signer: &Signer| signer.longest(fields).and_then(|fields| packet(Said::Here, &fields));
    signer.map_or_else(|| packet(Said::Here, fields), signed).is_some()
}

/// The address of one of the vassal's sockets, as a router elsewhere could use it.
fn address(vassal: &Vassal, number: usize) -> Result<String, Trouble> {
    let none = || {
        Trouble::new(format!("the vassal has no socket {number}")).advise("add `socket`, or name it: addr=…")
    };
    let text = match vassal.sockets.get(number).and_then(|socket| socket.address()).ok_or_else(none)? {
        Address::Tcp(address) if address.ip().is_unspecified() => {
            return Err(Trouble::new(format!("{address} is every address of this host"))
                .advise("name one: addr=HOST:PORT"));
        }
        Address::Tcp(address) => address.to_string(),
        Address::Abstract(name) => format!("@{name}"),
        Address::Unix(path) if path.starts_with("/proc") => {
            let trouble = Trouble::new("where a vassal on demand listens is known to its Emperor alone");
            return Err(trouble.advise("name it: addr=/…"));
        }
        Address::Unix(path) if path.is_absolute() => path.display().to_string(),
        Address::Unix(path) => {
            let trouble = Trouble::new(format!("{} is no absolute path", path.display()));
            return Err(trouble.advise("write `socket` with an absolute path, or name it: addr=/…"));
        }
        Address::Inherited(_) => return Err(none()),
    };
    if text.len() > TEXT_MAX {
        return Err(Trouble::new("its address is too long for a router"));
    }
    Ok(text)
}

impl Subscriber {
    /// The command as it is now: says what is due.
    pub fn look(&mut self, presence: Presence, now: Moment) {
        let Some(said) = self.pace.look(presence, now) else { return };
        for notice in &mut self.notices {
            if let Some(trouble) = notice.say(said, now) {
                self.teller.nuisance(&trouble);
            }
        }
    }

    /// When `look` has something to say by itself.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.pace.next_deadline()
    }
}

impl Notice {
    /// What is to be told of it, the first time that a router does not get it.
    fn say(&mut self, said: Said, now: Moment) -> Option<Trouble> {
        let withheld = self.check.as_deref().is_some_and(Path::exists);
        let said = match said {
            Said::Here if !withheld => Said::Here,
            Said::Here | Said::Gone if self.stands => Said::Gone,
            Said::Here | Said::Gone => return None,
        };
        self.stands = said == Said::Here;
        let sent =
            self.packet(said, now).ok_or(Errno::KEYREJECTED).and_then(|bytes| send(&self.server, &bytes));
        let Err(errno) = sent else {
            self.told = false;
            return None;
        };
        let news = !std::mem::replace(&mut self.told, true);
        news.then(|| self.trouble(errno))
    }

    /// `None` when it cannot be signed any more, though it could when everything was made ready.
    fn packet(&mut self, said: Said, now: Moment) -> Option<Vec<u8>> {
        let Some(signer) = &mut self.signer else { return packet(said, &self.fields) };
        packet(said, &signer.sign(&self.fields, Calendar::today().unix_s(now))?)
    }

    fn trouble(&self, errno: Errno) -> Trouble {
        let server = shown(&self.server);
        let trouble = Trouble::errno(format!("announce {} to the router at {server}", self.key), errno);
        match errno {
            Errno::NOENT | Errno::CONNREFUSED => trouble.advise("is it running? It is tried again"),
            Errno::ACCESS | Errno::PERM => {
                trouble.advise("the vassal's user must be allowed to write to that socket")
            }
            Errno::NETUNREACH | Errno::HOSTUNREACH => trouble
                .advise("the vassal has a network of its own: use a unix socket that its jail shows (bind)"),
            Errno::AGAIN | Errno::NOBUFS => trouble.advise("it has too much to do. It is tried again"),
            _ => trouble,
        }
    }
}

fn shown(server: &Address) -> String {
    match server {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => path.display().to_string(),
        Address::Abstract(name) => format!("@{name}"),
        Address::Inherited(number) => format!("fd://{number}"),
    }
}

/// One datagram. A router that has no room for it now gets the next one.
fn send(server: &Address, bytes: &[u8]) -> Result<(), Errno> {
    match server {
        Address::Tcp(address) => {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            send_to(family, &SocketAddrAny::from(*address), bytes)
        }
        Address::Unix(path) => send_to(AddressFamily::UNIX, &SocketAddrUnix::new(path)?.into(), bytes),
        Address::Abstract(name) => {
            send_to(AddressFamily::UNIX, &SocketAddrUnix::new_abstract_name(name.as_bytes())?.into(), bytes)
        }
        Address::Inherited(_) => Err(Errno::AFNOSUPPORT),
    }
}

fn send_to(family: AddressFamily, address: &SocketAddrAny, bytes: &[u8]) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
    sendto(&socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, address).map(drop)
}
