//! Somebody who sits at a terminal.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Types, reads and changes the size, in the order of its steps; prints what it has seen, then the exit status.
const SEAT: &str = r#"
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
steps, argv = json.loads(sys.stdin.read()), sys.argv[1:]
def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    size(0, 24, 80)
    os.execvp(argv[0], argv)
end, seen, at = time.time() + 60, b"", 0
def turn(out=b""):
    global seen
    if time.time() > end:
        sys.stdout.buffer.write(seen[-4000:])
        sys.exit("waited in vain at byte %d" % at)
    r, w, _ = select.select([fd], [fd] if out else [], [], 1)
    if r:
        try: piece = os.read(fd, 65536)
        except OSError: piece = b""
        if not piece: return None
        seen += piece
    return os.write(fd, out[:4096]) if w else 0
for kind, *rest in steps:
    if kind == "expect":
        wanted = rest[0].encode()
        while wanted not in seen[at:]:
            if turn() is None:
                sys.stdout.buffer.write(seen[-4000:])
                sys.exit("it ended before: " + rest[0])
        at = seen.index(wanted, at) + len(wanted)
    elif kind == "send":
        out = rest[0].encode() * (rest[1] if len(rest) > 1 else 1)
        while out:
            out = out[turn(out) or 0:]
    elif kind == "resize":
        size(fd, rest[0], rest[1])
    elif kind == "kill":
        os.kill(pid, rest[0])
while turn() is not None: pass
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
print("\nSTATUS", os.waitstatus_to_exitcode(status))
"#;

/// What somebody does.
#[derive(Default)]
pub struct Seat(Vec<Value>);

impl Seat {
    /// Waits for this text, behind what was waited for before.
    pub fn expect(mut self, text: &str) -> Self {
        self.0.push(json!(["expect", text]));
        self
    }

    /// Types this.
    pub fn send(mut self, text: &str) -> Self {
        self.0.push(json!(["send", text]));
        self
    }

    /// Pastes this so many times.
    pub fn paste(mut self, text: &str, times: usize) -> Self {
        self.0.push(json!(["send", text, times]));
        self
    }

    /// Makes the terminal that large.
    pub fn resize(mut self, rows: u16, columns: u16) -> Self {
        self.0.push(json!(["resize", rows, columns]));
        self
    }

    /// Kills the client.
    pub fn kill(mut self, signal: i32) -> Self {
        self.0.push(json!(["kill", signal]));
        self
    }

    /// Sits down before this program, to its end; what was to be seen, and the exit status.
    pub fn sit(self, program: &Command) -> (String, i32) {
        let mut command = Command::new("python3");
        command.args(["-c", SEAT]).arg(program.get_program()).args(program.get_args());
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TERM", "xterm")
            .env("LANG", "C.UTF-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let steps = serde_json::to_vec(&self.0).unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &steps).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}\n{text}");
        let (seen, status) = text.rsplit_once("\nSTATUS ").unwrap();
        (seen.to_owned(), status.trim().parse().unwrap())
    }
}
