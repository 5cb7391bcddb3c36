//! Hooks: every handler, every phase, as root in namespaces; and tenants who swap what a hook is about to touch.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use super::emperor::{Outcome, Place, Vassal};
use super::siege;

const TENANT: u32 = 54_321;

/// A vassal of its own mounts and host name, whose command shows what the hooks left.
fn shown(hooks: &str, command: &str) -> Outcome {
    Place::new(&format!("unshare = fs,uts,net\n{hooks}\ncommand = sh -c '{command}'")).run()
}

#[test]
fn each_phase_is_done_once_in_order_and_hooks_before_programs() {
    let phases = [
        "as-user-atexit",
        "accepting1-once",
        "accepting1",
        "accepting-once",
        "accepting",
        "master-start",
        "post-app",
        "pre-app",
        "as-user",
        "as-root",
        "in-jail",
        "post-jail",
        "pre-jail",
        "asap",
    ];
    let hooks: Vec<String> = phases.iter().map(|phase| format!("hook-{phase} = exec:echo {phase}")).collect();
    let execs = "exec-post-app = echo exec post-app\nexec-pre-app = echo exec pre-app\nexec-as-root = echo exec as-root";
    // The command says nothing before all of them are done.
    let place = Place::new(&format!(
        "unshare = uts\n{execs}\n{}\nhook-accepting1-once = write:DIR/go on\ncommand = sh -c 'until test -e DIR/go; do sleep 0.01; done; echo command'",
        hooks.join("\n")
    ));
    let outcome = place.run();
    let expected = "asap pre-jail in-jail post-jail as-root exec_as-root as-user pre-app exec_pre-app post-app \
                    exec_post-app master-start accepting accepting-once accepting1 accepting1-once command as-user-atexit";
    let lines: Vec<String> = outcome.output.lines().map(|line| line.replace(' ', "_")).collect();
    assert_eq!(lines.join(" "), expected, "{}", outcome.errors);
}

#[test]
fn files_are_made_changed_and_removed() {
    let place = Place::new(
        "hook-asap = mkdir:DIR/d
hook-as-root = cd:DIR/d
hook-as-root = create:empty
hook-as-root = write:text one two
hook-as-root = append:text  three
hook-as-root = appendn:text
hook-as-root = writen:line a line
hook-as-root = appendn:line another
hook-as-root = write:gone x
hook-as-root = unlink:gone
hook-as-root = chmod:text 0640
hook-as-root = chmod:empty 4711
hook-as-root = chown2:text 54321 54322
hook-as-root = chown:line nobody daemon
hook-as-root = sticky:.
command = sh -c 'pwd; ls'",
    );
    let outcome = place.run();
    assert_eq!(
        outcome.output,
        format!("{}\nempty\nline\ntext\n", place.path("d").display()),
        "{}",
        outcome.errors
    );
    assert_eq!(place.read("d/text"), "one two three\n");
    assert_eq!(place.read("d/line"), "a line\nanother\n");
    let of = |name: &str| std::fs::metadata(place.path(name)).unwrap();
    assert_eq!((of("d/text").mode() & 0o7777, of("d/text").uid(), of("d/text").gid()), (0o640, 54321, 54322));
    assert_eq!(of("d/empty").mode() & 0o7777, 0o4711);
    assert_eq!((of("d/line").uid(), of("d/line").gid()), (65534, 1));
    assert_eq!(of("d").mode() & 0o7777, 0o1755);
}

#[test]
fn variables_texts_and_programs_reach_whom_they_should() {
    let place = Place::new(
        "hook-as-root = putenv:COLOUR=blue=green\nhook-as-root = safeexec:exit 3\nhook-as-root = print:%%s%%n 100%%%%\n\
         hook-as-user = !exec:echo $COLOUR phase\ncommand = sh -c 'echo $COLOUR command'",
    );
    let outcome = place.run();
    assert_eq!(outcome.output, "blue=green phase\nblue=green command\n", "{}", outcome.errors);
    assert!(outcome.errors.contains("%s%n 100%%"), "{}", outcome.errors);
    assert!(
        outcome.errors.contains("hook-as-root `safeexec:exit 3` ended with status 3"),
        "{}",
        outcome.errors
    );
}

