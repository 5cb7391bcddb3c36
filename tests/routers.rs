//! Routers of an Emperor: what their processes are, what becomes of them, and what they are not led to. What goes through them is
//! tested elsewhere. The letters and numbers are rows of the list of known attacks.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use common::{ALICE, BOB, Emperor, NAMESPACES, Process, RIGHTS, Start, Tree, eventually};
use rustix::process::Signal;

/// A network of the test's own, where nobody else has a device.
const APART: [&str; 6] = ["unshare", "--net", "sh", "-c", "ip link set lo up; exec \"$@\"", "sh"];
/// Nobody is ever called so.
const NOBODY: &str = "2147483648 2147483648 2147483648 2147483648";

/// An Emperor of this tree with a router, its socket at `run/router.sock`.
fn start(tree: Tree, options: &[&str]) -> Start {
    let router = format!("emperor0 {}", tree.path("run/router.sock").display());
    let start = Start::in_tree(tree).option("--tuntap-router").option(router);
    start.options(options).through(&APART)
}

fn serving(tree: Tree, options: &[&str]) -> Emperor {
    let emperor = start(tree, options).start();
    serves(&emperor, 0);
    emperor
}

/// Waits until the router is said to be born and to serve, after a mark; either may be told first.
fn serves(emperor: &Emperor, mark: usize) {
    for told in ["is born", "serves"] {
        emperor.lines.wait_since(mark, |line| line.contains(" router=emperor0 ") && line.contains(told));
    }
}

fn router(emperor: &Emperor) -> Process {
    let is_router = |one: &Process| one.command_line() == ["liege tuntap-router", "emperor0"];
    eventually("the router", || emperor.process.children().into_iter().find(is_router))
}

