//! `liege tail` and the last lines in `liege why`.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use super::common::{ALICE, BOB, Emperor, Tree, eventually};
use super::{command, run, tail, writes};

const KEPT: [&str; 2] = ["--vassals-log", "none"];

#[test]
fn the_last_lines_are_told_of_whoever_runs_or_has_ended() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "seq -f 'line %.0f' 20; exec sleep 1000000"));
    tree.vassal("b.ini", &writes(&tree, "b", "echo 'it cannot work'; exit 3"));
    let emperor = Emperor::start(tree, &KEPT);
    eventually("lines", || tail(&emperor, &["a"]).ends_with("line 20\n").then_some(()));
    assert_eq!(tail(&emperor, &["a.ini", "-n", "2"]), "line 19\nline 20\n");
    assert_eq!(tail(&emperor, &["a", "--lines=1"]), "line 20\n");
    assert_eq!(tail(&emperor, &["a"]).lines().count(), 10);
    eventually("its end", || tail(&emperor, &["b"]).contains("it cannot work").then_some(()));
    let stats = emperor.stats_socket();
    let why = super::common::liege(&["why", stats.to_str().unwrap(), "b"]);
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.contains("it wrote last:\n    | it cannot work\n"), "{why}");
    assert!(!emperor.lines.has(|line| line.contains("it cannot work")), "nowhere else");
    emperor.stop();
}

#[test]
fn whoever_follows_hears_each_line_until_the_vassal_is_no_more() {
    let tree = Tree::new();
    tree.liege();
    let gate = tree.path("gate");
    let script = format!(
        "echo one; until [ -e {} ]; do sleep 0.05; done; echo two; exec sleep 1000000",
        gate.display()
    );
    let config = tree.vassal("a.ini", &writes(&tree, "a", &script));
    let emperor = Emperor::start(tree, &KEPT);
    eventually("a line", || (tail(&emperor, &["a"]) == "one\n").then_some(()));
    let mut follower = command(&emperor, 0, &["tail", "a", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    std::fs::remove_file(config).unwrap();
    assert!(lines.next().is_none());
    assert!(follower.wait().unwrap().success());
    emperor.stop();
}

/// Row L5.
#[test]
fn nobody_reads_what_somebody_elses_vassal_wrote() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "alice.ini", &writes(&tree, "a", "echo secret; exec sleep 1000000"));
    let emperor = Emperor::start(tree, &[&KEPT[..], &["--emperor-tyrant"]].concat());
    emperor.vassal("alice.ini");
    eventually("a line", || (tail(&emperor, &["alice"]) == "secret\n").then_some(()));
    assert_eq!(run(&emperor, ALICE, &["tail", "alice"]).stdout, b"secret\n");
    let refused = run(&emperor, BOB, &["tail", "alice"]);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let unknown = run(&emperor, BOB, &["tail", "nobody"]);
    let about = |output: &[u8], name: &str| String::from_utf8_lossy(output).replace(name, "X");
    assert_eq!(about(&refused.stderr, "alice"), about(&unknown.stderr, "nobody"), "nor whether it is there");
    emperor.wait_for_line(|line| line.contains(&format!("an ask of uid {BOB} is refused")));
    emperor.stop();
}

/// Row L5: the config is somebody else's from now on.
#[test]
fn what_was_written_for_one_owner_is_not_told_to_the_next() {
    let tree = Tree::new();
    tree.liege();
    let script = "echo written for $(id -u); exec sleep 1000000";
    let config = tree.vassal_of(ALICE, "a.ini", &writes(&tree, "a", script));
    let emperor = Emperor::start(tree, &[&KEPT[..], &["--emperor-tyrant", "--jail", "none"]].concat());
    let of = |uid: u32| String::from_utf8(run(&emperor, uid, &["tail", "a"]).stdout).unwrap();
    eventually("a line", || (of(ALICE) == format!("written for {ALICE}\n")).then_some(()));
    std::os::unix::fs::chown(config, Some(BOB), Some(BOB)).unwrap();
    eventually("a line for the next one", || {
        let text = of(BOB);
        assert!(!text.contains(&ALICE.to_string()), "{text}");
        (text == format!("written for {BOB}\n")).then_some(())
    });
    assert_eq!(of(ALICE), "");
    emperor.stop();
}

/// Row L5.
#[test]
fn whoever_does_not_read_is_let_go_and_holds_nobody_up() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("flood.ini", &writes(&tree, "flood", "exec yes"));
    tree.vassal("a.ini", &writes(&tree, "a", "echo here; exec sleep 1000000"));
    let emperor = Emperor::start(tree, &[&KEPT[..], &["--vassals-log-rate", "0"]].concat());
    eventually("a flood", || (!tail(&emperor, &["flood"]).is_empty()).then_some(()));
    let mut lazy = command(&emperor, 0, &["tail", "flood", "-f"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Its own output is full, and it reads no more.
    eventually("lines of another", || (tail(&emperor, &["a"]) == "here\n").then_some(()));
    let mut first = [0; 4096];
    lazy.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    eventually("its end", || {
        let keeper = super::keeper(&emperor, None);
        let sockets = keeper.descriptors().values().filter(|what| what.starts_with("socket:")).count();
        (sockets == 1).then_some(())
    });
    let output = lazy.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("has let us go"));
    emperor.stop();
}

/// What `docs/logs.md` has people type.
#[test]
fn the_commands_of_the_manual_work() {
    let tree = Tree::new();
    tree.liege();
    let script = tree.script("redis", "echo GET /basket 200 of redis; exec sleep 1000000");
    let daemon = format!("attach-daemon2 = name=redis,cmd={}\n", script.display());
    let config = writes(&tree, "shop", "echo GET /basket 200; exec sleep 1000000") + &daemon;
    let config = tree.vassal("shop.ini", &config);
    let emperor = Emperor::start(tree, &KEPT);
    let both =
        ["shop/redis", "shop"].map(|name| move |emperor: &Emperor| tail(emperor, &[name]).lines().count());
    eventually("lines", || {
        both.iter().zip([1, 2]).all(|(count, lines)| count(&emperor) == lines).then_some(())
    });
    let manual = include_str!("../../docs/logs.md");
    let typed = manual.lines().filter_map(|line| line.strip_prefix("    liege "));
    let typed: Vec<Vec<&str>> = typed.map(|line| line.split(' ').collect()).collect();
    let (once, others): (Vec<_>, Vec<_>) = typed
        .into_iter()
        .filter(|words| ["tail", "why"].contains(&words[0]))
        .partition(|words| !words.contains(&"--follow"));
    assert_eq!((once.len(), others.len()), (4, 1));
    for words in once {
        // `why` asks where the stats are, and beside them.
        let place = if words[0] == "why" {
            emperor.stats_socket()
        } else {
            emperor.tree.path("run/stats.sock.control")
        };
        let said = super::common::liege(&[&[words[0], place.to_str().unwrap()], &words[1..]].concat());
        assert!(String::from_utf8_lossy(&said.stdout).contains("GET /basket 200"), "{words:?}");
    }
    let mut follower = command(&emperor, 0, &others[0]).stdout(Stdio::piped()).spawn().unwrap();
    std::fs::remove_file(config).unwrap();
    let mut text = String::new();
    follower.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(follower.wait().is_ok());
    emperor.stop();
}

#[test]
fn where_nothing_is_kept_it_is_told_how_to() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "exec sleep 1000000"));
    let emperor = Emperor::start(tree, &["--vassals-log", "inherit"]);
    emperor.vassal("a.ini");
    let refused = run(&emperor, 0, &["tail", "a"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`vassals-log` says who does"));
    emperor.stop();
}
