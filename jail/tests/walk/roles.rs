//! Other processes that tests need: this program once more, from memory, under another name.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::process::ExitCode;
use std::sync::OnceLock;

use jail::plan::{Extent, Identity, Program, Spec, UserMap, plan as ordered};
use jail::run::{Birth, Cgroup, Executable, not_dumpable, open_standard_descriptors, perform, shed, spawn};
use jail::{Plan, Step};
use rustix::fs::readlink;

use crate::races::attacker;
use crate::stage::{TENANT, c, field, jailed, namespaces, output, reap, settle, spec, tenant};

type Role = fn() -> ExitCode;

const ROLES: [(&str, Role); 10] = [
    ("role-attacker", attacker),
    ("role-founder", founder),
    ("role-keeper", keeper),
    ("role-again", again),
    ("role-shed", less),
    ("role-standard", standard),
    ("role-parent", parent),
    ("role-emperor", emperor),
    ("role-spawner", spawner),
    ("role-user", user),
];

pub fn asked_for() -> Option<Role> {
    let name = std::env::args().next()?;
    ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
}

pub fn ourselves() -> &'static Executable {
    static OURSELVES: OnceLock<Executable> = OnceLock::new();
    OURSELVES.get_or_init(|| Executable::of_ourselves(c"walk").unwrap())
}

/// A role as root, with these descriptors.
pub fn plan(name: &str, descriptors: Vec<(i32, i32)>) -> Plan {
    let program = Program::Descriptor(ourselves().as_fd().as_raw_fd(), vec![c(&format!("role-{name}"))]);
    ordered(&Spec { program, descriptors, ..spec("") })
}

/// Closes 0, 1 and 2, opens them again the way our programs do at their start, and tells on 5 what they are.
fn standard() -> ExitCode {
    perform(&Step::Descriptors(vec![(5, 5)])).unwrap();
    close_standard();
    open_standard_descriptors().unwrap();
    let link = |fd: i32| readlink(format!("/proc/self/fd/{fd}"), Vec::new()).unwrap().into_string().unwrap();
    let mut paper = file(5);
    writeln!(paper, "{} {} {}", link(0), link(1), link(2)).unwrap();
    ExitCode::SUCCESS
}

/// A spawner that is not root and kept what it takes to map another user's ids.
fn keeper() -> ExitCode {
    let identity = Identity { uid: TENANT, gid: TENANT, groups: Vec::new() };
    let keep = "setuid,setgid".parse().unwrap();
    shed(Some(&identity), keep, jail::Capabilities(!0)).unwrap();
    not_dumpable().unwrap();
    let other = TENANT + 7;
    let inner = Spec {
        namespaces: namespaces("fs,user"),
        user_map: Some(UserMap {
            uid: vec![Extent::one(0, other)],
            gid: vec![Extent::one(0, other)],
            groups: true,
        }),
        identity: Some(Identity { uid: 0, gid: 0, groups: vec![0] }),
        ..tenant("cat /proc/self/status /proc/self/uid_map")
    };
    let status = output(&inner);
    assert_eq!((field(&status, "Uid"), field(&status, "Groups")), ("0 0 0 0".into(), "0".into()));
    let map: Vec<&str> = status.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(map, ["0", &other.to_string(), "1"]);
    // And it is as closed as before.
    assert_eq!(rustix::process::dumpable_behavior(), Ok(rustix::process::DumpableBehavior::NotDumpable));
    ExitCode::SUCCESS
}

/// Founds a cgroup, tells its path on 5, and ends without removing anything.
fn founder() -> ExitCode {
    let cgroup = Cgroup::found().unwrap();
    drop((cgroup.leaf(1).unwrap(), cgroup.shared().unwrap()));
    write!(file(5), "{}", cgroup.path().display()).unwrap();
    ExitCode::SUCCESS
}

/// Becomes the copy of itself that is in memory.
fn again() -> ExitCode {
    // Over exec only what is not closed by it survives; 5 is ours to pass on.
    let error = Executable::of_ourselves(c"copy").unwrap().reexec(&[c("role-standard")], &[c("MARK=here")]);
    panic!("{error}");
}

