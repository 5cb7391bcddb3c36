use super::*;

const ALICE: Owner = Owner { uid: 1000, gid: 1000 };
const BOB: Owner = Owner { uid: 1001, gid: 1001 };

fn people() -> People {
    let list = |pairs: &[(&str, u32)]| pairs.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
    People {
        users: list(&[("root", 0), ("alice", 1000), ("bob", 1001), ("zoe", 200_000)]),
        groups: list(&[("root", 0), ("alice", 1000), ("bob", 1001), ("staff", 300_000)]),
    }
}

fn table(both: &str) -> Table {
    Table::new(both, both, &people())
}

fn extent(inside: u32, outside: u32, count: u32) -> Extent {
    Extent { inside, outside, count }
}

fn refused(both: &str, owner: Owner) -> String {
    table(both).of(owner).expect_err(both)
}

#[test]
fn an_owner_is_named_or_numbered_and_gets_his_own_lines_alone() {
    let both = "alice:400000:65536\n1001:500000:10\nalice:600000:5\nldap:700000:5\n";
    let alice = vec![extent(1, 400_000, 65_536), extent(65_537, 600_000, 5)];
    assert_eq!(table(both).of(ALICE), Ok(Ranges { uid: alice.clone(), gid: alice }));
    assert_eq!(table(both).of(BOB).unwrap().uid, [extent(1, 500_000, 10)]);
    assert_eq!(table(both).of(Owner { uid: 1002, gid: 1002 }), Ok(Ranges::default()));
    let users_only = Table::new(both, "", &people()).of(BOB).unwrap();
    assert_eq!((users_only.uid.len(), users_only.gid.len()), (1, 0));
}

#[test]
fn ranges_that_overlap_are_nobodys() {
    for both in [
        "alice:400000:10\nbob:400009:10\n",
        "bob:400009:10\nalice:400000:10\n",
        "alice:400000:100\nbob:400010:5\n",
        "alice:400000:100\nldap:400001:2\nbob:400010:5\n",
        "alice:400000:10\nbob:400000:10\n",
    ] {
        for owner in [ALICE, BOB] {
            let why = refused(both, owner);
            assert!(why.contains("overlap") && why.contains("emperor-id-range = none"), "{why}");
        }
    }
    assert!(refused("alice:400000:10\nalice:400005:10\n", ALICE).contains("overlap"));
    assert!(table("alice:400000:10\nbob:400010:10\n").of(BOB).is_ok());
}

#[test]
fn a_bad_line_is_its_owners_trouble_alone() {
    let both = "alice:400000:lots\nbob:500000:10\nrubbish\n";
    assert!(refused(both, ALICE).contains("/etc/subuid:1 is no line of OWNER:FIRST:COUNT"));
    assert!(table(both).of(BOB).is_ok());
    assert!(refused("alice:400000:1\nalice:x\n", ALICE).contains(":2 is no line"), "not even his good lines");
}

#[test]
fn no_range_has_an_id_of_root_of_a_user_or_of_a_group() {
    for (range, who) in [
        ("0:1", "`root`"),
        ("1:4294967295", "is no line"),
        ("0:4294967294", "`root`"),
        ("1000:1", "`alice`"),
        ("900:200", "`alice`"),
        ("65534:1", "`nobody`"),
        ("199999:2", "`zoe`"),
        ("299999:2", "`staff`"),
        ("2147483647:2", "own jails"),
        ("3000000000:1", "own jails"),
    ] {
        let why = refused(&format!("alice:{range}\n"), ALICE);
        assert!(why.contains(who), "{range}: {why}");
        // What nobody is given takes nothing from anybody.
        assert!(table(&format!("alice:{range}\n")).of(BOB).is_ok(), "{range}");
    }
    assert!(refused("alice:4294967295:1\n", ALICE).contains("is no line"));
}

/// A tenant without a name has an id that no list of users knows.
#[test]
fn whose_own_id_is_in_a_range_of_somebody_is_not_run() {
    let table = table("alice:400000:65536\nbob:600000:2\n");
    for id in [400_000, 400_100, 465_535, 600_000, 600_001] {
        assert!(table.of(Owner { uid: id, gid: 7 }).unwrap_err().contains("is in the range of"), "{id}");
        assert!(table.of(Owner { uid: 7, gid: id }).unwrap_err().contains("gid"), "{id}");
    }
    for id in [399_999, 465_536, 599_999, 600_002] {
        assert!(table.of(Owner { uid: id, gid: id }).is_ok(), "{id}");
    }
}

#[test]
fn an_owner_of_very_many_ranges_gets_none() {
    let lines = |count: u32| (0..count).map(|one| format!("alice:{}:1\n", 400_000 + one)).collect::<String>();
    assert_eq!(table(&lines(32)).of(ALICE).unwrap().uid.len(), 32);
    assert!(refused(&lines(33), ALICE).contains("more than 32"));
    assert!(refused(&lines(66), ALICE).contains("more than 32"));
}

#[test]
fn ranges_are_of_use_only_in_both_files() {
    assert!(table("alice:400000:10\n").gives_any());
    assert!(!Table::new("alice:400000:10\n", "", &people()).gives_any());
    assert!(!table("alice:0:10\n").gives_any());
}
