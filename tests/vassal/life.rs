//! The command, its signals, its end, and the words between Emperor and vassal.

use std::fs::File;
use std::process::Command;

use rustix::process::Signal;

use super::emperor::{Outcome, Place, Vassal, wait_until_gone};

/// A command that says that it runs, then waits to be ended.
const WAIT: &str = "command = sh -c 'echo runs; exec sleep 1000'";

#[test]
fn a_vassal_says_spawned_accepting_and_loyal_and_ends_when_told() {
    let place = Place::new(WAIT);
    let mut vassal = place.start();
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    assert_eq!(vassal.line(), "runs");
    assert_eq!(vassal.byte(), Some(17));
    vassal.say(0);
    assert_eq!(vassal.byte(), None);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn the_status_of_the_command_is_the_status_of_the_vassal() {
    for (end, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let outcome = Place::new(&format!("command = sh -c '{end}'")).run();
        assert_eq!((outcome.code(), outcome.errors.as_str()), (code, ""), "{end}");
    }
}

#[test]
fn a_graceful_stop_waits_for_the_command() {
    let place = Place::new(
        "command = sh -c 'trap \"echo mourns; exit 3\" TERM; echo runs; while :; do sleep 1000 & wait; done'",
    );
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "runs");
    vassal.say(2);
    assert_eq!(vassal.line(), "mourns");
    assert_eq!(vassal.end().code(), 3);
}

#[test]
fn a_bad_config_does_not_disturb_the_running_command() {
    let place = Place::new(WAIT);
    let bad = place.write("bad.ini", "comand = true");
    let mut vassal = place.start();
    assert_eq!([vassal.byte(), vassal.byte(), Some(1)], [Some(1), Some(5), Some(1)]);
    vassal.hand_over(1, &bad);
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    // The loyal byte comes when its time has come: the command never stopped.
    assert_eq!(vassal.byte(), Some(17));
    vassal.say(0);
    let outcome = vassal.end();
    assert_eq!(outcome.code(), 0);
    assert!(outcome.errors.contains("v.ini:2:1"), "{}", outcome.errors);
    assert!(outcome.errors.contains("goes on with the old one"), "{}", outcome.errors);
}

#[test]
fn a_good_config_ends_the_command_so_that_the_emperor_starts_it_anew() {
    let place = Place::new(WAIT);
    let good = place.write("good.ini", "command = sleep 1");
    let mut vassal = place.start();
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    // By name the config is a bad one: only the descriptor counts.
    place.write("v.ini", "comand = true");
    vassal.hand_over(1, &good);
    let outcome = vassal.end();
    assert_eq!((outcome.code(), outcome.errors.as_str()), (0, ""));
}

#[test]
fn without_a_descriptor_the_config_is_read_again_by_name() {
    let place = Place::new(WAIT);
    let mut vassal = place.start();
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    place.write("v.ini", "comand = true");
    vassal.say(1);
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    place.write("v.ini", "command = true");
    vassal.say(1);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn an_open_config_is_read_instead_of_the_file_of_its_name() {
    let place = Place::new("command = echo by name");
    let path = place.write("other.ini", "command = echo by descriptor %n");
    let file = File::open(path).unwrap();
    let vassal = Vassal::start(place.command(), Some(&file));
    let outcome = vassal.end();
    assert_eq!((outcome.output.as_str(), outcome.code()), ("by descriptor v\n", 0));
}

#[test]
fn a_vassal_whose_emperor_is_gone_ends_even_a_stubborn_command() {
    let place = Place::new("command = sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; done'");
    let mut vassal = place.start();
    let command = vassal.line().parse().unwrap();
    vassal.control = None;
    assert_eq!(vassal.end().code(), 1);
    wait_until_gone(command);
}

#[test]
fn signals_reach_the_command() {
    let traps =
        ["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH"].map(|name| format!("trap \"echo {name}\" {name};"));
    let place = Place::new(&format!(
        "command = sh -c '{} echo runs; while :; do sleep 1000 & wait; done'",
        traps.join(" ")
    ));
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "runs");
    let signals = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::USR1, Signal::USR2, Signal::WINCH];
    for (signal, name) in signals.into_iter().zip(["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH"]) {
        vassal.signal(signal);
        assert_eq!(vassal.line(), name);
    }
    vassal.signal(Signal::TERM);
    assert_eq!(vassal.end().code(), 143);
}

