//! Servers that wait for their first connection, and who connects.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

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
