//! The daily tasks of whoever comes from supervisord: said to a real one by `supervisorctl`, and by `liege` to ours. What is done, and the
//! exit status, is the same, but where `docs/control.md` says otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::common::{Cgroup, Emperor, Tree, eventually};
use super::said;

/// Where it is installed.
const SUPERVISORD: &str = "/usr/bin/supervisord";
/// Into the cgroup, then the program in its place.
const ENTER: &str = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;
/// Says when it runs and when it was told of USR1.
const TALKER: &str = "sh -c \"trap 'echo told' USR1; echo up; while :; do sleep 0.1; done\"";
/// What it needs of a config beside the programs.
const CONFIG: &str = "[unix_http_server]
file=DIR/s.sock
[supervisord]
logfile=DIR/s.log
pidfile=DIR/s.pid
childlogdir=DIR
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://DIR/s.sock
[include]
files=DIR/programs/*.conf
";

/// A supervisord and a liege that mind the same programs.
struct Both {
    theirs: Child,
    cgroup: Cgroup,
    directory: PathBuf,
    ours: Emperor,
}

/// What was said, and the exit status.
type Said = (String, i32);

impl Both {
    /// Nothing where there is no supervisord.
    fn start(programs: &[(&str, &str)]) -> Option<Self> {
        if !Path::new(SUPERVISORD).exists() {
            eprintln!("skipped: {SUPERVISORD} is not installed");
            return None;
        }
        let tree = Tree::new();
        tree.liege();
        let directory = tree.dir("supervisor");
        tree.dir("supervisor/programs");
        let config = directory.join("s.conf");
        std::fs::write(&config, CONFIG.replace("DIR", &directory.display().to_string())).unwrap();
        programs.iter().for_each(|(name, command)| write(&tree, name, command));
        let cgroup = Cgroup::new();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", ENTER]).arg(cgroup.path()).arg(SUPERVISORD).arg("-c").arg(&config);
        let theirs =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let ours = Emperor::start(tree, &["--vassals-log", "none"]);
        let both = Self { theirs, cgroup, directory, ours };
        eventually("both", || {
            let all = both.pids().len() == 2 * programs.len();
            all.then_some(())
        });
        Some(both)
    }

    fn theirs(&self, words: &[&str]) -> Said {
        let mut command = Command::new("/usr/bin/supervisorctl");
        command.arg("-c").arg(self.directory.join("s.conf")).args(words);
        let output = command.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }

    /// The same words to both, with this exit status of each.
    fn say(&self, words: &[&str], status: i32) -> [String; 2] {
        self.differ(words, words, [status, status])
    }

    /// What is the same in other words, or ends with another status.
    fn differ(&self, theirs: &[&str], ours: &[&str], status: [i32; 2]) -> [String; 2] {
        let (their, their_status) = self.theirs(theirs);
        let (our, our_status) = said(&self.ours, ours);
        assert_eq!([their_status, our_status], status, "{theirs:?} {their}--- {ours:?} {our}");
        [their, our]
    }

    /// Who runs: by side and name.
    fn pids(&self) -> BTreeMap<(&'static str, String), i64> {
        let mut pids = BTreeMap::new();
        for line in self.theirs(&["status"]).0.lines().filter(|line| line.contains(" RUNNING ")) {
            let name = line.split_whitespace().next().unwrap().to_owned();
            let pid = line.split("pid ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
            pids.insert(("theirs", name), pid.parse().unwrap());
        }
        for one in self.ours.stats()["vassals"].as_array().unwrap() {
            let name = one["id"].as_str().unwrap().trim_end_matches(".ini").to_owned();
            let pid = one["pid"].as_i64().filter(|pid| *pid > 0 && one["state"] == "running");
            pid.into_iter().for_each(|pid| _ = pids.insert(("ours", name.clone()), pid));
        }
        pids
    }

    /// Which of them are other processes now, or none.
    fn replaced(&self, before: &BTreeMap<(&'static str, String), i64>) -> Vec<String> {
        let now = self.pids();
        let other = before.iter().filter(|(who, pid)| now.get(who) != Some(pid));
        other.map(|((side, name), _)| format!("{side} {name}")).collect()
    }

    fn say_of_all(&self, words: &[&str], lines: [&[&str]; 2]) {
        for (text, lines) in self.say(words, 0).iter().zip(lines) {
            let mut told: Vec<&str> = text.lines().collect();
            told.sort_unstable();
            assert_eq!(told, lines, "{words:?}");
        }
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        let _ = self.theirs.kill();
        let _ = self.theirs.wait();
        self.cgroup.kill();
        let _ = std::fs::remove_file(self.directory.join("s.sock"));
    }
}

fn write(tree: &Tree, name: &str, command: &str) {
    let program =
        format!("[program:{name}]\ncommand={command}\nstartsecs=1\nstartretries=0\nredirect_stderr=true\n");
    std::fs::write(tree.path(&format!("supervisor/programs/{name}.conf")), program).unwrap();
    tree.vassal(&format!("{name}.ini"), &format!("ready = lived:1\ncommand = {command}\n"));
}

#[test]
fn programs_are_started_stopped_and_asked_after_as_by_supervisorctl() {
    let Some(both) = Both::start(&[("a", TALKER), ("b", "/bin/sleep 1000001")]) else { return };
    both.say(&["status", "a"], 0);
    both.say(&["start", "a"], 0);
    let before = both.pids();
    both.say(&["restart", "a"], 0);
    assert_eq!(both.replaced(&before), ["ours a", "theirs a"]);
    both.say(&["stop", "a"], 0);
    both.say(&["stop", "a"], 0);
    both.say(&["status", "a"], 3);
    // Of all together ours is asked in order to look.
    both.differ(&["status"], &["status"], [3, 0]);
    both.say(&["start", "a"], 0);
    both.say(&["status", "a", "b"], 0);
    both.say_of_all(&["stop", "all"], [&["a: stopped", "b: stopped"], &["a.ini: stopped", "b.ini: stopped"]]);
    both.say_of_all(
        &["start", "all"],
        [&["a: started", "b: started"], &["a.ini: started", "b.ini: started"]],
    );
    let before = both.pids();
    for (verb, status) in [("start", 1), ("stop", 1), ("restart", 1), ("status", 4)] {
        let theirs = if verb == "restart" { "start" } else { verb };
        both.differ(&[theirs, "nobody"], &[verb, "nobody"], [status, status]);
    }
    assert_eq!(both.replaced(&before), Vec::<String>::new());
    let said = both.say(&["signal", "USR1", "a"], 0);
    assert_eq!(said, ["a: signalled\n", "a.ini: signalled\n"]);
    for told in ["told", "up"] {
        eventually(told, || both.say(&["tail", "a"], 0).iter().all(|text| text.contains(told)).then_some(()));
    }
    // The number of a process is in the status of ours.
    let pid = both.theirs(&["pid", "b"]).0.trim().to_owned();
    assert_eq!(both.pids()[&("theirs", "b".to_owned())].to_string(), pid);
    // Whose socket it is may not be where it was.
    both.say(&["shutdown"], 0);
}

#[test]
fn what_does_not_come_up_is_told_with_the_same_exit_status() {
    let Some(both) = Both::start(&[("a", "/bin/sleep 1000002")]) else { return };
    write(&both.ours.tree, "bad", "sh -c \"exit 9\"");
    both.theirs(&["update"]);
    said(&both.ours, &["update"]);
    both.say(&["start", "bad"], 7);
    both.say(&["status", "bad"], 3);
    both.say(&["start", "a", "bad"], 7);
}

#[test]
fn an_update_restarts_what_was_edited_and_nobody_else() {
    let sleeps = [("a", "/bin/sleep 1000003"), ("b", "/bin/sleep 1000004"), ("c", "/bin/sleep 1000005")];
    let Some(both) = Both::start(&sleeps) else { return };
    let before = both.pids();
    // `reread` only tells; ours tells what it does.
    assert_eq!(both.differ(&["reread"], &["update"], [0, 0])[0], "No config updates to processes\n");
    write(&both.ours.tree, "b", "/bin/sleep 1000006");
    write(&both.ours.tree, "d", "/bin/sleep 1000007");
    for file in ["supervisor/programs/c.conf", "vassals/c.ini"] {
        std::fs::remove_file(both.ours.tree.path(file)).unwrap();
    }
    // Ours has read it before anybody asks.
    both.say(&["update"], 0);
    eventually("three of each", || (both.pids().len() == 6).then_some(()));
    assert_eq!(both.replaced(&before), ["ours b", "ours c", "theirs b", "theirs c"]);
}

/// Two workers, one of them in a session of its own: whoever stops the first process alone leaves both.
#[test]
fn after_a_stop_nothing_lives_where_supervisord_leaves_workers() {
    let workers = "sh -c \"setsid sleep 7654322 & sleep 7654322 & exec sleep 7654323\"";
    let Some(both) = Both::start(&[("two", workers)]) else { return };
    let alive = |cgroup: &Cgroup| {
        let of = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .unwrap_or_default()
                .starts_with(b"sleep\x007654322\0")
        };
        cgroup.pids().into_iter().filter(of).count()
    };
    eventually("two workers of each", || {
        (alive(&both.cgroup) == 2 && alive(&both.ours.cgroup) == 2).then_some(())
    });
    both.say(&["stop", "two"], 0);
    assert_eq!((alive(&both.cgroup), alive(&both.ours.cgroup)), (2, 0));
}
