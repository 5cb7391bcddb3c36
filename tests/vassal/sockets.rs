//! Sockets: bound by root, handed on, and never where somebody else wants them.

use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use super::emperor::{Outcome, Place};

const TENANT: u32 = 54321;
const STRANGER: u32 = 54399;

/// A config for the tenant with these lines; its command tells of the sockets it got.
fn tenant(lines: &str) -> Place {
    Place::new(&format!(
        "uid = {TENANT}\ngid = 54322\n{lines}\ncommand = sh -c 'test $LISTEN_PID = $$ && echo $LISTEN_FDS $LISTEN_FDNAMES; ls -ln DIR/run/s | cut -d \" \" -f 1,3,4; ls /proc/self/fd | wc -l'"
    ))
}

#[test]
fn a_command_gets_its_sockets_from_descriptor_3_on() {
    let place = tenant("socket = DIR/run/s\nsocket = 127.0.0.1:0\nsocket = [::1]:0\nsocket = @liege-test-%i");
    place.directory("run", TENANT, 0o755);
    let outcome = place.run();
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert!(lines[0].starts_with("4 s:0:0:liege-test-"), "{}{}", outcome.output, outcome.errors);
    // 0, 1, 2, four sockets, and the directory that `ls` reads.
    assert_eq!(lines[1..], ["srw-rw---- 54321 54322", "8"]);
    // Its directory is the tenant's, so its file could be removed.
    assert!(!place.path("run/s").exists());
}

#[test]
fn mode_and_owner_are_what_the_config_says() {
    let place = tenant("socket = DIR/run/s\nchmod-socket = 606\nchown-socket = daemon:54377");
    place.directory("run", 0, 0o755);
    assert!(place.run().output.contains("srw----rw- 1 54377"));
}

#[test]
fn connections_wait_until_the_command_takes_them() {
    let place =
        Place::new("socket = DIR/s\nexec-as-user = echo bound\ncommand = sh -c 'echo runs; exec sleep 1000'");
    let mut vassal = place.start();
    assert_eq!([vassal.line(), vassal.line()], ["bound", "runs"]);
    UnixStream::connect(place.path("s")).unwrap();
    vassal.say(0);
    assert_eq!(vassal.end().code(), 0);
    assert!(!place.path("s").exists());
}

#[test]
fn an_old_socket_that_nobody_uses_is_replaced() {
    let place = tenant("socket = DIR/run/s");
    place.directory("run", TENANT, 0o755);
    drop(UnixListener::bind(place.path("run/s")).unwrap());
    let outcome = place.run();
    assert!(outcome.output.contains("srw-rw---- 54321 54322"), "{}", outcome.errors);
}

/// Row F4.
#[test]
fn a_socket_in_use_and_anything_that_is_no_socket_stay() {
    let place = tenant("socket = DIR/run/s");
    place.directory("run", TENANT, 0o755);
    let used = UnixListener::bind(place.path("run/s")).unwrap();
    refused(&place, "another program listens");
    drop(used);
    std::fs::remove_file(place.path("run/s")).unwrap();

    std::fs::write(place.path("run/s"), "precious").unwrap();
    refused(&place, "is there and is no socket");
    assert_eq!(place.read("run/s"), "precious");
    std::fs::remove_file(place.path("run/s")).unwrap();

    symlink(place.path("elsewhere"), place.path("run/s")).unwrap();
    refused(&place, "is there and is no socket");
    assert!(!place.path("elsewhere").exists());
}

/// Row F4.
#[test]
fn a_socket_of_a_stranger_stays() {
    let place = tenant("socket = DIR/run/s");
    place.directory("run", 0, 0o1777);
    drop(UnixListener::bind(place.path("run/s")).unwrap());
    std::os::unix::fs::chown(place.path("run/s"), Some(STRANGER), Some(STRANGER)).unwrap();
    refused(&place, "is a socket of uid 54399");
    assert!(place.path("run/s").symlink_metadata().unwrap().file_type().is_socket());
}

/// Row F4.
#[test]
fn root_binds_in_no_directory_that_strangers_can_write_to() {
    for (owner, mode, reason) in [
        (STRANGER, 0o755, "belongs to uid 54399"),
        (0, 0o777, "is writable by others"),
        (TENANT, 0o770, "is writable by others"),
    ] {
        let place = tenant("socket = DIR/run/s");
        place.directory("run", owner, mode);
        refused(&place, reason);
        assert_eq!(std::fs::read_dir(place.path("run")).unwrap().count(), 0);
    }
}

/// Row F4.
#[test]
fn root_follows_no_link_of_a_tenant() {
    let place = tenant("socket = DIR/home/run/s");
    place.directory("home", TENANT, 0o755);
    let target = place.directory("roots", 0, 0o755);
    symlink(&target, place.path("home/run")).unwrap();
    std::os::unix::fs::lchown(place.path("home/run"), Some(TENANT), Some(TENANT)).unwrap();
    refused(&place, "is a symbolic link of uid 54321");
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
}

#[test]
fn a_link_of_roots_is_followed() {
    let place = tenant("socket = DIR/link/s");
    let target = place.directory("run", TENANT, 0o755);
    symlink(&target, place.path("link")).unwrap();
    assert!(place.run().output.contains("srw-rw---- 54321 54322"));
}

#[test]
fn sockets_of_a_failed_vassal_are_gone_even_from_a_directory_of_roots() {
    let place = tenant("socket = DIR/run/s\nsocket = DIR/missing/s");
    place.directory("run", 0, 0o755);
    refused(&place, "cannot open directory");
    assert!(!place.path("run/s").exists());
}

#[test]
fn the_owner_of_a_file_that_somebody_else_put_there_does_not_change() {
    let place = tenant("socket = DIR/run/s");
    place.directory("run", 0, 0o755);
    std::fs::write(place.path("file"), "").unwrap();
    std::fs::hard_link(place.path("file"), place.path("run/s")).unwrap();
    refused(&place, "is there and is no socket");
    assert_eq!(place.path("file").metadata().unwrap().uid(), 0);
}

fn refused(place: &Place, reason: &str) {
    let Outcome { status, output, errors } = place.run();
    assert_eq!((status.code(), output.as_str()), (Some(1), ""));
    assert!(errors.contains(reason), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}