/// Gives up everything but two capabilities, and tells on 5 what is left.
fn less() -> ExitCode {
    let identity = Identity { uid: TENANT, gid: TENANT, groups: vec![TENANT] };
    let keep = "setuid,setgid".parse().unwrap();
    shed(Some(&identity), keep, keep).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    write!(file(5), "{status}").unwrap();
    // It still may become another tenant, and nothing else.
    assert_eq!(perform(&Step::Hostname("x".into())).unwrap_err().errno, libc::EPERM);
    let other = Identity { uid: TENANT + 5, gid: TENANT + 5, groups: Vec::new() };
    perform(&Step::Identity(other, jail::Capabilities::NONE)).unwrap();
    ExitCode::SUCCESS
}

fn close_standard() {
    (0..3).for_each(|fd| drop(file(fd)));
}

#[expect(unsafe_code, reason = "a test takes over descriptors that it was started with")]
fn file(fd: i32) -> File {
    // SAFETY: whoever started this role gave it that descriptor, and nobody else here uses it.
    unsafe { File::from_raw_fd(fd) }
}

/// Spawns a tenant that would live long, tells its pid on 5, and lives until 0 ends.
fn parent() -> ExitCode {
    live_with(&Birth::default(), &tenant("exec sleep 1000"))
}

/// The same by way of a spawner: the tenant becomes a child of this process.
fn emperor() -> ExitCode {
    let descriptors = vec![(0, 0), (5, 5), (2, 2)];
    let (_spawner, failure) = settle(spawn(&plan("spawner", descriptors), &Birth::default()).unwrap());
    assert_eq!(failure, None);
    wait_for_end_of_input();
    ExitCode::SUCCESS
}

fn spawner() -> ExitCode {
    live_with(&Birth { sibling: true, ..Birth::default() }, &jailed("exec sleep 1000"))
}

fn live_with(birth: &Birth<'_>, spec: &Spec) -> ExitCode {
    let (born, failure) = settle(spawn(&ordered(spec), birth).unwrap());
    assert_eq!(failure, None);
    writeln!(file(5), "{}", born.pid).unwrap();
    wait_for_end_of_input();
    ExitCode::SUCCESS
}

fn wait_for_end_of_input() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// An ordinary user with groups of its own makes a jail with everything in it.
fn user() -> ExitCode {
    let identity = Identity { uid: TENANT, gid: TENANT, groups: vec![TENANT + 9] };
    perform(&Step::Identity(identity, jail::Capabilities::NONE)).unwrap();
    let user_map =
        Some(UserMap { uid: vec![Extent::one(0, TENANT)], gid: vec![Extent::one(0, TENANT)], groups: false });
    let script = "cat /proc/self/status /proc/self/uid_map /proc/self/setgroups; hostname; id -u";
    let inner = Spec {
        namespaces: namespaces("fs,net,ipc,pid,uts,user,cgroup"),
        proc: true,
        user_map,
        hostname: Some("mine".into()),
        identity: Some(Identity { uid: 0, gid: 0, groups: Vec::new() }),
        ..tenant(script)
    };
    let status = output(&inner);
    assert_eq!(field(&status, "Uid"), "0 0 0 0");
    assert_eq!(field(&status, "CapBnd"), "0000000000000000");
    assert_eq!(field(&status, "CapEff"), "0000000000000000");
    assert_eq!(field(&status, "NSpid").split(' ').count(), 1);
    let tail: Vec<&str> = status.lines().rev().take(4).collect();
    assert_eq!(tail[..3], ["0", "mine", "deny"]);
    assert_eq!(tail[3].split_whitespace().collect::<Vec<_>>(), ["0", &TENANT.to_string(), "1"]);
    // Nobody else's identity can be taken, and the failure names the step.
    let (born, failure) = settle(spawn(&ordered(&tenant("exec true")), &Birth::default()).unwrap());
    assert_eq!(failure.map(|failure| failure.errno), Some(libc::EPERM));
    assert_eq!(reap(&born), Some(126));
    ExitCode::SUCCESS
}
