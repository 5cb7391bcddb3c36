//! A client of a terminal, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use routers::forkpty::frame::input_header;

use super::emperor::PATIENCE;

/// A client of a terminal.
pub struct Client(pub UnixStream, pub String);

impl Client {
    /// As soon as somebody serves there.
    pub fn of(socket: &Path) -> Self {
        let begin = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::yield_now();
        };
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(stream, String::new())
    }

    /// These bytes.
    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Input as one frame.
    pub fn type_in(&mut self, text: &str) {
        self.say(&[&input_header(text.len()).unwrap()[..], text.as_bytes()].concat());
    }

    /// Reads on until this has come.
    pub fn wait_for(&mut self, wanted: &str) {
        self.read_while(|seen| !seen.contains(wanted));
        assert!(self.1.contains(wanted), "{:?}", self.1);
    }

    /// Reads to the end.
    pub fn end(&mut self) -> &str {
        assert!(self.read_while(|_| true), "it does not end: {:?}", self.1);
        &self.1
    }

    /// Whether it came to the end.
    pub fn read_while(&mut self, goes_on: impl Fn(&str) -> bool) -> bool {
        let (begin, mut bytes) = (Instant::now(), [0; 65_536]);
        while goes_on(&self.1) && begin.elapsed() < PATIENCE {
            match self.0.read(&mut bytes) {
                Ok(0) => return true,
                Ok(count) => self.1.push_str(&String::from_utf8_lossy(&bytes[..count])),
                // Closed before what we said was read.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
                Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            }
        }
        false
    }
}
