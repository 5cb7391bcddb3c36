//! Who wants more than is his, or more than others leave him.

use std::process::{Command, Stdio};

use super::common::{ALICE, BOB, Emperor, Tree};
use super::{IDLE, is, said, said_by};

fn tenants() -> Emperor {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "alice.ini", IDLE);
    tree.vassal_of(BOB, "bob.ini", IDLE);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    ["alice.ini", "bob.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    emperor
}

fn python(emperor: &Emperor, uid: u32, script: &str) -> Command {
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", script]);
    command.arg(emperor.tree.path("run/stats.sock.control")).stdin(Stdio::null());
    command
}

/// Row C4: what is somebody else's is not even there, by name, by pattern, by `all`.
#[test]
fn a_tenant_steers_what_is_his_and_nothing_else() {
    let emperor = tenants();
    let bob = emperor.wait_stats("bob.ini", |one| one["pid"] != -1)["pid"].clone();
    for verb in ["stop", "restart", "reload", "start", "disable", "enable"] {
        for name in ["bob", "bob.ini", "b*", "[b]ob.ini", "nobody"] {
            let (text, status) = said_by(ALICE, &emperor, &[verb, name]);
            assert_eq!(
                (text, status),
                is(&format!("liege: there is no vassal `{name}`, or it is not yours"), 1)
            );
        }
    }
    emperor.wait_for_line(|line| line.contains(&format!("an ask of uid {ALICE} is refused")));
    assert_eq!(said_by(ALICE, &emperor, &["restart", "all"]), is("alice.ini: restarted", 0));
    assert_eq!(said_by(ALICE, &emperor, &["stop", "*"]), is("alice.ini: stopped", 0));
    assert_eq!(emperor.stats_of("bob.ini").unwrap()["pid"], bob);
    // Whoever has nothing gets nothing.
    let (text, status) = said_by(65_534, &emperor, &["stop", "all"]);
    assert!(status == 1 && text.contains("or it is not yours"), "{text}");
}

/// Rows C1 and C6: there is a closed set of messages, and whatever is none of them is refused. No number of an answer, no deed that
/// is unknown, no name of a method leads anywhere.
#[test]
fn what_is_no_wish_is_refused() {
    const SAY: &str = r#"
import socket, sys
def word(text):
    return bytes([len(text)]) + text
packets = [bytes([1, 2, deed, 1]) + word(b"alice") for deed in range(7, 256)]
packets += [bytes([1, 2, 1, 1]) + word(b"alice") + b"x", bytes([1, 2, 1, 0]), bytes([1, 2, 1, 1, 0])]
packets += [bytes([1, 2, 2, 1]) + word(b"alice")[:n] for n in range(6)]
packets += [bytes([1, 2, 2, 255, 255, 255, 255, 15]), b"<methodCall><methodName>supervisor.stopAllProcesses</methodName></methodCall>"]
for packet in packets:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.settimeout(20)
    s.send(packet)
    answer = s.recv(65536)
    assert answer[:2] == b"\x01\x00", (packet, answer)
    s.close()
"#;
    let emperor = tenants();
    let output = python(&emperor, ALICE, SAY).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said_by(ALICE, &emperor, &["restart", "alice"]), is("alice.ini: restarted", 0));
}

/// A wish of long words, with this deed.
const LONG_WORDS: &str = r#"
import socket, sys
def word(text):
    size = len(text)
    return bytes([size & 127 | 128, size >> 7]) + text
words = [b"%02d" % number + b"*a" * 2000 for number in range(16)]
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.settimeout(40)
s.send(bytes([1, 2, int(sys.argv[2]), len(words)]) + b"".join(map(word, words)))
print(s.recv(65536).decode(errors="replace"))
"#;

