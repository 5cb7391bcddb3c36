//! Servers that wait for their first connection, and who connects.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{ALICE, Emperor, PATIENCE, Tree};

/// Serves descriptor 0, one at a time: answers its pid; after `die` it crashes. Ends well when told to, or when nobody
/// came for half a second.
pub const SERVER: &str = "import os, select, signal, socket, sys
told, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
signal.signal(signal.SIGTERM, lambda *_: None)
assert os.environ['LISTEN_FDS'] == '1' and os.fstat(0).st_ino == os.fstat(3).st_ino
listener = socket.socket(fileno=0)
listener.setblocking(False)
idle = float(sys.argv[1])
while True:
    ready = select.select([listener, told], [], [], idle)[0]
    if told in ready or not ready:
        sys.exit(0)
    peer = listener.accept()[0]
    peer.setblocking(True)
    word = peer.recv(16)
    peer.sendall(b'%d' % os.getpid())
    peer.close()
    if word == b'die':
        os._exit(1)
";

/// The configs of alice, and a directory for sockets in which only root may write.
pub fn server_tree() -> Tree {
    let tree = Tree::new();
    tree.dir("sockets");
    tree.place(&tree.vassals().join("server.py"), ALICE, SERVER);
    tree
}

/// One that ends by itself when nobody came for so many seconds.
pub fn serving(idle: &str) -> String {
    format!("command = /usr/bin/python3 -IS server.py {idle}\n")
}

/// One connection: what was answered.
pub fn ask(socket: &Path, word: &str) -> std::io::Result<String> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    talk(stream, word)
}

/// The same with any stream.
pub fn talk<S: Read + Write>(mut stream: S, word: &str) -> std::io::Result<String> {
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Where somebody listens, as the file beside his config says it.
#[derive(Clone)]
pub enum Address {
    /// A socket file.
    Unix(PathBuf),
    /// A port of IPv4 or IPv6.
    Tcp(SocketAddr),
}

/// Either kind of connection.
pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Address {
    /// A connection on which answers are waited for with patience.
    pub fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Box::new(stream))
            }
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// So many ports of this address that nobody has at this moment, below those that the kernel gives to whoever asks for any.
pub fn free_ports(ip: IpAddr, count: usize) -> Vec<SocketAddr> {
    let first = 10_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let free = (first..30_000).filter(|port| TcpListener::bind((ip, *port)).is_ok());
    let ports: Vec<SocketAddr> = free.map(|port| (ip, port).into()).take(count).collect();
    assert_eq!(ports.len(), count, "there are not so many free ports");
    ports
}

/// Waits until this one waits.
pub fn waits(emperor: &Emperor, vassal: &str) {
    emperor.wait_stats(vassal, |one| one["state"] == "on-demand");
}

/// An Emperor of files with addresses.
pub fn addressed(tree: Tree, options: &[&str]) -> Emperor {
    let sockets = format!("--on-demand-sockets={}", tree.path("sockets").display());
    let first = ["--emperor-tyrant", "--emperor-on-demand-extension=.on", "--emperor-throttle=20", &sockets];
    Emperor::start(tree, &[&first, options].concat())
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
