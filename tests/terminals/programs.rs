//! Programs that people use at terminals, by all three ways, in the jail of a tenant with its own devpts.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};

use super::client::Client;
use super::common::{ALICE, BOB, Emperor, Process, Tree, eventually};
use super::seat::Seat;

/// How clients come: the option, the socket, and whether each has a terminal of his own.
const WAYS: [(&str, &str, bool); 3] =
    [("--pty-connect", "raw", true), ("--pty-uconnect", "framed", true), ("--pty-connect", "shared", false)];

/// A tenant's vassal with the three of them, in the jail that is the default.
fn jailed(options: &str) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    let here = tree.dir_of(ALICE, "alice");
    let sockets = "forkpty-router = HERE/raw\nforkpty-urouter = HERE/framed\npty-socket = HERE/shared\n";
    // A shell that begins to read as it is told to hang up reads on: with the first of its session its terminal ends.
    let command = "command = sh -c \"bash --norc -i; exit\"\n";
    let program = format!("forkptyrouter-command = bash --norc -i\n{command}env = PS1=at-you>\n");
    let surroundings = "env = LANG=C.UTF-8\nenv = TERM=xterm\n";
    let text = format!("{sockets}{program}{surroundings}{options}");
    tree.vassal_of(ALICE, "alice.ini", &text.replace("HERE", &here.display().to_string()));
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    emperor.wait_for("alice.ini", "is ready to accept requests");
    emperor
}

/// `liege OPTION SOCKET`, by this user.
fn connect(emperor: &Emperor, uid: u32, (option, socket): (&str, &str)) -> Command {
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
    command.arg(option).arg(emperor.tree.path("alice").join(socket));
    command
}

/// A shell is there; it is in front, and its terminal has the usual size.
fn seated(is_own: bool) -> Seat {
    let seat = Seat::default();
    // Whoever shares a terminal sees what is written from now on.
    let seat = if is_own { seat } else { seat.send("\r") };
    seat.expect("at-you>").send("stty rows 24 cols 80; echo he''re\r").expect("here\r\n").expect("at-you>")
}

/// The shell ends, or goes on without us.
fn leave(seat: Seat, is_own: bool, program: &Command) {
    let last = if is_own { "exit\r" } else { "\r~." };
    let (_, status) = seat.send(last).sit(program);
    assert_eq!(status, 0);
}

#[test]
fn programs_of_a_whole_screen_work() {
    let emperor = jailed("");
    for (option, socket, is_own) in WAYS {
        let seat = seated(is_own)
            .send("vim -u NONE /tmp/text\r")
            .expect("\x1b[")
            .expect("~")
            .send("ihello from vim\x1b:wq\r")
            .expect("at-you>")
            .send("tr a-z A-Z < /tmp/text; rm /tmp/text\r")
            .expect("HELLO FROM VIM\r\n")
            .expect("at-you>")
            .send("seq 1 5000 | less\r")
            .expect("\r\n23")
            .send("G")
            .expect("\r\n5000")
            .send("q")
            .expect("at-you>")
            .send("top -d 1000\r")
            .expect("PID")
            .expect("COMMAND")
            .send("q")
            .expect("at-you>")
            .send("tmux -f /dev/null -L work new bash --norc -i\r")
            .expect("at-you>")
            .send("echo $((6*7))-$TERM\r")
            .expect("42-")
            .send("exit\r")
            .expect("[exited]")
            .expect("at-you>");
        leave(seat, is_own, &connect(&emperor, ALICE, (option, socket)));
    }
    emperor.stop();
}

#[test]
fn job_control_sizes_and_letters_work() {
    let emperor = jailed("");
    for (option, socket, is_own) in WAYS {
        let mut seat = seated(is_own)
            // It tells each time when keys are for it: before, they would be the shell's.
            .send("sh -c 'trap \"echo con\"\"tinued\" CONT; echo sle\"\"eping; while :; do read x; done'\r")
            .expect("sleeping")
            .send("\x1a")
            .expect("Stopped")
            .expect("at-you>")
            .send("jobs | tr a-z A-Z\r")
            .expect("STOPPED")
            .expect("at-you>")
            .send("fg\r")
            .expect("continued")
            .send("\x03")
            .expect("at-you>")
            .send("echo ž-luťoučký | rev\r")
            .expect("ýkčuoťul-ž");
        if socket == "framed" {
            seat = seat
                .send("(trap 'echo chan''ged $(stty size); exit' WINCH; echo wai''ting; while :; do sleep 0.1; done)\r")
                .expect("waiting")
                .resize(50, 132)
                .expect("changed 50 132\r\n");
        }
        leave(seat, is_own, &connect(&emperor, ALICE, (option, socket)));
    }
    emperor.stop();
}

