//! A process of the tenant's that attacks each child of ours between the change of ids and exec, as fast as it can.
//!
//! It is told the pid of each child, which a real one would have to guess, and it may stop it and take its time. The
//! program at the end is one that the tenant may run but not read: so at no moment anything may be let through, and
//! whatever is was let through by us.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use jail::plan::{Extent, Identity, Program, Spec, UserMap, plan};
use jail::run::{Birth, spawn};
use jail::{Born, Failure, Plan};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, openat, readlink};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Gid, Pid, PidfdFlags, PidfdGetfdFlags, Signal, Uid, WaitOptions, kill_process,
    pidfd_getfd, pidfd_open, set_dumpable_behavior, waitpid,
};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;

use crate::roles;
use crate::stage::{TENANT, c, namespaces, reap, settle, tenant};

/// Attacks in each kind of jail: a hundred thousand in all.
const ATTACKS: u32 = 34_000;
/// For which so many children are made at most: on a busy machine some pass unmet.
const CHILDREN_MAX: usize = 2_500;
/// So many careless children must be enough for the attacker to get what he wants once.
const CARELESS_MAX: usize = 5_000;
/// The program at the end: a child of that name has passed its exec.
const QUIET: &str = "quiet";
const SECRET: &[u8] = b"known to root alone";
/// Where a careless child holds it open.
const SECRET_FD: i32 = 9;

/// What came of the attack on one child.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Refused while it was on its way to its program.
    refused: u32,
    /// Let through.
    let_through: u32,
    /// The secret was read.
    stolen: u32,
}

impl Tally {
    const BYTES: usize = 12;

    fn bytes(self) -> [u8; Self::BYTES] {
        let words = [self.refused, self.let_through, self.stolen].map(u32::to_le_bytes);
        words.concat().try_into().unwrap()
    }

