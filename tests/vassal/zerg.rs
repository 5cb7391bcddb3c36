//! Sockets handed over, between our vassals and the real uWSGI in both directions, and those who pretend. Row D5.

use std::fs::read_link;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::emperor::{Outcome, PATIENCE, Place, Vassal};
use super::real::Real;

/// A vassal that serves its sockets; its command accepts nothing, and tells the first one's number in the kernel.
fn serving(place: &Place, options: &str) -> (Vassal, String) {
    place.write(
        "v.ini",
        &format!(
            "socket = DIR/app\nsocket = @liege-test-zerg-%i\nzerg-server = DIR/zerg\n{options}\n\
             command = sh -c 'readlink /proc/self/fd/3; exec sleep 1000'"
        ),
    );
    let mut vassal = place.start();
    let line = vassal.line();
    (vassal, line)
}

/// What another vassal of this place tells of the sockets that it got.
fn zerg(place: &Place, options: &str) -> Outcome {
    let show =
        "sh -c 'test $LISTEN_PID = $$ && echo $LISTEN_FDS $LISTEN_FDNAMES; readlink /proc/self/fd/3; id -u'";
    place.write("zerg.ini", &format!("zerg = DIR/zerg\n{options}\ncommand = {show}"));
    let program = place.command().get_program().to_owned();
    let mut command = Command::new(program);
    command.args(["vassal", "--ini", "zerg.ini"]).current_dir(place.path(""));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Outcome::of(&mut command)
}

#[test]
fn a_vassal_takes_the_sockets_of_another_one_of_its_user() {
    let place = Place::new("");
    let (server, socket) = serving(&place, "");
    let mode = std::fs::metadata(place.path("zerg")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let outcome = zerg(&place, "");
    assert_eq!(outcome.errors, "");
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert!(lines[0].starts_with("2 app:"), "{lines:?}");
    assert_eq!(lines[1..], [socket.as_str(), "0"]);
    server.signal(Signal::TERM);
    server.end();
    assert!(!place.path("zerg").exists() && !place.path("app").exists(), "the file of a socket is left");
}

/// The server binds as root and drops to the same user; its file is his by then.
#[test]
fn who_drops_to_a_user_serves_and_takes_as_that_user() {
    let place = Place::new("");
    std::fs::set_permissions(place.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let dropped = "uid = 54321\ngid = 54322";
    let (server, socket) = serving(&place, dropped);
    let outcome = zerg(&place, dropped);
    assert_eq!(outcome.errors, "");
    assert_eq!(outcome.output.lines().collect::<Vec<_>>()[1..], [socket.as_str(), "54321"]);
    server.signal(Signal::TERM);
    server.end();
}

/// Options of a real uWSGI that answers on whatever sockets these give it.
fn answering(place: &Place, options: &str) -> String {
    let app = "def application(e, s):\n s('200 OK', [])\n return [b'by a zerg']\n";
    std::fs::write(place.path("app.py"), app).unwrap();
    format!("plugins = python3\nwsgi-file = DIR/app.py\n{options}")
}

/// Somebody does on this socket; who is about to bind it is waited for.
fn assert_answers(place: &Place, socket: &str) {
    let until = std::time::Instant::now() + PATIENCE;
    let mut client = loop {
        match UnixStream::connect(place.path(socket)) {
            Ok(client) => break client,
            Err(error) => assert!(std::time::Instant::now() < until, "{socket}: {error}"),
        }
    };
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    // A request of the uwsgi protocol with one variable.
    client.write_all(b"\0\x15\0\0\x0e\0REQUEST_METHOD\x03\0GET").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("by a zerg"), "{answer}");
}

#[test]
fn the_real_uwsgi_serves_the_socket_of_our_vassal() {
    let place = Place::new("");
    let (server, _) = serving(&place, "");
    let _zerg = Real::start(&place, &answering(&place, "zerg = DIR/zerg"));
    assert_answers(&place, "app");
    server.signal(Signal::TERM);
    server.end();
}

/// Started together: whoever comes first waits.
#[test]
fn a_vassal_takes_the_socket_of_the_real_uwsgi() {
    let place = Place::new("");
    let real = Real::start(&place, "socket = DIR/app\nzerg-server = DIR/zerg");
    let outcome = zerg(&place, "");
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!((lines[0], outcome.errors.as_str()), ("1 app", ""));
    let open = std::fs::read_dir(format!("/proc/{}/fd", real.id())).unwrap().flatten();
    let mut theirs =
        open.filter_map(|entry| read_link(entry.path()).ok()).map(|name| name.display().to_string());
    assert!(theirs.any(|name| name == lines[1]), "{lines:?}");
}

/// No command is needed: whoever serves a pool has nothing else to do.
#[test]
fn a_pool_serves_sockets_that_it_does_not_use() {
    let place = Place::new("zerg-pool = DIR/zerg:DIR/app,@liege-test-pool-%i");
    let mut pool = place.start();
    assert_eq!([pool.byte(), pool.byte(), pool.byte()], [Some(1), Some(5), Some(17)]);
    let outcome = zerg(&place, "");
    assert_eq!(outcome.errors, "");
    assert!(outcome.output.starts_with("2 app:liege-test-pool-"), "{}", outcome.output);
    let _zerg = Real::start(&place, &answering(&place, "zerg = DIR/zerg"));
    assert_answers(&place, "app");
    pool.say(1);
    assert_eq!(pool.byte(), Some(1), "the same config: it goes on, and its sockets with it");
    assert_answers(&place, "app");
    pool.say(0);
    assert_eq!(pool.end().code(), 0);
    assert!(!place.path("zerg").exists() && !place.path("app").exists(), "the file of a socket is left");
}

#[test]
fn a_vassal_takes_the_sockets_of_a_pool_of_the_real_uwsgi() {
    let place = Place::new("");
    let _real = Real::start(&place, "plugins = zergpool\nzergpool = DIR/zerg:DIR/app");
    let outcome = zerg(&place, "");
    assert_eq!((outcome.output.lines().next(), outcome.errors.as_str()), (Some("1 app"), ""));
}

/// Both bind their own sockets in any case, and both go on without the server.
#[test]
fn with_a_fallback_nobody_is_waited_for_as_in_uwsgi_itself() {
    let place = Place::new("");
    let outcome = zerg(&place, "socket = DIR/own\nzerg-fallback = true");
    assert_eq!(outcome.output.lines().next(), Some("1 own"));
    assert!(outcome.errors.contains("nobody serves sockets on"), "{}", outcome.errors);
    let _real =
        Real::start(&place, &answering(&place, "zerg = DIR/zerg\nzerg-fallback = true\nsocket = DIR/app"));
    assert_answers(&place, "app");
    let place = Place::new("");
    let (server, _) = serving(&place, "");
    let outcome = zerg(&place, "socket = DIR/own\nzerg-fallback = true");
    assert!(outcome.output.starts_with("3 own:app:"), "{}", outcome.output);
    server.signal(Signal::TERM);
    server.end();
}

/// A server in Python: its file belongs to one user, it is another one, and it hands over one socket, which listens or
/// does not, beside these bytes.
const SERVER: &str = r#"
import array, os, socket, sys
path, owner, uid, listens, packet = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], bytes.fromhex(sys.argv[5])
goods = socket.socket()
if listens == "listens": goods.listen(1)
bound = socket.socket(socket.AF_UNIX)
bound.bind(path)
os.chown(path, owner, owner)
os.setuid(uid)
bound.listen(1)
print("up", flush=True)
client, _ = bound.accept()
client.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [goods.fileno()]))])
client.recv(1)
"#;

