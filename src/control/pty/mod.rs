//! `liege --pty-connect` and `liege --pty-uconnect`: our terminal for one that somebody serves, by liege or by uWSGI.

mod client;
mod line;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::termios::{OptionalActions, Termios, tcsetattr};

use self::client::Client;
use self::line::Speech;
use super::attach::screen::raw;
use super::attach::signals;
use super::door::shown;
use crate::config;
use crate::config::place::Entry;
use crate::config::vassal::Address;

/// Which terminal is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PtyAsked {
    address: String,
    speech: Speech,
}

impl PtyAsked {
    /// Whether the command line asks for one; frames come first, as in uWSGI.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let last =
            |key: &str| entries.iter().rfind(|entry| entry.key == key).map(|entry| entry.value.clone());
        let asked = |(key, speech)| last(key).map(|address| Self { address, speech });
        [("pty-uconnect", Speech::Framed), ("pty-connect", Speech::Raw)].into_iter().find_map(asked)
    }
}

/// Until the other end closes it, or `~.` is typed. The exit status is 0 then, 255 when the connection broke, and 128 and its
/// number for a signal; what a program there ended with nobody tells.
///
/// # Errors
/// Nobody serves there.
pub fn pty(asked: &PtyAsked) -> Result<u8> {
    let signals =
        signals(&[Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT])?;
    let address = config::address(&asked.address).map_err(|wrong| anyhow!(wrong.cause))?;
    let socket = reach(&address).with_context(|| format!("cannot reach {}", shown(&address)))?;
    let keyboard = Keyboard::take().context("cannot use the terminal")?;
    let client = Client::begin(socket, asked.speech, keyboard.is_one())?;
    let outcome = client.mind(&signals);
    // It is as it was from here on.
    drop(keyboard);
    outcome
}

fn reach(address: &Address) -> Result<OwnedFd> {
    let stream = |family| socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let unix = |place: &SocketAddrUnix| {
        let socket = stream(AddressFamily::UNIX)?;
        connect(&socket, place).map(|()| socket)
    };
    Ok(match address {
        Address::Unix(path) => unix(&SocketAddrUnix::new(path)?)?,
        Address::Abstract(name) => unix(&SocketAddrUnix::new_abstract_name(name.as_bytes())?)?,
        Address::Tcp(address) => {
            let family =
                if matches!(address, SocketAddr::V4(_)) { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = stream(family)?;
            connect(&socket, address)?;
            socket
        }
        Address::Inherited(_) => bail!("not an address that can be connected to"),
    })
}

/// Our terminal, if there is one: it gives every key as it is, and is as it was when this is dropped.
struct Keyboard(Option<Termios>);

impl Keyboard {
    fn take() -> Result<Self, Errno> {
        raw().map(Self)
    }

    fn is_one(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Not what was typed ahead: it was for the other end.
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, before);
        }
    }
}