#[test]
fn a_mount_shows_what_it_should_with_its_flags_and_only_inside() {
    let place = Place::new(
        "unshare = fs
mount-as-root = tmpfs none DIR/tmp nosuid,nodev,noexec size=64k,mode=1770
hook-as-root = mount:none DIR/source DIR/bound bind,ro,nosuid
mount-as-root = none DIR/file DIR/other bind
mount-as-root = tmpfs none DIR/tmp/.. ro
umount-as-root = DIR
hook-as-user = exec:grep DIR/ /proc/self/mountinfo | cut -d' ' -f5,6 | sort
command = sh -c 'cat DIR/bound/inside DIR/other; touch DIR/bound/new 2>&1 | grep -c Read-only'",
    );
    for name in ["tmp", "source", "bound"] {
        place.directory(name, 0, 0o755);
    }
    std::fs::write(place.path("source/inside"), "seen\n").unwrap();
    std::fs::write(place.path("file"), "file\n").unwrap();
    std::fs::write(place.path("other"), "").unwrap();
    let outcome = place.run();
    let top = place.path("").display().to_string();
    let expected = format!(
        "{top}bound ro,nosuid,relatime\n{top}other rw,relatime\n{top}tmp rw,nosuid,nodev,noexec,relatime\nseen\nfile\n1\n"
    );
    assert_eq!(outcome.output, expected, "{}", outcome.errors);
    assert!(!place.path("bound/inside").exists());
}

#[test]
fn a_mount_is_moved_remounted_and_unmounted_with_all_below() {
    let place = Place::new(
        "unshare = fs
hook-as-root = mount:tmpfs none DIR/a
hook-as-root = exec:mkdir 'DIR/a/a b'; mount -t tmpfs none 'DIR/a/a b'
hook-as-root = mkdir:DIR/a/b
hook-as-root = mount:tmpfs none DIR/a/b
hook-as-root = mkdir:DIR/a/b/c
hook-as-root = mount:tmpfs none DIR/a/b/c
hook-as-root = mount:tmpfs none DIR/m
hook-as-root = write:DIR/m/file moved
hook-as-root = mount:none DIR/m DIR/n move
hook-as-root = mount:none none DIR/n remount,bind,ro
hook-as-root = exec:cat DIR/n/file; touch DIR/n/x 2>/dev/null || echo ' read-only'
umount-as-root = DIR/a rec
hook-as-user = exec:grep DIR/ /proc/self/mountinfo | cut -d' ' -f5
command = true",
    );
    for name in ["a", "m", "n"] {
        place.directory(name, 0, 0o755);
    }
    let outcome = place.run();
    let n = place.path("n").display().to_string();
    assert_eq!(outcome.output, format!("moved read-only\n{n}\n"), "{}", outcome.errors);
}

#[test]
fn the_host_name_and_the_interfaces_inside_are_set() {
    let hooks = "hook-as-root = hostname:foobar\nhook-as-root = ifdown:lo\n\
                 hook-as-root = exec:ip -o link show lo | grep -c LOWER_UP || true\nhook-as-root = ifup:lo";
    let outcome = shown(hooks, "hostname; ip -o link show lo | grep -c LOWER_UP");
    assert_eq!(outcome.output, "0\nfoobar\n1\n", "{}", outcome.errors);
}

#[test]
fn nothing_of_the_host_is_mounted_or_renamed() {
    for hook in [
        "hook-as-root = hostname:foobar",
        "mount-as-root = tmpfs none DIR/x",
        "umount-in-jail = /proc\nunshare = fs",
    ] {
        let outcome = Place::new(&format!("{hook}\ncommand = echo ran")).run();
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
        assert!(outcome.errors.contains("the whole host"), "{}", outcome.errors);
    }
}

#[test]
fn a_status_of_one_digit_is_one() {
    for (hook, status) in
        [("hook-as-root = exit:5", 5), ("hook-asap = exit:", 0), ("hook-as-user-atexit = exit:77", 77)]
    {
        let place = Place::new(&format!("{hook}\ncommand = true"));
        assert_eq!(place.run().code(), status, "{hook}");
    }
}

