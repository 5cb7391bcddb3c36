//! An Emperor in miniature: opens everything, keeps what the router parks, has it born again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use jail::run::{receive, send};
use routers::parking::{MESSAGE_MAX, Role, ToEmperor, ToRouter, decode, encode};
use routers::tuntap::charter::Charter;
use routers::tuntap::io::{Level, Means, run};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Signal, Uid, WaitId, WaitIdOptions, waitid};
use tempfile::TempDir;

use crate::network::Network;

/// Longest that anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the places of the router's state begin.
const STATE_PLACES: [u64; 2] = [0, 256 << 20];

const CHARTER: &str = "LIEGE_TEST_CHARTER";
const USER: &str = "LIEGE_TEST_USER";

pub struct Emperor {
    pub host: Network,
    pub charter: Charter,
    pub folder: TempDir,
    given: Vec<(Role, OwnedFd)>,
    /// Who the router is.
    user: u32,
    router: Option<Router>,
    pub seen: Arc<Seen>,
}

struct Router {
    child: Child,
    ears: Vec<std::thread::JoinHandle<()>>,
}

/// What the router has said.
#[derive(Default)]
pub struct Seen {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    ready: usize,
    parked: BTreeMap<u64, (Vec<u8>, Vec<OwnedFd>)>,
    lines: Vec<String>,
}

/// A charter that asks for nothing.
pub fn charter() -> Charter {
    Charter {
        device: "emperor0".into(),
        socket: String::new(),
        addresses: vec![("10.77.0.1".parse().unwrap(), 24), ("fd77::1".parse().unwrap(), 64)],
        mtu: 65000,
        mtu_beyond: 1500,
        policy: "standard".into(),
        open: true,
        credentials: false,
        peers: Vec::new(),
        firewall_in: Vec::new(),
        // The host of a test is its world.
        firewall_out: vec!["allow any 10.77.0.1".into(), "allow any fd77::1".into()],
        routes: Vec::new(),
        nameservers: Vec::new(),
        peers_max: 100,
        peers_of_user_max: 10,
        queue_bytes: 256 * 1024,
        owner: 0,
        stats_http: false,
    }
}

impl Emperor {
    /// One with a router that serves.
    pub fn new(charter: Charter) -> Self {
        Self::with(charter, |_| Vec::new())
    }

    /// One whose router is this user.
    pub fn of_user(charter: Charter, user: u32) -> Self {
        let mut emperor = Self::idle(charter, |_| Vec::new());
        emperor.user = user;
        emperor.start();
        emperor
    }

    /// The same, with more descriptors for it.
    pub fn with(charter: Charter, more: impl FnOnce(&Network) -> Vec<(Role, OwnedFd)>) -> Self {
        let mut emperor = Self::idle(charter, more);
        emperor.start();
        emperor
    }

