use super::vassal::refused;
use crate::config::hook::{Action, Hook, Verb};

fn action(text: &str) -> Action {
    Hook::parse(Verb::Hook, text).expect("a hook").action
}

fn wrong(verb: Verb, text: &str) -> String {
    let wrong = Hook::parse(verb, text).expect_err("wrong");
    format!("{text} -> {}; {}", wrong.cause, wrong.cure.unwrap_or_default())
}

#[test]
fn every_handler_is_read() {
    let table = [
        "cd:/a",
        "chdir:a",
        "mkdir:/a b",
        "putenv:A=b=c",
        "chmod:/a 4750",
        "chmod:/a 750",
        "chown:/a alice www-data",
        "chown2:/a 0 10",
        "sticky:/a",
        "exec:a b; c",
        "safeexec:false",
        "create:/a",
        "creat:/a",
        "write:/a b  c ",
        "writen:/a b",
        "append:/a b",
        "appendn:/a",
        "writefifo:/a b",
        "spinningfifo:/a b",
        "unlink:/a",
        "hostname:box",
        "ifup:lo",
        "ifdown:eth0",
        "wait_for_fs:/a",
        "wait_for_file:/a",
        "wait_for_dir:/a",
        "wait_for_socket:127.0.0.1:80",
        "wait_for_socket:/a",
        "print:%s%n",
        "log:a:b",
        "exit:",
        "exit:5",
        "exit:255",
    ];
    let read: Vec<String> = table.iter().map(|text| format!("{text} -> {:?}", action(text))).collect();
    insta::assert_snapshot!(read.join("\n"), @r"");
}

#[test]
fn every_kind_of_mount_is_read() {
    let table = [
        "proc none /proc",
        "tmpfs none /tmp nosuid,nodev,noexec size=64m,mode=1777",
        "none /a /b bind",
        " /a /b bind",
        "none /a /b bind,ro,nosuid",
        "none /a /b rbind",
        "none /a /b bind,rec",
        "none none /b remount,bind,ro",
        "none none /b remount,ro size=1m",
        "none /a /b move",
        "none none / rec,private",
        "none none / rslave",
        "none none / unbindable",
        "none none / shared",
        "ext4 /dev/sda1 /x ro,rw,relatime,strictatime",
        "ext4 /dev/sda1 /x defaults",
    ];
    let mount = |text: &&str| format!("{text} -> {:?}", Hook::parse(Verb::Mount, text).expect("a mount").action);
    insta::assert_snapshot!(table.iter().map(mount).collect::<Vec<_>>().join("\n"), @r"");
    let table = ["/a", "/a force", "/a detach,rec", "/a lazy"];
    let unmount = |text: &&str| format!("{text} -> {:?}", Hook::parse(Verb::Umount, text).expect("fine").action);
    insta::assert_snapshot!(table.iter().map(unmount).collect::<Vec<_>>().join("\n"), @r"");
}

#[test]
fn what_is_wrong_with_a_hook_is_told_when_it_is_read() {
    let table = [
        "mkdir",
        "mkdri:/a",
        "mkdir:",
        "chmod:/a",
        "chmod:/a 9",
        "chmod:/a 75",
        "chmod:/a 0750 x",
        "chown:/a alice",
        "chown:/a -1 0",
        "chown2:/a alice 0",
        "chown2:/a 4294967295 0",
        "exit:256",
        "exit:-1",
        "exit:x",
        "hostname:a b",
        "ifup:a/b",
        "ifup:abcdefghijklmnop",
        "putenv:A",
        "exec:",
        "wait_for_socket:localhost:80",
        "mount:proc /proc",
        "call:f",
        "callint:f 1",
        "rpc:f",
        "alarm:a b",
        "unix_signal:1 f",
        "perl:x",
        "!exec",
    ];
    let hooks: Vec<String> = table.iter().map(|text| wrong(Verb::Hook, text)).collect();
    insta::assert_snapshot!(hooks.join("\n"), @r"");
    let mounts = ["", "proc none", "proc none /a nsuid", "proc none /a detach", "none /a /b bind,private", "x x /b rec"];
    let mounts: Vec<String> = mounts.iter().map(|text| wrong(Verb::Mount, text)).collect();
    insta::assert_snapshot!(mounts.join("\n"), @r"");
    let unmounts: Vec<String> = ["", "/a ro", "/a rec x"].iter().map(|text| wrong(Verb::Umount, text)).collect();
    insta::assert_snapshot!(unmounts.join("\n"), @r"");
}

#[test]
fn a_wrong_hook_has_its_place_and_a_hidden_one_is_not_shown() {
    let text = "command = a\nhook-as-root = mkdri:/a\nhook-pre-app = !exce:echo secret\ncall-as-root = f\n\
                hook-post-fork = print:a\nmount-as-root = proc none\n";
    let told = refused(text);
    assert!(!told.contains("secret"), "{told}");
    insta::assert_snapshot!(told, @r"");
}

#[test]
fn what_is_hidden_is_not_part_of_its_name() {
    let hook = Hook::parse(Verb::Hook, "!putenv:KEY=secret").expect("a hook");
    assert_eq!(hook.named(jail::Phase::AsRoot), "hook-as-root (hidden)");
    assert_eq!(hook.action, Action::PutEnv("KEY".into(), "secret".into()));
}