#[test]
fn a_failing_hook_ends_the_vassal_and_leaves_nothing() {
    let failing = [
        ("mkdir:DIR", "EEXIST"),
        ("exec:exit 3", "ended with status 3"),
        ("exec:kill -9 $$", "was killed by signal 9"),
        ("unlink:DIR/none", "ENOENT"),
        ("chown:DIR/v.ini nobody-at-all root", "there is no user"),
        ("cd:DIR/v.ini", "ENOTDIR"),
        ("ifup:none", "ENODEV"),
    ];
    for (hook, why) in failing {
        let place = Place::new(&format!("socket = DIR/s\nhook-as-user = {hook}\ncommand = echo command"));
        let outcome = place.run();
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1), "{hook}");
        assert!(
            outcome.errors.contains(why) && outcome.errors.contains("(step "),
            "{hook}: {}",
            outcome.errors
        );
        assert!(!place.path("s").exists());
    }
}

#[test]
fn a_hook_after_the_start_that_fails_ends_the_command_too() {
    let place = Place::new(
        "command = sh -c 'echo $$; exec sleep 1000'\nhook-post-app = exec:read x < DIR/fifo; exit 4",
    );
    assert!(std::process::Command::new("mkfifo").arg(place.path("fifo")).status().unwrap().success());
    let mut vassal = place.start();
    let command: i32 = vassal.line().parse().unwrap();
    std::fs::write(place.path("fifo"), "go on\n").unwrap();
    assert_eq!(vassal.end().code(), 1);
    super::emperor::wait_until_gone(command);
}

#[test]
fn a_command_that_ends_while_a_hook_runs_is_not_missed() {
    let place = Place::new(
        "command = sh -c 'exit 9'\nhook-post-app = exec:sleep 0.2\nexec-as-user-atexit = echo after",
    );
    let outcome = place.run();
    assert_eq!((outcome.code(), outcome.output.as_str()), (9, "after\n"), "{}", outcome.errors);
}

#[test]
fn a_failing_hook_at_the_end_is_told_and_the_next_one_done() {
    let place = Place::new(
        "command = true\nhook-as-user-atexit = unlink:DIR/none\nhook-as-user-atexit = write:DIR/end x",
    );
    let outcome = place.run();
    assert_eq!((outcome.code(), place.read("end").as_str()), (0, "x"));
    assert!(outcome.errors.contains("ENOENT"), "{}", outcome.errors);
}

#[test]
fn what_is_hidden_is_not_told_when_it_fails() {
    for hook in
        ["exec:echo secret >/dev/null; exit 3", "mkdir:/secret/a", "writen:/secret/a secret", "cd:/secret"]
    {
        let outcome = Place::new(&format!("hook-as-root = !{hook}\ncommand = true")).run();
        assert_eq!(outcome.code(), 1);
        assert!(outcome.errors.contains("hook-as-root (hidden)"), "{}", outcome.errors);
        assert!(!outcome.errors.contains("secret"), "{}", outcome.errors);
    }
}

#[test]
fn files_listeners_and_readers_are_waited_for() {
    let place = Place::new(
        "hook-asap = writefifo:DIR/fifo nobody reads\nhook-pre-app = wait_for_file:DIR/file\nhook-pre-app = wait_for_dir:DIR/dir\n\
         hook-pre-app = wait_for_fs:DIR/any\nhook-pre-app = wait_for_socket:DIR/listener\nhook-pre-app = spinningfifo:DIR/late words\ncommand = echo command",
    );
    let fifo = |name: &str| {
        assert!(std::process::Command::new("mkfifo").arg(place.path(name)).status().unwrap().success())
    };
    fifo("fifo");
    let mut vassal = place.start();
    std::fs::create_dir(place.path("any")).unwrap();
    std::fs::create_dir(place.path("dir")).unwrap();
    std::fs::write(place.path("file"), "").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(place.path("listener")).unwrap();
    fifo("late");
    assert_eq!(std::fs::read_to_string(place.path("late")).unwrap(), "words");
    assert_eq!(vassal.line(), "command");
    assert!(std::fs::metadata(place.path("fifo")).unwrap().file_type().is_fifo());
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn a_vassal_told_to_stop_does_not_wait_for_a_file() {
    let place =
        Place::new("hook-asap = exec:echo begin\nhook-as-root = wait_for_file:DIR/never\ncommand = true");
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "begin");
    vassal.say(0);
    assert_eq!(vassal.end().code(), 1);
}

