use super::*;
use crate::config::emperor::id_range::IdRanges;
use crate::subids::table::People;

const ALICE: Owner = Owner { uid: 1000, gid: 1000 };
const BOB: Owner = Owner { uid: 1001, gid: 1001 };

/// What this owner has by these rules, where the files say this.
fn ruled(lines: &[&str], both: &str, owner: Owner) -> Result<Ranges, String> {
    let list = |pairs: &[(&str, u32)]| pairs.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
    let people = People {
        users: list(&[("root", 0), ("alice", 1000), ("bob", 1001), ("zoe", 200_000)]),
        groups: list(&[("root", 0), ("alice", 1000), ("staff", 300_000)]),
    };
    let mut ranges = IdRanges::default();
    lines.iter().for_each(|line| ranges.read(line).unwrap());
    Table::new(both, both, &people).ruled(ranges.rules(), owner)
}

fn extent(outside: u32, count: u32) -> Vec<Extent> {
    vec![Extent { inside: 1, outside, count }]
}

#[test]
fn only_the_rules_count_and_each_tenant_has_its_part() {
    let rules = ["1000-1001 700000 65536"];
    let both = "alice:400000:10\n1002:500000:10\n";
    let of = |outside| Ok(Ranges { uid: extent(outside, 65_536), gid: extent(outside, 65_536) });
    assert_eq!(ruled(&rules, both, ALICE), of(700_000));
    assert_eq!(ruled(&rules, both, BOB), of(765_536));
    assert_eq!(ruled(&rules, both, Owner { uid: 1002, gid: 1002 }), Ok(Ranges::default()));
    assert_eq!(ruled(&rules, both, Owner { uid: 0, gid: 0 }), Ok(Ranges::default()));
}

#[test]
fn nothing_of_a_real_user_or_group_is_given_and_only_its_own_tenant_is_refused() {
    for (first, who) in [(199_991, "200000 is `zoe`"), (300_000, "300000 is `staff`")] {
        let rules = [format!("1000-1001 {first} 10")];
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let told = ruled(&rules, "", ALICE).unwrap_err();
        assert!(told.contains(who) && told.contains(rules[0]) && told.contains("emperor-id-range"), "{told}");
        assert!(ruled(&rules, "", BOB).is_ok(), "{first}");
    }
}

#[test]
fn what_the_host_gives_to_somebody_else_is_not_given_again() {
    let rules = ["1000-1001 700000 10"];
    for both in ["bob:700009:1\n", "ldap:690000:10001\n", "1001:700000:10\n"] {
        let told = ruled(&rules, both, ALICE).unwrap_err();
        assert!(told.contains("/etc/subuid:1 gives some of them to"), "{told}");
    }
    assert!(ruled(&rules, "alice:700000:10\nbob:700020:5\n", ALICE).is_ok(), "his own already");
}

#[test]
fn whose_own_id_is_given_to_a_tenant_is_not_run() {
    let mut ranges = IdRanges::default();
    ranges.read("1000-1001 700000 10").unwrap();
    let apart = |uid, gid| keep_apart(ranges.rules(), Owner { uid, gid });
    for (uid, gid) in [(700_000, 7), (700_019, 7), (7, 700_000), (7, 700_019)] {
        let told = apart(uid, gid).unwrap_err();
        assert!(told.contains("is given by `1000-1001 700000 10`"), "{told}");
    }
    assert_eq!(apart(700_020, 699_999), Ok(()));
}