/// What a command says in the network of the Emperor.
fn there(emperor: &Emperor, script: &str) -> String {
    let network = format!("--net=/proc/{}/ns/net", emperor.process.pid);
    let output = Command::new("nsenter").arg(network).args(["sh", "-c", script]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn devices(emperor: &Emperor) -> BTreeSet<String> {
    there(emperor, "ls /sys/class/net; ls /proc/sys/net/ipv4/conf")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// Row W8.
#[test]
fn a_router_is_nobody_and_has_nothing_but_what_it_was_given() {
    let tree = Tree::new();
    let (stats, leases) = (tree.path("run/router.stats"), tree.path("run/leases"));
    let (stats, leases) = (stats.to_str().unwrap(), leases.to_str().unwrap());
    let options = ["--tuntap-router-stats", stats, "--tuntap-router-gateway", "127.0.0.1:5000"];
    let emperor = serving(tree, &[&options[..], &["--tuntap-router-leases", leases]].concat());
    let router = router(&emperor);
    let rights: Vec<String> = RIGHTS.iter().map(|field| router.status(field)).collect();
    let none = "0000000000000000";
    assert_eq!(rights, [NOBODY, NOBODY, "", none, none, none, none, none, "1", "2", "1"]);
    let own = |name: &&str| router.namespace(name) != emperor.process.namespace(name);
    let own: Vec<&str> = NAMESPACES.into_iter().filter(own).collect();
    assert_eq!(own, ["cgroup", "ipc", "net", "uts"]);
    assert!(router.environment().is_empty(), "{:?}", router.environment());
    assert_eq!((router.link("cwd").as_str(), router.read("comm").as_str()), ("/", "tuntap-router\n"));
    let mut held: Vec<String> = router.descriptors().into_values().collect();
    held.retain(|one| {
        !one.starts_with("pipe:") && !one.starts_with("socket:") && !one.starts_with("anon_inode:")
    });
    held.sort();
    assert_eq!(held, ["/dev/net/tun", "/dev/null", "/memfd:state (deleted)", leases]);
    // Listener, stats, gateway, addresses, twice the channel, and the way to whoever closes what tenants have sent.
    let sockets = router.descriptors().into_values().filter(|one| one.starts_with("socket:"));
    assert_eq!(sockets.collect::<BTreeSet<_>>().len(), 6);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", router.pid)).unwrap();
    let mut tasks = tasks.map(|task| task.unwrap().path());
    let grave = tasks.find(|task| std::fs::read_to_string(task.join("comm")).unwrap() == "grave\n").unwrap();
    assert_eq!(
        std::fs::read_dir(grave.join("fd")).unwrap().count(),
        4,
        "the standard ones, and where it ends"
    );
    let limits = router.read("limits");
    let soft = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(soft("Max core file size"), "0");
    assert_eq!(soft("Max file size"), (512 << 20).to_string());
    emperor.stop();
}

#[test]
fn a_device_is_addressed_and_hears_no_router_of_version_6() {
    let options = ["--tuntap-router-address", "10.77.0.1/24", "--tuntap-router-address", "fd77::1/64"];
    let hook = ["--hook-emperor-start", "exec:ip -o addr show emperor0 | sed 's/^/>/'"];
    let emperor = serving(Tree::new(), &[&options[..], &["--tuntap-router-mtu", "9000"], &hook].concat());
    // The hook runs once the device is there.
    emperor.wait_for_line(|line| line.starts_with('>') && line.contains("inet 10.77.0.1/24"));
    let told = there(&emperor, "ip addr show emperor0; cat /proc/sys/net/ipv6/conf/emperor0/accept_ra");
    for wanted in ["mtu 9000", "inet 10.77.0.1/24", "inet6 fd77::1/64", ",UP,"] {
        assert!(told.contains(wanted), "{wanted} in {told}");
    }
    assert!(told.ends_with("\n0\n") && !told.contains("fe80:"), "{told}");
    emperor.stop();
}

#[test]
fn a_router_without_addresses_is_left_to_the_administrator() {
    let emperor =
        serving(Tree::new(), &["--hook-emperor-start", "exec:ip addr add 10.77.0.1/24 dev emperor0"]);
    let told = there(&emperor, "ip addr show emperor0");
    assert!(told.contains("state DOWN") && told.contains("inet 10.77.0.1/24"), "{told}");
    emperor.stop();
}

#[test]
fn a_router_that_is_killed_comes_back_and_nobody_else_notices() {
    let tree = Tree::new();
    tree.vassal("web.ini", "command = sleep 1000\n");
    let emperor = serving(tree, &["--tuntap-router-address", "10.77.0.1/24"]);
    let vassal = emperor.vassal("web.ini");
    for time in 1..=2 {
        let (mark, before) = (emperor.lines.mark(), router(&emperor));
        before.signal(Signal::KILL);
        before.wait_gone();
        serves(&emperor, mark);
        let stats = emperor.stats();
        let told = &stats["routers"][0];
        let socket = emperor.tree.path("run/router.sock");
        assert_eq!((&told["device"], &told["restarts"]), (&"emperor0".into(), &time.into()));
        assert_eq!(told["socket"], socket.to_str().unwrap());
        assert_eq!(told["pid"], router(&emperor).pid);
        // The device was never gone, so its address is there.
        assert!(there(&emperor, "ip addr show emperor0").contains("inet 10.77.0.1/24"));
    }
    assert!(vassal.is_alive());
    let status = common::liege(&["status", emperor.stats_socket().to_str().unwrap()]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("router emperor0 pid ") && status.contains("restarts 2"), "{status}");
    emperor.stop();
}

#[test]
fn a_router_that_is_asked_to_end_goes_on() {
    let emperor = serving(Tree::new(), &[]);
    let router = router(&emperor);
    // As whoever ends a service signals everybody in it.
    [Signal::TERM, Signal::INT, Signal::HUP].into_iter().for_each(|signal| router.signal(signal));
    assert!(emperor.stats()["routers"][0]["pid"] == router.pid && router.is_alive());
    emperor.stop();
    router.wait_gone();
}

#[test]
fn an_emperor_that_gave_up_root_has_its_router_born_again() {
    let tree = Tree::new();
    let config = ["--uid", "61005", "--gid", "61005"];
    let emperor = start(tree, &config).serving_as(61_005).start();
    serves(&emperor, 0);
    let mark = emperor.lines.mark();
    assert_eq!(emperor.process.status("Uid"), "61005 61005 61005 61005");
    router(&emperor).signal(Signal::KILL);
    serves(&emperor, mark);
    assert_eq!(router(&emperor).status("Uid"), NOBODY);
    emperor.stop();
}

#[test]
fn a_router_without_namespaces_is_nobody_all_the_same() {
    let tree = Tree::new();
    let router_option = format!("emperor0 {}", tree.path("run/router.sock").display());
    let start = Start::in_tree(tree).option("--tuntap-router").option(router_option);
    let emperor = start.through(&["setpriv", "--bounding-set=-sys_admin"]).through(&APART).start();
    serves(&emperor, 0);
    let router = router(&emperor);
    assert_eq!(router.namespace("net"), emperor.process.namespace("net"));
    let rights = ["Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"].map(|field| router.status(field));
    assert_eq!(rights, [NOBODY, "0000000000000000", "0000000000000000", "1", "2"]);
    emperor.stop();
}

#[test]
fn all_goes_with_an_emperor_that_is_killed() {
    let mut emperor = serving(Tree::new(), &["--tuntap-router-address", "10.77.0.1/24"]);
    let router = router(&emperor);
    // Holds the network, which would go with its last process.
    let mut holder = Command::new("nsenter")
        .args([&format!("--net=/proc/{}/ns/net", emperor.process.pid), "sleep", "1000"])
        .spawn()
        .unwrap();
    let network = format!("/proc/{}/ns/net", holder.id());
    eventually("the network of the holder", || {
        (std::fs::read_link(&network).ok()?.to_string_lossy() == emperor.process.namespace("net"))
            .then_some(())
    });
    emperor.kill();
    router.wait_gone();
    emperor.wait_deserted();
    eventually("the end of the device", || {
        let output =
            Command::new("nsenter").arg(format!("--net={network}")).args(["ip", "link"]).output().unwrap();
        (!String::from_utf8_lossy(&output.stdout).contains("emperor0")).then_some(())
    });
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn several_routers_are_apart_and_vassals_are_lent_each() {
    let tree = Tree::new();
    tree.vassal("web.ini", "command = sh -c 'echo \">$LIEGE_ROUTERS\"; exec sleep 1000'\n");
    let second = format!("emperor1 {}", tree.path("run/second.sock").display());
    let emperor =
        serving(tree, &["--tuntap-router", &second, "--tuntap-router-address", "@emperor1 10.78.0.1/24"]);
    let routers: BTreeSet<String> = eventually("two routers", || {
        let lines = emperor.process.children().into_iter().map(|one| one.command_line().join(" "));
        let found: BTreeSet<String> = lines.filter(|line| line.starts_with("liege tuntap-router")).collect();
        (found.len() == 2).then_some(found)
    });
    assert!(routers.contains("liege tuntap-router emperor1"), "{routers:?}");
    assert!(there(&emperor, "ip -o addr").contains("emperor1    inet 10.78.0.1/24"));
    assert!(!there(&emperor, "ip -o addr").contains("emperor0    inet"));
    // The master has taken them; its program knows nothing of them.
    assert_eq!(emperor.wait_for_line(|line| line.starts_with('>')), ">");
    let master = emperor.vassal("web.ini");
    let program = master.child_named("sleep");
    assert!(program.descriptors().keys().all(|number| *number < 3), "{:?}", program.descriptors());
    emperor.stop();
}

/// A tenant's jail says what it has of devices.
fn device_in_jail(emperor: &Emperor) -> String {
    emperor.wait_for_line(|line| line.starts_with('>'))
}

#[test]
fn a_jail_has_the_device_of_networks_where_there_is_a_router_and_nowhere_else() {
    let look = "command = sh -c 'ls -ln /dev/net/tun 2>&1 | sed s/^/\\>/; exec sleep 1000'\n";
    for jail in ["standard", "strict"] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "a.ini", look);
        let emperor = serving(tree, &["--emperor-tyrant", "--jail", jail]);
        let seen = device_in_jail(&emperor);
        assert!(seen.starts_with(">crw-rw-rw-") && seen.contains(" 10, 200 "), "{jail}: {seen}");
        emperor.stop();
    }
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", look);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    assert!(device_in_jail(&emperor).contains("No such file"));
    emperor.stop();
}

/// What an Emperor says that cannot start, and ends.
fn refused(tree: Tree, options: &[&str]) -> String {
    let mut emperor = start(tree, options).start();
    let status = emperor.wait();
    assert!(!status.success());
    let told = emperor.wait_for_line(|line| line.contains(" error "));
    emperor.expect_no_tidy_end();
    told
}

/// Row W9.
#[test]
fn a_socket_is_made_nowhere_where_somebody_else_could_put_one() {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alices");
    let second = format!("emperor1 {}", tree.path("alices/router.sock").display());
    let told = refused(tree, &["--tuntap-router", &second]);
    assert!(told.contains("belongs to uid 61001") && told.contains("use a path below /run"), "{told}");

    let tree = Tree::new();
    std::fs::set_permissions(tree.dir("open"), PermissionsExt::from_mode(0o1777)).unwrap();
    let second = format!("emperor1 {}", tree.path("open/router.sock").display());
    let told = refused(tree, &["--tuntap-router", &second]);
    assert!(told.contains("is writable by others (mode 1777)"), "{told}");
}

/// Row W9.
#[test]
fn what_stands_in_the_place_of_a_socket_is_neither_followed_nor_taken_away() {
    let tree = Tree::new();
    let target = tree.path("target");
    std::fs::write(&target, "mine").unwrap();
    symlink(&target, tree.path("run/router.sock")).unwrap();
    let told = refused(tree, &[]);
    assert!(told.contains("router.sock is there, and no socket"), "{told}");

    for name in ["run/router.sock", "run/router.stats"] {
        let tree = Tree::new();
        std::fs::write(tree.path(name), "mine").unwrap();
        let mut emperor = start(tree, &[]).options(&["--tuntap-router-stats", "run/router.stats"]).start();
        assert!(!emperor.wait().success());
        emperor.wait_for_line(|line| line.contains(name) && line.contains("is there, and no socket"));
        assert_eq!(std::fs::read_to_string(emperor.tree.path(name)).unwrap(), "mine");
        emperor.expect_no_tidy_end();
    }
}

/// Row W9.
#[test]
fn a_socket_at_which_somebody_listens_is_his_and_one_at_which_nobody_does_goes() {
    let tree = Tree::new();
    let listener = UnixListener::bind(tree.path("run/router.sock")).unwrap();
    let mut emperor = start(tree, &[]).start();
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("somebody listens at"));
    assert!(emperor.tree.path("run/router.sock").exists(), "it is his");
    emperor.expect_no_tidy_end();
    drop((listener, emperor));

    let tree = Tree::new();
    drop(UnixListener::bind(tree.path("run/router.sock")).unwrap());
    serving(tree, &[]).stop();
}

/// Row W9.
#[test]
fn leases_are_kept_in_no_file_that_others_could_write() {
    let with = |make: &dyn Fn(&Tree, &Path)| {
        let tree = Tree::new();
        let file = tree.path("run/leases");
        make(&tree, &file);
        refused(tree, &["--tuntap-router-leases", file.to_str().unwrap()])
    };
    let told = with(&|tree, file| symlink(tree.path("elsewhere"), file).unwrap());
    assert!(told.contains("cannot open") && told.contains("run/leases"), "{told}");
    let told = with(&|tree, file| {
        std::fs::write(tree.path("other"), "").unwrap();
        std::fs::hard_link(tree.path("other"), file).unwrap();
    });
    assert!(told.contains("is no plain file of one name"), "{told}");
    let told = with(&|_, file| {
        std::fs::write(file, "10.0.0.9 61002:b.ini\n").unwrap();
        chown(file, Some(BOB), Some(BOB)).unwrap();
    });
    assert!(told.contains("others may write to"), "{told}");
    let told = with(&|_, file| std::fs::create_dir(file).unwrap());
    assert!(told.contains("run/leases"), "{told}");
}

#[test]
fn a_device_that_somebody_has_is_an_error_with_its_cure() {
    let tree = Tree::new();
    let router = format!("emperor0 {}", tree.path("run/router.sock").display());
    let busy = "ip link add emperor0 type veth peer name other; exec \"$@\"";
    let start = Start::in_tree(tree).option("--tuntap-router").option(router);
    let mut emperor = start.through(&["unshare", "--net", "sh", "-c", busy, "sh"]).start();
    assert!(!emperor.wait().success());
    let told = emperor.wait_for_line(|line| line.contains(" error "));
    assert!(
        told.contains("cannot make the device emperor0") && told.contains("choose another name"),
        "{told}"
    );
    // Nothing of it stays.
    assert!(!emperor.tree.path("run/router.sock").exists());
    emperor.expect_no_tidy_end();
}

#[test]
fn a_device_without_the_right_to_make_it_is_an_error_with_its_cure() {
    let tree = Tree::new();
    let router = format!("emperor0 {}", tree.path("run/router.sock").display());
    let start = Start::owned_bare(tree, ALICE).option("--emperor").option("vassals");
    let mut emperor = start.option("--tuntap-router").option(router).by_user(ALICE).start();
    assert!(!emperor.wait().success());
    let told = emperor.wait_for_line(|line| line.contains(" error "));
    assert!(told.contains("start liege as root"), "{told}");
    emperor.expect_no_tidy_end();
}

#[test]
fn the_devices_of_the_host_are_its_own_again_at_the_end() {
    let emperor = serving(Tree::new(), &[]);
    assert!(devices(&emperor).contains("emperor0"));
    emperor.stop();
}

#[test]
fn what_the_config_of_uwsgis_manual_does_as_root_is_done_once_the_device_is_there() {
    let up = "ip addr add 10.77.0.1/24 dev emperor0; ip link set emperor0 up";
    let emperor = serving(Tree::new(), &["--exec-as-root", up]);
    assert!(there(&emperor, "ip addr show emperor0").contains("inet 10.77.0.1/24"));
    emperor.stop();
    let told = refused(Tree::new(), &["--exec-as-root", "exit 3"]);
    assert!(told.contains("exec-as-root"), "{told}");
}

/// Whether the router answers from the network of a vassal.
fn answers(vassal: &Process) -> bool {
    let network = format!("--net=/proc/{}/ns/net", vassal.pid);
    let ping = ["ping", "-c", "1", "-W", "10", "10.77.0.1"];
    Command::new("nsenter").arg(network).args(ping).output().unwrap().status.success()
}

#[test]
fn what_a_router_has_parked_is_handed_to_the_next_one() {
    let tree = Tree::new();
    for (owner, name) in [(ALICE, "a.ini"), (BOB, "b.ini")] {
        tree.vassal_of(owner, name, "net = auto via emperor0\ncommand = sleep 1000\n");
    }
    let policy = ["--emperor-tyrant", "--tuntap-router-policy", "allow"];
    let emperor = serving(tree, &[&policy[..], &["--tuntap-router-address", "10.77.0.1/24"]].concat());
    let vassals = ["a.ini", "b.ini"].map(|name| emperor.vassal(name));
    let parked = || emperor.stats()["routers"][0]["parked"].as_u64().unwrap();
    eventually("two peers", || (parked() == 2).then_some(()));
    assert!(vassals.iter().all(answers));
    for _ in 0..2 {
        let mark = emperor.lines.mark();
        router(&emperor).signal(Signal::KILL);
        serves(&emperor, mark);
        emperor.lines.wait_since(mark, |line| line.contains("2 peers were handed over"));
        assert!(vassals.iter().all(answers), "through a router that was not there when they came");
    }
    // Whoever goes is kept no longer.
    std::fs::remove_file(emperor.tree.path("vassals/b.ini")).unwrap();
    eventually("one peer", || (parked() == 1).then_some(()));
    assert!(answers(&vassals[0]));
    emperor.stop();
}