/// A directory of the tenant with a hook's target in it, and a victim elsewhere.
fn besieged(hooks: &str) -> Place {
    let place = Place::new(&format!("{hooks}\ncommand = echo command"));
    place.directory("tenant", TENANT, 0o755);
    place.directory("etc", 0, 0o755);
    std::fs::write(place.path("etc/passwd"), "victim").unwrap();
    place
}

fn is_untouched(place: &Place) -> bool {
    let of = |name: &str| std::fs::metadata(place.path(name)).unwrap();
    let names = std::fs::read_dir(place.path("etc")).unwrap().count();
    let rights = |name: &str| (of(name).uid(), of(name).mode() & 0o7777);
    place.read("etc/passwd") == "victim"
        && names == 1
        && rights("etc/passwd").0 == 0
        && rights("etc") == (0, 0o755)
        && rights("etc/passwd").1 == 0o644
}

const TOUCHES: [&str; 9] = [
    "write:DIR/tenant/x/passwd owned",
    "append:DIR/tenant/x/passwd owned",
    "create:DIR/tenant/x/passwd",
    "chmod:DIR/tenant/x/passwd 0666",
    "chown2:DIR/tenant/x/passwd 54321 54321",
    "unlink:DIR/tenant/x/passwd",
    "mkdir:DIR/tenant/x/new",
    "sticky:DIR/tenant/x",
    "chown2:DIR/tenant/x 54321 54321",
];

/// Row F1.
#[test]
fn a_link_of_a_tenant_leads_no_hook_of_roots_anywhere() {
    for touch in TOUCHES {
        let place = besieged(&format!("hook-as-root = {touch}"));
        symlink(place.path("etc"), place.path("tenant/x")).unwrap();
        let outcome = place.run();
        assert!(is_untouched(&place), "{touch}");
        assert!(
            outcome.errors.contains("ELOOP") && outcome.errors.contains("others than root"),
            "{touch}: {}",
            outcome.errors
        );
    }
}

/// Rows F1 and F2: as with a hard link that a log is moved onto.
#[test]
fn a_second_name_that_a_tenant_gave_a_file_of_roots_is_not_touched() {
    for touch in [
        "write:DIR/tenant/f owned",
        "append:DIR/tenant/f owned",
        "chmod:DIR/tenant/f 0666",
        "chown2:DIR/tenant/f 54321 54321",
    ] {
        let place = besieged(&format!("hook-as-root = {touch}"));
        std::fs::hard_link(place.path("etc/passwd"), place.path("tenant/f")).unwrap();
        let outcome = place.run();
        assert!(is_untouched(&place), "{touch}");
        assert!(outcome.errors.contains("EMLINK"), "{touch}: {}", outcome.errors);
    }
}

