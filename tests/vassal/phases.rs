//! Phases: each once, in order, and nothing left when one fails.

use rustix::process::Signal;

use super::emperor::{Place, wait_until_gone};

const ALL: &str = "
exec-as-user-atexit = echo atexit
exec-as-user = echo user
exec-as-root = echo root
exec-in-jail = echo in
exec-post-jail = echo post
exec-pre-jail = echo pre
command = echo command";

#[test]
fn each_phase_runs_once_and_in_order_even_when_root_stays_root() {
    let outcome = Place::new(ALL).run();
    assert_eq!(outcome.output, "pre\nin\nroot\nuser\ncommand\natexit\n");
    let outcome = Place::new(&format!("unshare = uts{ALL}")).run();
    assert_eq!(outcome.output, "pre\nin\npost\nroot\nuser\ncommand\natexit\n");
}

#[test]
fn a_born_jail_counts_as_one() {
    let place = Place::new(ALL);
    let outcome = super::emperor::Outcome::of(place.command().env("LIEGE_JAIL", "fs,pid"));
    assert_eq!(outcome.output, "pre\nin\npost\nroot\nuser\ncommand\natexit\n");
}

#[test]
fn each_phase_has_the_ids_of_its_name() {
    let programs = ["pre-jail", "in-jail", "as-root", "as-user", "as-user-atexit"]
        .map(|phase| format!("exec-{phase} = echo {phase} $(id -u) $HOME"));
    let outcome =
        Place::new(&format!("uid = 54321\ngid = 54322\n{}\ncommand = id -u", programs.join("\n"))).run();
    assert_eq!(
        outcome.output.lines().map(str::trim_end).collect::<Vec<_>>(),
        ["pre-jail 0", "in-jail 0", "as-root 0", "as-user 54321", "54321", "as-user-atexit 54321"]
    );
}

#[test]
fn a_failing_program_ends_the_vassal_and_leaves_nothing() {
    for (failing, how) in [("exit 3", "ended with status 3"), ("kill -9 $$", "was killed by signal 9")] {
        let place = Place::new(&format!(
            "exec-pre-jail = sleep 1000 & echo $!\nsocket = DIR/s\nexec-as-user = test -S DIR/s && echo bound\nexec-as-user = {failing}\ncommand = echo command"
        ));
        let outcome = place.run();
        let sentence = format!("error vassal=v.ini msg=\"exec-as-user `{failing}` {how} (step 4 of 5)\"");
        assert_eq!((outcome.told(), outcome.status.code()), (vec![sentence.as_str()], Some(1)));
        let (sleeper, rest) = outcome.output.split_once('\n').unwrap();
        assert_eq!(rest, "bound\n");
        wait_until_gone(sleeper.parse().unwrap());
        assert!(!place.path("s").exists());
    }
}

#[test]
fn a_vassal_told_to_stop_does_not_wait_for_a_program() {
    let place = Place::new("exec-as-root = echo $$; exec sleep 1000\ncommand = echo command");
    let mut stopped = place.start();
    let program = stopped.line().parse().unwrap();
    stopped.say(0);
    assert_eq!(stopped.end().code(), 1);
    wait_until_gone(program);

    let mut terminated = place.start();
    let program = terminated.line().parse().unwrap();
    terminated.signal(Signal::TERM);
    assert!(terminated.end().errors.contains("stopped while exec-as-root"));
    wait_until_gone(program);
}

#[test]
fn a_reload_that_comes_during_the_phases_is_not_lost() {
    let place = Place::new("exec-as-root = echo phase; read line < DIR/fifo\ncommand = sleep 1000");
    assert!(std::process::Command::new("mkfifo").arg(place.path("fifo")).status().unwrap().success());
    let good = place.write("good.ini", "command = true");
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "phase");
    vassal.hand_over(1, &good);
    std::fs::write(place.path("fifo"), "go on\n").unwrap();
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn a_privileged_patch_comes_before_everything_but_pre_jail() {
    let place = Place::new(
        "exec-pre-jail = echo pre\nexec-as-root = echo root\nprivileged-binary-patch-arg = echo $$ patched; id -u\nuid = nobody",
    );
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "pre");
    let pid = vassal.pid();
    assert_eq!(vassal.line(), format!("{pid} patched"));
    assert_eq!(vassal.line(), "0");
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn the_host_name_inside_is_not_the_one_outside() {
    let outside = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let outcome = Place::new("unshare = uts\nhostname = foobar\ncommand = hostname").run();
    assert_eq!(outcome.output, "foobar\n");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), outside);
    assert_ne!(outside, "foobar\n");
}

#[test]
fn mounts_made_inside_are_not_seen_outside() {
    let place = Place::new(
        "unshare = fs\nexec-as-root = mount -t tmpfs none DIR/inside && touch DIR/inside/file\ncommand = ls DIR/inside",
    );
    place.directory("inside", 0, 0o755);
    assert_eq!(place.run().output, "file\n");
    assert!(!place.path("inside/file").exists());
}

#[test]
fn programs_have_no_input_and_no_descriptor_of_ours() {
    let outcome =
        Place::new("exec-as-root = cat; ls /proc/self/fd | tr '\\n' ' '\ncommand = echo").start().end();
    assert_eq!(outcome.output.trim_end(), "0 1 2 3");
}
