//! Into namespaces of others: row N2, by what a tenant can name, as root of his user namespace too.

use std::process::Command;

use crate::common::{ALICE, Tree};
use crate::neighbour::{alices, rule};

/// Tries the namespaces of these processes that are not its own, and their roots.
const JOIN: &str = r#"
for pid in "$@"; do
    for kind in cgroup ipc mnt net pid uts user; do
        test "$(readlink /proc/$pid/ns/$kind)" = "$(readlink /proc/self/ns/$kind)" && continue
        case $kind in mnt) option=--mount;; *) option=--$kind;; esac
        nsenter $option=/proc/$pid/ns/$kind true 2>/dev/null && echo joined $kind of $pid
    done
    test "$(readlink /proc/$pid/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" && continue
    ls /proc/$pid/root/ >/dev/null 2>&1 && echo saw the root of $pid
done
echo done"#;

/// Row N2: neither of the host's first process, nor of the Emperor, nor of the neighbour; and their roots are closed.
#[test]
fn a_tenant_joins_no_namespace_of_anybody() {
    for jail in ["user", "fs,net,ipc,pid,uts,user", "fs,net,ipc,pid,uts"] {
        let tree = Tree::new();
        tree.dir_of(ALICE, "alice");
        let (emperor, neighbour) = rule(tree, jail, &[]);
        let script = emperor.tree.script("join", JOIN);
        let victims = [1, emperor.process.pid, neighbour.process.pid].map(|pid| pid.to_string());
        let body =
            format!("exec-as-user = {} {}\ncommand = sleep infinity\n", script.display(), victims.join(" "));
        alices(&emperor.tree, "x.ini", &body);
        emperor.wait_for_line(|line| line == "done");
        assert!(!emperor.lines.has(|line| line.starts_with("joined") || line.starts_with("saw")), "{jail}");
        let by_root = Command::new(script).arg(&victims[2]).output().unwrap();
        assert!(String::from_utf8_lossy(&by_root.stdout).contains("joined"), "outside it works");
        neighbour.assert_served();
        emperor.stop();
    }
}
