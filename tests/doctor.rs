//! `liege doctor`, from outside.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::process::{Command, Output};

use common::{LIEGE, liege};
use serde_json::Value;

fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(if report["ok"] == true { 0 } else { 1 }), "{report:#}");
    report
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn what_is_not_there_has_its_cure_and_decides_the_exit_status() {
    let report = report(&liege(&["doctor", "--json"]));
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 12, "{report:#}");
    for check in checks {
        assert_eq!(check["cure"].is_null(), check["state"] == "ok", "{check}");
    }
    let missing = checks.iter().any(|check| check["state"] == "missing");
    assert_eq!(report["ok"], !missing);
    assert_eq!(check(&report, "user namespaces")["state"], "ok");
    let text = String::from_utf8(liege(&["doctor"]).stdout).unwrap();
    assert_eq!(text.lines().count(), checks.len(), "one line each:\n{text}");
}

/// In a user namespace of the test's own, whose limit is nobody else's.
#[test]
fn a_host_without_user_namespaces_is_told_which_knob_it_is() {
    let mut command = Command::new("unshare");
    let closed = format!("echo 0 > /proc/sys/user/max_user_namespaces && exec {LIEGE} doctor --json");
    command.args(["--user", "--map-root-user", "sh", "-c", &closed]);
    let report = report(&command.output().unwrap());
    let user = check(&report, "user namespaces");
    assert_eq!((user["state"].as_str(), report["ok"].as_bool()), (Some("missing"), Some(false)));
    assert!(user["found"].as_str().unwrap().contains("ENOSPC"), "{user}");
    assert_eq!(user["cure"], "sysctl -w user.max_user_namespaces=15000");
}

/// In a mount namespace of the test's own.
#[test]
fn a_host_without_dropbear_is_told_which_package_it_is() {
    let mut command = Command::new("unshare");
    let bare = format!("mount -t tmpfs none /usr/sbin && exec {LIEGE} doctor --json");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &bare]);
    let report = report(&command.output().unwrap());
    let dropbear = check(&report, "dropbear");
    assert_eq!(
        (dropbear["state"].as_str(), dropbear["cure"].as_str()),
        (Some("optional"), Some("apt install dropbear-bin"))
    );
    assert!(dropbear["found"].as_str().unwrap().contains("`ssh = PORT`"), "{dropbear}");
}

/// In a mount namespace of the test's own, too.
#[test]
fn a_devpts_without_a_group_is_told_with_what_mends_it() {
    for (options, is_told) in [("newinstance,mode=600", true), ("newinstance,gid=5,mode=620", false)] {
        let mount = format!("mount -t devpts -o {options} devpts /dev/pts && exec {LIEGE} doctor --json");
        let output = Command::new("unshare").args(["--mount", "sh", "-c", &mount]).output().unwrap();
        let report = report(&output);
        let checks = report["checks"].as_array().unwrap();
        let told = checks.iter().find(|one| one["name"] == "terminals");
        assert_eq!(told.is_some(), is_told, "{options}: {report}");
        assert!(told.is_none_or(|one| one["cure"] == "mount -o remount,gid=5,mode=620 /dev/pts"), "{report}");
    }
}
