//! A daemon that says itself when it is ready.

use super::emperor::Place;
use super::told::{Court, until};

#[test]
fn it_runs_when_it_says_so_and_shows_what_it_says_of_itself() {
    let script = "until [ -e DIR/go ]; do sleep 0.01; done; systemd-notify --ready --status='serves 3' && exec sleep 1000";
    for more in ["", ",ns_pid", ",uid=33,gid=33"] {
        // Before a tenant's `systemd-notify` is looked at it may be gone: it waits for that.
        let mut court = Court::of(&format!("attach-daemon2 = name=a,ready=notify{more},cmd={script}"));
        court.wait("a", "starting", 1);
        std::fs::write(court.place.path("go"), "").unwrap();
        court.wait_for(|line| {
            let is = line.starts_with("a running ") && line.ends_with(" 1 serves 3");
            is.then_some(())
        });
        court.stop();
    }
}

/// Row C7: another process of the same tenant says that it is ready, and how it is.
#[test]
fn nobody_else_says_that_it_is_ready() {
    const LIES: &str = r#"#!/usr/bin/python3
import os, socket, time
place = os.path.dirname(__file__)
while not os.path.exists(place + "/name"):
    time.sleep(0.01)
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = open(place + "/name").read().strip()
one.sendto(b"READY=1\nSTATUS=lies", name.replace("@", "\0"))
open(place + "/lied", "w").close()
time.sleep(1000)
"#;
    let script = "echo $NOTIFY_SOCKET > DIR/new; mv DIR/new DIR/name; until [ -e DIR/go ]; do sleep 0.01; done; systemd-notify --status='is not ready'; sleep 1000";
    let place = Place::new(&format!("command = DIR/liar\nattach-daemon2 = name=a,ready=notify,cmd={script}"));
    let liar = place.path("liar");
    std::fs::write(&liar, LIES).unwrap();
    std::fs::set_permissions(&liar, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut court = Court::at(place);
    until("the lie", || court.place.path("lied").exists().then_some(()));
    std::fs::write(court.place.path("go"), "").unwrap();
    // What is said there is heard in turn: had the lie counted, it would run by now.
    court.wait_for(|line| {
        let is = line.starts_with("a starting ") && line.ends_with(" 1 is not ready");
        is.then_some(())
    });
    let outcome = court.stop();
    assert!(
        outcome.errors.contains("daemon a: what others say at its NOTIFY_SOCKET is ignored"),
        "{}",
        outcome.errors
    );
}
