//! A spawner lives as long as its host.

use jail::plan::{Program, Spec, plan};
use jail::run::Birth;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::stage::{c, field, run, spec, tenant};

pub fn two_thousand_spawns_leave_nothing_behind() {
    let program =
        || Program::Path { file: c("true"), search: vec![c("/no"), c("/bin")], argv: vec![c("true")] };
    let missing = Program::Path { file: c("/no/such"), search: Vec::new(), argv: vec![c("x")] };
    let plans = [
        plan(&Spec { program: program(), keep: "kill".parse().unwrap(), ..spec("") }),
        plan(&Spec { program: program(), ..tenant("") }),
        plan(&Spec { program: missing.clone(), ..spec("") }),
        plan(&Spec { program: missing, ..tenant("") }),
    ];
    let spawn_all =
        |times: usize| plans.iter().cycle().take(times).for_each(|plan| drop(run(plan, &Birth::default())));
    spawn_all(200);
    let before = (descriptors(), memory());
    spawn_all(2_000);
    assert_eq!(descriptors(), before.0);
    // Pages of the heap, in KiB: one leaked word for each spawn would show.
    assert!(memory() <= before.1 + 12, "{} KiB grew to {}", before.1, memory());
    let children = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    assert_eq!(children.err(), Some(Errno::CHILD), "nobody is left to be reaped");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Private writable memory, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    field(&status, "RssAnon").split(' ').next().unwrap().parse().unwrap()
}
