//! Variables from files, files with a text, locks and shells; beside the real uWSGI where that has them. The letters and
//! numbers are rows of the list of known attacks.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use rustix::fs::CWD;

use super::emperor::{Outcome, Place};
use super::siege;

/// What the real uWSGI makes of the same options, as far as its own start; nothing where it is not installed.
fn uwsgi(place: &Place, options: &[&str]) -> Option<Outcome> {
    let mut command = Command::new("uwsgi-core");
    command.args(options).args(["--exec-pre-app", "exit 1", "--socket"]).arg(place.path("uwsgi.socket"));
    command
        .current_dir(place.path(""))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("GONE", "1");
    let there = Command::new("uwsgi-core").arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: uwsgi-core is not installed");
    }
    there.then(|| Outcome::of(&mut command))
}

fn fine(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code(), 0, "{}{}", outcome.output, outcome.errors);
    &outcome.output
}

const SHOW: &str = "env | grep -E \"^(PLAIN|BLANKS|GONE|LINES|EMPTY|hidden)=\" | sort; true";

#[test]
fn a_directory_of_variables_means_what_it_means_to_uwsgi() {
    let place =
        Place::new(&format!("env = GONE=1\nenvdir = DIR/env\nexec-pre-jail = {SHOW}\ncommand = true"));
    place.directory("env", 0, 0o755);
    for (name, text) in
        [("PLAIN", "one\nsecond\n"), ("GONE", ""), ("EMPTY", "\n"), (".hidden", "x"), ("LINES", "end")]
    {
        std::fs::write(place.path("env").join(name), text).unwrap();
    }
    let ours = place.run();
    assert_eq!(fine(&ours), "EMPTY=\nLINES=end\nPLAIN=one\n", "{}", ours.errors);
    let directory = place.path("env").display().to_string();
    let file = place.path("seen").display().to_string();
    if let Some(theirs) =
        uwsgi(&place, &["--envdir", &directory, "--exec-pre-jail", &format!("({SHOW}) > {file}")])
    {
        assert_eq!(place.read("seen"), ours.output, "{}", theirs.errors);
    }
    // By daemontools, not by uWSGI.
    std::fs::write(place.path("env/BLANKS"), "a b \t\n").unwrap();
    std::fs::write(place.path("env/PLAIN"), "one\nEMPTY=second\n").unwrap();
    std::fs::write(place.path("env/LINES"), "a\0b").unwrap();
    assert_eq!(fine(&place.run()), "BLANKS=a b\nEMPTY=\nLINES=a\nPLAIN=one\n");
}

/// Lines that both read; what is printed shows what a line saw.
const EARLY: &str = "print = before:$(PLAIN)
early-envdir = DIR/env
print = behind:$(PLAIN):$(EMPTY):$(GONE)
if-env = PLAIN
print = found:%(_)
endif =
env = LATE=$(PLAIN)
env = OVER=late
exec-asap = env | grep -E '^(PLAIN|EMPTY|GONE|LATE|OVER)=' | sort; true
";

fn early_place(more: &str) -> Place {
    let place = Place::new(&format!("{EARLY}{more}command = true"));
    place.directory("env", 0, 0o755);
    for (name, text) in [("PLAIN", "one\n"), ("GONE", ""), ("EMPTY", "\n"), ("OVER", "early"), (".x", "x")] {
        std::fs::write(place.path("env").join(name), text).unwrap();
    }
    place
}

/// What `print` was given and the variables that a program saw, without what stands around them.
fn seen(text: &str) -> Vec<&str> {
    let words = ["before:", "behind:", "found:", "PLAIN=", "EMPTY=", "GONE=", "LATE=", "OVER="];
    let of = |line: &'_ str| words.iter().find_map(|word| line.find(word));
    let lines = text.lines().filter(|line| !line.contains("grep"));
    lines.filter_map(|line| of(line).map(|at| line[at..].trim_end_matches('"'))).collect()
}

#[test]
fn variables_that_are_read_with_the_config_mean_what_they_mean_to_uwsgi() {
    let place = early_place("");
    let ours = Outcome::of(place.command().env("GONE", "1"));
    let all = format!("{}{}", ours.errors, fine(&ours));
    let wanted = [
        "before:$(PLAIN)",
        "behind:one::$(GONE)",
        "found:one",
        "EMPTY=",
        "LATE=one",
        "OVER=late",
        "PLAIN=one",
    ];
    assert_eq!(seen(&all), wanted, "{all}");
    place.write("theirs.ini", EARLY);
    let theirs = uwsgi(&place, &["--ini", "theirs.ini", "--exec-asap", "exit 1"]);
    if let Some(theirs) = theirs {
        let all = format!("{}{}", theirs.errors, theirs.output);
        // There a line before it sees it too: docs/differences.md.
        let wanted: Vec<&str> = ["before:one"].into_iter().chain(wanted.into_iter().skip(1)).collect();
        let mut found = seen(&all);
        found.sort_by_key(|line| wanted.iter().position(|one| one == line));
        assert_eq!(found, wanted, "{all}");
    }
}

