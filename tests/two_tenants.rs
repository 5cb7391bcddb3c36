//! Two tenants side by side, each process against the exact table of what it may be.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, BOB, Emperor, Process, Tree};

const ALL: &str = "fs,net,ipc,pid,uts,cgroup";
const APART: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
const IDENTITY: [&str; 9] =
    ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"];
const NO_CAPABILITY: &str = "0000000000000000";

/// Both tenants with a `sleep` each.
fn two_tenants(options: &[&str]) -> (Emperor, Process, Process) {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", "command = sleep infinity\nenv = WHO=alice\n");
    tree.vassal_of(BOB, "bob.ini", "command = sleep infinity\nenv = WHO=bob\n");
    let emperor = Emperor::start(tree, options);
    let (alice, bob) = (emperor.vassal("alice.ini"), emperor.vassal("bob.ini"));
    (emperor, alice, bob)
}

/// Both tenants with a program that is no vassal master: what it has is what it was given.
fn two_plain_programs(options: &[&str]) -> (Emperor, Process, Process) {
    let tree = Tree::new();
    let program = tree.script("program", "echo \"$2 runs as $$ \"\nexec sleep infinity");
    tree.vassal_of(ALICE, "alice.ini", "");
    tree.vassal_of(BOB, "bob.ini", "");
    let program = program.display().to_string();
    let options = [options, &["--emperor-curse-tolerance", "1", "--binary-path", &program]].concat();
    let emperor = Emperor::start(tree, &options);
    let of = |name: &str| sleeper(&emperor, name);
    let (alice, bob) = (of("alice.ini"), of("bob.ini"));
    (emperor, alice, bob)
}

/// The process of a vassal that says nothing to its Emperor, once its script has become `sleep`.
fn sleeper(emperor: &Emperor, name: &str) -> Process {
    let pid = emperor.wait_stats(name, |one| one["pid"].as_i64().is_some_and(|pid| pid > 0))["pid"]
        .as_i64()
        .unwrap();
    let process = Process::of(i32::try_from(pid).unwrap());
    common::eventually("a sleep", || (process.command_line().first()? == "sleep").then_some(()));
    process
}

fn identity(process: &Process) -> Vec<String> {
    IDENTITY.iter().map(|field| format!("{field}: {}", process.status(field))).collect()
}

/// What a tenant is, with this in its five capability sets (I, P, E, B, A).
fn tenant(id: u32, sets: [&str; 5]) -> Vec<String> {
    let [inheritable, permitted, effective, bounding, ambient] = sets;
    vec![
        format!("Uid: {id} {id} {id} {id}"),
        format!("Gid: {id} {id} {id} {id}"),
        "Groups: ".to_owned(),
        format!("CapInh: {inheritable}"),
        format!("CapPrm: {permitted}"),
        format!("CapEff: {effective}"),
        format!("CapBnd: {bounding}"),
        format!("CapAmb: {ambient}"),
        "NoNewPrivs: 1".to_owned(),
    ]
}

fn every_capability() -> String {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    format!("{:016x}", (1_u64 << (last.trim().parse::<u32>().unwrap() + 1)) - 1)
}

/// Each of them in namespaces of its own; in those that were not asked for, with everybody.
fn assert_apart(alice: &Process, bob: &Process, apart: &[&str]) {
    let ours = Process::of_this_test();
    for name in common::NAMESPACES {
        let [a, b, o] = [alice, bob, &ours].map(|process| process.namespace(name));
        if apart.contains(&name) {
            assert!(a != b && a != o && b != o, "{name} is shared: {a} {b} {o}");
        } else {
            assert!(a == o && b == o, "{name} is not shared: {a} {b} {o}");
        }
    }
}

/// What each number names, without the numbers of pipes and sockets.
fn descriptors(process: &Process) -> Vec<String> {
    let kind = |name: &str| name.split(":[").next().unwrap_or_default().to_owned();
    process.descriptors().iter().map(|(number, name)| format!("{number} {}", kind(name))).collect()
}

#[test]
fn each_tenant_has_clocks_of_his_own_where_that_is_asked_for() {
    for (jail, apart) in [("time", &["time"][..]), ("time,user,fs,pid", &["mnt", "pid", "time", "user"])] {
        let (emperor, alice, bob) = two_tenants(&["--emperor-tyrant", "--emperor-use-clone", jail]);
        assert_apart(&alice, &bob, apart);
        assert_eq!(alice.child().namespace("time"), alice.namespace("time"));
        emperor.stop();
    }
}

#[test]
fn two_tenants_share_nothing_and_may_do_nothing() {
    let (emperor, alice, bob) = two_tenants(&["--emperor-tyrant", "--emperor-use-clone", ALL]);
    assert_apart(&alice, &bob, &APART);
    for (master, id) in [(&alice, ALICE), (&bob, BOB)] {
        let command = master.child();
        assert_eq!(identity(master), tenant(id, [NO_CAPABILITY; 5]));
        assert_eq!(identity(&command), tenant(id, [NO_CAPABILITY; 5]));
        assert_eq!(master.status("NSpid"), format!("{} 1", master.pid));
    }
    emperor.stop();
}

