//! What is left of a machine whose runner is interrupted: nothing.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

/// Cargo may have to build first, on a machine with other work.
const BOOTS: Duration = Duration::from_secs(900);
/// Whoever is told to end has so long.
const ENDS: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// `cargo xtask vm` with one quick case, as the first of a process group of its own.
struct Runner(Child);

impl Runner {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["vm", "clocks"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.process_group(0).spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// The machine, once it runs.
    fn machine(&mut self) -> Pid {
        let scratch = self.scratch().display().to_string();
        within(BOOTS, "a machine", || {
            assert_eq!(self.0.try_wait().unwrap(), None, "the runner ended before its machine was there");
            // Before, it asks the emulator for its version.
            let ours = |words: &str| words.starts_with("qemu-system") && words.contains(&scratch);
            children(self.pid()).into_iter().find(|child| ours(&command_line(*child)))
        })
    }

    /// Where it keeps what a machine needs.
    fn scratch(&self) -> PathBuf {
        let above =
            if rustix::process::geteuid().is_root() { "/var/cache".into() } else { std::env::temp_dir() };
        above.join(format!("liege-vm-{}", self.0.id()))
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        within(ENDS, "the end of the runner", || self.0.try_wait().unwrap())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_dir_all(self.scratch());
    }
}

fn within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        sleep(PAUSE);
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let list = format!("/proc/{parent}/task/{parent}/children", parent = parent.as_raw_nonzero());
    let text = fs::read_to_string(list).unwrap_or_default();
    text.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)).collect()
}

fn command_line(pid: Pid) -> String {
    let bytes = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn mounts_of_machines() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = |line: &&str| line.contains("/liege-vm-") || line.contains("/target/vm/");
    mounts.lines().filter(ours).map(str::to_owned).collect()
}

/// Kernels, images, and whatever else lies there.
fn stored() -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(top().join("target/vm")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

/// A test fetches neither a kernel nor an emulator.
fn can_boot() -> bool {
    let version = Command::new("qemu-system-x86_64").arg("--version").stderr(Stdio::null()).output();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let number = version.split_once("version ").and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
    let reason = match (number, top().join("target/vm/kernel-6.12").exists()) {
        (Some(10_u32..), true) => return true,
        (Some(10..), false) => "no kernel is there: `cargo xtask vm --quick` fetches one",
        _ => "there is no QEMU 10",
    };
    println!("skipped: {reason}");
    false
}

#[test]
fn a_runner_that_is_interrupted_leaves_no_machine_no_file_and_no_mount() {
    if !can_boot() {
        return;
    }
    // From a terminal everybody gets it; from `kill` and a service manager only the runner.
    for (signal, to_all) in [(Signal::INT, true), (Signal::TERM, false)] {
        let stored_before = stored();
        let mut runner = Runner::start();
        let machine = runner.machine();
        let scratch = runner.scratch();
        assert!(scratch.exists());
        let machine = pidfd_open(machine, PidfdFlags::empty()).unwrap();
        let send = if to_all { kill_process_group } else { kill_process };
        send(runner.pid(), signal).unwrap();
        assert_eq!(runner.wait().signal(), Some(signal.as_raw()));
        let gone = rustix::process::pidfd_send_signal(&machine, Signal::CONT);
        assert_eq!(gone, Err(rustix::io::Errno::SRCH), "a machine outlives its runner");
        assert!(!scratch.exists());
        assert_eq!(mounts_of_machines(), [""; 0]);
        assert_eq!(stored(), stored_before);
    }
}

#[test]
fn a_runner_that_is_killed_takes_its_machine_along() {
    if !can_boot() {
        return;
    }
    let mut runner = Runner::start();
    let machine = pidfd_open(runner.machine(), PidfdFlags::empty()).unwrap();
    kill_process(runner.pid(), Signal::KILL).unwrap();
    runner.wait();
    within(ENDS, "the end of the machine", || {
        rustix::process::pidfd_send_signal(&machine, Signal::CONT).is_err().then_some(())
    });
}
