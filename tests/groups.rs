//! Supplementary groups: exactly what policy says, where the Emperor itself has groups of its own.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, Emperor, Start, Tree};

const SLEEP: &str = "command = sleep infinity\n";
/// Runs what follows with a user data base of the test's own, and with groups that nobody is to inherit.
const AMONG: &str = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/group && shift 2 && \
     exec setpriv --groups 4,27,42 -- \"$@\"";

/// An Emperor among users of whom one is Alice, with two groups beside her own.
fn among_users(options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let passwd = format!("root:x:0:0::/root:/bin/sh\nalice:x:{ALICE}:{ALICE}::/home/alice:/bin/sh\n");
    let groups = format!(
        "root:x:0:\nalice:x:{ALICE}:\nwww:x:61080:alice\nother:x:61081:bob\nmail:x:61082:bob,alice\n"
    );
    let (users, members) = (tree.path("passwd"), tree.path("group"));
    tree.place(&users, 0, &passwd);
    tree.place(&members, 0, &groups);
    let (users, members) = (users.display().to_string(), members.display().to_string());
    let start = Start::in_tree(tree).options(options);
    start.through(&["unshare", "--mount", "sh", "-c", AMONG, "sh", &users, &members]).start()
}

#[test]
fn a_tenant_has_no_groups_beside_her_own() {
    let emperor = among_users(&["--emperor-tyrant"]);
    assert_eq!(emperor.vassal("a.ini").status("Groups"), "");
    emperor.stop();
}

#[test]
fn with_initgroups_a_tenant_has_the_groups_of_her_user_and_no_other() {
    let emperor = among_users(&["--emperor-tyrant", "--jail", "none", "--emperor-tyrant-initgroups"]);
    let vassal = emperor.vassal("a.ini");
    let mut groups: Vec<u32> =
        vassal.status("Groups").split_whitespace().map(|one| one.parse().unwrap()).collect();
    groups.sort_unstable();
    assert_eq!(groups, [ALICE, 61080, 61082]);
    assert_eq!(vassal.status("Gid"), format!("{ALICE} {ALICE} {ALICE} {ALICE}"));
    emperor.stop();
}
