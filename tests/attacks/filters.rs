//! What a tenant asks of the kernel. Rows N1, N3, N5, D4, P10, T1 and M7; and programs that have to work all the same.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{ALICE, Emperor, Tree};
use crate::neighbour::{IDLE, JAILS, alices, rule, serve};

const PYTHON: &str = "/usr/bin/python3";
/// Asks for everything; see there.
const ASK: &str = include_str!("../programs/ask.py");
/// Without a network of their own, with and without a user namespace.
const ON_THE_HOSTS_NETWORK: [&str; 2] = ["fs,ipc,pid,uts", "fs,ipc,pid,uts,user"];

/// What is refused to every tenant, and what he is told.
const REFUSED: [(&str, &str); 19] = [
    ("unshare-user", "EPERM"),
    ("clone-user", "EPERM"),
    ("clone3-user", "ENOSYS"),
    ("i386", "SIGSYS"),
    ("x32", "ENOSYS"),
    ("io_uring", "ENOSYS"),
    ("vsock", "EAFNOSUPPORT"),
    ("vsock-high", "EAFNOSUPPORT"),
    ("nftables", "EPROTONOSUPPORT"),
    ("tiocsti", "EPERM"),
    ("tiocsti-high", "EPERM"),
    ("line-discipline", "EPERM"),
    ("keyring", "EPERM"),
    ("add_key", "EPERM"),
    ("userfaultfd", "EPERM"),
    ("personality", "EPERM"),
    ("handle", "EPERM"),
    ("mount", "EPERM"),
    ("bpf", "EPERM"),
];
const NEEDED: [&str; 5] = ["thread", "unshare-files", "netlink", "own-abstract", "ask-personality"];

fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    tree.place(&tree.path("ask.py"), 0, ASK);
    tree
}

fn asking(tree: &Tree, more: &str) -> String {
    format!("command = {PYTHON} {} wait {more}\n", tree.path("ask.py").display())
}

/// Way, and what came of it.
fn outcomes<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let words = lines.filter_map(|line| line.strip_prefix("ask ")?.split_once(' '));
    words.map(|(way, came)| (way.to_owned(), came.to_owned())).collect()
}

fn asked(emperor: &Emperor) -> BTreeMap<String, String> {
    emperor.wait_for_line(|line| line == "ask done");
    outcomes(emperor.lines.all().iter().map(String::as_str))
}

/// The same by the same user without us.
fn unhindered(tree: &Tree, more: &[&str]) -> BTreeMap<String, String> {
    let mut python = Command::new(PYTHON);
    python.arg(tree.path("ask.py")).args(more).uid(ALICE).gid(ALICE);
    let said = python.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    outcomes(String::from_utf8_lossy(&said.stdout).lines())
}

/// Rows N1, N5, D4, P10 and T1.
#[test]
fn a_tenant_is_refused_what_works_outside_and_given_what_programs_need() {
    let control = unhindered(&tree(), &[]);
    let done: Vec<&str> = REFUSED.iter().map(|(way, _)| *way).filter(|way| control[*way] == "done").collect();
    assert!(done.len() > 11, "the attack is none: {control:?}");
    for jail in ["", JAILS[0], JAILS[1], JAILS[2], ON_THE_HOSTS_NETWORK[1]] {
        let tree = tree();
        alices(&tree, "x.ini", &asking(&tree, ""));
        let (emperor, neighbour) = match jail {
            "" => serve(tree, |start| start.options(&["--emperor-tyrant", "--jail", "none"])),
            jail => rule(tree, jail, &[]),
        };
        let came = asked(&emperor);
        for (way, told) in REFUSED {
            assert_eq!(came[way], told, "{way} in `{jail}`");
        }
        for way in NEEDED {
            assert_eq!(came[way], "done", "{way} in `{jail}`");
        }
        assert_ne!(came["alg"], "done");
        assert_ne!(came["alg-high"], "done");
        let command = emperor.vassal("x.ini").child();
        assert_eq!((command.status("Seccomp"), command.status("NoNewPrivs")), ("2".into(), "1".into()));
        neighbour.assert_served();
    }
}

/// Row M7: the host's own knobs, by root of a user namespace too.
#[test]
fn a_tenant_writes_to_no_knob_of_the_host() {
    let pattern = || std::fs::read("/proc/sys/kernel/core_pattern").unwrap();
    assert!(OpenOptions::new().write(true).open("/proc/sys/kernel/core_pattern").is_ok(), "root may");
    let before = pattern();
    for jail in JAILS {
        let tree = tree();
        alices(&tree, "x.ini", &asking(&tree, ""));
        let (emperor, neighbour) = rule(tree, jail, &[]);
        let came = asked(&emperor);
        let writes: Vec<_> = came.iter().filter(|(way, _)| way.starts_with("write:")).collect();
        assert_eq!(writes.len(), 7);
        for (way, outcome) in writes {
            assert!(["EACCES", "EROFS", "ENOENT", "EPERM"].contains(&outcome.as_str()), "{way}: {outcome}");
        }
        neighbour.assert_served();
    }
    assert_eq!(pattern(), before);
}

