//! A real router of uWSGI, which takes subscriptions.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{PATIENCE, Tree, eventually};

/// Everybody may write to the sockets that it makes; all of it ends with its first process.
const OPEN: &str = r#"umask 0; exec unshare --pid --fork --kill-child uwsgi "$@""#;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes HTTP.
    Http,
    /// Takes the uwsgi protocol.
    Fast,
}

/// A running router. It ends when this is dropped.
pub struct Router {
    kind: Kind,
    child: Child,
    tree: Tree,
}

impl Router {
    /// Starts one with these further options.
    pub fn start(kind: Kind, options: &[&str]) -> Self {
        let tree = Tree::new();
        let name = match kind {
            Kind::Http => "http",
            Kind::Fast => "fastrouter",
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", OPEN, "sh", "--master", "--plugin", name]);
        command.arg(format!("--{name}")).arg(tree.path("run/front.sock"));
        command.arg(format!("--{name}-subscription-server")).arg(tree.path("run/subscriptions.sock"));
        command
            .args(options)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let router = Self { kind, child: command.spawn().unwrap(), tree };
        let ready = || UnixStream::connect(router.front()).is_ok() && router.subscriptions().exists();
        eventually("a router", || ready().then_some(()));
        router
    }

    fn front(&self) -> PathBuf {
        self.tree.path("run/front.sock")
    }

    /// Where it takes subscriptions.
    pub fn subscriptions(&self) -> PathBuf {
        self.tree.path("run/subscriptions.sock")
    }

    /// What it answers to a request for this host; nothing where it knows of nobody.
    pub fn ask(&self, host: &str) -> String {
        let mut stream = UnixStream::connect(self.front()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = Vec::new();
        // Whom it knows nothing to say to it may cut off before he has spoken.
        let _ =
            stream.write_all(&self.request(host)).and_then(|()| stream.read_to_end(&mut answer).map(drop));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Waits for an answer with this text.
    pub fn wait_answer(&self, host: &str, wanted: &str) -> String {
        eventually(&format!("{wanted} of {host}"), || {
            Some(self.ask(host)).filter(|text| text.contains(wanted))
        })
    }

    /// Waits until nobody is asked for this host any more.
    pub fn wait_silence(&self, host: &str) {
        eventually(&format!("no answer of {host}"), || self.ask(host).is_empty().then_some(()));
    }

    fn request(&self, host: &str) -> Vec<u8> {
        if self.kind == Kind::Http {
            return format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").into_bytes();
        }
        packet(&["REQUEST_METHOD", "GET", "PATH_INFO", "/", "SERVER_PROTOCOL", "HTTP/1.1", "HTTP_HOST", host])
    }
}

/// A connection on which a request in the uwsgi protocol was sent.
pub fn request(socket: &Path, path: &str) -> UnixStream {
    let words = ["REQUEST_METHOD", "GET", "PATH_INFO", path, "SERVER_PROTOCOL", "HTTP/1.1"];
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&packet(&words)).unwrap();
    stream
}

/// A packet of the uwsgi protocol with these names and values in turn.
pub fn packet(words: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for word in words {
        body.extend(u16::try_from(word.len()).unwrap().to_le_bytes());
        body.extend(word.as_bytes());
    }
    let [low, high] = u16::try_from(body.len()).unwrap().to_le_bytes();
    [&[0, low, high, 0], body.as_slice()].concat()
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