/// More than any buffer on the way holds, both ways at once.
#[test]
fn a_megabyte_is_pasted_without_a_byte_lost() {
    let emperor = jailed("");
    let mut whole = b"\x1b[200~".to_vec();
    whole.extend(b"0123456789abcde\n".repeat(65_536));
    whole.extend(b"\x1b[201~");
    let mut sum = Command::new("cksum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sum.stdin.take().unwrap().write_all(&whole).unwrap();
    let sum = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    for (option, socket, is_own) in WAYS {
        let seat = seated(is_own)
            .send("stty raw -echo; echo g''o; head -c 1048588 | tee /tmp/pasted | cksum; stty sane; wc -c < /tmp/pasted\r")
            .expect("go\n")
            .send("\x1b[200~")
            .paste("0123456789abcde\n", 65_536)
            .send("\x1b[201~")
            .expect(sum.trim())
            .expect("1048588")
            .expect("at-you>");
        leave(seat, is_own, &connect(&emperor, ALICE, (option, socket)));
    }
    emperor.stop();
}

/// Row T3.
#[test]
fn every_terminal_is_one_of_the_jails_own_and_its_user_is_the_tenant() {
    let emperor = jailed("");
    for (option, socket, is_own) in WAYS {
        let seat = seated(is_own)
            .send("echo i''s $(id -u) $(tty | cut -c1-9) $(ls /dev/pts | wc -l) $(stat -c %u $(tty))\r")
            .expect(&format!("is {ALICE} /dev/pts/ "))
            .send("readlink /proc/self/fd/0 | tr a-z A-Z\r")
            .expect("/DEV/PTS/");
        leave(seat, is_own, &connect(&emperor, ALICE, (option, socket)));
    }
    emperor.stop();
}

/// Row T1.
#[test]
fn nobody_types_into_the_terminal_of_whoever_looks() {
    let emperor = jailed("");
    let script = "import fcntl\nfor request in (0x5412, 0x541c, 0x100005412, 0x10000541c):\n  try: fcntl.ioctl(0, request, b'x')\n  except (OSError, OverflowError): print('re' + 'fused', end=' ')\n  else: print('TY' + 'PED', end=' ')\nprint('e' + 'nd')\n";
    let script_path = emperor.tree.path("type.py");
    emperor.tree.place(&script_path, 0, script);
    for (option, socket, is_own) in WAYS {
        let line = format!("/usr/bin/python3 {}\r", script_path.display());
        let seat = seated(is_own).send(&line).expect("refused refused refused refused end\r\n");
        leave(seat, is_own, &connect(&emperor, ALICE, (option, socket)));
    }
    emperor.stop();
}

/// Row T9.
#[test]
fn another_tenant_does_not_come_in() {
    let emperor = jailed("");
    for (option, socket, _) in WAYS {
        let output = connect(&emperor, BOB, (option, socket)).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && errors.contains("cannot reach"), "{errors}");
    }
    emperor.stop();
}

/// The process that serves the sessions of this socket.
fn router(emperor: &Emperor, client: &mut Client) -> Process {
    client.wait_for("at-you>");
    client.say(b"sleep 7777055\n");
    let is = |pid: &i32| Process::if_there(*pid).is_ok_and(|one| one.command_line() == ["sleep", "7777055"]);
    let sleep = eventually("the program", || emperor.cgroup.pids().into_iter().find(is));
    let parent = |pid: i32| Process::of(pid).status("PPid").trim().parse::<i32>().unwrap();
    Process::of(parent(parent(sleep)))
}

/// So many sessions at once, each of which says something; half of them in frames.
fn sessions(emperor: &Emperor, number: usize) {
    let sockets = ["raw", "framed"].map(|socket| emperor.tree.path("alice").join(socket));
    let all_there = Arc::new(Barrier::new(number));
    let begin = |number: usize| {
        let (socket, all_there) = (sockets[number % 2].clone(), Arc::clone(&all_there));
        std::thread::spawn(move || {
            let mut client = Client::of(&socket);
            client.wait_for("at-you>");
            all_there.wait();
            let text = format!("echo $((6*7))-{number}; exit\n");
            if number.is_multiple_of(2) {
                client.say(text.as_bytes())
            } else {
                client.type_in(&text)
            }
            assert!(client.end().contains(&format!("42-{number}\r\n")));
        })
    };
    let threads: Vec<_> = (0..number).map(begin).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Rows T2 and T7: a thousand sessions, two hundred of them at once.
#[test]
fn a_thousand_sessions_leave_no_zombie_and_no_descriptor() {
    let emperor = jailed("");
    let mut client = Client::of(&emperor.tree.path("alice").join("raw"));
    let router = router(&emperor, &mut client);
    let before = router.descriptors().len();
    for _ in 0..5 {
        sessions(&emperor, 200);
    }
    eventually("as few descriptors and children as before", || {
        (router.descriptors().len() == before && router.children().len() == 1).then_some(())
    });
    emperor.stop();
}
