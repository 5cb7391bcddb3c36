//! An Emperor that is told what to do: by datagrams of uWSGI's form, and by whoever connects to its trigger.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use common::{ALICE, BOB, Emperor, Start, Tree};

const IDLE: &str = "command = /bin/sleep 1000000\n";
/// Sends one datagram: address, bytes in hexadecimal digits.
const SEND: &str = r#"socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
defined send($s, pack("H*", $ARGV[1]), 0, sockaddr_un($ARGV[0])) or die $!"#;

/// A tyrant whose vassals wait for a command, all but `eager.ini`.
fn emperor(tree: Tree) -> Emperor {
    let socket = tree.path("run/commands.sock");
    let options =
        ["--emperor-tyrant", "--emperor-wait-for-command", "--emperor-wait-for-command-ignore", "eager.ini"];
    Start::in_tree(tree).options(&options).option("--emperor-command-socket").option(socket).start()
}

fn socket(emperor: &Emperor) -> PathBuf {
    emperor.tree.path("run/commands.sock")
}

fn datagram(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for part in pairs.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn command(verb: &str, vassal: &str) -> Vec<u8> {
    datagram(&[("cmd", verb), ("vassal", vassal)])
}

fn say(emperor: &Emperor, datagram: &[u8]) {
    UnixDatagram::unbound().unwrap().send_to(datagram, socket(emperor)).unwrap();
}

fn say_as(uid: u32, emperor: &Emperor, datagram: &[u8]) {
    let digits: String = datagram.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut perl = Command::new("/usr/bin/perl");
    perl.args(["-MSocket", "-e", SEND]).arg(socket(emperor)).arg(digits).uid(uid).gid(uid);
    assert!(perl.current_dir("/").status().unwrap().success());
}

fn is_suspended(emperor: &Emperor, name: &str) {
    let row = emperor.wait_stats(name, |row| row["state"] == "suspended");
    assert_eq!((&row["suspended"], &row["pid"]), (&1.into(), &(-1).into()));
}

#[test]
fn a_vassal_waits_for_spawn_and_obeys_the_rest() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "shop.ini", IDLE);
    tree.vassal_of(ALICE, "eager.ini", IDLE);
    let emperor = emperor(tree);
    emperor.vassal("eager.ini");
    is_suspended(&emperor, "shop.ini");
    say_as(ALICE, &emperor, &command("spawn", "shop.ini"));
    let first = emperor.vassal("shop.ini");
    say(&emperor, &command("respawn", "shop.ini"));
    emperor.wait_for("shop.ini", "reload the uwsgi instance");
    first.wait_gone();
    let mark = emperor.lines.mark();
    say_as(ALICE, &emperor, &command("stop", "shop.ini"));
    emperor.wait_since(mark, "shop.ini", "waits for `liege start`");
    // A change of its config does not wake it, and is what it gets when it is woken.
    let mark = emperor.lines.mark();
    emperor.tree.vassal_of(ALICE, "shop.ini", "env = EDITION=second\ncommand = /bin/sleep 1000000\n");
    emperor.tree.vassal_of(ALICE, "other.ini", IDLE);
    is_suspended(&emperor, "other.ini");
    is_suspended(&emperor, "shop.ini");
    say(&emperor, &command("spawn", "shop.ini"));
    let second = emperor.vassal_since(mark, "shop.ini");
    assert!(second.child().environment().contains(&"EDITION=second".to_owned()));
    // Whoever was woken comes back by himself when he dies.
    let mark = emperor.lines.mark();
    second.signal(rustix::process::Signal::KILL);
    emperor.vassal_since(mark, "shop.ini");
}

