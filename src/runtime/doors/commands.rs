//! The command socket: datagrams whose senders the kernel names (`SCM_CREDENTIALS`, `unix(7)`).

use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::super::Runtime;
use super::Door;
use crate::bound::born_with;
use crate::config::vassal::Address;
use crate::control::command::{Asked, DATAGRAM_MAX};
use crate::emperor::event::Event;
use crate::emperor::sender::Sender;
use crate::reactor::{Token, clock};
use crate::spawner::charter::Leftover;
use crate::{inherited, log, parting};

/// Datagrams that are heard in one go at most; then nobody is heard for a moment.
const BATCH_MAX: usize = 16;
/// That moment, in ms.
const PAUSE_MS: u64 = 50;
/// Most descriptors that the kernel lets one message have (`SCM_MAX_FD`): one for which there is no room is closed by whoever reads.
const DESCRIPTORS_MAX: usize = 253;

pub(super) fn bind(address: &Address) -> Result<Door> {
    let (socket, path) = match address {
        Address::Abstract(name) => {
            let bound = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?);
            (bound.with_context(|| format!("cannot listen at @{name}"))?, None)
        }
        Address::Unix(path) => {
            let bound = bind_at(path).with_context(|| format!("cannot listen at {}", path.display()))?;
            (bound, Some(std::path::absolute(path)?))
        }
        // Its file belongs to whoever bound it.
        Address::Inherited(number) => {
            let left =
                inherited::take_datagrams(*number).map_err(|why| anyhow!("{why}: {}", inherited::CURE))?;
            (left.into(), None)
        }
        Address::Tcp(_) => bail!("it has no senders that the kernel knows"),
    };
    socket.set_nonblocking(true)?;
    set_socket_passcred(&socket, true)?;
    // An older kernel cannot refuse them: there somebody else closes what comes.
    let _ = jail::sys::refuse_rights(socket.as_fd());
    let file = path.and_then(|path: PathBuf| Leftover::of(&path));
    Ok(Door { socket: OwnedFd::from(socket).into(), file, token: Token::Commands, closed_until: None })
}

/// Everybody may speak (mode 0666): who is obeyed is decided for each command. A socket that nobody listens at any
/// more is replaced, and nothing else.
fn bind_at(path: &Path) -> Result<UnixDatagram> {
    let is_socket = path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    if is_socket && UnixDatagram::unbound()?.connect(path).is_err_and(|error| refused(&error)) {
        let _ = std::fs::remove_file(path);
    }
    Ok(born_with(0o666, || UnixDatagram::bind(path))?)
}

impl Runtime {
    /// Hears what was said, as much as one go allows.
    pub(in crate::runtime) fn hear_commands(&mut self) {
        for _ in 0..BATCH_MAX {
            let Some(door) = &self.doors.commands else { return };
            match receive(door.socket.as_fd()) {
                Ok((sender, datagram)) => self.hear_command(sender, &datagram),
                Err(Errno::AGAIN) => return,
                // A datagram that was none, or a moment without memory.
                Err(_) => {}
            }
        }
        if let Some(door) = &mut self.doors.commands {
            door.close_for(PAUSE_MS, clock::now(), &self.poller);
        }
    }

    fn hear_command(&mut self, uid: Option<u32>, datagram: &[u8]) {
        let Some(uid) = uid else {
            return self.refuse_command("an unknown sender: it is not known who that is");
        };
        let sender = Sender { uid, emperor: rustix::process::geteuid().as_raw() };
        match Asked::parse(datagram) {
            Ok(Asked::Of(name, command)) => {
                let known = self.emperor.named(&name);
                let own = known.iter().filter(|(_, owner)| sender.may_command(*owner));
                let own: Vec<_> = own.map(|(id, _)| *id).collect();
                if own.is_empty() {
                    // Whether it exists is nobody else's business, and the log is the administrator's.
                    let why =
                        if known.is_empty() { "there is no such vassal" } else { "it is somebody else's" };
                    self.refuse_command(&format!("a command of uid {uid} for `{name}` is refused: {why}"));
                }
                own.into_iter().for_each(|id| self.tell(Event::Commanded(id, command)));
            }
            Ok(Asked::Log(message)) if sender.is_master() => log::info("commands", &message),
            Ok(Asked::Log(_)) => {
                self.refuse_command(&format!("a line of uid {uid} for the log is refused: it is not root's"));
            }
            Err(why) => self.refuse_command(&format!("a datagram of uid {uid} is refused: {why}")),
        }
    }

    pub(in crate::runtime) fn refuse_command(&mut self, sentence: &str) {
        self.doors.refusals.tell(sentence, clock::now());
    }
}

/// One datagram and its sender.
///
/// # Errors
/// `EAGAIN`: there is none. `EMSGSIZE`: it is longer than any command.
fn receive(socket: BorrowedFd<'_>) -> Result<(Option<u32>, Vec<u8>), Errno> {
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut space =
        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut sender = None;
    for message in control.drain() {
        match message {
            RecvAncillaryMessage::ScmCredentials(credentials) => sender = Some(credentials.uid.as_raw()),
            RecvAncillaryMessage::ScmRights(descriptors) => parting::later(descriptors),
            _ => {}
        }
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE);
    }
    buffer.truncate(received.bytes);
    Ok((sender, buffer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parting::tests::reluctant;

    /// Row C6: no descriptor is closed by whoever hears, however many there are.
    #[test]
    fn what_comes_along_with_a_command_is_closed_by_somebody_else() {
        let door = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        set_socket_passcred(&ours, true).expect("a socket");
        let left = [reluctant(&door), reluctant(&door)];
        jail::run::send(&theirs, b"x", &[left[0].as_fd(), left[1].as_fd()]).expect("room");
        drop(left);
        let (sender, text) = receive(ours.as_fd()).expect("it is there");
        assert_eq!((sender, &text[..]), (Some(rustix::process::geteuid().as_raw()), &b"x"[..]));
        parting::bury();
    }
}
