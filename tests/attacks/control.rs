//! What a vassal can do to its Emperor by the one socket that they share. Row C8.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use rustix::process::Signal;

use crate::common::{Emperor, Process, Start, Tree};

/// Sends the Emperor a connection whose last owner waits an hour for its end.
const LINGER: &str = r#"
import array, socket, struct, time
control = socket.socket(fileno=3)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.bind(("127.0.0.1", 0))
listener.listen()
client = socket.create_connection(listener.getsockname())
client.setblocking(False)
try:
    while True:
        client.send(bytes(65536))
except BlockingIOError:
    pass
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
try:
    rights = array.array("i", [client.fileno()])
    control.sendmsg([b"\x01"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
except PermissionError:
    control.send(b"\x01")
client.close()
time.sleep(1000000)
"#;

fn emperor_of(start: impl FnOnce(Tree) -> Start, script: &str) -> Emperor {
    let tree = Tree::new();
    let program = tree.script("program", script).display().to_string();
    tree.vassal("a.ini", "");
    start(tree).options(&["--binary-path", &program, "--emperor-curse-tolerance", "1"]).start()
}

/// The Emperor does all that it should for somebody else.
fn assert_serves(emperor: &Emperor) {
    emperor.tree.vassal("other.ini", "");
    emperor.wait_for("other.ini", "started with pid");
    emperor.stats();
}

#[test]
fn who_floods_the_emperor_is_heard_in_sips() {
    let flood = "case $2 in a.ini) head -c 64000 /dev/zero | dd bs=64 status=none >&3; echo flooded;; esac; \
                 exec sleep infinity";
    let emperor = emperor_of(Start::in_tree, flood);
    emperor.wait_for("a.ini", "started with pid");
    assert_serves(&emperor);
    (0..500).for_each(|_| drop(emperor.stats()));
    assert_eq!(emperor.lines.count(|line| line == "flooded"), 0, "all of it was heard");
    emperor.stop();
}

#[test]
fn a_descriptor_that_takes_an_hour_to_close_holds_up_nobody() {
    let emperor = emperor_of(Start::in_tree, &format!("exec python3 -c '{LINGER}'"));
    emperor.wait_for("a.ini", "[emperor] vassal a.ini has been spawned");
    assert_serves(&emperor);
    emperor.stop();
}

/// Its config is of no use, it says: before it ends, in a flood, or once it is ready; others say nothing.
const FEIGNS: &str = r"case $2 in
first.ini) printf '\016\033[2J a lie\012\023' >&3; exit 1;;
stays.ini) printf '\023' >&3;;
flood.ini) head -c 64000 /dev/zero | tr '\0' '\023' >&3; exit 1;;
ready.ini) printf '\001\005\023' >&3; exit 1;;
esac
exec sleep infinity";

/// A vassal that calls its own config wrong is the only one that is not started for it, and only until it changes.
#[test]
fn who_calls_its_config_useless_harms_nobody_but_itself() {
    let tree = Tree::new();
    let program = tree.script("program", FEIGNS).display().to_string();
    let names = ["first.ini", "stays.ini", "ready.ini", "flood.ini"];
    names.iter().for_each(|name| drop(tree.vassal(name, "")));
    let pace = ["--emperor-throttle", "1", "--emperor-max-throttle", "1", "--emperor-curse-tolerance", "1"];
    let options = [&["--binary-path", &program][..], &pace].concat();
    let emperor = Start::in_tree(tree).options(&options).start();
    emperor.wait_stats("ready.ini", |one| one["starts"].as_u64() > Some(3));
    let first = emperor.wait_stats("first.ini", |one| one["state"] == "refused");
    assert_eq!(first["starts"], 1, "{first}");
    assert!(
        first["note"].as_str().unwrap().contains("a lie")
            && !first["note"].as_str().unwrap().contains('\u{1b}'),
        "{first}"
    );
    assert_eq!(emperor.stats_of("stays.ini").unwrap()["state"], "running");
    assert_serves(&emperor);
    emperor.tree.vassal("first.ini", "env = A=1\n");
    emperor.wait_stats("first.ini", |one| one["starts"] == 2);
    emperor.stop();
}

