//! Descriptors: what a vassal gets, and how they travel.

use std::fs::{File, Permissions, set_permissions};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;

use jail::plan::Spec;
use jail::run::{DESCRIPTORS_MAX, receive, send};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::roles;
use crate::stage::{Paper, output, run, spec, tenant};

pub fn exactly_the_listed_ones_are_open() {
    // Without close-on-exec on purpose: only `close_range` stands between these and the vassal.
    let stray: Vec<File> = (0..20).map(|_| File::open("/dev/zero").unwrap()).collect();
    stray.iter().for_each(|file| rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty()).unwrap());
    for base in [spec(""), tenant("")] {
        // `exec` leaves no descriptor of the shell's; `ls` itself opens 3, the first that is free.
        let program = crate::stage::shell("exec ls -1 /proc/self/fd");
        let descriptors = vec![(stray[0].as_raw_fd(), 9), (stray[1].as_raw_fd(), 7)];
        assert_eq!(output(&Spec { program, descriptors, ..base }), "0\n1\n2\n3\n7\n9\n");
    }
}

pub fn descriptors_may_change_places() {
    let (first, second) = (Paper::new(), Paper::new());
    let (one, two) = (first.raw(), second.raw());
    let script = format!("echo of-one >&{two}; echo of-two >&{one}; readlink /proc/self/fd/0");
    let program = crate::stage::shell(&script);
    let descriptors = vec![(one, two), (two, one)];
    assert_eq!(output(&Spec { program, descriptors, ..spec("") }), "/dev/null\n");
    assert_eq!((first.read().as_str(), second.read().as_str()), ("of-one\n", "of-two\n"));
}

pub fn a_directory_closed_to_the_tenant_is_entered_by_descriptor() {
    let closed = tempfile::tempdir().unwrap();
    let inner = closed.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let directory = File::open(&inner).unwrap();
    // `readlink` and not `pwd`: the tenant has no path to here.
    let spec = Spec { directory: Some(directory.as_raw_fd()), ..tenant("readlink /proc/self/cwd") };
    assert_eq!(output(&spec).trim(), inner.to_str().unwrap());
}

pub fn missing_standard_descriptors_are_opened() {
    // Directly, and after the program has become the copy of itself in memory.
    for role in ["standard", "again"] {
        let paper = Paper::new();
        let plan = roles::plan(role, vec![(paper.raw(), 5), (2, 2)]);
        assert_eq!(run(&plan, &jail::run::Birth::default()), (Some(0), None));
        assert_eq!(paper.read(), "/dev/null /dev/null /dev/null\n");
    }
}

pub fn parcels_carry_descriptors_and_refuse_what_is_too_long() {
    let (here, there) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let file = File::open("/proc/self/comm").unwrap();
    send(&here, b"one", &[file.as_fd()]).unwrap();
    let mut buffer = [0; 8];
    let parcel = receive(&there, &mut buffer).unwrap().unwrap();
    assert_eq!((&buffer[..parcel.length], parcel.descriptors.len()), (&b"one"[..], 1));
    let mut text = String::new();
    File::from(parcel.descriptors.into_iter().next().unwrap()).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("walk"), "{text}");

    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    send(&here, b"too long for it", &[file.as_fd(), file.as_fd()]).unwrap();
    assert_eq!(receive(&there, &mut buffer).unwrap_err(), Errno::MSGSIZE);
    assert_eq!(open(), before, "what came with a refused packet is closed");

    let many = vec![file.as_fd(); DESCRIPTORS_MAX + 1];
    assert_eq!(send(&here, b"x", &many), Err(Errno::TOOBIG));
    send(&here, b"x", &many[1..]).unwrap();
    assert_eq!(receive(&there, &mut buffer).unwrap().unwrap().descriptors.len(), DESCRIPTORS_MAX);
    drop(here);
    assert!(receive(&there, &mut buffer).unwrap().is_none());
}
