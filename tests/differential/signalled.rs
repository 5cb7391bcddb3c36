//! Signals to an Emperor.

use rustix::process::Signal;

use crate::common::{Emperor, Tree};
use crate::pair::{Pair, documented, told, wait_told};

const NAMES: [&str; 3] = ["a.ini", "b.ini", "c.ini"];

fn three(tree: &Tree) {
    for name in NAMES {
        tree.vassal(name, "say 1 17\n");
    }
}

fn all_tell(emperor: &Emperor, what: &str) {
    NAMES.iter().for_each(|name| wait_told(emperor, name, what, 1));
}

/// Both in turn, while they live: reload all, how are they, forget who crashed, look again, stop.
#[test]
fn each_signal_means_the_same_to_both() {
    let Pair { mut theirs, mut ours } = Pair::of_actors(three, &["--emperor-freq", "2"], &[]);
    for emperor in [&theirs, &ours] {
        for name in NAMES {
            emperor.wait_stats(name, |one| one["loyal"] == 1);
        }
        emperor.signal(Signal::HUP);
        all_tell(emperor, "heard 1");
        let mark = emperor.lines.mark();
        emperor.signal(Signal::USR1);
        for name in NAMES {
            emperor.lines.wait_since(mark, |line| line.contains(name) && !line.starts_with("SEEN"));
        }
        emperor.signal(Signal::URG);
        emperor.tree.vassal("late.ini", "");
        emperor.signal(Signal::WINCH);
        wait_told(emperor, "late.ini", "started", 1);
    }
    for emperor in [&mut theirs, &mut ours] {
        emperor.signal(Signal::TERM);
        assert!(emperor.wait().success());
        emperor.wait_for_line(|line| line.contains("*** RAGNAROK EVOKED ***"));
        emperor.wait_for_line(|line| line.contains("The Emperor is buried."));
    }
    for name in NAMES {
        assert_eq!(told(&ours, name), told(&theirs, name));
        assert_eq!(told(&ours, name)[1..], ["heard 1", "heard 0"]);
    }
}

#[test]
fn who_does_not_stop_is_killed_at_the_end_of_the_mercy() {
    documented("| a second SIGTERM |");
    let deaf = |tree: &Tree| {
        tree.vassal("deaf.ini", "deaf\n");
    };
    let Pair { mut theirs, mut ours } = Pair::of_actors(deaf, &["--reload-mercy", "1"], &[]);
    for emperor in [&theirs, &ours] {
        wait_told(emperor, "deaf.ini", "deaf", 1);
        emperor.signal(Signal::TERM);
    }
    // Ours needs no second.
    theirs.signal(Signal::TERM);
    for emperor in [&mut theirs, &mut ours] {
        assert!(emperor.wait().success());
        emperor.wait_deserted();
    }
}