fn against((owner, uid): (u32, u32), kind: &str, packet: &[u8]) -> Outcome {
    let place = Place::new("");
    let hex: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new("python3");
    command.args(["-c", SERVER]).arg(place.path("zerg"));
    command.args([owner.to_string(), uid.to_string(), kind.to_owned(), hex]);
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 3];
    server.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    let outcome = zerg(&place, "");
    let _ = server.kill();
    server.wait().unwrap();
    outcome
}

/// Row D5: what a stranger serves would answer in our name, or let him read what is meant for us.
#[test]
fn sockets_of_somebody_else_are_not_taken() {
    let packet = [&b"uwsgi-zerg"[..], &1_i32.to_ne_bytes()].concat();
    for (who, reason) in
        [((54_321, 0), "the socket must be root's"), ((0, 54_321), "is served by somebody else")]
    {
        let outcome = against(who, "listens", &packet);
        assert!(outcome.errors.contains(reason), "{}", outcome.errors);
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    }
    assert!(against((0, 0), "listens", &packet).output.starts_with("1 "));
}

#[test]
fn what_is_no_list_of_listening_sockets_ends_the_vassal() {
    let packet = |word: &[u8], count: i32| [word, &count.to_ne_bytes()].concat();
    for (bytes, kind, reason) in [
        (packet(b"uwsgi-zerg", 1), "does not", "not all that"),
        (packet(b"uwsgi-zerg", 2), "listens", "no list of sockets"),
        (packet(b"uwsgi-zerg", -1), "listens", "no list of sockets"),
        (packet(b"uwsgi-setns", 1), "listens", "no list of sockets"),
        (b"uwsgi".to_vec(), "listens", "no list of sockets"),
        (packet(b"uwsgi-zerg-and-more", 1), "listens", "sockets"),
    ] {
        let outcome = against((0, 0), kind, &bytes);
        assert!(outcome.errors.contains(reason), "{bytes:?}: {}", outcome.errors);
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    }
}

/// Another user gets nothing, even where somebody has opened the file to him.
#[test]
fn nobody_else_gets_the_sockets_of_a_vassal() {
    let place = Place::new("");
    let (server, _) = serving(&place, "");
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect(sys.argv[1])\n\
                  except OSError as e: print(e.strerror)\nelse: print(socket.recv_fds(s, 64, 64)[:2])";
    let ask = || {
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(place.path("zerg")).uid(54_321).gid(54_322);
        Outcome::of(&mut command).output
    };
    assert_eq!(ask(), "Permission denied\n");
    std::fs::set_permissions(place.path("zerg"), PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(ask(), "(b'', [])\n");
    server.signal(Signal::TERM);
    server.end();
}

#[test]
fn who_has_no_socket_has_nothing_to_serve() {
    let outcome = Place::new("zerg-server = DIR/zerg\ncommand = true").run();
    assert!(outcome.errors.contains("there is no socket to be served"), "{}", outcome.errors);
    let outcome = Place::new("zerg-server = @zerg\ncommand = true").run();
    assert!(outcome.errors.contains("an abstract socket is everybody's"), "{}", outcome.errors);
    let outcome =
        Place::new("socket = @x-%i\nzerg-server = DIR/zerg\nunprivileged-binary-patch = true").run();
    assert!(outcome.errors.contains("another program takes the vassal's place"), "{}", outcome.errors);
}
