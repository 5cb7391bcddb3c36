//! `liege --pty-connect`, `liege --pty-uconnect`: as somebody uses them who sits at a terminal.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::client::Client;
use super::emperor::{Place, Vassal};
use super::seat::Seat;
use super::{lives, place, stop};

/// Our client of a socket of this place.
pub fn connect(place: &Place, option: &str, socket: &str) -> Command {
    let mut command = Command::new(place.path("liege"));
    command.arg(option).arg(place.path(socket));
    command
}

/// Both ways of speaking.
const WAYS: [(&str, &str); 2] = [("--pty-connect", "raw"), ("--pty-uconnect", "framed")];

#[test]
fn a_shell_is_used_as_if_it_were_here_and_ends_with_it() {
    let place = place("forkptyrouter-command = bash --norc -i\n");
    let vassal = Vassal::start(place.command(), None);
    for (option, socket) in WAYS {
        drop(Client::of(&place.path(socket)));
        let (_, status) = Seat::default()
            .expect("ready>")
            // It tells each time when keys are for it: before, they would be the shell's.
            .send("sh -c 'trap \"echo con\"\"tinued\" CONT; echo sle\"\"eping; while :; do read x; done'\r")
            .expect("sleeping")
            .send("\x1a")
            .expect("Stopped")
            .send("jobs | tr a-z A-Z\r")
            .expect("STOPPED")
            .send("fg\r")
            .expect("continued")
            .send("\x03")
            .expect("ready>")
            .send("exit 9\r")
            .sit(&connect(&place, option, socket));
        assert_eq!(status, 0, "nobody tells with what it ended");
    }
    stop(vassal);
}

#[test]
fn the_size_of_the_terminal_is_that_of_the_program_when_it_can_be_said() {
    let place = place("forkptyrouter-rows = 30\n");
    let vassal = Vassal::start(place.command(), None);
    drop(Client::of(&place.path("framed")));
    Seat::default()
        .expect("ready>")
        .send("stty size\r")
        .expect("24 80\r\n")
        .resize(50, 132)
        .send("stty size\r")
        .expect("50 132\r\n")
        .send("exit\r")
        .sit(&connect(&place, "--pty-uconnect", "framed"));
    Seat::default()
        .expect("ready>")
        .resize(50, 132)
        .send("stty size\r")
        .expect("30 80\r\n")
        .send("exit\r")
        .sit(&connect(&place, "--pty-connect", "raw"));
    stop(vassal);
}

#[test]
fn the_terminal_is_as_it_was_whatever_ends_the_client() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let number = place.path("number");
    let kill = |signal: &str| format!("kill -{signal} $(cat {})\r", number.display());
    for (option, socket) in WAYS {
        drop(Client::of(&place.path(socket)));
        let line = format!("{} {option} {}", place.path("liege").display(), place.path(socket).display());
        let ends = [
            ("exit\r".to_owned(), 0),
            ("\r~?~.".to_owned(), 0),
            (kill("TERM"), 143),
            (kill("HUP"), 129),
            (kill("INT"), 130),
        ];
        for (keys, status) in ends {
            let client = format!("sh -c 'echo $$ > {}; exec {line} --pty-no-isig'", number.display());
            let script = format!(
                "before=$(stty -g); {client}; status=$?; test $before = $(stty -g) && echo SA''ME $status"
            );
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]);
            let wanted = format!("SAME {status}\r\n");
            Seat::default().expect("ready>").send(&keys).expect(&wanted).sit(&shell);
        }
    }
    stop(vassal);
}

#[test]
fn what_comes_from_a_pipe_goes_in_and_all_that_is_written_comes_out() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    for (option, socket) in WAYS {
        drop(Client::of(&place.path(socket)));
        let mut client = connect(&place, option, socket);
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let script = b"~.\nstty -echo; seq 1 20000 | cksum; seq 1 20000; exit\n";
        std::io::Write::write_all(&mut client.stdin.take().unwrap(), script).unwrap();
        let output = client.wait_with_output().unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let all: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
        assert!(output.status.success() && seen.contains(&all), "{}", &seen[..seen.len().min(500)]);
    }
    stop(vassal);
}

#[test]
fn where_nobody_serves_the_client_says_so() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    drop(Client::of(&place.path("raw")));
    stop(vassal);
    let output = connect(&place, "--pty-connect", "raw").stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && errors.starts_with("liege: cannot reach "), "{errors}");
    let file = place.write("wrong.ini", "pty-connect = /run/x");
    let output = Command::new(place.path("liege")).args(["vassal", "--ini"]).arg(file).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("works on the command line only"), "{errors}");
}

/// Row T7: what ignores it ends as well.
#[test]
fn a_client_of_ours_that_is_killed_takes_its_session_along() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    drop(Client::of(&place.path("framed")));
    let (seen, status) = Seat::default()
        .expect("ready>")
        .send("trap '' HUP TERM; echo pi''d=$$=\r")
        .expect("pid=")
        .expect("=\r\n")
        .kill(Signal::KILL.as_raw())
        .sit(&connect(&place, "--pty-uconnect", "framed"));
    assert_eq!(status, -9);
    let pid = seen.split("pid=").nth(1).unwrap().split('=').next().unwrap().to_owned();
    super::until("the shell ends", || !lives(&pid));
    stop(vassal);
}