    fn idle(mut charter: Charter, more: impl FnOnce(&Network) -> Vec<(Role, OwnedFd)>) -> Self {
        let host = Network::new();
        let folder = tempfile::tempdir().unwrap();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everybody).unwrap();
        charter.socket = folder.path().join("router").to_str().unwrap().to_owned();
        let addresses = charter.addresses.iter().map(|(address, length)| format!("{address}/{length}"));
        let addresses: Vec<String> = addresses.collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let device = host.device("emperor0", &addresses);
        let listener = UnixListener::bind(&charter.socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        set_socket_passcred(&listener, true).unwrap();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&charter.socket, everybody).unwrap();
        let stats = UnixListener::bind(folder.path().join("stats")).unwrap();
        stats.set_nonblocking(true).unwrap();
        let leases = std::fs::File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(folder.path().join("leases"))
            .unwrap();
        let state = memfd_create("state", MemfdFlags::CLOEXEC).unwrap();
        let mut given = vec![
            (Role::Device, device),
            (Role::Listener, listener.into()),
            (Role::Stats, stats.into()),
            (Role::State, state),
            (Role::Leases, leases.into()),
        ];
        given.extend(more(&host));
        let seen = Arc::new(Seen::default());
        Self { host, charter, folder, given, user: 0, router: None, seen }
    }

    /// Has a router born, and hands everything over to it.
    pub fn start(&mut self) {
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        let charter = postcard::to_stdvec(&self.charter).unwrap();
        let charter: String = charter.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_router_itself", "--nocapture"])
            .env(CHARTER, charter)
            .env(USER, self.user.to_string())
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let before = self.seen.state.lock().unwrap().ready;
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (seen, heard) = (Arc::clone(&self.seen), Arc::clone(&self.seen));
        let lines = std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| seen.tell(|state| state.lines.push(line)));
        });
        self.hand_over(&ours);
        let ears = std::thread::spawn(move || heard.listen(&ours));
        self.router = Some(Router { child, ears: vec![lines, ears] });
        self.seen.wait("a router that is ready", |state| (state.ready > before).then_some(()));
    }

    fn hand_over(&self, channel: &OwnedFd) {
        let say = |message: &ToRouter, descriptors: &[OwnedFd]| {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            send(channel, &encode(message).unwrap(), &descriptors).unwrap();
        };
        let roles = self.given.iter().map(|(role, _)| *role).collect();
        let descriptors: Vec<OwnedFd> = self.given.iter().map(|(_, one)| one.try_clone().unwrap()).collect();
        say(&ToRouter::Begin(roles), &descriptors);
        for (key, (state, descriptors)) in &self.seen.state.lock().unwrap().parked {
            say(&ToRouter::Adopt { key: *key, state: state.clone() }, descriptors);
        }
        say(&ToRouter::Go, &[]);
    }

    /// Kills the router with -9.
    pub fn kill(&mut self) {
        let Some(Router { mut child, ears }) = self.router.take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
        ears.into_iter().for_each(|ear| ear.join().unwrap());
    }

    /// The router does nothing from here on.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        waitid(WaitId::Pid(self.pid()), WaitIdOptions::STOPPED).unwrap();
    }

    /// And goes on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// The router's process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.router.as_ref().unwrap().child)
    }

    /// What it was made to work with.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection to the router.
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.charter.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What its stats say.
    pub fn stats(&self) -> String {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut UnixStream::connect(self.path("stats")).unwrap(), &mut text)
            .unwrap();
        text
    }

    /// How often routers have written down what a successor has to know: the number with which either of two places begins.
    pub fn writings(&self) -> u64 {
        let state = self.given.iter().find(|(role, _)| *role == Role::State).map(|(_, state)| state).unwrap();
        let number = |at| {
            let mut bytes = [0; 8];
            let read = rustix::io::pread(state, &mut bytes, at).unwrap();
            if read == bytes.len() { u64::from_le_bytes(bytes) } else { 0 }
        };
        STATE_PLACES.map(number).into_iter().max().unwrap()
    }

    /// Stats with these words in them.
    pub fn wait_for_stats(&self, words: &str) -> String {
        let begin = Instant::now();
        loop {
            let stats = self.stats();
            if stats.contains(words) {
                return stats;
            }
            assert!(begin.elapsed() < PATIENCE, "no {words} in {stats}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A file of leases with these lines in it.
    pub fn wait_for_leases(&self, lines: &[String]) {
        let begin = Instant::now();
        loop {
            let leases = std::fs::read_to_string(self.path("leases")).unwrap();
            if lines.iter().all(|line| leases.contains(line)) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{leases}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many peers are parked, once they are so many.
    pub fn wait_for_parked(&self, count: usize) {
        self.seen.wait("parked peers", |state| (state.parked.len() == count).then_some(()));
    }

    /// How many are parked now.
    pub fn parked(&self) -> usize {
        self.seen.state.lock().unwrap().parked.len()
    }

    /// Whether the router's log has such a line.
    pub fn has_line(&self, words: &str) -> bool {
        self.seen.state.lock().unwrap().lines.iter().any(|line| line.contains(words))
    }

    /// A line of the router's log.
    pub fn wait_for_line(&self, words: &str) {
        self.seen.wait(words, |state| state.lines.iter().any(|line| line.contains(words)).then_some(()));
    }
}

impl Drop for Emperor {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Seen {
    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.bell.notify_all();
    }

    fn wait<T>(&self, what: &str, found: impl Fn(&State) -> Option<T>) -> T {
        let mut state = self.state.lock().unwrap();
        let begin = Instant::now();
        loop {
            if let Some(found) = found(&state) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "no {what}; the router said {:#?}", state.lines);
            state = self.bell.wait_timeout(state, PATIENCE).unwrap().0;
        }
    }

    fn listen(&self, channel: &OwnedFd) {
        let mut bytes = [0; MESSAGE_MAX];
        while let Ok(Some(parcel)) = receive(channel, &mut bytes) {
            let message: ToEmperor = decode(&bytes[..parcel.length]).unwrap();
            self.tell(|state| match message {
                ToEmperor::Ready => state.ready += 1,
                ToEmperor::Park { key, state: one } => {
                    drop(state.parked.insert(key, (one, parcel.descriptors)))
                }
                ToEmperor::Forget(key) => drop(state.parked.remove(&key)),
                ToEmperor::Failed(why) => state.lines.push(why),
            });
        }
    }
}

/// In the other process: serves.
pub fn be_the_router() {
    let Ok(charter) = std::env::var(CHARTER) else { return };
    let digits = charter.as_bytes().chunks(2);
    let bytes: Vec<u8> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    let user = Uid::from_raw(std::env::var(USER).unwrap().parse().unwrap());
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).unwrap();
    rustix::thread::set_thread_res_uid(user, user, user).unwrap();
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let log = |level: Level, line: &str| eprintln!("{level:?} {line}");
    let means = Means::new().unwrap();
    if let Err(why) = run(means, (channel, postcard::from_bytes(&bytes).unwrap()), Box::new(log)) {
        eprintln!("failed: {why}");
        std::process::exit(1);
    }
}
