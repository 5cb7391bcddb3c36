//! The Emperor's side of the protocol, spoken to by small scripts in the place of vassals.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{Emperor, Process, Start, Tree};

/// An Emperor whose vassals are this shell script, which gets uWSGI's arguments.
fn emperor_of(script: &str, names: &[&str], options: &[&str]) -> Emperor {
    let tree = Tree::new();
    let program = tree.script("program", script).display().to_string();
    for name in names {
        tree.vassal(name, "");
    }
    // They do not hear the Emperor, so that each of them ends by the grace.
    let grace = ["--emperor-curse-tolerance", "1"];
    Emperor::start(tree, &[&grace[..], options, &["--binary-path", &program]].concat())
}

/// The process of a vassal, as the stats have it, once it is another than `old`.
fn process_of(emperor: &Emperor, name: &str, old: i32) -> Process {
    let other =
        |one: &serde_json::Value| one["pid"].as_i64().is_some_and(|pid| pid > 0 && pid != i64::from(old));
    let pid = emperor.wait_stats(name, other)["pid"].as_i64().unwrap();
    Process::of(i32::try_from(pid).unwrap())
}

#[test]
fn what_a_vassal_says_stands_in_the_stats() {
    let emperor = emperor_of(r"printf '\001\005\021\032' >&3; exec sleep infinity", &["a.ini"], &[]);
    emperor.wait_for("a.ini", "[emperor] vassal a.ini has been spawned");
    emperor.wait_for("a.ini", "[emperor] vassal a.ini is ready to accept requests");
    emperor.wait_for("a.ini", "[emperor] vassal a.ini is now loyal");
    let one = emperor.wait_stats("a.ini", |one| one["last_heartbeat"] != 0);
    for key in ["ready", "accepting", "loyal"] {
        assert_eq!(one[key], 1, "{one}");
        assert!(one[format!("last_{key}")].as_u64().unwrap() > 1_000_000_000, "{one}");
    }
    emperor.stop();
}

#[test]
fn a_vassal_gets_uwsgis_arguments_and_directory() {
    let script = "{ pwd; for one; do echo \"$one\"; done; echo end; } > \"$0.out\"; exec sleep infinity";
    let options = [
        "--vassal-set",
        "a=b",
        "--vassals-include-before",
        "/dev/null",
        "--vassals-inherit",
        "/etc/hostname",
    ];
    let emperor = emperor_of(script, &["a.ini"], &options);
    let text = common::eventually("the arguments", || {
        std::fs::read_to_string(emperor.tree.path("program.out")).ok().filter(|text| text.ends_with("end\n"))
    });
    let expected = format!(
        "{}\n--include\n/dev/null\n--set\na=b\n--ini\na.ini\n--inherit\n/etc/hostname\nend\n",
        emperor.tree.vassals().display()
    );
    assert_eq!(text, expected);
    emperor.stop();
}

#[test]
fn each_suffix_is_named_as_uwsgi_names_it() {
    let script = "echo \"says $1 $2\"; exec sleep infinity";
    let names = ["a.ini", "b.xml", "c.yml", "d.yaml", "e.json", "f.js", "g.conf"];
    let emperor = emperor_of(script, &names, &["--emperor-extra-extension", ".conf"]);
    for says in [
        "--ini a.ini",
        "--xml b.xml",
        "--yaml c.yml",
        "--yaml d.yaml",
        "--json e.json",
        "--json f.js",
        "--config g.conf",
    ] {
        emperor.wait_for_line(|line| line == format!("says {says}"));
    }
    emperor.stop();
}

#[test]
fn a_vassal_whose_heart_stops_is_killed_and_started_again() {
    let emperor = emperor_of(
        r"printf '\032' >&3; exec sleep infinity",
        &["a.ini"],
        &["--emperor-required-heartbeat", "1"],
    );
    let first = process_of(&emperor, "a.ini", -1);
    first.wait_gone();
    emperor.wait_for("a.ini", "died (signal 9)");
    process_of(&emperor, "a.ini", first.pid);
    emperor.stop();
}

#[test]
fn a_vassal_without_a_heart_is_left_alone() {
    let script = r"case $2 in a.ini) printf '\001' >&3;; *) printf '\032' >&3;; esac; exec sleep infinity";
    let emperor = emperor_of(script, &["a.ini", "b.ini"], &["--emperor-required-heartbeat", "1"]);
    let silent = process_of(&emperor, "a.ini", -1);
    emperor.wait_for("b.ini", "died (signal 9)");
    assert!(silent.is_alive());
    assert_eq!(emperor.told("a.ini", "died"), 0);
    emperor.stop();
}

