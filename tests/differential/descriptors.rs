//! What a start costs where many descriptors are allowed: system calls are counted, as times say nothing.

use crate::common::{LIEGE, Start, Tree, eventually};
use crate::pair::{UWSGI, documented};

/// System calls that close descriptors, of the Emperor and all below it until a vassal runs, where so many are allowed.
fn closes(program: &str, allowed: u32) -> usize {
    let tree = Tree::new();
    let runs = tree.script("runs", "echo RUNS; exec head -c 1 <&$UWSGI_EMPEROR_FD");
    tree.vassal("x.ini", "");
    let trace = tree.path("trace");
    let limit = format!("--nofile={allowed}:{allowed}");
    let strace = ["strace", "-D", "-f", "-qq", "-e", "trace=close,close_range", "-e", "signal=none", "-o"];
    let start = Start::in_tree(tree).program(&[program]).option("--binary-path").option(runs);
    let start = start.through(&[&strace[..], &[trace.to_str().unwrap(), "prlimit", &limit]].concat());
    let mut emperor = start.start();
    emperor.expect_no_tidy_end();
    emperor.wait_for_line(|line| line == "RUNS");
    // What is traced is written before it goes on.
    let counted = eventually("a trace", || std::fs::read_to_string(&trace).ok());
    counted.lines().filter(|line| line.contains(" close")).count()
}

#[test]
fn a_start_closes_as_many_descriptors_as_are_open_not_as_may_be() {
    documented("| descriptors of a vassal | closed one by one | closed in one call");
    let few = 256;
    let many = u32::try_from(
        rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(1 << 20),
    )
    .unwrap()
    .min(20_000);
    let [theirs, ours] = [UWSGI, LIEGE].map(|program| [few, many].map(|allowed| closes(program, allowed)));
    // A few more or less, as children end while it is counted.
    let noise = few as usize / 2;
    assert!(theirs[1] + noise >= theirs[0] + (many - few) as usize, "{theirs:?}");
    assert!(ours[1].abs_diff(ours[0]) < noise, "{ours:?}");
}