#[test]
fn who_never_listens_uses_up_no_descriptors() {
    // A user may have as many descriptors on their way as open: three reloads of each would be more.
    let limited = |tree| Start::in_tree(tree).through(&["prlimit", "--nofile=70"]);
    let emperor = emperor_of(limited, "printf '\\001' >&3; exec sleep infinity");
    let names: Vec<String> = (0..30).map(|number| format!("deaf{number}.ini")).collect();
    names.iter().for_each(|name| drop(emperor.tree.vassal(name, "")));
    let told = |text: &str, times: usize| {
        names.iter().for_each(|name| {
            crate::common::eventually(text, || (emperor.told(name, text) >= times).then_some(()));
        });
    };
    told("has been spawned", 1);
    for times in 1..=3 {
        emperor.signal(Signal::HUP);
        told("reload the uwsgi instance", times);
    }
    assert_serves(&emperor);
    emperor.stop();
}

/// Descriptors that are on their way to nobody.
fn descriptors_on_their_way(count: usize) -> OwnedFd {
    let (from, to) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
    let lent = vec![from.as_fd(); count];
    let mut space = vec![MaybeUninit::uninit(); SendAncillaryMessage::ScmRights(&lent).size()];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&lent)));
    sendmsg(&from, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
    to
}

#[test]
fn descriptors_of_others_that_are_on_their_way_only_delay() {
    let limited = |tree| Start::in_tree(tree).through(&["prlimit", "--nofile=100"]);
    let emperor = emperor_of(limited, "exec sleep infinity");
    assert_serves(&emperor);
    let on_their_way = descriptors_on_their_way(200);
    emperor.tree.vassal("later.ini", "command = /bin/sleep infinity\n");
    let waits = emperor.wait_stats("later.ini", |_| true);
    assert!(waits["pid"].as_i64() <= Some(0), "{waits}");
    drop(on_their_way);
    emperor.wait_stats("later.ini", |one| one["pid"].as_i64() > Some(0));
    emperor.stop();
}

fn files_limit(process: &Process) -> Vec<String> {
    let limits = process.read("limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a kernel that tells its limits");
    line.split_whitespace().skip(3).take(2).map(str::to_owned).collect()
}

#[test]
fn the_emperor_takes_all_descriptors_it_may_have_and_a_vassal_what_was_given() {
    let limited = |tree| Start::in_tree(tree).through(&["prlimit", "--nofile=1000:5000"]);
    let emperor = emperor_of(limited, "exec sleep infinity");
    let pid = emperor.wait_stats("a.ini", |one| one["pid"] != -1)["pid"].as_i64().unwrap();
    let vassal = Process::of(i32::try_from(pid).unwrap());
    assert_eq!(files_limit(&emperor.process), ["5000", "5000"]);
    assert_eq!(files_limit(&vassal), ["1000", "5000"]);
    emperor.stop();
}

#[test]
fn an_emperor_is_the_first_process_of_a_container() {
    let contained = |tree| Start::in_tree(tree).through(&["unshare", "--pid", "--fork", "--mount-proc"]);
    // Orphans come to the first process.
    let mut emperor = emperor_of(contained, "(sleep 0 & sleep 0 &); exec sleep infinity");
    emperor.wait_for("a.ini", "started with pid");
    assert_serves(&emperor);
    let first = emperor.process.child();
    assert_eq!(first.status("NSpid").split_whitespace().next_back(), Some("1"));
    first.signal(Signal::HUP);
    emperor.wait_for("a.ini", "reload the uwsgi instance");
    first.signal(Signal::TERM);
    assert!(emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("The Emperor is buried."));
    emperor.stop();
}
