//! Both ways between liege and uWSGI: its clients and our servers, our clients and its servers.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::client::Client;
use super::clients::connect;
use super::emperor::{Place, Vassal};
use super::seat::Seat;
use super::{place, stop};

/// Whether uWSGI has this plugin here.
fn has_plugin(name: &str) -> bool {
    let has = Path::new("/usr/lib/uwsgi/plugins").join(format!("{name}_plugin.so")).exists();
    if !has {
        eprintln!("skipped: uwsgi has no plugin {name} here");
    }
    has
}

/// A uWSGI that serves something; it ends with this.
struct Uwsgi(Child);

impl Uwsgi {
    fn start(place: &Place, words: &[&str]) -> Self {
        let mut command = Command::new("uwsgi-core");
        command.args(words).current_dir(place.path(".")).env("PS1", "ready>");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Uwsgi {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.0.wait();
    }
}

#[test]
fn the_clients_of_uwsgi_work_with_our_routers() {
    if !has_plugin("pty") {
        return;
    }
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    drop(Client::of(&place.path("framed")));
    for (option, socket, size) in [("--pty-connect", "raw", "24 80"), ("--pty-uconnect", "framed", "50 132")]
    {
        let mut client = Command::new("uwsgi-core");
        client.args(["--plugin", "pty", option]).arg(place.path(socket));
        Seat::default()
            .expect("ready>")
            .resize(50, 132)
            .send("echo $((6*7))\r")
            .expect("42\r\n")
            .send("stty size\r")
            .expect(size)
            .send("exit\r")
            .sit(&client);
    }
    stop(vassal);
}

/// What `cksum` says of it.
fn sum_of(text: &str) -> String {
    let mut command = Command::new("cksum");
    let mut sum = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut sum.stdin.take().unwrap(), text.as_bytes()).unwrap();
    String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn our_clients_work_with_the_routers_of_uwsgi() {
    if !has_plugin("forkptyrouter") {
        return;
    }
    let place = Place::new("");
    // Its program, where the client is looked for.
    drop(place.command());
    let sockets = ["--forkpty-router", "raw", "--forkpty-urouter", "framed"];
    let words = [&["--plugin", "forkptyrouter", "--master", "--processes", "0"], &sockets[..]].concat();
    let _uwsgi = Uwsgi::start(&place, &words);
    for (option, socket) in [("--pty-connect", "raw"), ("--pty-uconnect", "framed")] {
        drop(Client::of(&place.path(socket)));
        Seat::default()
            .send("PS1='at-'\"you \"\r")
            .expect("at-you ")
            .resize(50, 132)
            .send("stty -echo; echo co''oked\r")
            .expect("cooked\r\n")
            .send("head -n 2001 | cksum\r")
            .paste("xxxxxxxxx\r", 2_000)
            .send("end\r")
            .expect(&sum_of(&("xxxxxxxxx\n".repeat(2_000) + "end\n")))
            .expect("at-you ")
            .send("stty size\r")
            .expect(if socket == "raw" { "24 80\r\n" } else { "50 132\r\n" })
            .send("exit\r")
            .sit(&connect(&place, option, socket));
    }
}

#[test]
fn our_client_works_with_the_shared_terminal_of_uwsgi() {
    if !has_plugin("pty") {
        return;
    }
    let place = Place::new("");
    drop(place.command());
    let words =
        ["--plugin", "pty", "--master", "--http-socket", "web", "--pty-socket", "pty", "--pty-exec", "sh"];
    let _uwsgi = Uwsgi::start(&place, &words);
    Seat::default()
        .send("\r")
        .expect("ready>")
        .send("echo $((6*7))\r")
        .expect("42\r\n")
        .send("\r~.")
        .sit(&connect(&place, "--pty-connect", "pty"));
}