/// Row C6: names times what there is to be called so: more than a tenant may have compared is refused, and root is not asked for less.
#[test]
fn the_work_of_a_wish_is_bounded() {
    let tree = Tree::new();
    tree.liege();
    // A few names of a tenant are enough.
    let name = |number: usize| format!("{}{number}.ini", "a".repeat(200));
    (0..3).for_each(|number| _ = tree.vassal_of(ALICE, &name(number), IDLE));
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    (0..3).for_each(|number| _ = emperor.vassal(&name(number)));
    for (uid, answer) in [(ALICE, "that is too much at once"), (0, "there is no vassal")] {
        let output = python(&emperor, uid, LONG_WORDS).arg("4").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(answer), "{uid}: {text} {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(said_by(ALICE, &emperor, &["restart", &name(0)]), is(&format!("{}: restarted", name(0)), 0));
}

/// Row C6: what is disabled and has no config any more is compared too.
#[test]
fn the_work_of_a_wish_about_what_is_gone_is_bounded() {
    let tree = Tree::new();
    tree.liege();
    let state = tree.path("state").display().to_string();
    let name = |number: usize| format!("{}{number}.ini", "a".repeat(200));
    (0..3).for_each(|number| _ = tree.vassal_of(ALICE, &name(number), IDLE));
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-state-directory", &state]);
    (0..3).for_each(|number| _ = emperor.vassal(&name(number)));
    assert_eq!(said_by(ALICE, &emperor, &["disable", "*"]).1, 0);
    for number in 0..3 {
        std::fs::remove_file(emperor.tree.vassals().join(name(number))).unwrap();
        super::common::eventually("its end", || emperor.stats_of(&name(number)).is_none().then_some(()));
    }
    for (uid, answer) in
        [(ALICE, "that is too much at once"), (BOB, "there is no vassal"), (0, "there is no vassal")]
    {
        let output = python(&emperor, uid, LONG_WORDS).arg("6").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(answer), "{uid}: {text} {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(said_by(ALICE, &emperor, &["enable", "*"]).1, 0);
    emperor.stop();
}

/// Row C6: patterns that fit nothing, each wish no more than it may be, again and again: there is a ration, also for whoever only looks.
#[test]
fn the_work_of_many_wishes_is_rationed() {
    const SAY: &str = r#"
import socket, sys
def say(deed, words):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.settimeout(40)
    s.send(bytes([1, 2, deed, len(words)]) + b"".join(bytes([len(word) & 127 | 128, len(word) >> 7]) + word for word in words))
    text = s.recv(65536).decode(errors="replace")
    return "waits" if "asked lately" in text else "nobody" if "there is no vassal" in text else text
words = [b"%02d" % number + b"*" + b"a" * 196 + b"b" for number in range(60)]
print(*map(lambda number: say(number % 5, words), range(40)))
"#;
    let tree = Tree::new();
    tree.liege();
    let name = format!("{}.ini", "a".repeat(200));
    tree.vassal_of(ALICE, &name, IDLE);
    tree.vassal_of(BOB, "bob.ini", IDLE);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    [&*name, "bob.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    for (uid, waits) in [(ALICE, true), (0, false)] {
        let output = python(&emperor, uid, SAY).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            text.starts_with("nobody nobody ") && text.contains("waits") == waits,
            "{uid}: {text} {errors}"
        );
    }
    assert_eq!(said_by(BOB, &emperor, &["restart", "bob"]), is("bob.ini: restarted", 0));
    assert_eq!(said_by(ALICE, &emperor, &["restart", "all"]), is(&format!("{name}: restarted"), 0));
}

/// Row C6: daemons are compared like vassals, and how each stands is kept for whoever asked: both are bounded, for tenants alone.
#[test]
fn the_daemons_of_a_wish_are_bounded() {
    const VASSALS: usize = 18;
    const DAEMONS: usize = 60;
    const LOOK: &str = r#"
import socket, sys
def answer(word):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.settimeout(40)
    s.send(bytes([1, 2, 0, 1, len(word) & 127 | 128, len(word) >> 7]) + word)
    text = s.recv(65536).decode(errors="replace")
    return "refused" if "too much at once" in text else "nobody" if "there is no vassal" in text else "told"
print(*map(answer, [b"*/" + b"*a" * 1900, b"*/*", b"*/d10"]))
"#;
    let tree = Tree::new();
    tree.liege();
    let tells = format!(
        r#"exec 9>&"$UWSGI_EMPEROR_FD"; printf '\024\n' >&9
for one in $(seq 10 {}); do printf '\024d%s running 1 1\n' "$one" >&9; done; exec head -c 1 <&9 >/dev/null"#,
        DAEMONS + 9
    );
    let program = tree.script("tells", &tells).display().to_string();
    let name = |number: usize| format!("v{number}.ini");
    (0..VASSALS).for_each(|number| _ = tree.vassal_of(ALICE, &name(number), ""));
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--jail", "none", "--binary-path", &program]);
    for number in 0..VASSALS {
        emperor.wait_stats(&name(number), |one| one["daemons"].as_array().unwrap().len() == DAEMONS);
    }
    for (uid, answers) in
        [(ALICE, "refused refused told\n"), (0, "nobody told told\n"), (BOB, "nobody nobody nobody\n")]
    {
        let output = python(&emperor, uid, LOOK).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, answers, "{uid}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Row C6: ten thousand connections that say nothing, wishes that are waited for and never read, and patterns that take long: others
/// are served, and a vassal that dies comes back.
#[test]
fn ten_thousand_connections_and_slow_clients_hold_nobody_up() {
    const FLOOD: &str = r#"
import errno, socket, sys, time
wish = bytes([1, 2, 4, 1, 5]) + b"bob.i"
slow = bytes([1, 2, 3, 1, 7]) + b"bob.ini"
stars = bytes([1, 2, 4, 1, 0xd0, 0x0f]) + b"*a" * 1000
made, held = 0, []
while True:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setblocking(False)
    try:
        s.connect(sys.argv[1])
        made += 1
        if made % 2:
            s.send([wish, slow, stars][made // 2 % 3])
        held.append(s)
        if len(held) > 500:
            held.pop(0).close()
    except OSError as error:
        s.close()
        if error.errno not in (errno.EAGAIN, errno.EPIPE, errno.ECONNRESET):
            raise
        time.sleep(0.001)
    if made == 1000:
        print("begun", flush=True)
        made += 1
    if made == 10000:
        print("made", flush=True)
        made += 1
"#;
    let emperor = tenants();
    let mut flood = python(&emperor, BOB, FLOOD).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(flood.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "begun");
    for _ in 0..3 {
        assert_eq!(said(&emperor, &["restart", "alice"]), is("alice.ini: restarted", 0));
        assert_eq!(said_by(ALICE, &emperor, &["restart", "alice"]), is("alice.ini: restarted", 0));
    }
    let alice = emperor.stats_of("alice.ini").unwrap()["pid"].as_i64().unwrap();
    let mark = emperor.lines.mark();
    super::common::Process::of(i32::try_from(alice).unwrap()).signal(rustix::process::Signal::KILL);
    emperor.vassal_since(mark, "alice.ini");
    assert_eq!(lines.next().unwrap().unwrap(), "made");
    flood.kill().unwrap();
    flood.wait().unwrap();
    assert_eq!(said_by(BOB, &emperor, &["restart", "bob"]), is("bob.ini: restarted", 0));
}

/// Row C6: all the users of somebody, each with as many connections as it may have, which say nothing: whoever comes then has the time
/// to say what he wants.
#[test]
fn many_users_who_say_nothing_keep_nobody_out() {
    const SAY: &str = r#"
import os, socket, sys
def connect(uid):
    os.seteuid(uid)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(40)
    s.connect(sys.argv[1])
    os.seteuid(0)
    return s
def look(s, name):
    s.send(bytes([1, 2, 0, 1, len(name)]) + name)
    return s.recv(65536)
# Who has asked was let in after all who came before him.
def all_are_in():
    return look(connect(0), b"bob.ini")
silent = [connect(70000 + number % 6) for number in range(96)]
all_are_in()
late = connect(int(sys.argv[2]))
all_are_in()
silent += [connect(70000 + number % 6) for number in range(96)]
all_are_in()
answer = look(late, b"bob.ini")
assert answer[:2] != b"\x01\x00", answer
print(silent[0].recv(65536))
"#;
    let emperor = tenants();
    let script =
        ["-c", SAY, &emperor.tree.path("run/stats.sock.control").display().to_string()].map(str::to_owned);
    let output = Command::new("/usr/bin/python3").args(script).arg(BOB.to_string()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("too many ask at once"), "{text} {}", String::from_utf8_lossy(&output.stderr));
}

/// Row C3: nobody can connect before the socket has its mode, and it is born with it.
#[test]
fn the_control_socket_is_born_with_its_mode() {
    use std::os::unix::fs::MetadataExt;
    let emperor = tenants();
    let found = std::fs::metadata(emperor.tree.path("run/stats.sock.control")).unwrap();
    assert_eq!((found.mode() & 0o777, found.uid()), (0o666, 0));
}