#[test]
fn a_variable_of_the_config_is_seen_by_its_lines_and_its_programs_and_replaced_by_a_later_one() {
    let place = Place::new(
        "ienv = STAGE=live\nienv = BOTH=1\nenv = BOTH=2\nif-env = STAGE\nenv = FROM=%(_)-$(STAGE)\nendif =\n\
         uid = 54321\ngid = 54322\nexec-as-root = echo root $STAGE\ncommand = sh -c 'echo $STAGE $BOTH $FROM'",
    );
    assert_eq!(fine(&place.run()), "root live\nlive 2 live-live\n");
}

/// P8: what a config says of its own variables is not what we go by, nor what the one behind it begins with.
#[test]
fn a_variable_of_the_config_turns_nothing_in_us_p8() {
    let place = Place::new(
        "ienv = LIEGE_FALLBACK=1\nienv = LD_PRELOAD=/none.so\nienv = PATH=/none\nienv = MARK=mine\nfallback-config = next.ini\nexit = 1",
    );
    place.write("next.ini", "print = mark:$(MARK)\ncommand = sh -c 'echo $MARK:$LD_PRELOAD:$LIEGE_FALLBACK'");
    let outcome = place.run();
    assert_eq!(fine(&outcome), "::\n");
    assert!(outcome.errors.contains("mark:$(MARK)"), "{}", outcome.errors);
}

#[test]
fn a_variable_is_taken_away_unless_it_is_set_later() {
    let place = Place::new(
        "unenv = FROM_OUTSIDE\nenv = AGAIN=1\nunenv = AGAIN\nunenv = HOME\nenv = AFTER=0\nunenv = AFTER\nenv = AFTER=1\ncommand = env",
    );
    let mut command = place.command();
    command.env("FROM_OUTSIDE", "1");
    let outcome = Outcome::of(&mut command);
    let output = fine(&outcome);
    assert!(output.contains("AFTER=1\n"), "{output}");
    for name in ["FROM_OUTSIDE", "AGAIN", "HOME"] {
        assert!(!output.contains(&format!("{name}=")), "{output}");
    }
}

#[test]
fn a_file_holds_one_line_as_uwsgi_writes_it() {
    let place = Place::new("file-write = DIR/ours=a=b c\nuid = 54321\ngid = 54322\ncommand = true");
    std::fs::write(place.path("ours"), "longer than that\n").unwrap();
    fine(&place.run());
    assert_eq!(place.read("ours"), "a=b c\n");
    let option = format!("--file-write={}=a=b c", place.path("theirs").display());
    if uwsgi(&place, &[&option]).is_some() {
        assert_eq!(place.read("theirs"), place.read("ours"));
    }
    let outcome = Place::new("file-write = DIR/x\ncommand = true").run();
    assert!(outcome.errors.contains("is not FILE=TEXT"), "{}", outcome.errors);
}

