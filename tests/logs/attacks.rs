//! Tenants who want more of the log than to write into it.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::common::{ALICE, BOB, Emperor, Tree, eventually};
use super::{ON_STDERR, keeper, tail, writes};

/// Row L1: a line of another's, an event of the Emperor's, a cursor that moves.
#[test]
fn nobody_writes_in_the_name_of_another() {
    let tree = Tree::new();
    tree.liege();
    let script = "printf 'x\\r[bob.ini] forged\\n\\033[1A[bob.ini] forged\\n'; \
                  echo '2026-01-01T00:00:00.000Z error about=emperor msg=forged'; exec sleep 1000000";
    tree.vassal_of(ALICE, "alice.ini", &writes(&tree, "a", script));
    let emperor = Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant"]].concat());
    emperor.wait_for_line(|line| line.contains("about=emperor msg=forged"));
    let forged = emperor.lines.all().into_iter().filter(|line| line.contains("forged"));
    let forged: Vec<String> = forged.collect();
    assert_eq!(forged.len(), 3);
    assert!(forged.iter().all(|line| line.starts_with("[alice.ini] ") && !line.contains(['\r', '\x1b'])));
    emperor.stop();
}

/// Row L4: the pipe is the tenant's alone, and its other end nobody's.
#[test]
fn a_tenant_reaches_nothing_but_his_own_pipe() {
    let tree = Tree::new();
    tree.liege();
    let script = "echo by name > /dev/stderr && echo by name again > /proc/self/fd/1; \
                  ls -l /proc/self/fd | grep -c pipe: ; exec sleep 1000000";
    tree.vassal_of(ALICE, "alice.ini", &writes(&tree, "a", script));
    let emperor = Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant", "--jail", "none"]].concat());
    emperor.wait_for_line(|line| line == "[alice.ini] by name again");
    emperor.wait_for_line(|line| line == "[alice.ini] by name");
    let vassal = emperor.vassal("alice.ini");
    let command = vassal.child_named("sleep");
    let pipes: Vec<String> =
        command.descriptors().into_values().filter(|what| what.starts_with("pipe:")).collect();
    assert_eq!(pipes.len(), 2);
    assert_eq!(pipes[0], pipes[1], "standard output and error are one");
    emperor.stop();
}

/// Row L4.
#[test]
fn the_keeper_is_nobody_and_has_no_right() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "echo here; exec sleep 1000000"));
    let emperor = Emperor::start(tree, &ON_STDERR);
    emperor.wait_for_line(|line| line == "[a.ini] here");
    let keeper = keeper(&emperor, None);
    assert!(!keeper.status("Uid").split(' ').any(|uid| uid == "0"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(keeper.status(set), "0000000000000000", "{set}");
    }
    assert_eq!((keeper.status("NoNewPrivs"), keeper.status("Seccomp")), ("1".into(), "2".into()));
    assert_ne!(keeper.namespace("net"), emperor.process.namespace("net"));
    assert_eq!(tail(&emperor, &["a"]), "here\n");
    emperor.stop();
}

/// Rows C6 and L5: whoever asks for his lines leaves something there whose end takes an hour.
#[test]
fn what_a_reader_leaves_behind_keeps_nobody_waiting() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(BOB, "bob.ini", &writes(&tree, "b", "echo his; exec sleep 1000000"));
    let emperor = Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant"]].concat());
    eventually("a line", || (tail(&emperor, &["bob"]) == "his\n").then_some(()));
    // Version 1, the fourth kind of ask, whose, one line, and no more.
    let packet: String = b"\x01\x03\x03bob\x01\x00".iter().map(|byte| format!("{byte:02x}")).collect();
    let id = BOB.to_string();
    let program = include_str!("../programs/reluctant.py");
    emperor.process.signal(Signal::STOP);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", program]);
    command.arg(emperor.tree.path("run/stats.sock.control")).arg(packet);
    let mut client = command.stdout(Stdio::piped()).spawn().unwrap();
    client.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    emperor.process.signal(Signal::CONT);
    assert!(client.wait().unwrap().success());
    assert_eq!(tail(&emperor, &["bob"]), "his\n", "the Emperor and the keeper hear others");
    emperor.stop();
}

/// Row L2: he starts again and again and leaves a full pipe each time, while nobody takes what is handed on.
#[test]
fn what_nobody_takes_is_bounded_however_often_its_writer_starts() {
    const VASSALS: usize = 10;
    const STARTS: usize = 300;
    let tree = Tree::new();
    tree.liege();
    let place = tree.path("syslog");
    let syslog = UnixDatagram::bind(&place).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o666)).unwrap();
    // Each of these letters takes four in a line that people read.
    let script = r"yes $(printf '\001%.0s' $(seq 60)) | head -c 65000; exit 1";
    let config = writes(&tree, "a", script);
    let config = |number| tree.vassal_of(ALICE, &format!("a{number}.ini"), &config);
    let configs: Vec<_> = (0..VASSALS).map(config).collect();
    let sink = format!("syslog:{}", place.display());
    let options = ["--emperor-tyrant", "--jail", "none", "--vassals-log", &sink];
    let pace = ["--emperor-throttle", "1", "--emperor-max-throttle", "1", "--emperor-no-blacklist"];
    let emperor = Emperor::start(tree, &[&options[..], &pace].concat());
    eventually("many starts", || {
        (emperor.lines.count(|line| line.contains("started with pid")) >= STARTS).then_some(())
    });
    let memory = keeper(&emperor, None).status("VmRSS");
    let kib: usize = memory.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kib < 30_000, "{memory} for a sink that takes nothing, after {STARTS} pipes of 64 KiB");
    configs.iter().for_each(|config| std::fs::remove_file(config).unwrap());
    syslog.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    eventually("what was lost", || {
        while syslog.recv(&mut [0; 1_000]).is_ok() {}
        let is_told = |line: &str| line.contains("lines were dropped: nobody took those before them");
        (emperor.lines.count(is_told) > 0).then_some(())
    });
    drop(syslog);
    std::fs::remove_file(place).unwrap();
    emperor.stop();
}