    fn read(bytes: [u8; Self::BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        Self { refused: word(0), let_through: word(4), stolen: word(8) }
    }

    fn count<T>(&mut self, outcome: Result<T, Errno>) {
        match outcome {
            Err(Errno::PERM | Errno::ACCESS) => self.refused += 1,
            Err(Errno::SRCH | Errno::NOENT) => {}
            // Any other answer is about the thing itself.
            Ok(_) | Err(_) => self.let_through += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.refused += other.refused;
        self.let_through += other.let_through;
        self.stolen += other.stolen;
    }
}

/// Row P6.
pub fn a_tenants_attacks_between_ids_and_exec_are_all_refused() {
    let quiet = Quiet::new();
    let mut attacker = Attacker::new();
    // A number of children to be raced in each, for a long run by hand.
    let asked = std::env::var("LIEGE_RACES").ok().map(|text| text.parse().expect("LIEGE_RACES is a number"));
    let (children, attacks) = asked.map_or((CHILDREN_MAX, ATTACKS), |children| (children, u32::MAX));
    for (name, plan) in jails(&quiet) {
        let (mut sum, mut met) = (Tally::default(), 0);
        for _ in 0..children {
            let tally = attacker.race(&plan);
            met += usize::from(tally.refused > 0);
            sum.add(tally);
            if sum.refused >= attacks {
                break;
            }
        }
        println!("{name}: {} attacks on {met} children on their way to exec: {sum:?}", sum.refused);
        assert_eq!((sum.let_through, sum.stolen), (0, 0), "{name}");
        assert!(met > 0, "{name}: no child was met on its way");
    }
    // The same attacker against a child that forgets itself: he is fast enough.
    let stolen = (0..CARELESS_MAX).any(|_| attacker.race_careless(&quiet).stolen > 0);
    assert!(stolen, "the attacker is too slow for any child: so nothing was shown");
}

fn jails(quiet: &Quiet) -> [(&'static str, Plan); 3] {
    let plain = Spec { program: quiet.program(), ..tenant("") };
    let jailed = Spec { namespaces: namespaces("fs,ipc,pid,uts"), proc: true, ..plain.clone() };
    let user = Spec {
        namespaces: namespaces("fs,ipc,pid,uts,user"),
        user_map: Some(UserMap {
            uid: vec![Extent::one(0, TENANT)],
            gid: vec![Extent::one(0, TENANT)],
            groups: true,
        }),
        identity: Some(Identity { uid: 0, gid: 0, groups: vec![0] }),
        ..jailed.clone()
    };
    [("plain", plan(&plain)), ("jailed", plan(&jailed)), ("user namespace", plan(&user))]
}

/// A program that everybody may run and nobody but root read: closed to its own user while it runs.
struct Quiet(TempDir);

impl Quiet {
    fn new() -> Self {
        let quiet = Self(tempfile::tempdir().unwrap());
        std::fs::set_permissions(quiet.0.path(), PermissionsExt::from_mode(0o711)).unwrap();
        std::fs::copy("/bin/true", quiet.path()).unwrap();
        std::fs::set_permissions(quiet.path(), PermissionsExt::from_mode(0o111)).unwrap();
        quiet
    }

    fn path(&self) -> PathBuf {
        self.0.path().join(QUIET)
    }

    fn program(&self) -> Program {
        let path = c(self.path().to_str().unwrap());
        Program::Path { file: path.clone(), search: Vec::new(), argv: vec![path] }
    }
}

/// A process with the tenant's ids: it is told pids, and tells what it got.
struct Attacker {
    born: Born,
    orders: Option<File>,
    answers: File,
    secret: OwnedFd,
}

impl Attacker {
    fn new() -> Self {
        let (theirs, orders) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (answers, tell) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let program = Program::Descriptor(roles::ourselves().as_fd().as_raw_fd(), vec![c("role-attacker")]);
        let descriptors = vec![(theirs.as_raw_fd(), 0), (tell.as_raw_fd(), 1), (2, 2)];
        let spec = Spec { program, descriptors, ..tenant("") };
        let (born, failure) = settle(spawn(&plan(&spec), &Birth::default()).unwrap());
        assert_eq!(failure, None);
        let secret = rustix::fs::memfd_create(c"secret", MemfdFlags::CLOEXEC).unwrap();
        rustix::io::pwrite(&secret, SECRET, 0).unwrap();
        Self { born, orders: Some(orders.into()), answers: answers.into(), secret }
    }

    /// One child, which must get to its program all the same.
    fn race(&mut self, plan: &Plan) -> Tally {
        let spawned = spawn(plan, &Birth::default()).unwrap();
        let pid = match &spawned {
            jail::run::Spawned::Walking(born, _) => born.pid,
            other => panic!("a tenant's child walks by itself: {other:?}"),
        };
        let tally = self.attack(pid);
        let (born, failure): (Born, Option<Failure>) = settle(spawned);
        assert_eq!((reap(&born), failure), (Some(0), None));
        tally
    }

    /// One child that opens itself to its new user while it still holds what is root's.
    fn race_careless(&mut self, quiet: &Quiet) -> Tally {
        let child = jail::sys::fork(|| careless(self.secret.as_fd(), &quiet.path())).unwrap();
        let tally = self.attack(child.as_raw_nonzero().get());
        // It may be held by a tracer.
        let _ = kill_process(child, Signal::KILL);
        waitpid(Some(child), WaitOptions::empty()).unwrap();
        tally
    }

    fn attack(&mut self, pid: i32) -> Tally {
        self.orders.as_mut().expect("it is there").write_all(&pid.to_le_bytes()).unwrap();
        let mut bytes = [0; Tally::BYTES];
        self.answers.read_exact(&mut bytes).unwrap();
        Tally::read(bytes)
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.orders = None;
        reap(&self.born);
    }
}

fn careless(secret: BorrowedFd<'_>, program: &Path) -> i32 {
    let _held = rustix::io::fcntl_dupfd_cloexec(secret, SECRET_FD).unwrap();
    let (uid, gid) = (Uid::from_raw(TENANT), Gid::from_raw(TENANT + 1));
    set_thread_res_gid(gid, gid, gid).unwrap();
    set_thread_res_uid(uid, uid, uid).unwrap();
    set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    let _ = Command::new(program).exec();
    1
}

/// The attacker's own process.
pub fn attacker() -> ExitCode {
    let (mut orders, mut answers) = (std::io::stdin(), std::io::stdout());
    let mut pid = [0; 4];
    while orders.read_exact(&mut pid).is_ok() {
        let tally = Pid::from_raw(i32::from_le_bytes(pid)).map(attack).unwrap_or_default();
        answers.write_all(&tally.bytes()).unwrap();
        answers.flush().unwrap();
    }
    ExitCode::SUCCESS
}

/// Stops the child the moment it is his to stop, and tries everything.
fn attack(victim: Pid) -> Tally {
    let Ok(pidfd) = pidfd_open(victim, PidfdFlags::empty()) else { return Tally::default() };
    while kill_process(victim, Signal::STOP) == Err(Errno::PERM) {}
    let (mut tally, pid) = (Tally::default(), victim.as_raw_nonzero().get());
    for number in [SECRET_FD, 0, 3, 4, 5, 6, 7, 8] {
        let got = pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty());
        tally.stolen += u32::from(got.as_ref().is_ok_and(is_secret));
        tally.count(got);
    }
    for (file, flags) in FILES {
        tally.count(openat(CWD, format!("/proc/{pid}/{file}"), flags, Mode::empty()));
    }
    for link in ["exe", "cwd", "root", "fd/0"] {
        tally.count(readlink(format!("/proc/{pid}/{link}"), Vec::new()));
    }
    tally.count(read_memory(pid));
    for how in [libc::PTRACE_SEIZE, libc::PTRACE_ATTACH] {
        let traced = trace(pid, how.into());
        if traced.is_ok() {
            // Its parent hears of its end only after its tracer.
            let _ = kill_process(victim, Signal::KILL);
            let _ = waitpid(Some(victim), WaitOptions::empty());
        }
        tally.count(traced);
    }
    // What it still is now, it was all the while.
    let found = stage_of(pid);
    let _ = kill_process(victim, Signal::CONT);
    match found {
        Found::OnItsWay => tally,
        Found::Arrived => Tally { refused: 0, ..tally },
        // Nobody's memory, nobody's descriptors: the kernel lets everybody look at nothing.
        Found::Ended => Tally { stolen: tally.stolen, ..Tally::default() },
    }
}

const FILES: [(&str, OFlags); 4] =
    [("mem", OFlags::RDWR), ("environ", OFlags::RDONLY), ("maps", OFlags::RDONLY), ("fd", OFlags::DIRECTORY)];

fn is_secret(got: &OwnedFd) -> bool {
    let mut text = [0; SECRET.len()];
    rustix::io::pread(got, &mut text, 0) == Ok(SECRET.len()) && text == SECRET
}

/// How far a child has come.
enum Found {
    OnItsWay,
    Arrived,
    Ended,
}

/// `PF_EXITING` of `linux/sched.h`.
const EXITING: u64 = 4;

fn stage_of(pid: i32) -> Found {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((name, fields)) = stat.split_once(") ") else { return Found::Ended };
    let flags: u64 =
        fields.split(' ').nth(6).and_then(|flags| flags.parse().ok()).expect("flags of the kernel");
    match (flags & EXITING != 0, name.ends_with(QUIET)) {
        (true, _) => Found::Ended,
        (false, true) => Found::Arrived,
        (false, false) => Found::OnItsWay,
    }
}

#[expect(unsafe_code, reason = "a test does what an attacker would")]
fn read_memory(pid: i32) -> Result<(), Errno> {
    let mut byte = 0_u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // An address that is mapped in us, and so in our parent's child.
    let remote = libc::iovec { iov_base: SECRET.as_ptr().cast_mut().cast(), iov_len: 1 };
    // SAFETY: one byte of ours is written, and it outlives the call.
    answer(
        unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) } as libc::c_long
    )
}

#[expect(unsafe_code, reason = "a test does what an attacker would")]
fn trace(pid: i32, how: libc::c_long) -> Result<(), Errno> {
    // SAFETY: neither request touches memory of ours.
    answer(unsafe { libc::syscall(libc::SYS_ptrace, how, pid, 0, 0) })
}

fn answer(result: libc::c_long) -> Result<(), Errno> {
    match result {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        _ => Ok(()),
    }
}