#[test]
fn a_vassal_that_says_goodbye_rests_until_its_config_changes() {
    let emperor = emperor_of(r"printf '\026' >&3; head -c1 <&3 >/dev/null; exit 0", &["a.ini"], &[]);
    emperor.wait_for("a.ini", "ended (exit status 0)");
    emperor.wait_stats("a.ini", |one| one["pid"] == -1);
    let mark = emperor.lines.mark();
    emperor.tree.vassal("a.ini", "# changed\n");
    emperor.wait_since(mark, "a.ini", "it asked to be stopped");
    emperor.stop();
}

#[test]
fn an_exile_is_not_started_again_before_its_config_changes() {
    let emperor = emperor_of("exit 26", &["a.ini"], &["--emperor-throttle", "1"]);
    emperor.wait_for("a.ini", "exit status 26");
    emperor.wait_stats("a.ini", |one| one["pid"] == -1 && one["next_start"] == 0);
    let mark = emperor.lines.mark();
    emperor.tree.vassal("a.ini", "# changed\n");
    emperor.wait_since(mark, "a.ini", "exit status 26");
    assert_eq!(emperor.told("a.ini", "throttling"), 0);
    emperor.stop();
}

#[test]
fn stop_and_reload_are_the_bytes_0_and_1() {
    let script = "printf '\\001' >&3; while :; do byte=$(head -c1 <&3 | od -An -tu1); echo \"heard$byte\"; [ $byte = 0 ] && exit 0; done";
    let emperor = emperor_of(script, &["a.ini"], &[]);
    emperor.wait_for("a.ini", "has been spawned");
    let pid = process_of(&emperor, "a.ini", -1).pid;
    emperor.tree.vassal("a.ini", "# changed\n");
    emperor.wait_for_line(|line| line.trim_end() == "heard   1");
    emperor.wait_stats("a.ini", |one| one["respawns"] == 1 && one["pid"] == pid);
    std::fs::remove_file(emperor.tree.path("vassals/a.ini")).unwrap();
    emperor.wait_for_line(|line| line.trim_end() == "heard   0");
    emperor.wait_for("a.ini", "removed uwsgi instance");
    emperor.stop();
}

#[test]
fn who_closes_the_control_socket_and_lives_on_is_killed_after_the_grace() {
    let emperor = emperor_of("exec 3>&-; exec sleep infinity", &["a.ini"], &[]);
    let first = process_of(&emperor, "a.ini", -1);
    first.wait_gone();
    emperor.wait_for("a.ini", "died (signal 9)");
    process_of(&emperor, "a.ini", first.pid);
    emperor.stop();
}

#[test]
fn a_flood_of_bytes_is_told_once_and_disturbs_nobody() {
    let script = "case $2 in flood.ini) exec tr '\\000' '\\021' < /dev/zero >&3;; *) printf '\\001' >&3; exec sleep infinity;; esac";
    let emperor = emperor_of(script, &["flood.ini"], &[]);
    emperor.wait_for("flood.ini", "is now loyal");
    emperor.tree.vassal("calm.ini", "");
    emperor.wait_for("calm.ini", "has been spawned");
    let first = process_of(&emperor, "calm.ini", -1);
    first.signal(rustix::process::Signal::KILL);
    process_of(&emperor, "calm.ini", first.pid);
    assert_eq!(emperor.told("flood.ini", "is now loyal"), 1);
    emperor.stop();
}

#[test]
fn a_program_that_is_not_there_is_told_with_its_name() {
    let tree = Tree::new();
    tree.vassal("a.ini", "");
    let emperor = Start::in_tree(tree).options(&["--binary-path", "/nowhere/uwsgi"]).start();
    let line = emperor.wait_for("a.ini", "cannot be started");
    assert!(line.contains("/nowhere/uwsgi") && line.contains("ENOENT"), "{line}");
    emperor.stop();
}

#[test]
fn more_vassals_than_a_tenant_may_have_wait_for_room() {
    let tree = Tree::new();
    for name in ["a.ini", "b.ini", "c.ini"] {
        tree.vassal_of(common::ALICE, name, "command = sleep infinity\n");
    }
    tree.vassal_of(common::BOB, "other.ini", "command = sleep infinity\n");
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-tenant-max", "2"]);
    emperor.vassal("other.ini");
    let line = emperor.wait_for_line(|line| line.contains("emperor-tenant-max"));
    let refused = ["a.ini", "b.ini", "c.ini"].into_iter().find(|name| line.contains(name)).unwrap();
    let running = ["a.ini", "b.ini", "c.ini"].into_iter().find(|name| *name != refused).unwrap();
    emperor.vassal(running);
    std::fs::remove_file(emperor.tree.path("vassals").join(running)).unwrap();
    emperor.vassal(refused);
    emperor.stop();
}
