//! What a vassal says, and what its Emperor makes of it.

use serde_json::Value;

use crate::common::Emperor;
use crate::pair::{Pair, documented, told, wait_told};

/// What the stats have of one, but for times and numbers of processes.
fn row(one: &Value) -> Vec<Value> {
    let keys = ["ready", "accepting", "loyal", "respawns", "zerg", "on_demand"];
    let times = ["last_ready", "last_accepting", "last_loyal", "last_heartbeat"];
    keys.map(|key| one[key].clone()).into_iter().chain(times.map(|key| (one[key] != 0).into())).collect()
}

/// A heartbeat comes last, so that all before it has been heard.
#[test]
fn each_byte_of_a_vassal_is_seen_in_the_stats_alike() {
    let says = [("1", "say 1 26"), ("5", "say 5 26"), ("17", "say 17 26"), ("all", "say 1 5 17 26")];
    let nothing = [("2", "say 2 26"), ("99", "say 99 0 255 26")];
    let pair = Pair::of_actors(
        |tree| {
            for (name, script) in says.iter().chain(&nothing) {
                tree.vassal(&format!("{name}.ini"), script);
            }
        },
        &[],
        &[],
    );
    let seen = |emperor: &Emperor, name: &str| {
        row(&emperor.wait_stats(&format!("{name}.ini"), |one| one["last_heartbeat"] != 0))
    };
    let of = |name: &str| pair.same(|emperor| seen(emperor, name));
    let silent = of("2");
    assert_eq!(of("99"), silent, "what means nothing changes nothing");
    for name in ["1", "17", "all"] {
        assert_ne!(of(name), silent, "{name}");
    }
    documented("| who says byte 5 alone | accepts, and is not `ready` | is `ready` too |");
    let [theirs, ours] = pair.each(|emperor| seen(emperor, "5"));
    let of_ready = [0, 6];
    assert_eq!(of_ready.map(|at| theirs[at].clone()), [Value::from(0), Value::from(false)]);
    assert_eq!(of_ready.map(|at| ours[at].clone()), [Value::from(1), Value::from(true)]);
    let rest = |row: Vec<Value>| {
        let others = row.into_iter().enumerate().filter(|(at, _)| !of_ready.contains(at));
        others.map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(rest(theirs), rest(ours));
}

#[test]
fn a_cry_for_help_brings_one_zerg_with_the_same_arguments() {
    let pair = Pair::of_actors(
        |tree| {
            tree.vassal("x.ini", "say 30 30\n");
        },
        &["--emperor-broodlord", "1"],
        &[],
    );
    let zerg = pair.same(|emperor| {
        wait_told(emperor, "x.ini:zerg", "started", 1);
        row(&emperor.wait_stats("x.ini:zerg", |one| one["pid"] != -1))
    });
    assert_eq!(zerg[4], 1);
    pair.same(|emperor| told(emperor, "x.ini:zerg"));
}

#[test]
fn a_vassal_that_says_goodbye_is_told_to_stop() {
    documented("| a vassal that is not on demand says goodbye (byte 22) |");
    let pair = Pair::of_actors(
        |tree| {
            tree.vassal("x.ini", "say 22\n");
        },
        &[],
        &[],
    );
    // Theirs is started by the next look, and says it again.
    pair.each(|emperor| wait_told(emperor, "x.ini", "heard 0", 1));
    wait_told(&pair.theirs, "x.ini", "started", 2);
    pair.ours.wait_stats("x.ini", |one| one["pid"] == -1 && one["next_start"] == 0);
    assert_eq!(told(&pair.ours, "x.ini").len(), 2, "{:?}", told(&pair.ours, "x.ini"));
}
