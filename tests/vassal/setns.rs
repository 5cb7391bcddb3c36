//! Namespaces handed over, between our vassals and the real uWSGI in both directions, and those who pretend. Rows D5
//! and N2.

use std::fs::read_link;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::emperor::{Outcome, Place, Vassal};
use super::real::Real;
use super::separation::uwsgi;

fn ours(kind: &str) -> String {
    read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string()
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what} in vain");
        std::thread::yield_now();
    }
}

/// A vassal that serves: its names of namespaces are what it prints.
fn serving(place: &Place, options: &str) -> (Vassal, Vec<String>) {
    let show =
        "sh -c 'echo $(readlink /proc/self/ns/uts /proc/self/ns/net /proc/self/ns/pid); exec sleep 1000'";
    place.write(
        "v.ini",
        &format!(
            "unshare = uts,net,pid\nhostname = served\nsetns-socket = DIR/ns\n{options}\ncommand = {show}"
        ),
    );
    let mut vassal = place.start();
    let line = vassal.line();
    (vassal, line.split(' ').map(str::to_owned).collect())
}

/// What another vassal of this place prints.
fn joining(place: &Place, options: &str) -> Outcome {
    let show = "sh -c 'uname -n; readlink /proc/self/ns/uts /proc/self/ns/net /proc/self/ns/pid'";
    place.write("joiner.ini", &format!("setns = DIR/ns\n{options}\ncommand = {show}"));
    let mut command = place.command();
    let program = command.get_program().to_owned();
    command = Command::new(program);
    command.args(["vassal", "--ini", "joiner.ini"]).current_dir(place.path(""));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Outcome::of(&mut command)
}

#[test]
fn a_vassal_joins_what_another_one_serves() {
    let place = Place::new("");
    let (server, namespaces) = serving(&place, "");
    let mode = std::fs::metadata(place.path("ns")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let outcome = joining(&place, "");
    assert_eq!(outcome.errors, "");
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!(lines[0], "served");
    assert_eq!(lines[1..], namespaces);
    server.signal(Signal::TERM);
    server.end();
    assert!(!place.path("ns").exists(), "the file of the socket is left");
}

#[test]
fn what_is_skipped_is_not_joined() {
    let place = Place::new("");
    let (server, namespaces) =
        serving(&place, "setns-skip = net\nsetns-socket-skip = pid\nsetns-preopen = true");
    let outcome = joining(&place, "");
    let lines: Vec<String> = outcome.output.lines().map(str::to_owned).collect();
    assert_eq!(lines, ["served".to_owned(), namespaces[0].clone(), ours("net"), ours("pid")]);
    server.signal(Signal::TERM);
    server.end();
}

#[test]
fn a_name_that_is_none_is_told() {
    let outcome = Place::new("setns-socket = DIR/ns\nsetns-skip = nett\ncommand = true").run();
    assert!(outcome.errors.contains("there is no namespace `nett`"), "{}", outcome.errors);
    let outcome = Place::new("setns-socket = @ns\ncommand = true").run();
    assert!(outcome.errors.contains("an abstract socket is everybody's"), "{}", outcome.errors);
}

/// The one who dropped to a user still serves, and his file goes with him.
#[test]
fn the_real_uwsgi_joins_what_a_vassal_serves() {
    let place = Place::new("");
    let (server, namespaces) = serving(&place, "refork = true");
    uwsgi(
        &place,
        "setns = DIR/ns\n\
         exec-pre-jail = (uname -n; readlink /proc/self/ns/uts /proc/self/ns/net /proc/self/ns/pid) > DIR/real\n\
         exec-pre-jail = false",
    );
    let real = place.read("real");
    let lines: Vec<&str> = real.lines().collect();
    assert_eq!(lines[..3], ["served", &namespaces[0], &namespaces[1]]);
    server.signal(Signal::TERM);
    server.end();
}

fn serve(place: &Place) -> Real {
    Real::start(
        place,
        "unshare = uts,net\nexec-as-root = hostname real\nsetns-socket = DIR/ns\nsocket = DIR/real.sock\n",
    )
}

/// Started first: it waits for the socket.
#[test]
fn a_vassal_joins_what_the_real_uwsgi_serves() {
    let place = Place::new("");
    let real = serve(&place);
    let outcome = joining(&place, "uid = 54321\ngid = 54322");
    assert_eq!(outcome.errors, "");
    let pid = real.id();
    let theirs = |kind: &str| read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().display().to_string();
    let lines: Vec<String> = outcome.output.lines().map(str::to_owned).collect();
    assert_eq!(lines, ["real".to_owned(), theirs("uts"), theirs("net"), theirs("pid")]);
    assert_ne!(theirs("uts"), ours("uts"));
}

/// Who waits for a server is told to stop.
#[test]
fn a_vassal_that_waits_for_a_server_can_be_stopped() {
    let place = Place::new("setns = DIR/ns\ncommand = echo ran");
    let vassal = place.start();
    let waits = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", vassal.pid())).unwrap().flatten();
        let names = open.filter_map(|entry| read_link(entry.path()).ok());
        names.into_iter().any(|name| name.to_string_lossy().contains("inotify"))
    };
    until("it waits", waits);
    vassal.signal(Signal::TERM);
    let outcome = vassal.end();
    assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    assert!(outcome.errors.contains("stopped while setns ran"), "{}", outcome.errors);
}

