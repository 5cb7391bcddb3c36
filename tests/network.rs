//! Networks of vassals under an Emperor. What a vassal master does by itself is tested where that is: `tests/vassal`. The
//! letters and numbers are rows of the list of known attacks.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::process::Command;

use common::{ALICE, Emperor, Process, Start, Tree};

const LOOK: &str = "command = sh -c '{ ip -o address; ip route; cat /proc/net/dev; echo end; } 2>&1 | sed \"s/^/>/\"; exec sleep 1000'\n";

fn looked(emperor: &Emperor) -> Vec<String> {
    emperor.wait_for_line(|line| line == ">end");
    emperor.lines.all().into_iter().filter_map(|line| line.strip_prefix('>').map(str::to_owned)).collect()
}

fn tenants(config: &str, clone: &str) -> Emperor {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", &format!("{config}{LOOK}"));
    Start::in_tree(tree).option("--emperor-tyrant").options(&["--emperor-use-clone", clone]).start()
}

#[test]
fn a_tenant_gives_his_own_network_addresses_and_routes() {
    let lines = "net = lo\nnet-address = 10.9.8.1/32@lo\nnet-address = fd09:8::1/128@lo\nnet-route = 10.9.9.0/24 dev lo\n";
    for clone in ["fs,pid,user", "fs,pid,net,user"] {
        let emperor = tenants(lines, clone);
        let seen = looked(&emperor).join("\n");
        for wanted in ["inet 10.9.8.1/32", "inet6 fd09:8::1/128", "10.9.9.0/24 dev lo", "inet 127.0.0.1/8"] {
            assert!(seen.contains(wanted), "{wanted} in {seen}");
        }
        // Nothing but `lo`.
        let of_another =
            |line: &&str| line.contains(": ") && !line.contains("lo:") && !line.contains(": lo ");
        assert_eq!(seen.lines().find(of_another), None, "{seen}");
        emperor.stop();
    }
}

/// A network of the test's own with a bridge, where the Emperor is: nothing changes for anybody else.
const OUTER: &str = "ip link set lo up; ip link add br0 type bridge; ip link add low type veth peer name far; ip address add 10.9.4.1/24 dev br0; ip link set br0 up; ip link set low up; exec \"$@\"";

fn outside(tree: Tree, clone: &str, options: &[&str]) -> Emperor {
    let start = Start::in_tree(tree).options(&["--emperor-use-clone", clone]).options(options);
    start.through(&["unshare", "--net", "sh", "-c", OUTER, "sh"]).start()
}

