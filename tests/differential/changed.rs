//! What happens to a config, and what its vassal hears of it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::common::{Emperor, Tree};
use crate::pair::{Pair, documented, told, wait_told};

/// When all configs were written: long ago, so that every later time is one.
const WRITTEN_S: u64 = 1_600_000_000;

fn set_time(path: &Path, after_ms: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(WRITTEN_S * 1_000 + after_ms);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Comes back when everybody has looked at everything: two looks have each found a new config.
fn pass_by(emperor: &Emperor) {
    for name in ["tick.ini", "tock.ini"] {
        emperor.tree.vassal(name, "");
        wait_told(emperor, name, "started", 1);
    }
}

const NAMES: [&str; 7] =
    ["touched.ini", "older.ini", "instant.ini", "replaced.ini", "renamed.ini", "removed.ini", "alone.ini"];

fn fill(tree: &Tree) {
    for name in NAMES {
        set_time(&tree.vassal(name, ""), 100);
    }
}

fn change(tree: &Tree) {
    let path = |name: &str| tree.vassals().join(name);
    set_time(&path("touched.ini"), 60_000);
    set_time(&path("instant.ini"), 101);
    let aside = tree.path("aside");
    std::fs::write(&aside, "[uwsgi]\n# replaced\n").unwrap();
    std::fs::rename(aside, path("replaced.ini")).unwrap();
    std::fs::rename(path("renamed.ini"), path("new.ini")).unwrap();
    std::fs::remove_file(path("removed.ini")).unwrap();
}

#[test]
fn a_change_that_both_see_is_the_same_to_a_vassal() {
    let pair = Pair::of_actors(fill, &[], &[]);
    pair.each(|emperor| NAMES.iter().for_each(|name| wait_told(emperor, name, "started", 1)));
    pair.each(|emperor| change(&emperor.tree));
    pair.each(|emperor| {
        for (name, what) in [("touched.ini", "heard 1"), ("replaced.ini", "heard 1"), ("new.ini", "started")]
        {
            wait_told(emperor, name, what, 1);
        }
        for name in ["renamed.ini", "removed.ini"] {
            wait_told(emperor, name, "heard 0", 1);
        }
        pass_by(emperor);
    });
    for name in ["touched.ini", "replaced.ini", "renamed.ini", "new.ini", "removed.ini", "alone.ini"] {
        pair.same(|emperor| told(emperor, name));
    }
    // An edit within one second, of which only the clock of the file system tells.
    documented("| two edits within a second |");
    wait_told(&pair.ours, "instant.ini", "heard 1", 1);
    assert_eq!(told(&pair.theirs, "instant.ini").len(), 1);
}

#[test]
fn an_older_file_is_a_change_to_us_alone() {
    documented("| an older file put back | not seen | reload |");
    let pair = Pair::of_actors(fill, &[], &[]);
    pair.each(|emperor| wait_told(emperor, "older.ini", "started", 1));
    pair.each(|emperor| {
        let aside = emperor.tree.path("aside");
        std::fs::write(&aside, "[uwsgi]\n# as it was\n").unwrap();
        set_time(&aside, 0);
        std::fs::rename(aside, emperor.tree.vassals().join("older.ini")).unwrap();
    });
    wait_told(&pair.ours, "older.ini", "heard 1", 1);
    pair.each(pass_by);
    assert_eq!(told(&pair.theirs, "older.ini").len(), 1);
    assert_eq!(told(&pair.ours, "older.ini").len(), 2);
}
