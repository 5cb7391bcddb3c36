//! Names of vassals at the Tab of a real shell.

use std::io::Write;
use std::process::{Command, Stdio};

use super::common::{ALICE, Emperor, Tree};
use super::{IDLE, said_by};

/// Names that a shell would make something of.
const ODD: [&str; 3] = ["$(touch pwned).ini", "a b;'\"`id`.ini", "shop.ini"];

fn emperor() -> Emperor {
    let tree = Tree::new();
    tree.liege();
    ODD.iter().for_each(|name| _ = tree.vassal_of(ALICE, name, IDLE));
    tree.vassal("roots.ini", IDLE);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    emperor.vassal("shop.ini");
    emperor
}

/// What bash would put in the place of the last word of this line.
fn completed(emperor: &Emperor, line: &str) -> Vec<String> {
    let script = format!(
        "set -e; eval \"$(liege completions bash)\"; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; complete -p liege; set +e; \
         _liege_names liege \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", &script]).current_dir(emperor.tree.path("run")).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", emperor.tree.path("").display()));
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("complete -o bashdefault -o default -F _liege_names liege"));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn bash_completes_names_of_vassals_and_runs_nothing_that_is_in_them() {
    let emperor = emperor();
    let socket = emperor.stats_socket().display().to_string();
    assert_eq!(completed(&emperor, &format!("liege stop {socket} sh")), ["shop.ini"]);
    let all = completed(&emperor, &format!("liege restart {socket} shop.ini ''"));
    assert_eq!(
        all,
        ["\\$\\(touch\\ pwned\\).ini", "a\\ b\\;\\'\\\"\\`id\\`.ini", "all", "roots.ini", "shop.ini"]
    );
    assert!(!emperor.tree.path("run/pwned").exists());
    assert!(completed(&emperor, "liege sto").contains(&"stop".to_owned()));
    // Where nobody is asked nothing is said.
    assert_eq!(completed(&emperor, "liege stop /nowhere/stats x"), [""]);
}

/// Row C4.
#[test]
fn a_shell_of_a_tenant_completes_what_is_his() {
    let emperor = emperor();
    let (text, status) = said_by(ALICE, &emperor, &["names"]);
    let mut names: Vec<&str> = text.lines().collect();
    names.sort_unstable();
    assert_eq!((names, status), (vec![ODD[0], ODD[1], "all", "shop.ini"], 0));
    assert_eq!(said_by(65_534, &emperor, &["names"]), (String::new(), 0));
}

/// By keys, as a person does.
#[test]
fn a_tab_at_a_terminal_writes_the_name() {
    let emperor = emperor();
    let (liege, socket) =
        (emperor.tree.path("").display().to_string(), emperor.stats_socket().display().to_string());
    let mut seat = Command::new("script");
    seat.args(["-qec", "bash --norc -i", "/dev/null"]).env_clear().env("TERM", "dumb").env("PS1", "> ");
    seat.env("PATH", format!("{liege}:/usr/bin:/bin")).current_dir("/");
    let (reader, writer) = std::io::pipe().unwrap();
    seat.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut seated = seat.spawn().unwrap();
    drop(seat);
    let lines = super::common::Lines::listen(reader);
    let mut keys = seated.stdin.take().unwrap();
    keys.write_all(b"eval \"$(liege completions bash)\"; echo rea''dy\n").unwrap();
    lines.wait_since(0, |line| line.trim_end().ends_with("ready") && !line.contains("echo"));
    keys.write_all(format!("liege restart {socket} sho\t\n").as_bytes()).unwrap();
    lines.wait_since(0, |line| line.contains("shop.ini: restarted"));
    keys.write_all(b"exit\n").unwrap();
    assert!(seated.wait().unwrap().success());
}
