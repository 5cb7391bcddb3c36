//! Who wants more of the control socket than it gives.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::common::{ALICE, BOB, Emperor, Process, Tree, copy_program, eventually};
use super::{jailed, liege, run, text};

/// Says these packets to the control socket, `+` with the descriptors of these files, `@` lends them when asked for; prints what was
/// answered.
const RUDE: &str = r#"
import array, os, socket, sys
path, hexes = sys.argv[1], sys.argv[2:]
for one in hexes:
    packet, _, late = one.partition("@")
    packet, _, files = packet.partition("+")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    s.settimeout(20)
    def send(packet, files):
        fds = array.array("i", [os.open(file, os.O_RDONLY) for file in files.split(",") if file])
        s.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
    send(bytes.fromhex(packet), files)
    # What nobody has read makes an end a reset; behind that is what was said before.
    def hear():
        try: return s.recv(65536)
        except ConnectionResetError: return s.recv(65536)
    answer = hear()
    if late:
        send(b"\1\2", late)
        answer = hear()
    print(answer[3:].decode(errors="replace") if answer else "closed", flush=True)
"#;

/// What whoever says this hears, line by line.
fn rude(emperor: &Emperor, uid: u32, packets: &[String]) -> Vec<String> {
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", RUDE]);
    command.arg(emperor.tree.path("run/stats.sock.control")).args(packets);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As our client says it: `liege exec NAME -- true`.
fn asking(name: &str) -> Vec<u8> {
    let word = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![1, 0], word(name), vec![1], word("true"), vec![0, 1]].concat()
}

fn whole() -> Vec<u8> {
    asking("alice")
}

/// Row C6: half a message, another version, nonsense, too much.
#[test]
fn what_is_no_message_is_refused() {
    let emperor = jailed();
    let packet = whole();
    let mut packets: Vec<String> = (1..packet.len()).map(|end| hex(&packet[..end])).collect();
    packets.extend([hex(&[2, 0, 0]), hex(&[1, 9]), hex(&[&packet[..], &[0]].concat()), hex(&[7; 60_000])]);
    for answer in rude(&emperor, BOB, &packets) {
        assert!(answer.contains("it is no message") || answer.contains("it is of version"), "{answer}");
    }
    emperor.wait_for_line(|line| line.contains(&format!("an ask of uid {BOB} is refused")));
    assert!(run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success());
    emperor.stop();
}

/// Rows C6 and T2: too few and too many descriptors, and those that would lead out of the jail.
#[test]
fn nothing_that_leads_out_of_the_jail_is_lent_to_a_command() {
    let emperor = jailed();
    let with = |files: &str| format!("{}{files}", hex(&whole()));
    let null = "/dev/null,/dev/null";
    let answers = rude(
        &emperor,
        ALICE,
        &[
            with("+/dev/null"),
            with(&format!("+{null},/dev/null")),
            with("@/dev/null"),
            with(&format!("@{null},{null},{null}")),
            with(&format!("@/,{null}")),
            with(&format!("@{null},/")),
        ],
    );
    for answer in &answers[..4] {
        assert!(answer.contains("descriptors came along"), "{answers:?}");
    }
    for answer in &answers[4..] {
        assert!(answer.contains("is a directory"), "{answers:?}");
    }
    emperor.stop();
}

/// Row C6: who connects without end, or says nothing, keeps nobody from being heard.
#[test]
fn connections_without_end_keep_nobody_out() {
    let emperor = jailed();
    let script = "import socket, sys\nheld = []\nfor n in range(10000):\n  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n  s.connect(sys.argv[1])\n  held = (held + [s])[-400:]\n  if n == 1000: print('many', flush=True)\nprint('all')";
    let mut flood = Command::new("setpriv");
    let id = BOB.to_string();
    flood.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", script]);
    let mut flood =
        flood.arg(emperor.tree.path("run/stats.sock.control")).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 5];
    std::io::Read::read_exact(flood.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert!(run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success());
    flood.kill().unwrap();
    flood.wait().unwrap();
    assert!(run(&emperor, BOB, &["exec", "bob", "--", "true"]).status.success());
    emperor.stop();
}

/// Row N7: whoever is in the jail can neither look into nor trace whoever enters.
#[test]
fn nobody_in_the_jail_sees_or_traces_whoever_minds_a_session() {
    for options in [&["--emperor-tyrant", "--jail", "none"][..], &["--emperor-tyrant"]] {
        let emperor = super::tenants(options);
        let mut client =
            liege(&emperor, ALICE, &["exec", "alice", "--", "sleep", "7777040"]).spawn().unwrap();
        let minder = emperor.wait_for_programs("liege: session", 1).remove(0);
        emperor.wait_for_programs("sleep", 1);
        let attack = format!(
            "for f in environ maps mem fd/6 cwd; do cat /proc/{0}/$f; done 2>&1 | grep -v -e denied -e 'No such'; kill -STOP 1; echo over",
            minder.pid
        );
        let output = run(&emperor, ALICE, &["exec", "alice", "--", "sh", "-c", &attack]);
        assert_eq!(text(&output.stdout), "over\n", "{}", text(&output.stderr));
        assert!(minder.is_alive());
        client.kill().unwrap();
        client.wait().unwrap();
        minder.wait_gone();
        emperor.stop();
    }
}