/// C4: what is somebody else's, and what is root's, is not for a tenant to command.
#[test]
fn a_tenant_commands_nobody_elses_vassal() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "shop.ini", IDLE);
    tree.vassal_of(BOB, "eager.ini", IDLE);
    let emperor = emperor(tree);
    let bobs = emperor.vassal("eager.ini");
    is_suspended(&emperor, "shop.ini");
    for datagram in [
        command("stop", "eager.ini"),
        command("respawn", "eager.ini"),
        command("stop", "no-such.ini"),
        datagram(&[("cmd", "log"), ("msg", "forged")]),
    ] {
        say_as(ALICE, &emperor, &datagram);
    }
    say_as(BOB, &emperor, &command("spawn", "shop.ini"));
    // The answer to what was said last: everything before it has been heard.
    say_as(ALICE, &emperor, &command("spawn", "shop.ini"));
    emperor.vassal("shop.ini");
    emperor
        .wait_for_line(|line| line.contains(&format!("a command of uid {ALICE} for `eager.ini` is refused")));
    assert!(bobs.is_alive() && !emperor.lines.has(|line| line.contains("forged")));
    assert_eq!(emperor.told("eager.ini", "reload the uwsgi instance"), 0);
    assert_eq!(emperor.told("shop.ini", "has been spawned"), 1);
    assert_eq!(emperor.lines.count(|line| line.contains("is refused")), 1, "each is not told");
}

/// C6, C8, I7, D1: whatever comes, however much of it, with whatever names and descriptors: nobody but its sender waits.
#[test]
fn floods_garbage_and_descriptors_harm_nobody() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "eager.ini", IDLE);
    let emperor = emperor(tree);
    let alices = emperor.vassal("eager.ini");
    let before = emperor.process.descriptors().len();
    (0..=255).for_each(|byte| say(&emperor, &[byte]));
    let whole = command("stop", "eager.ini");
    (0..whole.len()).for_each(|end| say(&emperor, &whole[..end]));
    for name in ["../vassals/eager.ini", "$(id)", "`id`", "-x", "a\nb", "eager.ini\0", "", "%n"] {
        say(&emperor, &command("stop", name));
    }
    say(&emperor, &[b"x".as_slice(); 5000].concat());
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(socket(&emperor)).unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    for _ in 0..100 {
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        let rights = [sender.as_fd()];
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&rights)));
        // Where the kernel can refuse descriptors it says so to the sender.
        let bytes = [std::io::IoSlice::new(b"12345")];
        let _ = rustix::net::sendmsg(&sender, &bytes, &mut control, rustix::net::SendFlags::empty());
    }
    (0..500).for_each(|_| say(&emperor, &command("stop", "no-such.ini")));
    say(&emperor, &datagram(&[("cmd", "log"), ("msg", "one\n2030-01-01T00:00:00Z error msg=two")]));
    emperor.wait_for_line(|line| line.contains("one") && line.contains("msg=two"));
    assert!(alices.is_alive());
    assert_eq!(emperor.process.descriptors().len(), before);
    assert!(emperor.lines.count(|line| line.contains("refused")) < 10, "it is told of now and then");
}

/// QUIRK-5: a trigger works more than once.
#[test]
fn whoever_connects_to_the_trigger_has_the_sources_looked_at_again_and_again() {
    let tree = Tree::new();
    tree.vassal("first.ini", IDLE);
    let trigger = tree.path("run/trigger.sock");
    let start = Start::in_tree(tree).options(&["--emperor-poll", "--emperor-freq", "0"]);
    let emperor = start.option("--emperor-trigger-socket").option(&trigger).start();
    emperor.vassal("first.ini");
    for name in ["second.ini", "third.ini", "fourth.ini"] {
        emperor.tree.vassal(name, IDLE);
        let _callers = [(); 3].map(|()| UnixStream::connect(&trigger).unwrap());
        emperor.vassal(name);
    }
}

#[test]
fn a_command_that_nobody_could_give_is_not_waited_for() {
    for (arguments, said) in [
        (&["--emperor-wait-for-command"][..], "without `emperor-command-socket`"),
        (&["--emperor-command-socket", "127.0.0.1:7001"], "nobody can tell who speaks over UDP"),
    ] {
        let output = common::liege(&[&["--emperor", "/tmp"], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(said), "{told}");
    }
}
