//! What the tests share: specs, and a look at the processes that come of them.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use jail::plan::{Filter, Identity, Network, Spec, plan};
use jail::run::{Birth, Spawned, spawn};
use jail::{Born, Capabilities, Failure, Namespaces, Plan, Program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::process::{WaitId, WaitIdOptions, waitid};

/// Nothing here takes long; a test that waits this long has failed.
const DEADLINE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// A tenant that is nobody else on a test machine.
pub const TENANT: u32 = 54_321;

pub fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

pub fn shell(script: &str) -> Program {
    Program::Path { file: c("/bin/sh"), search: Vec::new(), argv: vec![c("sh"), c("-c"), c(script)] }
}

pub fn spec(script: &str) -> Spec {
    let environment = vec![c("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), c("MARK=here")];
    Spec { program: shell(script), environment, session: true, ..Spec::default() }
}

pub fn tenant(script: &str) -> Spec {
    Spec {
        identity: Some(Identity { uid: TENANT, gid: TENANT + 1, groups: vec![TENANT + 2, TENANT + 3] }),
        bounding: Some(Capabilities::NONE),
        no_new_privs: true,
        filters: vec![Filter::setid_files()],
        dies_with_parent: true,
        ..spec(script)
    }
}

pub fn namespaces(list: &str) -> Namespaces {
    list.parse().unwrap()
}

pub fn jailed(script: &str) -> Spec {
    let network = Network::Fresh;
    Spec { namespaces: namespaces("fs,net,ipc,pid,uts,cgroup"), network, proc: true, ..tenant(script) }
}

/// A file in memory, for what a process writes.
pub struct Paper(File);

impl Paper {
    pub fn new() -> Self {
        Self(File::from(rustix::fs::memfd_create(c"paper", MemfdFlags::CLOEXEC).unwrap()))
    }

    pub fn read(mut self) -> String {
        let mut text = String::new();
        self.0.rewind().unwrap();
        self.0.read_to_string(&mut text).unwrap();
        text
    }

    pub fn raw(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// What became of a process.
#[derive(Debug)]
pub struct Outcome {
    pub output: String,
    pub status: Option<i32>,
    pub failure: Option<Failure>,
}

/// Spawns, waits for the end, reads what was written to 1 and 2.
pub fn outcome(spec: &Spec) -> Outcome {
    let paper = Paper::new();
    let mut spec = spec.clone();
    spec.descriptors.extend([(paper.raw(), 1), (paper.raw(), 2)]);
    let (status, failure) = run(&plan(&spec), &Birth::default());
    Outcome { output: paper.read(), status, failure }
}

/// What a process that must succeed writes.
pub fn output(spec: &Spec) -> String {
    let outcome = outcome(spec);
    assert_eq!((outcome.status, &outcome.failure), (Some(0), &None), "{}", outcome.output);
    outcome.output
}

pub fn run(plan: &Plan, birth: &Birth<'_>) -> (Option<i32>, Option<Failure>) {
    let (born, failure) = settle(spawn(plan, birth).unwrap());
    (reap(&born), failure)
}

/// Waits until the process runs its program or has failed.
pub fn settle(spawned: Spawned) -> (Born, Option<Failure>) {
    match spawned {
        Spawned::Running(born) => (born, None),
        Spawned::Failed(born, failure) => (born, Some(failure)),
        Spawned::Walking(born, report) => {
            let mut wire = Vec::new();
            File::from(report).read_to_end(&mut wire).unwrap();
            (born, (!wire.is_empty()).then(|| Failure::decode(&wire).expect("a whole failure")))
        }
    }
}

/// Waits for the end; the exit status, `None` after a signal.
pub fn reap(born: &Born) -> Option<i32> {
    ended(&born.pidfd);
    let status = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    status.exit_status()
}

/// Waits until a process has ended, whoever's child it is.
pub fn ended(pidfd: &OwnedFd) {
    ready(pidfd, PollFlags::IN);
}

pub fn ready(fd: &impl AsFd, what: PollFlags) {
    assert_eq!(poll(&mut [PollFd::new(fd, what)], Some(&DEADLINE)), Ok(1), "the deadline is over");
}

/// The value of a field of `/proc/PID/status`, blanks made single.
pub fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}
