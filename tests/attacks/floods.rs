//! More configs and more changes than anybody should make. Row I10.

use std::path::Path;
use std::time::Instant;

use crate::common::{ALICE, BOB, Emperor};
use crate::neighbour::{IDLE, JAILS, alices, tyranny};

/// Configs of one tenant.
const FLOOD: usize = 50_000;
/// How many of them may run.
const TENANT_MAX: &str = "20";
/// Files of one tenant that are no configs.
const FILES: usize = 100_000;
/// Changes of one config.
const CHANGES: usize = 20_000;

/// Row I10: beyond her share nothing runs; he who comes in the midst of it does.
#[test]
fn fifty_thousand_configs_of_hers_get_her_no_more_than_her_share() {
    let (emperor, neighbour) = tyranny(JAILS[0], &["--emperor-tenant-max", TENANT_MAX]);
    let alice = emperor.tree.path("alice");
    for number in 0..FLOOD {
        if number == FLOOD / 2 {
            emperor.tree.vassal_of(BOB, "amid.ini", IDLE);
        }
        plant(&alice, number);
    }
    emperor.vassal("amid.ini");
    emperor.wait_for_line(|line| {
        line.contains("refused: uid 61001 has 20 vassals already (emperor-tenant-max)")
    });
    neighbour.assert_served();
    emperor.tree.vassal_of(BOB, "after.ini", IDLE);
    emperor.vassal("after.ini");
    let hers = |line: &str| line.contains("started with pid") && line.contains(" for 61001:");
    assert_eq!(emperor.lines.count(hers), 20);
    neighbour.assert_served();
}

/// Hers from the first moment on.
fn plant(alice: &Path, number: usize) {
    let fresh = alice.join("fresh");
    std::fs::write(&fresh, format!("[uwsgi]\n{IDLE}")).unwrap();
    std::os::unix::fs::chown(&fresh, Some(ALICE), Some(ALICE)).unwrap();
    std::fs::rename(fresh, alice.join(format!("flood{number}.ini"))).unwrap();
}

/// Row I10: the last change always counts, the many before it cost three restarts and then one a second.
#[test]
fn a_config_that_is_rewritten_without_end_is_reloaded_at_a_bounded_pace() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &[]);
        alices(&emperor.tree, "x.ini", IDLE);
        emperor.vassal("x.ini");
        let begun = Instant::now();
        for change in 0..CHANGES {
            alices(&emperor.tree, "x.ini", &format!("env = CHANGE={change}\n{IDLE}"));
        }
        emperor.tree.vassal_of(BOB, "amid.ini", IDLE);
        emperor.vassal("amid.ini");
        wait_for_change(&emperor, CHANGES - 1);
        let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
        let reloads = emperor.told("x.ini", "reload the uwsgi instance");
        assert!(reloads <= 5 + seconds, "{reloads} reloads in {seconds} s");
        neighbour.assert_served();
    }
}

/// Row F6: files that are no configs cost nobody anything, however many lie in a directory that is watched.
#[test]
fn a_hundred_thousand_other_files_in_her_directory_delay_nobody() {
    let (emperor, neighbour) = tyranny(JAILS[0], &[]);
    let alice = emperor.tree.path("alice");
    for number in 0..FILES {
        if number == FILES / 2 {
            emperor.tree.vassal_of(BOB, "amid.ini", IDLE);
        }
        std::fs::File::create(alice.join(format!("{number}.txt"))).unwrap();
    }
    emperor.vassal("amid.ini");
    alices(&emperor.tree, "x.ini", IDLE);
    emperor.vassal("x.ini");
    emperor.tree.vassal_of(BOB, "after.ini", IDLE);
    emperor.vassal("after.ini");
    neighbour.assert_served();
    emperor.stop();
}

fn wait_for_change(emperor: &Emperor, change: usize) {
    let wanted = format!("CHANGE={change}");
    emperor.wait_stats("x.ini", |row| {
        let pid = i32::try_from(row["pid"].as_i64().unwrap()).unwrap();
        row["ready"] == 1 && runs_with(pid, &wanted)
    });
}

fn runs_with(pid: i32, wanted: &str) -> bool {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let environment = |child: &str| std::fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
    children
        .split_whitespace()
        .any(|child| environment(child).split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()))
}