#[test]
fn a_lock_is_held_as_long_as_the_vassal_lives_and_uwsgi_sees_it() {
    for option in ["flock", "flock2"] {
        let place =
            Place::new(&format!("{option} = DIR/lock\ncommand = sh -c 'echo locked; exec cat DIR/fifo'"));
        std::fs::write(place.path("lock"), "").unwrap();
        place.write(
            "wait.ini",
            &format!("{}\ncommand = echo mine", option.replace("flock", "flock-wait") + " = DIR/lock"),
        );
        rustix::fs::mknodat(CWD, place.path("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let mut first = place.start();
        assert_eq!(first.line(), "locked");
        let second = place.run();
        assert_eq!(second.code(), 1);
        assert!(second.errors.contains("another process has it"), "{}", second.errors);
        let file = place.path("lock").display().to_string();
        if let Some(theirs) = uwsgi(&place, &["--flock", &file, "--exec-asap", "echo theirs > theirs"]) {
            assert!(
                theirs.errors.contains("is locked") && place.read("theirs").is_empty(),
                "{}",
                theirs.errors
            );
        }
        let third = std::thread::scope(|scope| {
            let third = scope.spawn(|| {
                let liege = place.command();
                let mut command = Command::new(liege.get_program());
                command.args(["vassal", "--ini", "wait.ini"]).current_dir(place.path(""));
                Outcome::of(&mut command)
            });
            // Its end is the end of the first one's lock.
            drop(File::options().write(true).open(place.path("fifo")).unwrap());
            assert_eq!(first.end().code(), 0);
            third.join().unwrap()
        });
        assert_eq!(fine(&third), "mine\n", "{}", third.errors);
    }
}

#[test]
fn the_shell_of_programs_is_the_first_that_is_there_and_chdir2_is_the_last_word() {
    let place = Place::new(
        "binsh = DIR/none\nbinsh = DIR/shell\nexec-pre-app = plain\nchdir = DIR\nexec-pre-app = pwd\nchdir2 = DIR/last\ncommand = pwd",
    );
    place.directory("last", 0, 0o755);
    std::fs::write(place.path("shell"), "#!/bin/sh\necho \"shell $1 $2\"\n").unwrap();
    std::fs::set_permissions(place.path("shell"), PermissionsExt::from_mode(0o755)).unwrap();
    let last = place.path("last").display().to_string();
    assert_eq!(fine(&place.run()), format!("shell -c plain\nshell -c pwd\n{last}\n"));
}

/// F1: what root writes, locks and reads is nothing that a tenant has turned into something else.
#[test]
fn links_of_a_tenant_lead_root_nowhere_f1() {
    let target = Place::new("command = true");
    std::fs::write(target.path("etc"), "root's\n").unwrap();
    for option in [
        "file-write = DIR/theirs/file=changed",
        "flock = DIR/theirs/file",
        "envdir = DIR/theirs/file",
        "early-envdir = DIR/theirs/file",
    ] {
        let place = Place::new(&format!("{option}\nuid = 54321\ngid = 54322\ncommand = env"));
        place.directory("theirs", 54_321, 0o777);
        symlink(target.path("etc"), place.path("theirs/file")).unwrap();
        let outcome = place.run();
        assert_eq!(outcome.code(), 1, "{option}");
        assert!(outcome.errors.contains("ELOOP"), "{option}: {}", outcome.errors);
        std::fs::remove_file(place.path("theirs/file")).unwrap();
        std::fs::hard_link(target.path("etc"), place.path("theirs/file")).unwrap();
        let outcome = place.run();
        assert_eq!(outcome.code(), 1, "{option}");
        assert!(
            ["EMLINK", "ENOTDIR"].iter().any(|name| outcome.errors.contains(name)),
            "{option}: {}",
            outcome.errors
        );
    }
    assert_eq!(target.read("etc"), "root's\n");
}

/// F1, in a race: the name is a file and a link in turn.
#[test]
fn a_name_that_is_swapped_for_a_link_is_not_written_through_f1() {
    let place = Place::new("file-write = DIR/theirs/file=changed\nuid = 54321\ngid = 54322\ncommand = true");
    place.directory("theirs", 54_321, 0o777);
    std::fs::write(place.path("etc"), "root's\n").unwrap();
    std::fs::write(place.path("theirs/file"), "").unwrap();
    symlink(place.path("etc"), place.path("theirs/link")).unwrap();
    let pair = (place.path("theirs/file"), place.path("theirs/link"));
    let refused = siege::besieged(&[pair], || {
        (0..siege::races(100)).filter(|_| place.run().errors.contains("ELOOP")).count()
    });
    assert!(refused > 0, "no link was met");
    assert_eq!(place.read("etc"), "root's\n");
}

/// A variable such as LD_PRELOAD would reach root's programs.
#[test]
fn variables_for_root_are_roots_alone_p4() {
    for option in ["envdir", "early-envdir"] {
        roots_alone(option);
    }
}

fn roots_alone(option: &str) {
    let place = Place::new(&format!(
        "{option} = DIR/env\nexec-pre-jail = echo $EVIL\nuid = 54321\ngid = 54322\ncommand = true"
    ));
    let directory = place.directory("env", 0, 0o755);
    std::fs::write(directory.join("EVIL"), "evil").unwrap();
    assert_eq!(fine(&place.run()), "evil\n");
    let refused = |place: &Place| {
        let outcome = place.run();
        assert_eq!((outcome.code(), outcome.output.as_str()), (1, ""));
        assert!(outcome.errors.contains("others than root may write there"), "{}", outcome.errors);
    };
    chown(directory.join("EVIL"), Some(54_321), Some(54_321)).unwrap();
    refused(&place);
    chown(directory.join("EVIL"), Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o777)).unwrap();
    refused(&place);
    // What never ends, or is not a file, is not read.
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    rustix::fs::mknodat(CWD, directory.join("FIFO"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let outcome = place.run();
    assert!(outcome.errors.contains("FIFO: EINVAL"), "{}", outcome.errors);
    std::fs::remove_file(directory.join("FIFO")).unwrap();
    File::create(directory.join("LARGE")).unwrap().set_len(1 << 40).unwrap();
    assert!(place.run().errors.contains("LARGE: E2BIG"));
}
