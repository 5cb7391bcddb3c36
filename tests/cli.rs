//! The command line, from outside.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{Tree, liege};

fn stdout(arguments: &[&str]) -> String {
    let output = liege(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and what was said on standard error.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = liege(arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn its_version_is_one_line() {
    assert_eq!(stdout(&["--version"]), format!("liege {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn its_help_names_every_option_of_this_step() {
    let help = stdout(&["--help"]);
    let options = "emperor emperor-use-clone emperor-tyrant emperor-tyrant-nofollow emperor-tyrant-initgroups emperor-nofollow \
        emperor-freq emperor-throttle emperor-max-throttle emperor-no-blacklist emperor-curse-tolerance \
        emperor-required-heartbeat emperor-stats emperor-pidfile emperor-extra-extension binary-path emperor-wrapper \
        vassal-set vassals-include vassals-include-before vassals-inherit vassals-inherit-before uid gid cap emperor-cap \
        exec-as-emperor exec-as-vassal ini set command unprivileged-binary-patch unprivileged-binary-patch-arg \
        privileged-binary-patch privileged-binary-patch-arg exec-as-root exec-pre-jail exec-post-jail exec-in-jail \
        exec-as-user exec-as-user-atexit add-gid unshare chdir env socket chmod-socket chown-socket hostname logto";
    for option in options.split_whitespace() {
        assert!(help.contains(&format!("--{option}")), "--{option} is not in the help");
    }
    for verb in ["run", "check", "plan", "status", "net", "doctor", "vassal", "completions", "man"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(verb)), "{verb} is not in the help");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 120), "a line is too long to read");
}

/// Under a unit the help and status 0 would look like a service that did its work.
#[test]
fn a_config_that_says_nothing_to_us_is_an_error() {
    let tree = Tree::new();
    for (name, text, told) in [
        ("empty.ini", "", "no section [uwsgi]"),
        ("liege.ini", "[liege]\nemperor = /v\n", "it has [liege]"),
        ("other.ini", "[supervisord]\nnodaemon = true\n", "it has [supervisord]"),
        ("hollow.ini", "[uwsgi]\n", "hollow.ini"),
    ] {
        let path = tree.path(name);
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        for arguments in [&["--ini", path][..], &["run", path], &["run", "--ini", path], &[path]] {
            let output = liege(arguments);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}: {said}");
            assert!(said.contains(told), "{arguments:?}: {said}");
        }
    }
    assert!(stdout(&[]).contains("--emperor"), "who says nothing at all is helped");
}

#[test]
fn completions_and_man_page_come_from_the_same_table() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        for word in ["emperor-use-clone", "show-config", "json"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let page = stdout(&["man"]);
    assert!(
        page.contains(".TH") && page.contains("emperor\\-tyrant") && page.contains("show\\-config"),
        "{page}"
    );
    let (code, said) = failure(&["completions", "tcsh"]);
    assert!(code == Some(2) && said.contains("bash, zsh or fish"), "{said}");
}

#[test]
fn bash_accepts_the_completions() {
    let tree = Tree::new();
    let file = tree.path("completions");
    std::fs::write(&file, stdout(&["completions", "bash"])).unwrap();
    let checked = std::process::Command::new("bash").arg("-n").arg(&file).status().unwrap();
    assert!(checked.success());
}

#[test]
fn an_unknown_option_is_an_error_with_the_nearest_name() {
    let (code, said) = failure(&["--emperor-tyrent", "--emperor", "/nowhere"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("emperor-tyrent") && said.contains("emperor-tyrant"), "{said}");
}

#[test]
fn an_option_that_is_refused_or_a_vassals_is_an_error_with_its_cure() {
    for (option, told) in
        [("--emperor-apparmor=x", "emperor-wrapper"), ("--emperor-proxy-socket=x", "an option of a vassal")]
    {
        let (code, said) = failure(&["--emperor", "/nowhere", option]);
        assert_eq!(code, Some(2), "{option}: {said}");
        assert!(said.contains(told), "{option}: {said}");
    }
}

#[test]
fn with_nothing_to_do_it_explains_itself() {
    assert_eq!(stdout(&[]), stdout(&["--help"]));
}

#[test]
fn an_option_without_its_value_is_a_usage_error() {
    let (code, said) = failure(&["--emperor"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("emperor"), "{said}");
}

#[test]
fn check_says_ok_or_everything_that_is_wrong_with_its_place() {
    let tree = Tree::new();
    let good = tree.vassal("good.ini", "command = sleep infinity\n");
    let bad = tree.vassal("bad.ini", "comand = sleep infinity\nuid = 0\nsocket = 1.2.3.4.5:99999\n");
    let (good, bad) = (good.display().to_string(), bad.display().to_string());
    assert!(stdout(&["check", &good]).contains(&good));
    let output = liege(&["check", &good, &bad]);
    assert_eq!(output.status.code(), Some(1));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    for place in ["2:1", "3:7"] {
        assert!(said.contains(&format!("{bad}:{place}")), "{place} is not in: {said}");
    }
    assert!(said.contains("command") && said.contains('^'), "{said}");
}

#[test]
fn check_names_the_option_that_makes_it_a_uwsgi_vassal() {
    let tree = Tree::new();
    let file = tree.vassal("app.ini", "socket = :0\nmodule = app:application\n");
    let said = stdout(&["check", &file.display().to_string()]);
    assert!(said.contains("uwsgi") && said.contains("module"), "{said}");
}

#[test]
fn plan_prints_numbered_steps_and_starts_nothing() {
    let tree = Tree::new();
    let proof = tree.path("proof");
    let body =
        format!("hostname = inside\nexec-as-root = touch {}\ncommand = sleep infinity\n", proof.display());
    let file = tree.vassal("a.ini", &body);
    let file_name = file.display().to_string();
    let plan = stdout(&["plan", "--emperor-use-clone", "fs,pid,uts", "--memory-max", "64M", &file_name]);
    for step in [
        "in a cgroup of its own, memory-max = 64M",
        "mount proc",
        "host name",
        "exec-as-root",
        "sleep infinity",
    ] {
        assert!(plan.contains(step), "no `{step}` in:\n{plan}");
    }
    let numbers = plan
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("step ")?.split(':').next()?.parse::<u32>().ok());
    let numbers: Vec<u32> = numbers.collect();
    assert!(numbers.len() > 5 && numbers[..3] == [0, 1, 2], "{plan}");
    assert!(!proof.exists());
}

#[test]
fn an_emperor_reads_its_options_from_a_file() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sleep infinity\n");
    let file = tree.path("emperor.ini");
    let text = format!(
        "[uwsgi]\nset = top={}\nemperor = %(top)/vassals\nemperor-use-clone = pid,fs\n",
        tree.path("").display()
    );
    tree.place(&file, 0, &text);
    let emperor = common::Start::bare(tree).option(&file).start();
    let vassal = emperor.vassal("a.ini");
    assert_eq!(vassal.status("NSpid"), format!("{} 1", vassal.pid));
    emperor.stop();
}

#[test]
fn an_error_in_the_emperors_file_has_its_place() {
    let tree = Tree::new();
    let file = tree.path("emperor.ini");
    tree.place(&file, 0, "[uwsgi]\nemperor = /nowhere\nemperor-use-clone = fs,network\n");
    let (code, said) = failure(&["--ini", &file.display().to_string()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("{}:3:", file.display())) && said.contains("network"), "{said}");
}

#[test]
fn what_is_set_for_vassals_reaches_them() {
    let tree = Tree::new();
    tree.place(&tree.path("more.ini"), 0, "[uwsgi]\nenv = MORE=included\n");
    tree.vassal("a.ini", "env = WORD=%(word)\ncommand = sleep infinity\n");
    let more = tree.path("more.ini").display().to_string();
    let options = ["--vassal-set", "word=given", "--vassals-include", &more];
    let start =
        common::Start::in_tree(tree).options(&options).variable("UWSGI_VASSAL_ENV", "THIRD=inherited");
    let emperor = start.start();
    let environment = emperor.vassal("a.ini").child().environment();
    for one in ["WORD=given", "MORE=included", "THIRD=inherited"] {
        assert!(environment.iter().any(|other| other == one), "{one} is not in {environment:?}");
    }
    emperor.stop();
}

#[test]
fn programs_of_the_administrator_run_around_a_start() {
    let tree = Tree::new();
    let (seen, told) = (tree.dir_of(common::ALICE, "seen"), tree.path("told"));
    tree.vassal_of(common::ALICE, "a.ini", "command = sleep infinity\n");
    let as_vassal = format!("id -u > {}/uid", seen.display());
    let as_emperor = format!(
        "echo $UWSGI_VASSAL_CONFIG $UWSGI_VASSAL_PID $UWSGI_VASSAL_UID $UWSGI_VASSAL_GID > {}",
        told.display()
    );
    let emperor = common::Emperor::start(
        tree,
        &[
            "--emperor-tyrant",
            "--jail",
            "none",
            "--exec-as-vassal",
            &as_vassal,
            "--exec-as-emperor",
            &as_emperor,
        ],
    );
    let vassal = emperor.vassal("a.ini");
    assert_eq!(emperor.tree.text("seen/uid"), "61001\n");
    assert_eq!(emperor.tree.text("told"), format!("a.ini {} 61001 61001\n", vassal.pid));
    emperor.stop();
}

#[test]
fn an_emperor_with_a_bad_config_gives_way_to_its_fallback() {
    let tree = Tree::new();
    let write = |name: &str, text: &str| {
        let path = tree.path(name).to_string_lossy().into_owned();
        std::fs::write(&path, format!("[uwsgi]\n{text}\n")).unwrap();
        path
    };
    // The second one ends by itself, with a status of its own.
    let second = write("second.ini", "iprint = second %n\nexit = 9");
    let first =
        write("first.ini", &format!("fallback-config = {second}\nemperor = {second}\nemperor-frq = 1"));
    let (code, told) = failure(&["--ini", &first]);
    assert_eq!(code, Some(9), "{told}");
    for wanted in ["did you mean `emperor-freq`", "going on with", "second second"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let circle = write("circle.ini", "fallback-config = circle.ini\nemperor = /\nemperor-frq = 1");
    assert_eq!(failure(&["--ini", &circle]).0, Some(1));
}