#[test]
fn orphans_are_reaped_while_the_command_runs_and_killed_when_it_ends() {
    let orphans =
        "setsid sh -c \"echo short \\$\\$\" & setsid sh -c \"echo long \\$\\$; exec sleep 1000\" & wait %1";
    let place = Place::new(&format!("command = sh -c '(({orphans})&); exec sleep 1000'"));
    let mut vassal = place.start();
    let mut lines = [vassal.line(), vassal.line()];
    // The long one comes first: its name does.
    lines.sort_unstable();
    let pid = |line: &str, name: &str| line.strip_prefix(name).unwrap().parse().unwrap();
    let (long, short) = (pid(&lines[0], "long "), pid(&lines[1], "short "));
    wait_until_gone(short);
    vassal.say(0);
    assert_eq!(vassal.end().code(), 0);
    wait_until_gone(long);
}

#[test]
fn a_command_that_cannot_run_is_told_in_one_sentence() {
    let outcome = Place::new("command = /no/such/program").run();
    assert_eq!(outcome.code(), 1);
    assert_eq!(
        outcome.told(),
        ["error vassal=v.ini msg=\"cannot run `/no/such/program`: ENOENT (step 1 of 1); \
          advice: is it installed, and can it be seen in the jail?\""]
    );
}

#[test]
fn a_place_that_cannot_be_used_is_told_with_its_cure() {
    for (option, cure) in [
        ("chdir = /no/such", "there is no such directory: create it"),
        ("chdir = DIR/v.ini", "it is no directory"),
        ("logto = no/such", "its directory does not exist"),
        ("logto = DIR", "it is a directory: name a file in it"),
        ("uid = no-such-user", "correct the name, or make the user"),
    ] {
        let outcome = Place::new(&format!("{option}\ncommand = true")).run();
        let told = outcome.told();
        assert!(told[0].starts_with("error vassal=v.ini msg=\"") && told[0].contains(cure), "{told:?}");
    }
}

#[test]
fn what_is_wrong_with_a_config_is_told_under_its_name_and_with_its_file() {
    let outcome = Place::new("chdir = /").run();
    let expected = "error vassal=v.ini msg=\"v.ini:1:1: this config runs nothing\"";
    assert_eq!((outcome.told()[0], outcome.code()), (expected, 1));
    let place = Place::new("");
    std::fs::write(place.path("v.ini"), "command = true\n").unwrap();
    let outcome = place.run();
    assert_eq!(outcome.told()[0], "warn vassal=v.ini msg=\"v.ini: no section [uwsgi]\"");
}

#[test]
fn programs_after_the_command_run_once_and_their_failure_is_only_told() {
    let place = Place::new(
        "command = sh -c 'echo command; exit 4'\nexec-as-user-atexit = echo first; exit 9\nexec-as-user-atexit = echo second",
    );
    let outcome = place.run();
    assert_eq!((outcome.output.as_str(), outcome.code()), ("command\nfirst\nsecond\n", 4));
    assert!(
        outcome.errors.contains("exec-as-user-atexit `echo first; exit 9` ended with status 9"),
        "{}",
        outcome.errors
    );
}

#[test]
fn the_command_begins_with_nothing_but_what_it_is_given() {
    let place = Place::new("env = A=1\nenv = B=2\nenv = A=3\ncommand = sh -c 'env; ls -l /proc/self/fd'");
    let outcome = place.start().end();
    let mut variables: Vec<&str> =
        outcome.output.lines().filter(|line| line.contains('=') && !line.contains("->")).collect();
    variables.sort_unstable();
    let pwd = format!("PWD={}", place.path("").display());
    let expected = [
        "A=3",
        "B=2",
        "HOME=/root",
        "LOGNAME=root",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        pwd.trim_end_matches('/'),
        "SHELL=/bin/bash",
        "USER=root",
    ];
    assert_eq!(variables, expected);
    let descriptors: Vec<&str> =
        outcome.output.lines().filter_map(|line| line.split_once(" -> ")?.0.split(' ').next_back()).collect();
    // The last one is the directory that `ls` reads.
    assert_eq!(descriptors, ["0", "1", "2", "3"]);
}

