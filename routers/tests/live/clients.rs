//! Real clients of uWSGI.

use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::emperor::{Emperor, PATIENCE, charter};
use crate::jail::Jail;
use crate::network::Network;
use crate::peers::{connect, echo, ping, round_trip};

/// A vassal of uWSGI in a network of its own.
struct Vassal {
    network: Network,
    uwsgi: Child,
}

impl Vassal {
    /// None where uWSGI is not installed.
    fn new(emperor: &Emperor, more: &[&'static str], address: &str) -> Option<Self> {
        let network = Network::new();
        let device = format!("uwsgi0 {}", emperor.charter.socket);
        let more = more.to_vec();
        let started = network.within(move || {
            Command::new("uwsgi")
                .args(["--plugin", "tuntap", "--master", "--jailed", "--uid", "65534", "--gid", "65534"])
                .args(["--socket", "127.0.0.1:3031", "--tuntap-device", &device])
                .args(more)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        });
        let Ok(uwsgi) = started else {
            eprintln!("skipped: uwsgi is not installed");
            return None;
        };
        let vassal = Self { network, uwsgi };
        vassal.wait_for_device();
        // Nobody has told it to leave version 6 alone: its kernel says something by itself.
        vassal.network.dress("uwsgi0", 1500, &[address]);
        Some(vassal)
    }

    fn wait_for_device(&self) {
        let begin = Instant::now();
        let is_there =
            || Command::new("ip").args(["link", "show", "uwsgi0"]).output().unwrap().status.success();
        while !self.network.within(is_there) {
            assert!(begin.elapsed() < PATIENCE, "no device of uwsgi");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Vassal {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.uwsgi);
        // Its workers end with their master when it is asked to.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.uwsgi.wait();
    }
}

#[test]
fn a_client_of_uwsgi_works_and_its_connections_outlive_the_router() {
    let mut emperor = Emperor::new(charter());
    let Some(mut vassal) = Vassal::new(&emperor, &[], "10.77.0.20/24") else { return };
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&vassal.network, "10.77.0.1:7000").unwrap();
    round_trip(&stream, 3_000_000);
    assert!(ping(&vassal.network, "10.77.0.1:7000"));
    emperor.wait_for_line("peer 10.77.0.20 of user 0");
    emperor.wait_for_parked(1);
    for _ in 0..5 {
        emperor.kill();
        emperor.start();
        round_trip(&stream, 200_000);
    }
    // Killed while bytes fly, not between them.
    for _ in 0..3 {
        let busy = stream.try_clone().unwrap();
        let work = std::thread::spawn(move || round_trip(&busy, 3_000_000));
        emperor.wait_for_stats("10.77.0.20");
        emperor.kill();
        emperor.start();
        work.join().unwrap();
    }
    assert!(vassal.uwsgi.try_wait().unwrap().is_none(), "it has noticed nothing");
    let fast = Jail::new(&emperor, 1001, &[]);
    assert!(ping(&fast.network, "10.77.0.1:7000"));
}

#[test]
fn a_client_of_uwsgi_says_who_it_is() {
    let mut charter = charter();
    charter.credentials = true;
    charter.open = false;
    charter.peers = vec!["uid=65534 addr=10.77.0.20 name=vassal".into()];
    let emperor = Emperor::new(charter);
    let Some(vassal) = Vassal::new(&emperor, &["--tuntap-use-credentials"], "10.77.0.20/24") else { return };
    echo(&emperor.host, "10.77.0.1:7000");
    assert!(ping(&vassal.network, "10.77.0.1:7000"));
    emperor.wait_for_line("peer vassal of user 65534 has 10.77.0.20");
}

#[test]
fn a_client_that_was_asked_to_say_who_it_is_has_to() {
    let mut charter = charter();
    charter.credentials = true;
    let emperor = Emperor::new(charter);
    let mut client = crate::jail::Client::silent(&emperor);
    client.write(&[0, 4, 0, 0, 0x45, 0, 0, 4]);
    assert!(client.is_ended());
    emperor.wait_for_line("has not said who it is");
    let greeted = crate::jail::Client::silent(&emperor);
    greeted.send_as(1001, b"uwsgi-tuntap");
    let jail = Network::new();
    let tun = jail.device("net0", &[]);
    jail::run::send(&greeted.stream, &[0, 0, 0, 1], &[tun.as_fd()]).unwrap();
    emperor.wait_for_parked(1);
    emperor.wait_for_stats("\"uid\":1001");
}