/// Row N3: a socket whose name has no file has no mode either.
#[test]
fn on_the_hosts_network_a_tenant_reaches_no_abstract_socket_but_her_own() {
    if jail::run::landlock_version() < jail::plan::SCOPES_SINCE {
        eprintln!("skipped: this kernel has no scopes of Landlock");
        return;
    }
    let name = format!("liege-test-{}-abstract", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let way = format!("connect:@{name}");
    assert_eq!(unhindered(&tree(), &[&format!("@{name}")])[&way], "done", "the attack is none");
    for jail in ["", ON_THE_HOSTS_NETWORK[0], ON_THE_HOSTS_NETWORK[1]] {
        let tree = tree();
        alices(&tree, "x.ini", &asking(&tree, &format!("@{name}")));
        let (emperor, neighbour) = match jail {
            "" => serve(tree, |start| start.options(&["--emperor-tyrant", "--jail", "none"])),
            jail => rule(tree, jail, &[]),
        };
        let came = asked(&emperor);
        assert_eq!((came[&way].as_str(), came["own-abstract"].as_str()), ("EPERM", "done"), "`{jail}`");
        neighbour.assert_served();
    }
}

/// The filter of a tenant's birth leaves the phases of root what they need, and its fence too.
#[test]
fn phases_of_root_mount_and_the_command_after_them_does_not() {
    for jail in [JAILS[1], JAILS[2], ON_THE_HOSTS_NETWORK[1]] {
        let tree = tree();
        let phase = "exec-as-root = mount -t tmpfs none /mnt && hostname inside && unshare --ipc true && echo mounted\n";
        alices(&tree, "x.ini", &(phase.to_owned() + &asking(&tree, "")));
        let (emperor, neighbour) = rule(tree, jail, &[]);
        emperor.wait_for_line(|line| line == "mounted");
        assert_eq!(asked(&emperor)["mount"], "EPERM");
        neighbour.assert_served();
    }
}

/// A config of root's that gives up root is filtered too, and may choose.
#[test]
fn a_trusted_config_chooses_its_filter() {
    let tree = tree();
    let ids = format!("uid = {ALICE}\ngid = {ALICE}\n");
    tree.vassal("default.ini", &format!("{ids}{}", asking(&tree, "")));
    let emperor = Emperor::start(tree, &[]);
    let came = asked(&emperor);
    for (way, told) in REFUSED {
        assert_eq!(came[way], told, "{way}");
    }
    drop(emperor);
    let tree = self::tree();
    tree.vassal("off.ini", &format!("{ids}seccomp = off\n{}", asking(&tree, "")));
    let emperor = Emperor::start(tree, &[]);
    let came = asked(&emperor);
    assert_eq!((came["unshare-user"].as_str(), came["keyring"].as_str()), ("done", "done"));
    assert_eq!(came["io_uring"], "ENOSYS", "what is left is the guard against setuid files");
}

/// A profile as container engines write it: everything but one call, and that with an errno of its own.
const PROFILE: &str = r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [],
 "syscalls": [{"names": ["getpriority", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71, "args": []}]}"#;
const TRY: &str = "command = /usr/bin/python3 -c \"import os, errno, time\ntry:\n os.getpriority(0, 0); print('asked', 'done', flush=True)\nexcept OSError as e: print('asked', errno.errorcode[e.errno], flush=True)\ntime.sleep(100000)\"\n";

/// The same as a program, so that no config has to hold it.
fn trying(tree: &Tree) -> String {
    let lines = TRY.trim_start_matches("command = /usr/bin/python3 -c \"").trim_end().trim_end_matches('"');
    tree.place(&tree.path("try.py"), 0, &format!("{lines}\n"));
    format!("command = {PYTHON} {}\n", tree.path("try.py").display())
}

#[test]
fn a_profile_of_the_emperors_holds_for_every_tenant() {
    for jail in JAILS {
        let tree = tree();
        alices(&tree, "x.ini", &trying(&tree));
        let profile = tree.path("profile.json");
        tree.place(&profile, 0, PROFILE);
        let (emperor, neighbour) = rule(tree, jail, &["--emperor-seccomp", &profile.display().to_string()]);
        emperor.wait_for_line(|line| line == "asked EPROTO");
        neighbour.assert_served();
    }
}

#[test]
fn a_profile_of_a_tenants_comes_on_top_and_is_read_with_her_rights() {
    let tree = tree();
    let profile = tree.path("profile.json");
    tree.place(&profile, 0, PROFILE);
    let secret = tree.path("secret.json");
    tree.place(&secret, 0, PROFILE);
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let command = trying(&tree);
    alices(&tree, "x.ini", &format!("seccomp = {}\n{command}", profile.display()));
    alices(&tree, "y.ini", &format!("seccomp = {}\n{command}", secret.display()));
    alices(&tree, "off.ini", &format!("seccomp = off\n{command}"));
    let (emperor, neighbour) = rule(tree, JAILS[0], &[]);
    emperor.wait_for_line(|line| line == "asked EPROTO");
    emperor.wait_for_line(|line| {
        line.contains("cannot read the seccomp profile") && line.contains("ermission denied")
    });
    emperor.wait_for_line(|line| line.contains("takes nothing away"));
    assert_eq!(emperor.lines.count(|line| line.starts_with("asked ")), 1);
    neighbour.assert_served();
}

#[test]
fn a_profile_that_is_none_is_told_with_its_place() {
    let tree = tree();
    let profile = tree.path("profile.json");
    tree.place(&profile, 0, "{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n \"syscals\": []}");
    let path = profile.display().to_string();
    let mut emperor = crate::common::Start::in_tree(tree).options(&["--emperor-seccomp", &path]).start();
    assert_eq!(emperor.wait().code(), Some(1));
    emperor.wait_for_line(|line| {
        line.contains(&format!("{path}:2:10: no seccomp profile: unknown field `syscals`"))
    });
    emperor.expect_no_tidy_end();
}

#[test]
fn strict_refuses_what_the_default_lets_through_and_runs_programs() {
    let tree = tree();
    tree.place(
        &tree.path("strict.py"),
        0,
        "import ctypes, errno, threading, subprocess, socket, time\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         answer = libc.syscall(312, 1, 1, 0, 0, 0)\n\
         one = threading.Thread(target=lambda: None); one.start(); one.join()\n\
         assert subprocess.run(['/bin/true']).returncode == 0\n\
         socket.getaddrinfo('127.0.0.1', 80)\n\
         print('strict', errno.errorcode.get(ctypes.get_errno(), 'done') if answer < 0 else 'done', flush=True)\n\
         time.sleep(100000)\n",
    );
    let command = format!("command = {PYTHON} {}\n", tree.path("strict.py").display());
    alices(&tree, "x.ini", &format!("seccomp = strict\n{command}"));
    let (emperor, neighbour) = rule(tree, JAILS[0], &[]);
    emperor.wait_for_line(|line| line == "strict EPERM");
    neighbour.assert_served();
    drop(emperor);
    let tree = self::tree();
    alices(&tree, "x.ini", IDLE);
    let (emperor, neighbour) = rule(tree, JAILS[0], &["--emperor-seccomp", "strict"]);
    assert_eq!(emperor.vassal("x.ini").child().status("Seccomp"), "2");
    neighbour.assert_served();
}

#[test]
fn behind_a_fence_a_command_sees_only_what_is_listed() {
    if jail::run::landlock_version() < jail::plan::SCOPES_SINCE {
        eprintln!("skipped: this kernel has no Landlock, or an old one");
        return;
    }
    let tree = tree();
    let own = tree.path("alice").display().to_string();
    let script = tree.script(
        "fenced",
        &format!(
            "cat /etc/hostname >/dev/null 2>&1 && echo fenced read /etc\n\
             cat {own}/x.ini >/dev/null && echo fenced read own\n\
             (echo x > {own}/new) 2>/dev/null && echo fenced wrote own\n\
             (echo x > {own}/w/new) && echo fenced wrote w\n\
             kill -0 $PPID 2>/dev/null && echo fenced reached master\n\
             echo fenced end; exec sleep 100000"
        ),
    );
    tree.dir_of(ALICE, "alice/w");
    let system = ["/usr", "/bin", "/lib", "/lib64", "/dev/null"]
        .map(|path| format!("landlock-ro = {path}\n"))
        .concat();
    alices(
        &tree,
        "x.ini",
        &format!(
            "{system}landlock-rw = /dev/null\nlandlock-ro = {own}\nlandlock-ro = {}\nlandlock-rw = {own}/w\nlandlock-scope-signal = true\ncommand = {}\n",
            script.display(),
            script.display()
        ),
    );
    alices(&tree, "y.ini", &format!("landlock-ro = /no/such/place\n{IDLE}"));
    let (emperor, neighbour) = rule(tree, JAILS[0], &[]);
    emperor.wait_for_line(|line| line == "fenced end");
    let told: Vec<String> =
        emperor.lines.all().into_iter().filter(|line| line.starts_with("fenced ")).collect();
    assert_eq!(told, ["fenced read own", "fenced wrote w", "fenced end"]);
    emperor.wait_for_line(|line| line.contains("cannot make a fence of Landlock: ENOENT: /no/such/place"));
    neighbour.assert_served();
}

/// Setuid programs work for a trusted config that asks for it, and for nobody else.
#[test]
fn only_a_trusted_config_turns_no_new_privs_off() {
    let tree = tree();
    let ids = format!("uid = {ALICE}\ngid = {ALICE}\n");
    tree.vassal("gains.ini", &format!("{ids}no-new-privs = false\n{IDLE}"));
    alices(&tree, "hers.ini", &format!("no-new-privs = false\n{IDLE}"));
    let alice = tree.path("alice").display().to_string();
    let emperor = Emperor::start(tree, &["--emperor", &alice]);
    let command = emperor.vassal("gains.ini").child();
    assert_eq!((command.status("NoNewPrivs"), command.status("Seccomp")), ("0".into(), "0".into()));
    emperor.wait_for_line(|line| line.contains("only a trusted config can turn `no-new-privs` off"));
}
