//! `forkpty-router`, `forkpty-urouter`: a terminal for whoever connects.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use routers::forkpty::frame::{signal_frame, window_frames};
use rustix::process::Signal;

use super::client::Client;
use super::emperor::{PATIENCE, Vassal};
use super::{children_of, lives, place, rests, stop, until};

#[test]
fn whoever_connects_gets_a_terminal_of_his_own_as_the_vassals_user() {
    let place = place("uid = 54321\ngid = 54322\nforkptyrouter-rows = 30\n");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("raw"));
    client.wait_for("ready>");
    client.say(b"echo $(id -u):$(id -g) $(stty size) $TERM $(ps -o stat= -p $$) e''nd; exit\n");
    let seen = client.end();
    // The leader of a session, in the foreground of its terminal.
    assert!(seen.contains("54321:54322 30 80 xterm") && seen.contains("s+ end"), "{seen:?}");
    let meta = std::fs::metadata(place.path("raw")).unwrap();
    assert_eq!((meta.mode() & 0o777, meta.uid()), (0o600, 54321));
    stop(vassal);
}

#[test]
fn signals_of_frames_reach_the_foreground_and_a_size_is_one_change() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("framed"));
    client.wait_for("ready>");
    client.type_in("trap 'echo si''ze $(stty size)' WINCH; echo lis''tens\n");
    client.wait_for("listens");
    client.say(&window_frames(50, 132));
    // A shell hears of it at once or with its next line.
    client.type_in("echo ne''xt\n");
    client.wait_for("next\r\n");
    client.wait_for("size 50 132\r\n");
    // What is typed before the line editor has gone is not echoed.
    client.type_in("echo is co''oked; cat\n");
    client.wait_for("is cooked\r\n");
    client.type_in("echoed\n");
    client.wait_for("echoed\r\nechoed");
    assert_eq!(client.1.matches("size 50 132").count(), 1);
    // What is no signal of the list is nothing.
    client.say(&[[0, 0, 0, 19], [0, 0, 0, 64], [0, 0, 0, 99], [7, 7, 7, 200]].concat());
    client.1.clear();
    client.say(&signal_frame(2).unwrap());
    client.wait_for("ready>");
    // Only now: what is typed before would be read by whoever ends.
    client.type_in("echo came ba''ck\n");
    client.wait_for("came back\r\n");
    client.type_in("exit\n");
    client.end();
    stop(vassal);
}

/// Row T7.
#[test]
fn a_client_that_vanishes_leaves_nothing_behind_not_even_what_ignores_it() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("raw"));
    client.wait_for("ready>");
    client.say(b"(trap '' HUP TERM; while :; do sleep 1000; done) & echo pi''d=$!=\n");
    client.wait_for("pid=");
    client.wait_for("=\r\n");
    let pid = client.1.split("pid=").nth(1).unwrap().split('=').next().unwrap().to_owned();
    assert!(lives(&pid));
    drop(client);
    let begin = Instant::now();
    while lives(&pid) {
        assert!(begin.elapsed() < PATIENCE, "{pid} lives on");
        std::thread::yield_now();
    }
    stop(vassal);
}

/// Row T2.
#[test]
fn no_session_has_a_descriptor_of_another_one() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let mut first = Client::of(&place.path("raw"));
    first.wait_for("ready>");
    let mut second = Client::of(&place.path("raw"));
    second.wait_for("ready>");
    second.say(b"ls -l /proc/$$/fd | grep -c -e socket -e ptmx; echo e''nd; exit\n");
    assert!(second.end().contains("\r\n0\r\nend"), "{:?}", second.1);
    first.say(b"exit\n");
    first.end();
    stop(vassal);
}

#[test]
fn hundreds_of_sessions_leave_no_zombie_and_no_descriptor() {
    let place = place("forkptyrouter-command = echo hello; exit\n");
    let vassal = Vassal::start(place.command(), None);
    let router = {
        let mut client = Client::of(&place.path("raw"));
        assert!(client.end().contains("hello"));
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", vassal.pid())).unwrap();
        children.split_whitespace().next().unwrap().to_owned()
    };
    let count = || std::fs::read_dir(format!("/proc/{router}/fd")).unwrap().count();
    let before = count();
    for _ in 0..300 {
        assert!(Client::of(&place.path("raw")).end().contains("hello"));
    }
    let begin = Instant::now();
    let children = || std::fs::read_to_string(format!("/proc/{router}/task/{router}/children")).unwrap();
    while count() > before || !children().is_empty() {
        assert!(begin.elapsed() < PATIENCE, "{} descriptors, children {}", count(), children());
    }
    stop(vassal);
}

#[test]
fn whoever_comes_when_no_descriptor_is_free_gets_a_terminal_later() {
    let place = place("rlimit-nofile = 32\n");
    let vassal = Vassal::start(place.command(), None);
    let mut first = Client::of(&place.path("raw"));
    first.wait_for("ready>");
    let crowd: Vec<UnixStream> =
        (0..40).map(|_| UnixStream::connect(place.path("raw")).expect("the queue is long")).collect();
    first.say(b"echo still he''re\n");
    first.wait_for("still here");
    drop(crowd);
    // One that is let in when there is none for its terminal is told so by its end.
    let begin = Instant::now();
    loop {
        let mut client = Client::of(&place.path("raw"));
        if !client.read_while(|seen| !seen.contains("ready>")) {
            assert!(client.1.contains("ready>"), "{:?}", client.1);
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "nobody is let in any more");
    }
    stop(vassal);
}

#[test]
fn a_router_of_terminals_that_is_killed_is_there_again() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    Client::of(&place.path("raw")).wait_for("ready>");
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", vassal.pid())).unwrap();
    let router: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(router).unwrap(), Signal::KILL).unwrap();
    Client::of(&place.path("raw")).wait_for("ready>");
    stop(vassal);
}

#[test]
fn a_terminal_that_was_hung_up_before_a_client_who_reads_nothing_keeps_no_router_busy() {
    let place = place("forkptyrouter-command = yes & exec sleep infinity <&- >&- 2>&-\n");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("raw"));
    let child = |of: &str| children_of(of.parse().unwrap()).first().cloned().unwrap_or_default();
    until("a router", || !child(&vassal.pid().to_string()).is_empty());
    let router = child(&vassal.pid().to_string());
    let leader = || child(&router);
    until("somebody who writes", || !leader().is_empty() && !child(&leader()).is_empty());
    let writer = child(&leader());
    // Nobody takes anything any more.
    let waits = || rustix::io::ioctl_fionread(&client.0).unwrap();
    let rest = || (0..1000).all(|_| rests(&writer) && rests(&router));
    until("nobody who moves", || {
        Some(waits()).is_some_and(|before| before > 0 && rest() && waits() == before)
    });
    let pid = rustix::process::Pid::from_raw(writer.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    until("a terminal that nobody has open", || !lives(&writer));
    // What is written last is there a moment after its writer's end.
    until("a router that rests", || (0..1000).all(|_| rests(&router)));
    assert!(lives(&leader()));
    // There is room again: the rest comes, and the end.
    client.end();
    assert!(client.1.len() > 65_536, "{}", client.1.len());
    stop(vassal);
}