#[test]
fn a_link_of_roots_is_followed() {
    let place = besieged("hook-as-root = write:DIR/way/passwd changed\nhook-as-root = chmod:DIR/last 0600");
    symlink("etc", place.path("way")).unwrap();
    symlink(place.path("etc/passwd"), place.path("last")).unwrap();
    let outcome = place.run();
    assert_eq!(outcome.output, "command\n", "{}", outcome.errors);
    assert_eq!(place.read("etc/passwd"), "changed");
    assert_eq!(std::fs::metadata(place.path("etc/passwd")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The same where a file of the tenant's is what is changed.
const FILE_TOUCHES: [&str; 4] = [
    "write:DIR/tenant/f owned",
    "append:DIR/tenant/f owned",
    "chmod:DIR/tenant/f 0666",
    "chown2:DIR/tenant/f 54321 54321",
];
/// So often at least a hook meets a link; another number where the variable `LIEGE_RACES` says so.
const RACES: usize = 300;
/// Runs one after the other in which none does, at most.
const FRUITLESS_MAX: usize = 20;

/// Row F1.
#[test]
fn links_swapped_in_a_loop_lead_no_hook_of_roots_to_the_victim() {
    // Whichever of the two stands there, the next one is tried.
    let hook = |touch: &str| format!("hook-as-user-atexit = {touch}\n");
    let hooks: String = (0..100).flat_map(|_| TOUCHES.into_iter().chain(FILE_TOUCHES)).map(hook).collect();
    let place = besieged(&hooks);
    let pairs = [("x", "link"), ("f", "trap")]
        .map(|(one, other)| (place.path("tenant").join(one), place.path("tenant").join(other)));
    std::fs::create_dir(&pairs[0].0).unwrap();
    symlink(place.path("etc"), &pairs[0].1).unwrap();
    std::fs::write(&pairs[1].0, "").unwrap();
    symlink(place.path("etc/passwd"), &pairs[1].1).unwrap();
    let met = siege::besieged(&pairs, || {
        let (mut met, mut fruitless, wanted) = (0, 0, siege::races(RACES));
        while met < wanted {
            let links = place.run().errors.matches("ELOOP").count();
            // On a busy machine the attacker may have no turn for the whole of a run.
            fruitless = if links > 0 { 0 } else { fruitless + 1 };
            assert!(fruitless < FRUITLESS_MAX, "no link was met");
            met += links;
        }
        met
    });
    println!("{met} hooks met a link");
    assert!(is_untouched(&place));
    // Both were met, or nothing was tried.
    let is_new = |name: &str| place.path("tenant").join(name).join("new").exists();
    assert!(is_new("x") || is_new("link"), "no directory was met");
}

/// A vassal whose command runs and is minded: from here on it hears, and sees what is touched.
fn minded(place: &Place) -> Vassal {
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "runs");
    assert_eq!([vassal.byte(), vassal.byte()], [Some(1), Some(5)]);
    vassal
}

#[test]
fn a_vassal_reacts_to_each_word_of_its_emperor_and_to_its_end() {
    for (word, said) in [(Some(1), "reload"), (Some(0), "stop"), (Some(2), "stop"), (None, "lost")] {
        let hooks: String = ["reload", "stop", "lost"]
            .iter()
            .map(|what| {
                format!("hook-emperor-{what} = exec:exit 3\nhook-emperor-{what} = exec:echo {what}\n")
            })
            .collect();
        let place = Place::new(&format!("{hooks}command = sh -c 'echo runs; exec sleep 1000'"));
        let mut vassal = minded(&place);
        match word {
            Some(byte) => vassal.say(byte),
            None => vassal.control = None,
        }
        assert_eq!(vassal.line(), said);
        if word == Some(1) {
            vassal.signal(rustix::process::Signal::TERM);
        }
        let outcome = vassal.end();
        assert_eq!(outcome.output, "", "only once: {}", outcome.errors);
        let told = format!("hook-emperor-{said} `exec:exit 3` ended with status 3");
        assert!(outcome.errors.contains(&told), "{}", outcome.errors);
    }
}

#[test]
fn a_stop_while_a_reaction_takes_its_time_is_not_lost() {
    let place = Place::new(
        "hook-touch = DIR/file exec:echo begun; exec sleep 1000\ncommand = sh -c 'echo runs; exec sleep 1000'",
    );
    let mut vassal = minded(&place);
    let file = place.path("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(vassal.line(), "begun");
    // Once more: what is touched while it stops is of no interest.
    std::fs::write(&file, "y").unwrap();
    vassal.say(0);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn each_touch_of_a_file_is_one_reaction_whatever_its_time() {
    let place = Place::new(
        "hook-touch = DIR/file exec:echo touched\nhook-touch = DIR/other exec:echo other\n\
         command = sh -c 'echo runs; exec sleep 1000'",
    );
    std::fs::write(place.path("file"), "").unwrap();
    let mut vassal = minded(&place);
    // Into the past and, for a file of that very time, again.
    for time in ["2001-01-01", "2033-01-01", "2001-01-01"] {
        let touch = std::process::Command::new("touch").args(["-d", time]).arg(place.path("file")).status();
        assert!(touch.unwrap().success());
        assert_eq!(vassal.line(), "touched");
    }
    // A new file in its place, one that was not there, and nothing for a neighbour of theirs.
    std::fs::write(place.path("fresh"), "x").unwrap();
    std::fs::rename(place.path("fresh"), place.path("file")).unwrap();
    assert_eq!(vassal.line(), "touched");
    std::fs::write(place.path("neighbour"), "x").unwrap();
    std::fs::write(place.path("fresh"), "x").unwrap();
    std::fs::rename(place.path("fresh"), place.path("other")).unwrap();
    assert_eq!(vassal.line(), "other");
    vassal.say(0);
    assert_eq!(vassal.end().output, "");
}
