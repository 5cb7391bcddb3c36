//! Networks of vassals under an Emperor. What a vassal master does by itself is tested where that is: `tests/vassal`. The
//! letters and numbers are rows of the list of known attacks.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

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
