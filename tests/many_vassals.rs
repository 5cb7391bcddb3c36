//! As many vassals as a large host has: they start, cost nothing while nothing happens, and stop.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Emperor, Process, Tree, eventually};
use rustix::process::{Resource, getrlimit};

/// As many as the benches have.
const VASSALS: usize = 10_000;
/// Descriptors that an Emperor has for other matters than a vassal, at most.
const FURTHER_MAX: usize = 100;
/// Nothing happens for this long: longer than what is done "soon" and every usual pause between two looks.
const SILENCE: Duration = Duration::from_secs(4);
/// Small and static: ends with the first byte that it is told, or with the Emperor.
const WAITS: &str = r#"exec /bin/busybox head -c 1 <&"$UWSGI_EMPEROR_FD" >/dev/null"#;

/// As many as may be held here, where a vassal takes one descriptor of the Emperor's.
fn number() -> usize {
    let most = getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    VASSALS.min(most.saturating_sub(FURTHER_MAX))
}

/// Each whole thousand has its own patience.
fn wait_started(emperor: &Emperor, number: usize) {
    for so_far in (1_000..number).step_by(1_000).chain([number]) {
        eventually(&format!("{so_far} that run"), || {
            let started = emperor.lines.count(|line| line.contains("started with pid"));
            (started >= so_far).then_some(())
        });
    }
}

/// How often these processes have gone to sleep, or were made to: the same number twice means no system call that waits, no
/// signal and no time slice in between.
fn turns(processes: &[&Process]) -> Vec<String> {
    let both = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
    processes.iter().flat_map(|process| both.map(|field| process.status(field))).collect()
}

#[test]
fn ten_thousand_vassals_take_one_descriptor_each_and_no_time_while_nothing_happens() {
    let (tree, number) = (Tree::new(), number());
    let program = tree.path("waits");
    std::fs::write(&program, format!("#!/bin/busybox sh\n{WAITS}\n")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    (0..number).for_each(|one| plant(&tree.vassals(), one));
    let program = program.display().to_string();
    let emperor = Emperor::start(tree, &["--binary-path", &program]);
    wait_started(&emperor, number);
    let spawner = emperor.process.child_named("liege: spawner");
    let both = [&emperor.process, &spawner];
    for process in both {
        let open = process.descriptors().len();
        assert!(open <= number + FURTHER_MAX, "{open} descriptors");
    }
    eventually("a time in which the Emperor does nothing at all", || {
        let before = turns(&both);
        std::thread::park_timeout(SILENCE);
        (turns(&both) == before).then_some(())
    });
    assert_eq!(emperor.lines.count(|line| line.contains("died (")), 0);
    emperor.stop();
}

fn plant(vassals: &Path, number: usize) {
    std::fs::write(vassals.join(format!("v{number}.ini")), "[uwsgi]\n").unwrap();
}
