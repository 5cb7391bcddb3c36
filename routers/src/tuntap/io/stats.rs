//! Stats for whoever connects: one JSON, then the end, as with uWSGI; nobody who reads slowly is waited for.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use jail::sys::peer;
use rustix::io::Errno;
use rustix::net::sockopt::socket_domain;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, accept_with, recv, send, shutdown,
};

use super::closer::Rest;
use super::events::Token;
use super::life::Service;

/// Readers at once; one more, and the oldest has to go.
const CLIENTS_MAX: usize = 16;
/// Readers that are accepted at once.
const ACCEPT_MAX: usize = 16;
/// What was told is told again for so long.
const FRESH: Duration = Duration::from_millis(100);

/// Readers who have not got all.
#[derive(Debug, Default)]
pub(super) struct Clients {
    waiting: VecDeque<Client>,
    next: u32,
    last: Option<(Instant, Rc<[u8]>)>,
}

#[derive(Debug)]
struct Client {
    number: u32,
    socket: OwnedFd,
    text: Rc<[u8]>,
    sent: usize,
}

impl Service {
    pub(super) fn accept_clients(&mut self) {
        for _ in 0..ACCEPT_MAX {
            let Some(stats) = &self.ports.stats else { return };
            match accept_with(stats, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.accept_client(socket),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                Err(errno) => return self.close_doors(errno),
            }
        }
    }

    fn accept_client(&mut self, socket: OwnedFd) {
        let text = self.stats();
        let clients = &mut self.clients;
        clients.next = clients.next.wrapping_add(1);
        let number = clients.next;
        if clients.waiting.len() >= CLIENTS_MAX {
            let oldest = clients.waiting.pop_front();
            oldest.into_iter().for_each(|client| self.end_client(client.socket));
        }
        if self.events.watch_edge(&socket, Token::Client(number)).is_err() {
            return self.end_client(socket);
        }
        self.clients.waiting.push_back(Client { number, socket, text, sent: 0 });
        self.serve_client(number);
    }

    /// What a reader has sent may be anything, and is thrown away.
    fn end_client(&self, socket: OwnedFd) {
        self.events.forget(&socket);
        if let (Ok(AddressFamily::UNIX), Ok(who)) = (socket_domain(&socket), peer(socket.as_fd())) {
            return self.closer.close(who.uid, Rest::Connection(socket));
        }
        // A request that nobody has read would break the connection before the answer is read.
        let _ = shutdown(&socket, Shutdown::Write);
        let _ = recv(&socket, &mut [0; 4096], RecvFlags::DONTWAIT);
    }

    /// Stats as they were a moment ago: whoever asks all the time makes no work.
    fn stats(&mut self) -> Rc<[u8]> {
        if let Some((since, text)) = &self.clients.last
            && since.elapsed() < FRESH
        {
            return Rc::clone(text);
        }
        let head = if self.charter.stats_http {
            "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n"
        } else {
            ""
        };
        let text: Rc<[u8]> = format!("{head}{}\n", self.table()).into_bytes().into();
        self.clients.last = Some((Instant::now(), Rc::clone(&text)));
        text
    }

    pub(super) fn serve_client(&mut self, number: u32) {
        let Some(place) = self.clients.waiting.iter().position(|client| client.number == number) else {
            return;
        };
        let client = &mut self.clients.waiting[place];
        loop {
            match send(&client.socket, &client.text[client.sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            {
                Ok(sent) => client.sent += sent,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => break,
            }
            if client.sent == client.text.len() {
                break;
            }
        }
        if let Some(client) = self.clients.waiting.remove(place) {
            self.end_client(client.socket);
        }
    }
}