/// What `ip` says in the network of the Emperor.
fn ip(emperor: &Emperor, arguments: &str) -> String {
    let network = format!("--net=/proc/{}/ns/net", emperor.process.pid);
    let output = Command::new("nsenter").arg(network).args(["sh", "-c", arguments]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until that network has no interface of this name.
fn gone(emperor: &Emperor, name: &str) -> String {
    ip(
        emperor,
        &format!(
            "timeout 20 sh -c 'while ip link show {name} >/dev/null 2>&1; do sleep 0.05; done' && echo gone"
        ),
    )
}

const ROOTS: &str = "net = veth:eth0@web0 bridge=br0
net = macvlan:lan@low mode=private
net-address = 10.9.4.2/24@eth0
exec-as-root = ping -c 1 -W 10 10.9.4.1 | sed 's/^/>/'
command = sh -c '{ ip -o link; ls -l /proc/self/fd; env; echo end; } | sed \"s/^/>/\"; exec sleep 1000'
";

#[test]
fn roots_vassal_that_is_born_outside_of_the_hosts_network_gets_interfaces_from_it() {
    for clone in ["net", "fs,pid,net,ipc,uts"] {
        let tree = Tree::new();
        tree.vassal("web.ini", ROOTS);
        let emperor = outside(tree, clone, &[]);
        let seen = looked(&emperor).join("\n");
        for wanted in ["1 received", ": eth0@", ": lan@"] {
            assert!(seen.contains(wanted), "{clone}: {wanted} in {seen}");
        }
        // Of the host's only what was asked for; and no program has the way by which that came.
        for odd in ["br0", "low:", "far", "socket:", "LIEGE_"] {
            assert!(!seen.contains(odd), "{clone}: {odd} in {seen}");
        }
        assert!(ways_out(&emperor, "web.ini").is_empty(), "the master has closed it");
        assert!(ip(&emperor, "ip -o link show master br0").contains("web0"), "{clone}");
        // It goes with the vassal, and comes back with the next one under the same name.
        let mark = emperor.lines.mark();
        tree_vassal(&emperor, &format!("{ROOTS}# changed\n"));
        emperor.vassal_since(mark, "web.ini");
        emperor.lines.wait_since(mark, |line| line == ">end");
        assert!(ip(&emperor, "ip -o link show master br0").contains("web0"), "{clone}");
        std::fs::remove_file(emperor.tree.path("vassals/web.ini")).unwrap();
        assert_eq!(gone(&emperor, "web0"), "gone\n");
        emperor.stop();
    }
}

fn tree_vassal(emperor: &Emperor, text: &str) {
    emperor.tree.vassal("web.ini", text);
}

/// Netlink sockets of the Emperor's network that this vassal's first process has.
fn ways_out(emperor: &Emperor, vassal: &str) -> Vec<String> {
    let all = ip(emperor, "cat /proc/net/netlink");
    let of_the_host = |link: &String| {
        let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| all.lines().any(|line| line.split_whitespace().last() == Some(inode)))
    };
    emperor.vassal(vassal).descriptors().into_values().filter(of_the_host).collect()
}

/// N3: a name that is taken stays whose it is, and what does not work leaves nothing behind.
#[test]
fn an_interface_that_cannot_come_leaves_the_hosts_as_they_were_n3() {
    for (net, wanted) in [
        ("veth:eth0@far", "the name is taken"),
        ("veth:eth0@web0 bridge=none0", "interface none0"),
        ("macvlan:eth0@none0", "interface none0"),
    ] {
        let tree = Tree::new();
        tree.vassal("web.ini", &format!("net = {net}\ncommand = sleep 1000\n"));
        let emperor = outside(tree, "pid,net", &[]);
        emperor.wait_for_line(|line| line.contains(wanted));
        std::fs::remove_file(emperor.tree.path("vassals/web.ini")).unwrap();
        assert_eq!(gone(&emperor, "web0"), "gone\n");
        assert_eq!(ip(&emperor, "ip -o link | cut -d' ' -f2"), "lo:\nbr0:\nfar@low:\nlow@far:\n");
        emperor.stop();
    }
}

/// N3: a tenant has no way to the host's network, whatever his config and his environment say.
#[test]
fn a_tenant_is_lent_no_way_to_the_hosts_network_n3() {
    for clone in ["fs,pid,net", "fs,pid,net,user"] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "alice.ini", LOOK);
        let liar = format!("ienv = LIEGE_NETWORK_FD=3\nnet = veth:eth0@web0 bridge=br0\n{LOOK}");
        tree.vassal_of(ALICE, "liar.ini", &liar);
        let emperor = outside(tree, clone, &["--emperor-tyrant"]);
        looked(&emperor);
        let born = emperor.vassal("alice.ini");
        assert!(!born.environment().iter().any(|one| one.starts_with("LIEGE_NETWORK_FD")), "{clone}");
        assert_eq!(ways_out(&emperor, "alice.ini"), Vec::<String>::new(), "{clone}");
        emperor
            .wait_for_line(|line| line.contains("an interface of the host is for root of the host to give"));
        assert!(!ip(&emperor, "ip -o link").contains("web0"), "{clone}");
        emperor.stop();
    }
}

/// N3: nor does he get anything of the host's, however he is born.
#[test]
fn a_tenant_gets_no_interface_of_the_host_n3() {
    let before = Process::of_this_test().read("net/dev");
    let names = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split_once(':').map(|(name, _)| name.trim().to_owned())).collect()
    };
    for clone in ["fs,pid,user", "fs,pid,net,user", "fs,pid,net", "fs,pid"] {
        for net in ["veth:eth0@liegetest0", "macvlan:eth0@lo", "move:lo"] {
            let emperor = tenants(&format!("net = {net}\n"), clone);
            emperor.wait_for_line(|line| {
                line.contains("an interface of the host is for root of the host to give")
            });
            emperor.stop();
        }
    }
    let after = Process::of_this_test().read("net/dev");
    assert!(!names(&after).contains(&"liegetest0".to_owned()), "{before}{after}");
}
