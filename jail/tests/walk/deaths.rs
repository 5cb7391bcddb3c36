//! Nothing survives whom it belongs to.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use jail::plan::{Spec, plan};
use jail::run::{Birth, Cgroup, Removed, spawn};
use rustix::event::PollFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::roles;
use crate::stage::{Paper, ended, namespaces, ready, reap, run, settle, spec, tenant};

pub fn a_tenant_dies_with_its_parent() {
    dies_when_killed("parent");
}

pub fn a_sibling_dies_with_the_emperor() {
    dies_when_killed("emperor");
}

/// Starts a role that tells the pid of its vassal, kills the role with -9, and waits for the vassal's end.
fn dies_when_killed(role: &str) {
    let (life, hold) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let plan = roles::plan(role, vec![(life.as_raw_fd(), 0), (tell.as_raw_fd(), 5), (2, 2)]);
    let (born, failure) = settle(spawn(&plan, &Birth::default()).unwrap());
    assert_eq!(failure, None);
    drop(tell);
    let vassal = vassal(told);
    pidfd_send_signal(&born.pidfd, Signal::KILL).unwrap();
    assert_eq!(reap(&born), None);
    ended(&vassal);
    drop(hold);
}

fn vassal(told: OwnedFd) -> OwnedFd {
    let mut line = String::new();
    BufReader::new(File::from(told)).read_line(&mut line).unwrap();
    let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// Two processes in a leaf, of which one is an orphan in a session of its own.
fn hiding(cgroup: &Cgroup, number: u64) -> (jail::Born, OwnedFd) {
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let mut spec = Spec {
        namespaces: namespaces("fs"),
        ..spec("(setsid sh -c 'echo $$ >&5; exec 5>&-; exec sleep 1000' &); exec sleep 1000")
    };
    spec.descriptors.push((tell.as_raw_fd(), 5));
    let leaf = cgroup.leaf(number).unwrap();
    let birth = Birth { cgroup: Some(leaf.as_fd()), ..Birth::default() };
    let (born, failure) = settle(spawn(&plan(&spec), &birth).unwrap());
    assert_eq!(failure, None);
    drop(tell);
    let orphan = vassal(told);
    (born, orphan)
}

fn cgroup() -> Option<Cgroup> {
    Cgroup::found().map_err(|reason| println!("SKIPPED: {reason}")).ok()
}

pub fn a_cgroup_is_killed_whole() {
    let Some(mut cgroup) = cgroup() else { return };
    let (born, orphan) = hiding(&cgroup, 1);
    assert_eq!(cgroup.remove(1), Ok(Removed::Busy));
    cgroup.kill(1).unwrap();
    assert_eq!(reap(&born), None);
    ended(&orphan);
    emptied(&cgroup, "1");
    assert_eq!(cgroup.remove(1), Ok(Removed::Gone));
    assert_eq!((cgroup.kill(1), cgroup.remove(1)), (Ok(()), Ok(Removed::Gone)));
    assert_eq!(cgroup.remove_all(), Ok(Removed::Gone));
    assert!(!cgroup.path().exists());
}

pub fn the_kill_switch_works_in_unprivileged_hands() {
    let Some(mut cgroup) = cgroup() else { return };
    let (born, orphan) = hiding(&cgroup, 2);
    let switch = cgroup.kill_switch().unwrap();
    let descriptors = vec![(switch.as_raw_fd(), 5)];
    let (other, failure) =
        settle(spawn(&plan(&Spec { descriptors, ..tenant("echo 1 >&5") }), &Birth::default()).unwrap());
    assert_eq!((reap(&other), failure), (Some(0), None));
    assert_eq!(reap(&born), None);
    ended(&orphan);
    emptied(&cgroup, "2");
    assert_eq!(cgroup.remove_all(), Ok(Removed::Gone));
}

/// Waits until the kernel counts no process in a leaf any more.
fn emptied(cgroup: &Cgroup, leaf: &str) {
    let events = cgroup.path().join(leaf).join("cgroup.events");
    loop {
        let file = File::open(&events).unwrap();
        if std::io::read_to_string(&file).unwrap().contains("populated 0") {
            return;
        }
        ready(&file, PollFlags::PRI);
    }
}

pub fn what_a_dead_owner_left_is_swept_and_what_a_living_one_has_is_not() {
    let Some(mut ours) = cgroup() else { return };
    let paper = Paper::new();
    let founder = roles::plan("founder", vec![(paper.raw(), 5), (2, 2)]);
    assert_eq!(run(&founder, &Birth::default()), (Some(0), None));
    let left = paper.read();
    assert!(ours.path().exists(), "the founder swept, but we live");
    assert!(std::path::Path::new(&left).join("shared").exists());
    assert_eq!(ours.remove_all(), Ok(Removed::Gone));
    drop(ours);
    let mut next = cgroup().expect("there was one before");
    assert!(!std::path::Path::new(&left).exists());
    assert_eq!(next.remove_all(), Ok(Removed::Gone));
}