/// Rows N7 and N9: its end is the end of all who entered, and its next life has nothing to do with them.
#[test]
fn the_end_of_a_vassal_is_the_end_of_whoever_entered_it() {
    let emperor = jailed();
    let first = emperor.vassal("alice.ini");
    let mark = emperor.lines.mark();
    let mut client = liege(&emperor, ALICE, &["exec", "alice", "--", "sleep", "7777050"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let visitor = eventually("a visitor", || {
        let is =
            |pid: &i32| Process::if_there(*pid).is_ok_and(|one| one.command_line() == ["sleep", "7777050"]);
        emperor.cgroup.pids().into_iter().find(is).map(Process::of)
    });
    first.signal(Signal::KILL);
    visitor.wait_gone();
    assert!([Some(255), Some(137)].contains(&client.wait().unwrap().code()));
    emperor.vassal_since(mark, "alice.ini");
    let output = run(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    emperor.stop();
}

/// Row C3: the socket is there for everybody from its first moment, and `none` is nowhere.
#[test]
fn without_a_control_socket_nobody_enters() {
    let emperor = super::tenants(&["--emperor-tyrant", "--emperor-control-socket", "none"]);
    let output = run(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    assert!(text(&output.stderr).contains("is an Emperor running?"), "{}", text(&output.stderr));
    let stats = emperor.stats();
    assert!(!stats["spawner_capabilities"].as_str().unwrap().contains("sys_ptrace"));
    emperor.stop();
}

const RELUCTANT: &str = include_str!("../programs/reluctant.py");

/// Row C6: each session is a birth, and lines in the log: one after another, without end, they are had at a pace.
#[test]
fn whoever_begins_sessions_without_end_waits_and_nobody_else_does() {
    const TOO_OFTEN: &str = "liege: too many sessions began lately: wait a moment\n";
    let emperor = jailed();
    let client = liege(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    let mut flood = Command::new("sh");
    // Status 255 ends all of it.
    flood.args(["-c", r#"seq 3000 | xargs -P 4 -n 1 sh -c '"$@" || exit 255' sh "$@" 2>&1"#, "sh"]);
    flood.arg(client.get_program()).args(client.get_args()).stdin(Stdio::null());
    let said = text(&flood.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap().stdout);
    assert!(said.contains(TOO_OFTEN), "{said}");
    emperor
        .wait_for_line(|line| line.contains(&format!("an ask of uid {ALICE} is refused: too many sessions")));
    for (uid, name) in [(BOB, "bob"), (0, "alice")] {
        assert!(run(&emperor, uid, &["exec", name, "--", "true"]).status.success());
    }
    eventually("one of the next", || {
        run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success().then_some(())
    });
    emperor.stop();
}

/// Row C6: a descriptor whose end takes an hour keeps nobody but whoever is to have it.
#[test]
fn descriptors_that_do_not_want_to_end_keep_nobody_waiting() {
    let emperor = jailed();
    // To Alice nobody lets him in, so nobody ever takes them; his own vassal would.
    for name in ["alice", "bob"] {
        // It hears him when there is no other copy left.
        emperor.process.signal(Signal::STOP);
        let mut command = Command::new("setpriv");
        let id = BOB.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", RELUCTANT]);
        command.arg(emperor.tree.path("run/stats.sock.control")).arg(hex(&asking(name)));
        let mut client = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut sent = [0; 5];
        std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut sent).unwrap();
        emperor.process.signal(Signal::CONT);
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stdout));
        assert!(run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success(), "{name}");
    }
    emperor.stop();
}

/// Row N6: a program that is root's whoever runs it, below the command and poorer than it.
#[test]
fn nobody_who_enters_is_like_a_program_that_gives_other_ids() {
    let tree = Tree::new();
    tree.liege();
    let program = tree.path("of-root");
    copy_program("/bin/sleep", &program);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let script = tree.path("script");
    let poorer = format!("(ulimit -n 200; exec setsid -f {} 1000000)", program.display());
    tree.place(&script, 0, &format!("{poorer}\nexec sleep 1000000\n"));
    let user = format!("uid = {ALICE}\ngid = {ALICE}\nno-new-privs = false\n");
    tree.vassal("a.ini", &format!("{user}command = /bin/sh {}\n", script.display()));
    let emperor = Emperor::start(tree, &["--jail", "none"]);
    let poorer = emperor.vassal("a.ini").child_named("of-root");
    eventually("it is root's", || {
        (poorer.status("Uid").split_whitespace().nth(1) == Some("0")).then_some(())
    });
    let output = run(&emperor, 0, &["exec", "a", "--", "id", "-u"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), (format!("{ALICE}\n"), String::new()));
    emperor.stop();
}