#[test]
fn two_tenants_without_namespaces_may_do_nothing_either() {
    let (emperor, alice, bob) = two_tenants(&["--emperor-tyrant", "--jail", "none"]);
    assert_apart(&alice, &bob, &[]);
    for (master, id) in [(&alice, ALICE), (&bob, BOB)] {
        assert_eq!(identity(master), tenant(id, [NO_CAPABILITY; 5]));
        assert_eq!(identity(&master.child()), tenant(id, [NO_CAPABILITY; 5]));
    }
    emperor.stop();
}

/// Row P3: what root of a jail runs is root's again; nobody else inherits anything.
#[test]
fn with_user_namespaces_each_is_root_of_its_own_jail_and_nobody_outside() {
    let (emperor, alice, bob) =
        two_tenants(&["--emperor-tyrant", "--emperor-use-clone", &format!("{ALL},user")]);
    assert_apart(&alice, &bob, &[&APART[..], &["user"]].concat());
    let all = every_capability();
    for (master, id) in [(&alice, ALICE), (&bob, BOB)] {
        let command = master.child();
        assert_eq!(
            master.read("uid_map").split_whitespace().collect::<Vec<_>>(),
            ["0", &id.to_string(), "1"]
        );
        assert_eq!(
            master.read("gid_map").split_whitespace().collect::<Vec<_>>(),
            ["0", &id.to_string(), "1"]
        );
        for process in [master, &command] {
            let expected = tenant(id, [NO_CAPABILITY, &all, &all, &all, NO_CAPABILITY]);
            assert_eq!(identity(process), expected);
        }
    }
    emperor.stop();
}

#[test]
fn a_command_has_its_standard_descriptors_and_no_other() {
    let (emperor, alice, bob) = two_tenants(&["--emperor-tyrant", "--emperor-use-clone", ALL]);
    for master in [&alice, &bob] {
        assert_eq!(descriptors(&master.child()), ["0 /dev/null", "1 pipe", "2 pipe"]);
        let others = descriptors(master).split_off(3);
        let expected = |one: &String| one.starts_with("3 socket") || one.contains("anon_inode");
        assert!(others.iter().all(expected), "a vassal master holds {others:?}");
    }
    emperor.stop();
}

#[test]
fn a_program_of_the_administrator_has_its_standard_descriptors_and_the_emperors() {
    for options in [
        &["--emperor-tyrant", "--jail", "none"][..],
        &["--emperor-tyrant"],
        &["--emperor-tyrant", "--emperor-use-clone", ALL],
    ] {
        let (emperor, alice, bob) = two_plain_programs(options);
        for process in [&alice, &bob] {
            assert_eq!(descriptors(process), ["0 /dev/null", "1 pipe", "2 pipe", "3 socket"]);
            let mut environment = process.environment();
            // The shell that became `sleep` has added that.
            environment.retain(|one| !one.starts_with("PWD="));
            assert_eq!(environment, [ENVIRONMENT_PATH, "UWSGI_EMPEROR_FD=3"]);
        }
        assert_ne!(alice.descriptors()[&3], bob.descriptors()[&3]);
        emperor.stop();
    }
}

const ENVIRONMENT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn a_command_has_a_clean_environment_and_nothing_of_the_emperors() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", "command = sleep infinity\nenv = WHO=alice\nenv = LANG=C.UTF-8\n");
    tree.vassal_of(BOB, "bob.ini", "command = sleep infinity\n");
    let secrets = [
        ("DATABASE_PASSWORD", "secret"),
        ("LD_LIBRARY_PATH", "/evil"),
        ("NOTIFY_SOCKET", "@x"),
        ("LANG", "C"),
    ];
    let start = common::Start::in_tree(tree).options(&["--emperor-tyrant", "--emperor-use-clone", ALL]);
    let emperor = secrets.iter().fold(start, |start, (name, value)| start.variable(name, value)).start();
    let environment = |name: &str| emperor.vassal(name).child().environment();
    assert_eq!(environment("alice.ini"), ["LANG=C.UTF-8", ENVIRONMENT_PATH, "WHO=alice"]);
    assert_eq!(environment("bob.ini"), ["LANG=C", ENVIRONMENT_PATH]);
    emperor.stop();
}

#[test]
fn the_command_of_a_known_user_has_its_home_and_name() {
    let tree = Tree::new();
    tree.vassal("a.ini", "uid = nobody\ngid = nogroup\ncommand = sleep infinity\n");
    let emperor = Emperor::start(tree, &[]);
    let command = emperor.vassal("a.ini").child();
    let expected =
        ["HOME=/nonexistent", "LOGNAME=nobody", ENVIRONMENT_PATH, "SHELL=/usr/sbin/nologin", "USER=nobody"];
    assert_eq!(command.environment(), expected);
    assert_eq!(command.status("Uid"), "65534 65534 65534 65534");
    assert_eq!(command.status("Groups"), "65534");
    emperor.stop();
}

#[test]
fn no_tenant_sees_a_process_of_another() {
    let tree = Tree::new();
    for (id, name) in [(ALICE, "alice"), (BOB, "bob")] {
        let directory = tree.dir_of(id, name);
        let list =
            format!("set -- /proc/[0-9]*; echo $# > {}/seen; exec sleep infinity", directory.display());
        tree.vassal_of(id, &format!("{name}.ini"), &format!("command = sh -c '{list}'\n"));
    }
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-use-clone", ALL]);
    for name in ["alice", "bob"] {
        // The vassal master and the shell.
        assert_eq!(emperor.tree.text(&format!("{name}/seen")), "2\n");
    }
    emperor.stop();
}
