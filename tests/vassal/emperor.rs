//! A pretended Emperor: starts one vassal from a config and speaks the protocol with it.

use std::fs::File;
use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tempfile::TempDir;

use super::program::lend_program;

/// Bytes with which a text for people begins.
const TEXTS: [u8; 6] = [13, 14, 15, 18, 20, 21];
/// It ends.
const TEXT_END: u8 = 10;
/// Another program is about to take the master's place.
const BECOMES: u8 = 16;

/// Whatever a test waits for comes sooner than this, or never.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Descriptors are inherited on purpose here, but only by the process that they are meant for.
static SPAWNING: Mutex<()> = Mutex::new(());

/// A directory of root's that everybody may look into, with a config in it.
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// A place whose config is this text, below `[uwsgi]`; `DIR` in it stands for the place.
    pub fn new(config: &str) -> Self {
        let place = Self { dir: TempDir::new().unwrap() };
        std::fs::set_permissions(place.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        place.write("v.ini", config);
        place
    }

    /// The path of a file here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a file here holds; nothing if it is not there.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes a config.
    pub fn write(&self, name: &str, config: &str) -> PathBuf {
        let path = self.path(name);
        let text = config.replace("DIR", &self.dir.path().to_string_lossy());
        std::fs::write(&path, format!("[uwsgi]\n{text}\n")).unwrap();
        path
    }

    /// Lets everybody write into a new directory here, owned by `uid`.
    pub fn directory(&self, name: &str, uid: u32, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
        path
    }

    /// `liege vassal --ini v.ini`, with a clean environment, in this place.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.liege());
        command.args(["vassal", "--ini", "v.ini"]).current_dir(self.dir.path());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// The program, where every user can reach it: who built it may have closed the directories above.
    fn liege(&self) -> PathBuf {
        let (built, here) = (env!("CARGO_BIN_EXE_liege"), self.path("liege"));
        lend_program(built, &here);
        here
    }

    /// Runs the config to its end without an Emperor.
    pub fn run(&self) -> Outcome {
        Outcome::of(&mut self.command())
    }

    /// Starts the config under an Emperor.
    pub fn start(&self) -> Vassal {
        Vassal::start(self.command(), None)
    }
}

/// How a vassal ended, and all it said.
pub struct Outcome {
    pub status: ExitStatus,
    pub output: String,
    pub errors: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = {
            let _alone = SPAWNING.lock().unwrap();
            command.spawn().unwrap()
        };
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: output.status, output: text(output.stdout), errors: text(output.stderr) }
    }

    /// Exit status, or 128 and the signal.
    pub fn code(&self) -> i32 {
        code(self.status)
    }

    /// What was told, each line without its time.
    pub fn told(&self) -> Vec<&str> {
        self.errors.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest)).collect()
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// A running vassal and the Emperor's end of its control descriptor.
pub struct Vassal {
    child: Child,
    pub control: Option<UnixStream>,
    lines: BufReader<ChildStdout>,
    errors: ChildStderr,
}

impl Vassal {
    /// Starts `command` with a control descriptor and, if there is one, an open config.
    pub fn start(mut command: Command, config: Option<&File>) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let theirs = OwnedFd::from(theirs);
        command.env("UWSGI_EMPEROR_FD", theirs.as_raw_fd().to_string());
        if let Some(config) = config {
            command.env("LIEGE_CONFIG_FD", config.as_raw_fd().to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = {
            let _alone = SPAWNING.lock().unwrap();
            let inherited = || config.map(AsFd::as_fd).into_iter().chain([theirs.as_fd()]);
            inherited().for_each(|one| fcntl_setfd(one, FdFlags::empty()).unwrap());
            let child = command.spawn().unwrap();
            inherited().for_each(|one| fcntl_setfd(one, FdFlags::CLOEXEC).unwrap());
            child
        };
        let lines = BufReader::new(child.stdout.take().unwrap());
        let errors = child.stderr.take().unwrap();
        Self { child, control: Some(ours), lines, errors }
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The next byte of the protocol that it says, texts for people aside; `None` when it has nothing more to say.
    pub fn byte(&mut self) -> Option<u8> {
        loop {
            match self.any_byte() {
                Some(BECOMES) => {}
                Some(byte) if TEXTS.contains(&byte) => {
                    while self.any_byte().is_some_and(|byte| byte != TEXT_END) {}
                }
                byte => return byte,
            }
        }
    }

    fn any_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let count = self.control.as_mut().unwrap().read(&mut byte).expect("a byte in time");
        (count == 1).then_some(byte[0])
    }

    /// Says a byte.
    pub fn say(&mut self, byte: u8) {
        self.control.as_mut().unwrap().write_all(&[byte]).unwrap();
    }

    /// Says a byte, together with the descriptor of a config.
    pub fn hand_over(&mut self, byte: u8, config: &Path) {
        let file = File::open(config).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let files = [file.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
        let control = self.control.as_ref().unwrap();
        sendmsg(control, &[IoSlice::new(&[byte])], &mut ancillary, SendFlags::empty()).unwrap();
    }

    /// The next line that its programs print.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// True once nobody is left who could say a line.
    pub fn has_ended(&mut self) -> bool {
        self.lines.fill_buf().unwrap().is_empty()
    }

    /// Sends a signal to the master.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end: the exit status and all that was left to say.
    pub fn end(mut self) -> Outcome {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
        assert_eq!(
            poll(&mut ended, Some(&PATIENCE.try_into().unwrap())).unwrap(),
            1,
            "the vassal does not end"
        );
        let status = self.child.wait().unwrap();
        let (mut output, mut errors) = (String::new(), String::new());
        // Everybody who could still write is gone, so both end.
        self.lines.read_to_string(&mut output).unwrap();
        self.errors.read_to_string(&mut errors).unwrap();
        Outcome { status, output, errors }
    }
}

/// Waits until a process is gone, reaped and all.
pub fn wait_until_gone(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let until = std::time::Instant::now() + PATIENCE;
    while rustix::process::test_kill_process(pid).is_ok() {
        assert!(std::time::Instant::now() < until, "{pid:?} is still there");
        std::thread::yield_now();
    }
}
