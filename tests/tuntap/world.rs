//! The world around an Emperor with a router: a network of its own, and behind it another one, which nobody else is in.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::common::{Emperor, LIEGE, Lines, Process, Start, Tree, eventually};

/// The world, where a server listens on port 7777.
pub const WORLD: &str = "203.0.113.1";
/// The router's device, in the Emperor's network.
pub const ROUTER: &str = "10.123.0.1";

/// A host that is on the internet, by one address: `$0` is a process of the world.
const INTERNET: &str = r#"set -e
ip link set lo up
ip link add up0 type veth peer name up1
ip link set up1 netns "$0"
ip address add 203.0.113.2/24 dev up0
ip link set up0 up
ip route add default via 203.0.113.1
nsenter --net=/proc/$0/ns/net sh -ec 'ip link set lo up; ip address add 203.0.113.1/24 dev up1; ip address add 169.254.169.254/32 dev up1; ip link set up1 up'
"#;

/// What an administrator does so that it passes on what comes from jails.
const PASS_ON: &str = r#"echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f - <<END
table ip nat {
  chain post {
    type nat hook postrouting priority 100;
    oifname "up0" masquerade
  }
}
END
"#;

/// A process that ends with this.
pub struct Kept {
    child: Child,
    pub lines: Lines,
}

impl Kept {
    /// Starts a program whose lines are heard.
    pub fn start(command: &mut Command) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let child = command.stdin(Stdio::null()).stdout(writer).spawn().unwrap();
        // The command has the writer, too.
        command.stdout(Stdio::null());
        Self { child, lines: Lines::listen(reader) }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An Emperor with the router `emperor0`, and the world.
pub struct World {
    // The Emperor ends first.
    pub emperor: Emperor,
    pub outside: Kept,
}

impl World {
    /// Starts it with these further options.
    pub fn new(tree: Tree, options: &[&str]) -> Self {
        Self::begin(with_router(tree).options(options), PASS_ON)
    }

    /// Starts it on a host where these commands were given.
    pub fn begin(start: Start, pass_on: &str) -> Self {
        let world = Self::unheard(start, pass_on);
        world.emperor.wait_for_line(|line| line.contains("router=emperor0") && line.contains("serves"));
        world
    }

    /// The same for one that speaks elsewhere.
    pub fn unheard(start: Start, pass_on: &str) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--net", "python3"]).arg(program("outside.py"));
        let outside = Kept::start(&mut command);
        outside.lines.wait_since(0, |line| line == "ready");
        let host = format!("{INTERNET}{pass_on}exec \"$@\"\n");
        let pid = outside.pid().to_string();
        let emperor = start.through(&["unshare", "--net", "sh", "-c", &host, &pid]).start();
        Self { emperor, outside }
    }

    /// Starts it where all are tenants.
    pub fn of_tenants(tree: Tree, options: &[&str]) -> Self {
        Self::new(tree, &[&["--emperor-tyrant"], options].concat())
    }

    /// The process that is the router now.
    pub fn router(&self) -> Process {
        let is_one = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(b"liege tuntap-router")
        };
        eventually("the router", || {
            Process::if_there(self.emperor.cgroup.pids().into_iter().find(is_one)?).ok()
        })
    }

    /// `liege net` with these words, which may be refused.
    pub fn net(&self, words: &str) -> Result<String, String> {
        let socket = self.emperor.tree.path("run/router.sock").display().to_string();
        let words = words.replace("ROUTER", &socket);
        let output = Command::new(LIEGE).arg("net").args(words.split_whitespace()).output().unwrap();
        let [said, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        if output.status.success() { Ok(said) } else { Err(error) }
    }

    /// What the router tells.
    pub fn table(&self) -> Value {
        serde_json::from_str(&self.net("ROUTER --json").unwrap()).unwrap()
    }

    /// How many packets of all were dropped for this reason.
    pub fn dropped(&self, reason: &str) -> u64 {
        let table = self.table();
        let accounts = table["accounts"].as_array().unwrap().iter();
        let flows = accounts.flat_map(|account| [&account["sent"], &account["received"]]);
        flows.filter_map(|flow| flow["dropped"][reason].as_u64()).sum()
    }

    /// Waits until one more packet was dropped for this reason, while this is tried.
    pub fn drops(&self, reason: &str, from: &Process, line: &str) {
        let before = self.dropped(reason);
        let tried = format!("{line} is dropped for {reason}");
        eventually(&tried, || {
            let _ = inside(from, line);
            (self.dropped(reason) > before).then_some(())
        });
    }
}

/// An Emperor that has the router `emperor0`.
pub fn with_router(tree: Tree) -> Start {
    let router = format!("emperor0 {}", tree.path("run/router.sock").display());
    let start = Start::in_tree(tree).options(&["--tuntap-router", &router]);
    start.options(&["--tuntap-router-address", "10.123.0.1/24"])
}

/// What a shell in the network of this process says, and whether it went well.
pub fn inside(process: &Process, line: &str) -> (bool, String) {
    let network = format!("--net=/proc/{}/ns/net", process.pid);
    let output = Command::new("nsenter").arg(network).args(["sh", "-c", line]).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A line of shell that sends a datagram.
pub fn datagram(to: &str, port: u16, text: &str) -> String {
    format!(
        "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"{text}\", (\"{to}\", {port}))'"
    )
}

/// A connection from the network of a process to the world, by which lines go there and back.
pub struct Talk {
    child: Child,
    to: Option<ChildStdin>,
    answers: Lines,
}

impl Talk {
    /// Connects.
    pub fn open(process: &Process, address: &str) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", process.pid));
        command.arg("python3").arg(program("converse.py")).arg(address);
        let mut child = command.stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
        drop(command);
        let talk = Self { to: child.stdin.take(), child, answers: Lines::listen(reader) };
        talk.answers.wait_since(0, |line| line == "connected");
        talk
    }

    /// Says this, and hears the answer.
    pub fn ask(&mut self, text: &str) -> String {
        let mark = self.answers.mark();
        writeln!(self.to.as_mut().unwrap(), "{text}").unwrap();
        self.answers.wait_since(mark, |_| true)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of these tests.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}