/// A server in Python: it sends these bytes with the descriptors of these files, to whoever comes first.
const SERVER: &str = r#"
import array, os, socket, sys
path, owner, uid, packet, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4]), sys.argv[5:]
fds = array.array("i", [os.open(file, os.O_RDONLY) for file in files])
bound = socket.socket(socket.AF_UNIX)
bound.bind(path)
os.chown(path, owner, owner)
os.setuid(uid)
bound.listen(1)
print("up", flush=True)
client, _ = bound.accept()
client.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if files else [])
client.recv(1)
"#;

/// Runs a joiner against such a server, whose socket belongs to `owner` and who is `uid`.
fn against(owner: u32, uid: u32, packet: &[u8], files: &[&Path]) -> Outcome {
    let place = Place::new("setns = DIR/ns\ncommand = echo joined");
    let hex: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new("python3");
    command
        .args(["-c", SERVER])
        .arg(place.path("ns"))
        .args([owner.to_string(), uid.to_string(), hex])
        .args(files);
    let mut server =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    assert_eq!(line, "up\n");
    let outcome = place.run();
    let _ = server.kill();
    server.wait().unwrap();
    outcome
}

fn packet(count: i32) -> Vec<u8> {
    [&b"uwsgi-setns"[..], &count.to_ne_bytes()].concat()
}

/// Row D5: whoever serves is root or the joiner's own user, and so is the file.
#[test]
fn namespaces_of_a_tenant_are_not_joined_by_root() {
    let uts = Path::new("/proc/self/ns/uts");
    let outcome = against(54_321, 0, &packet(1), &[uts]);
    assert!(outcome.errors.contains("the socket must be root's"), "{}", outcome.errors);
    assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    let outcome = against(0, 54_321, &packet(1), &[uts]);
    assert!(outcome.errors.contains("is served by somebody else"), "{}", outcome.errors);
    assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    assert_eq!(against(0, 0, &packet(1), &[uts]).output, "joined\n");
}

/// Row D5: a link to a server that root would trust is not followed.
#[test]
fn a_link_in_the_place_of_the_socket_is_not_followed() {
    let place = Place::new("");
    let (server, _) = serving(&place, "");
    std::os::unix::fs::symlink(place.path("ns"), place.path("link")).unwrap();
    place.write("v.ini", "setns = DIR/link\ncommand = echo joined");
    let outcome = place.run();
    assert!(outcome.errors.contains("it is no socket"), "{}", outcome.errors);
    server.signal(Signal::TERM);
    server.end();
}

#[test]
fn what_is_no_list_of_namespaces_ends_the_vassal() {
    let (null, uts) = (Path::new("/dev/null"), Path::new("/proc/self/ns/uts"));
    for (bytes, files, reason) in [
        (packet(1), vec![null], "cannot join"),
        (packet(2), vec![uts, null], "cannot join"),
        (packet(2), vec![uts], "no list of namespaces"),
        (packet(-1), vec![uts], "no list of namespaces"),
        (packet(0), vec![], "no list of namespaces"),
        (b"uwsgi-setnS\x01\0\0\0".to_vec(), vec![uts], "no list of namespaces"),
        (b"uwsgi".to_vec(), vec![uts], "no list of namespaces"),
    ] {
        let outcome = against(0, 0, &bytes, &files);
        assert!(outcome.errors.contains(reason), "{bytes:?}: {}", outcome.errors);
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    }
}

/// Row N2: a user namespace is never joined, whoever serves it.
#[test]
fn a_user_namespace_is_left_alone() {
    let mut maker =
        Command::new("unshare").args(["--user", "sleep", "1000"]).stdin(Stdio::null()).spawn().unwrap();
    let theirs = std::path::PathBuf::from(format!("/proc/{}/ns/user", maker.id()));
    until("a user namespace", || read_link(&theirs).unwrap().display().to_string() != ours("user"));
    let outcome = against(0, 0, &packet(1), &[&theirs]);
    maker.kill().unwrap();
    maker.wait().unwrap();
    assert_eq!((outcome.output.as_str(), outcome.errors.as_str()), ("joined\n", ""));
}

/// Another user gets nothing, even where somebody has opened the file to him.
#[test]
fn nobody_else_gets_the_namespaces_of_a_vassal() {
    let place = Place::new("");
    let (server, _) = serving(&place, "");
    let script = "import array, socket, sys\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect(sys.argv[1])\n\
                  except OSError as e: print(e.strerror)\nelse: print(socket.recv_fds(s, 64, 64)[:2])";
    let ask = || {
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(place.path("ns")).uid(54_321).gid(54_322);
        Outcome::of(&mut command).output
    };
    assert_eq!(ask(), "Permission denied\n");
    std::fs::set_permissions(place.path("ns"), PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(ask(), "(b'', [])\n");
    server.signal(Signal::TERM);
    server.end();
}