#[test]
fn the_command_has_its_directory_and_its_log_file() {
    let place = Place::new("chdir = DIR/work\nlogto = out.log\ncommand = sh -c 'pwd; echo wrong >&2'");
    let work = place.directory("work", 0, 0o755);
    std::fs::write(place.path("work/out.log"), "before\n").unwrap();
    assert_eq!(place.run().code(), 0);
    assert_eq!(place.read("work/out.log"), format!("before\n{}\nwrong\n", work.display()));
}

/// Row F2.
#[test]
fn a_log_file_is_neither_a_link_nor_a_fifo() {
    let place = Place::new("logto = DIR/log\ncommand = echo said");
    std::os::unix::fs::symlink(place.path("target"), place.path("log")).unwrap();
    assert!(place.run().errors.contains("ELOOP"));
    assert!(!place.path("target").exists());
    std::fs::remove_file(place.path("log")).unwrap();
    assert!(Command::new("mkfifo").arg(place.path("log")).status().unwrap().success());
    let outcome = place.run();
    assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
}

#[test]
fn configs_of_the_application_server_are_given_to_the_real_uwsgi() {
    let place = Place::new("module = app");
    let bin = place.directory("bin", 0, 0o755);
    let uwsgi = bin.join("uwsgi");
    std::fs::write(
        &uwsgi,
        "#!/bin/sh\necho $0 \"$@\" $LIEGE_CONFIG_FD\necho x >&$UWSGI_EMPEROR_FD\nls /proc/self/fd | wc -l\n",
    )
    .unwrap();
    std::fs::set_permissions(&uwsgi, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = place.command();
    command.args(["--set", "a=b"]).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let file = File::open(place.path("v.ini")).unwrap();
    let mut vassal = Vassal::start(command, Some(&file));
    assert_eq!(vassal.line(), format!("{} --ini v.ini --set a=b", uwsgi.display()));
    assert_eq!(vassal.byte(), Some(b'x'));
    // 0, 1, 2, the control descriptor, and the directory that `ls` reads.
    assert_eq!(vassal.line(), "5");
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn a_missing_uwsgi_is_told_with_the_option_that_needs_it() {
    let place = Place::new("module = app");
    let outcome = Outcome::of(place.command().env("PATH", "/nowhere"));
    assert_eq!(outcome.code(), 1);
    assert!(
        outcome.errors.contains("`module` needs the uwsgi program")
            && outcome.errors.contains("apt install uwsgi-core")
    );
}

#[test]
fn a_program_takes_our_place_with_our_arguments_and_our_emperor() {
    let place = Place::new("unprivileged-binary-patch = DIR/patch\nsocket = 127.0.0.1:0");
    let patch = place.path("patch");
    std::fs::write(&patch, "#!/bin/sh\necho $$ $LISTEN_PID $LISTEN_FDS \"$@\"\necho y >&$UWSGI_EMPEROR_FD\n")
        .unwrap();
    std::fs::set_permissions(&patch, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut vassal = place.start();
    let pid = vassal.pid();
    assert_eq!(vassal.line(), format!("{pid} {pid} 1 --ini v.ini"));
    assert_eq!(vassal.byte(), Some(b'y'));
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn a_vassal_in_its_own_pid_namespace_is_pid_1_there_and_ends_with_its_command() {
    let place = Place::new(
        "unshare = pid\ncommand = sh -c 'trap \"exit 5\" USR1; echo $PPID; while :; do sleep 1000 & wait; done'",
    );
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "1");
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    vassal.signal(Signal::USR1);
    assert_eq!(vassal.end().code(), 5);
}

#[test]
fn a_config_of_no_use_gives_way_to_its_fallback_in_the_same_process() {
    for wrong in ["comand = x", "socket = /nowhere/at/all.sock", "module = app"] {
        let place =
            Place::new(&format!("fallback-config = DIR/second.ini\n{wrong}\ncommand = sh -c 'echo first'"));
        place.write("second.ini", "command = sh -c 'echo $PPID %n; exec sleep 1000'");
        let mut vassal = place.start();
        let pid = vassal.pid();
        assert_eq!(vassal.line(), format!("{pid} second"), "{wrong}");
        assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
        vassal.say(0);
        let outcome = vassal.end();
        assert_eq!(outcome.code(), 0, "{}", outcome.errors);
        assert!(outcome.errors.contains("going on with"), "{}", outcome.errors);
    }
}

#[test]
fn a_fallback_has_no_fallback_and_a_command_is_no_config() {
    let place = Place::new("fallback-config = DIR/v.ini\ncomand = x");
    let outcome = place.run();
    assert_eq!(outcome.code(), 1);
    assert_eq!(outcome.errors.matches("comand").count(), 4, "{}", outcome.errors);

    let place = Place::new("fallback-config = DIR/second.ini\ncommand = sh -c 'exit 1'");
    place.write("second.ini", "command = sh -c 'exit 5'");
    assert_eq!(place.run().code(), 1);
}

#[test]
fn a_config_may_say_something_and_exit() {
    let outcome =
        Place::new("if-not-env = NEEDED\niprint = NEEDED is missing\nexit = 7\nendif\ncommand = true").run();
    assert_eq!(outcome.code(), 7);
    assert!(outcome.told()[0].contains("NEEDED is missing"), "{}", outcome.errors);
    let place = Place::new("fallback-config = DIR/second.ini\nexit = 1");
    place.write("second.ini", "command = sh -c 'exit 5'");
    assert_eq!(place.run().code(), 5);
}

#[test]
fn the_name_of_the_user_is_known_to_a_config() {
    let outcome = Place::new("if-uid = root\ncommand = echo %U %G %u\nelse\ncommand = false\nendif").run();
    assert_eq!((outcome.code(), outcome.output.as_str()), (0, "root root 0\n"));
}

/// `liege --ini v.ini`, which could be an Emperor too.
fn foreground(place: &Place) -> Command {
    let vassal = place.command();
    let mut command = Command::new(vassal.get_program());
    command.args(["--ini", "v.ini"]).current_dir(place.path("")).env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// How often a command in a config has been run.
fn runs(place: &Place) -> usize {
    place.read("runs").lines().count()
}

#[test]
fn a_command_in_a_config_runs_once_for_each_time_that_the_config_is_read() {
    let value = "env = A=@(exec://echo x >>DIR/runs; echo y)";
    let place = Place::new(&format!("{value}\ncommand = sh -c 'echo $A; exec sleep 1000'"));
    let mut vassal = place.start();
    assert_eq!((vassal.line().as_str(), runs(&place)), ("y", 1));
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    // A config of no use is read once, and the command goes on.
    place.write("v.ini", &format!("{value}\ncomand = x"));
    vassal.say(1);
    assert_eq!([vassal.byte(), vassal.byte(), Some(1)], [Some(1), Some(5), Some(1)]);
    assert_eq!(runs(&place), 2);
    vassal.say(0);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn a_command_in_a_config_runs_once_when_the_role_has_to_be_found_out_first() {
    for config in ["env = A=@(exec://echo x >>DIR/runs; echo y)\ncommand = true", "ini = exec://DIR/ask.sh"] {
        let place = Place::new(config);
        place.write("ask", "command = true");
        std::fs::write(
            place.path("ask.sh"),
            format!("#!/bin/sh\ncd {0}; echo x >>runs; cat ask\n", place.path("").display()),
        )
        .unwrap();
        std::fs::set_permissions(place.path("ask.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let mut command = foreground(&place);
        let outcome = Outcome::of(&mut command);
        assert_eq!((outcome.code(), runs(&place)), (0, 1), "{config}: {}", outcome.errors);
    }
}

#[test]
fn a_command_in_a_config_of_uwsgis_is_left_to_uwsgi() {
    let place = Place::new("module = app\nenv = A=@(exec://echo x >>DIR/runs; echo y)");
    let bin = place.directory("bin", 0, 0o755);
    std::fs::write(bin.join("uwsgi"), "#!/bin/sh\necho $@\n").unwrap();
    std::fs::set_permissions(bin.join("uwsgi"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for mut command in [place.command(), foreground(&place)] {
        let outcome = Outcome::of(command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())));
        assert_eq!((outcome.output.as_str(), runs(&place)), ("--ini v.ini\n", 0), "{}", outcome.errors);
        assert_eq!(outcome.errors, "");
    }
}
