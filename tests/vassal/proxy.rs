//! `emperor-proxy-socket`: a program that runs elsewhere speaks with the Emperor in the vassal's place. Row C8.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use super::emperor::{Outcome, PATIENCE, Place, Vassal};
use super::real::Real;

/// Gets a line to the Emperor as uWSGI does, and hands it on as standard input and output.
const CLIENT: &str = "import os, socket, sys
s = socket.socket(socket.AF_UNIX)
try: s.connect(sys.argv[1])
except OSError as e: sys.exit(e.strerror)
packet, fds, _, _ = socket.recv_fds(s, 64, 8)
if not fds: sys.exit('nothing')
line = socket.socket(fileno=fds[0])
line.setblocking(True)
print(packet.hex(), len(fds), flush=True)
for word in sys.stdin:
    word = word.strip()
    if word == 'hear': print(line.recv(1).hex(), flush=True)
    else: line.sendall(bytes.fromhex(word))
";

/// A program that speaks in the vassal's place.
struct Client(std::process::Child, std::io::BufReader<std::process::ChildStdout>);

impl Client {
    fn connect(place: &Place) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", CLIENT]).arg(place.path("proxy"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut client = Self(child, lines);
        let packet: String = [&b"uwsgi-emperor"[..], &1_i32.to_ne_bytes()]
            .concat()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(client.line(), format!("{packet} 1"));
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut self.1, &mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Says these bytes to the Emperor.
    fn say(&mut self, hex: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{hex}").unwrap();
    }

    /// The next byte of the Emperor.
    fn hear(&mut self) -> String {
        self.say("hear");
        self.line()
    }

    fn leave(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// A vassal with a command that says `up`, and how it was told to stop.
fn vassal(options: &str) -> (Place, Vassal) {
    let place = Place::new("");
    place.write(
        "v.ini",
        &format!(
            "emperor-proxy-socket = DIR/proxy\n{options}\n\
             command = sh -c 'trap \"echo told; exit 0\" TERM; echo up; while :; do sleep 0.05; done'"
        ),
    );
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "up");
    (place, vassal)
}

#[test]
fn who_connects_speaks_with_the_emperor_and_is_told_in_the_place_of_the_command() {
    let (place, mut vassal) = vassal("");
    let mode = std::fs::metadata(place.path("proxy")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = Client::connect(&place);
    // Nothing was said before: the command is ready when the client says so. What is no word of a vassal goes nowhere.
    client.say("02630d0105");
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    client.say("1e");
    assert_eq!(vassal.byte(), Some(30));
    vassal.say(1);
    assert_eq!(client.hear(), "01", "a reload of the same config is the client's");
    vassal.say(0);
    assert_eq!(client.hear(), "00");
    // It has not been told by a signal, until the client has gone.
    client.leave();
    assert_eq!(vassal.line(), "told");
    assert_eq!(vassal.end().code(), 0);
    assert!(!place.path("proxy").exists());
}

#[test]
fn without_a_client_the_command_is_told_as_ever_and_one_client_speaks_at_a_time() {
    let (place, mut vassal) = vassal("ready = lived:0");
    let first = Client::connect(&place);
    // The second one is in the queue, and gets nothing as long as the first one is there.
    let mut second = UnixStream::connect(place.path("proxy")).unwrap();
    let mut byte = [0];
    second.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    assert!(second.read(&mut byte).is_err(), "nobody else has a line");
    first.leave();
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(second.read(&mut byte).unwrap(), 1, "now it has one");
    drop(second);
    while vassal.byte() != Some(17) {}
    vassal.say(2);
    assert_eq!(vassal.line(), "told");
    assert_eq!(vassal.end().code(), 0);
}

/// Its master has tried in vain, and nothing tells it when a descriptor is free again.
#[test]
fn a_client_for_whom_there_is_no_descriptor_is_greeted_once_there_is_one() {
    let (place, mut vassal) = vassal("ready = lived:0");
    let limited = |number| {
        let limit = Rlimit { current: Some(number), ..getrlimit(Resource::Nofile) };
        prlimit(Pid::from_raw(vassal.pid()), Resource::Nofile, limit).unwrap()
    };
    // More than it waits for (`poll(2)`), fewer than it has.
    let before = limited(4);
    let mut client = UnixStream::connect(place.path("proxy")).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    limited(before.current.unwrap());
    assert_eq!(client.read(&mut [0]).unwrap(), 1, "a line");
    drop(client);
    while vassal.byte() != Some(17) {}
    vassal.signal(Signal::TERM);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn nobody_else_gets_a_line_to_the_emperor() {
    let (place, vassal) = vassal("");
    let ask = || {
        let mut command = Command::new("python3");
        command.args(["-c", CLIENT]).arg(place.path("proxy")).uid(54_321).gid(54_322);
        Outcome::of(&mut command).errors
    };
    assert_eq!(ask(), "Permission denied\n");
    std::fs::set_permissions(place.path("proxy"), PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(ask(), "nothing\n");
    vassal.signal(Signal::TERM);
    assert_eq!(vassal.end().code(), 0);
}

/// The same bytes as with uWSGI on both sides, and the same end of the client.
#[test]
fn the_real_uwsgi_speaks_through_our_vassal_as_through_its_own() {
    let (place, mut vassal) = vassal("");
    let app = "def application(e, s):\n s('200 OK', [])\n return [b'']\n";
    std::fs::write(place.path("app.py"), app).unwrap();
    let proxy = place.path("proxy").display().to_string();
    let mut real = Real::start_with(
        &place,
        "plugins = python3\nwsgi-file = DIR/app.py\nsocket = DIR/app",
        ("UWSGI_EMPEROR_PROXY", &proxy),
    );
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    vassal.say(0);
    assert_eq!(real.end(), Some(0), "it stops by what the Emperor says");
    assert_eq!(vassal.line(), "told", "and then the command that stood beside it does");
    assert_eq!(vassal.end().code(), 0);
}
