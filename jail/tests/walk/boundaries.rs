//! Namespaces: other ones inside, nothing changed outside.

use std::os::fd::AsFd;

use jail::plan::{Spec, plan};
use jail::run::{Birth, Cgroup, spawn};
use rustix::fs::readlink;

use crate::stage::{Paper, jailed, namespaces, outcome, output, reap, settle, spec};

const LINKS: [(&str, &str); 6] =
    [("fs", "mnt"), ("net", "net"), ("ipc", "ipc"), ("pid", "pid"), ("uts", "uts"), ("cgroup", "cgroup")];

fn ours(link: &str) -> String {
    readlink(format!("/proc/self/ns/{link}"), Vec::new()).unwrap().into_string().unwrap()
}

pub fn each_namespace_is_another_one() {
    for (name, _) in LINKS {
        let spec = Spec {
            namespaces: namespaces(name),
            ..spec("for n in mnt net ipc pid uts cgroup; do readlink /proc/self/ns/$n; done")
        };
        let inside = output(&spec);
        let other = LINKS.iter().zip(inside.lines()).filter(|((_, link), inside)| ours(link) != **inside);
        let other: Vec<&str> = other.map(|((name, _), _)| *name).collect();
        assert_eq!(other, [name]);
    }
}

pub fn a_jail_has_its_own_proc_host_name_and_loopback() {
    let before = rustix::system::uname().nodename().to_owned();
    let script = "hostname; echo $$; ls -d /proc/[0-9]* | wc -l; grep -c ' /proc proc rw,nosuid,nodev,noexec' /proc/mounts; cat /sys/class/net/lo/flags /proc/net/dev | grep -c lo; cat /proc/net/if_inet6 /proc/net/fib_trie | grep -c 127.0.0.1";
    let inside = output(&Spec { hostname: Some("shop".into()), ..jailed(script) });
    let lines: Vec<&str> = inside.lines().collect();
    assert_eq!(lines[..2], ["shop", "1"], "{inside}");
    assert!(lines[2].parse::<u32>().unwrap() <= 3, "only the vassal is seen: {inside}");
    assert!(lines[3].parse::<u32>().unwrap() >= 1, "{inside}");
    assert_eq!(lines[4], "1", "{inside}");
    assert!(lines[5].parse::<u32>().unwrap() >= 1, "127.0.0.1 is a local address: {inside}");
    assert_eq!(rustix::system::uname().nodename(), before.as_c_str());
}

pub fn a_cgroup_namespace_begins_at_the_leaf() {
    let mut cgroup = match Cgroup::found() {
        Ok(cgroup) => cgroup,
        Err(reason) => return println!("SKIPPED in part: {reason}"),
    };
    let leaf = cgroup.leaf(7).unwrap();
    let paper = Paper::new();
    let mut spec = Spec { namespaces: namespaces("cgroup"), ..spec("grep ^0: /proc/self/cgroup") };
    spec.descriptors.push((paper.raw(), 1));
    let birth = Birth { cgroup: Some(leaf.as_fd()), ..Birth::default() };
    let (born, failure) = settle(spawn(&plan(&spec), &birth).unwrap());
    assert_eq!((reap(&born), failure), (Some(0), None));
    assert_eq!(paper.read(), "0::/\n");
    assert_eq!(cgroup.remove_all(), Ok(jail::run::Removed::Gone));
}

pub fn mounts_made_inside_are_not_seen_outside() {
    let outside = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = outside();
    let spec = Spec {
        namespaces: namespaces("fs"),
        ..spec("mount -t tmpfs none /mnt && grep -c ' /mnt ' /proc/mounts")
    };
    let inside = outcome(&spec);
    assert_eq!((inside.output.as_str(), inside.status), ("1\n", Some(0)));
    assert_eq!(outside(), before);
}
