//! Everybody in a court, and the exact table of what each of them may be.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

use std::fmt::Write as _;
use std::path::Path;

use super::common::{ALICE, BOB, Emperor, NAMESPACES, Process, RIGHTS, Tree};

/// What a jail has made of the file system; other mounts are the host's business.
const PLACES: [&str; 8] = ["/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/run", "/sys", "/tmp"];

/// Whom the others are compared with.
pub struct Court {
    /// Who rules it.
    pub emperor: Emperor,
    /// Alice's first process.
    pub master: Process,
    /// Bob's.
    pub neighbour: Process,
}

/// Without the bytes and files that a part of this machine's memory is.
fn sizeless(options: &str) -> String {
    let one = |option: &str| match option.split_once('=') {
        Some(("nr_inodes", "1")) => option.to_owned(),
        Some((bound @ ("size" | "nr_inodes"), _)) => bound.to_owned(),
        _ => option.to_owned(),
    };
    options.split(',').map(one).collect::<Vec<_>>().join(",")
}

impl Court {
    /// Alice, whose config says this besides what she runs, and Bob.
    pub fn open(options: &[&str], config: &str) -> Self {
        Self::of(Tree::new(), ALICE, (options, config))
    }

    /// The first vassal, `alice.ini`, is this owner's.
    pub fn of(tree: Tree, owner: u32, (options, config): (&[&str], &str)) -> Self {
        Self::beside(config, tree, owner, (options, config))
    }

    /// With this config of the neighbour's.
    pub fn beside(neighbours: &str, tree: Tree, owner: u32, (options, config): (&[&str], &str)) -> Self {
        tree.vassal_of(owner, "alice.ini", config);
        tree.vassal_of(if owner == 0 { 0 } else { BOB }, "bob.ini", neighbours);
        let emperor = Emperor::start(tree, options);
        let [master, neighbour] = ["alice.ini", "bob.ini"].map(|name| running(&emperor, name));
        Self { emperor, master, neighbour }
    }

    fn spawner(&self) -> Process {
        let is_spawner = |one: &Process| one.command_line() == ["liege: spawner"];
        self.emperor.process.children().into_iter().find(is_spawner).unwrap()
    }

    /// The table of these processes and of the Emperor and its spawner.
    pub fn table(&self, others: &[(&str, &Process)]) -> String {
        let spawner = self.spawner();
        let ours = [("Emperor", &self.emperor.process), ("spawner", &spawner)];
        let mut text = String::new();
        for (role, process) in ours.iter().chain(others) {
            writeln!(text, "== {role}").unwrap();
            self.describe(&mut text, process);
        }
        text
    }

    /// One process: a line for each thing that it is or has.
    pub fn describe(&self, text: &mut String, process: &Process) {
        let (shared, apart): (Vec<&str>, Vec<&str>) =
            NAMESPACES.iter().partition(|name| process.namespace(name) == host().namespace(name));
        let (jails, own): (Vec<&str>, Vec<&str>) =
            apart.iter().partition(|name| process.namespace(name) == self.master.namespace(name));
        for name in apart {
            assert_ne!(process.namespace(name), self.neighbour.namespace(name), "{name} is the neighbour's");
        }
        writeln!(text, "namespaces: host's {shared:?}, jail's {jails:?}, own {own:?}").unwrap();
        for field in ["Umask"].into_iter().chain(RIGHTS) {
            writeln!(text, "{field}: {}", process.status(field)).unwrap();
        }
        for map in ["uid_map", "gid_map"] {
            let words: Vec<String> = process.read(map).split_whitespace().map(str::to_owned).collect();
            writeln!(text, "{map}: {}", words.join(" ")).unwrap();
        }
        writeln!(text, "nice: {}", nice(process)).unwrap();
        writeln!(text, "limits unlike the Emperor's: {:?}", self.limits(process)).unwrap();
        writeln!(text, "killed when memory is short: {}", process.read("oom_score_adj").trim()).unwrap();
        writeln!(text, "cgroup: {}", self.cgroup(process)).unwrap();
        writeln!(text, "descriptors: {:?}", self.descriptors(process)).unwrap();
        writeln!(text, "session: {}", self.session(process)).unwrap();
        writeln!(text, "environment: {}", self.place(&format!("{:?}", environment(process)))).unwrap();
        writeln!(text, "directory: {}", self.place(&process.link("cwd"))).unwrap();
        self.mounts(process).iter().for_each(|line| writeln!(text, "mount: {line}").unwrap());
    }

    fn limits(&self, process: &Process) -> Vec<String> {
        let emperors = self.emperor.process.read("limits");
        let limits = process.read("limits");
        let odd = limits.lines().filter(|line| !emperors.lines().any(|one| one == *line));
        let odd = odd.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        // Raised by the Emperor for itself alone; what the config says of it shows.
        odd.filter(|line| !line.starts_with("Max open files") || line.contains(" 256 256 ")).collect()
    }

    /// Of version 2, with the numbers taken out.
    fn cgroup(&self, process: &Process) -> String {
        let of = |process: &Process| {
            let text = process.read("cgroup");
            text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
        };
        let [own, masters, neighbours] = [process, &self.master, &self.neighbour].map(of);
        assert!(neighbours.is_some() && masters != neighbours, "each has a leaf of its own");
        let own = own.unwrap();
        let last = Path::new(&own).file_name().unwrap().to_str().unwrap();
        match masters.as_ref() == Some(&own) {
            true => "the vassal's leaf".into(),
            false => unnumbered(last),
        }
    }

    /// What each number names, without the numbers of pipes and sockets. Of the host's, kinds alone: which numbers they
    /// have is nobody's business, and what the test itself was given may be among them.
    pub fn descriptors(&self, process: &Process) -> Vec<String> {
        let hosts = process.namespace("mnt") == host().namespace("mnt");
        let one = |(number, name): (&i32, &String)| {
            let kind = self.place(name.split(":[").next().unwrap_or_default());
            if hosts { unnumbered(&kind) } else { format!("{number} {kind}") }
        };
        let mut list: Vec<String> = process.descriptors().iter().map(one).collect();
        list.sort();
        if hosts {
            list.dedup();
        }
        list
    }

    fn session(&self, process: &Process) -> String {
        let ids = |process: &Process| {
            let stat = process.read("stat");
            let words: Vec<i32> = stat
                .rsplit_once(')')
                .unwrap()
                .1
                .split_whitespace()
                .skip(2)
                .take(3)
                .map(|one| one.parse().unwrap())
                .collect();
            (words[0], words[1], words[2])
        };
        let name = |id: i32| match id {
            id if id == process.pid => "own",
            id if id == self.master.pid => "master's",
            id if id == self.emperor.process.pid => "Emperor's",
            _ => "another's",
        };
        let (group, session, terminal) = ids(process);
        format!("{}, group {}, terminal {terminal}", name(session), name(group))
    }

    /// What is on top at each of the places, and what it is.
    fn mounts(&self, process: &Process) -> Vec<String> {
        if process.namespace("mnt") == host().namespace("mnt") {
            return Vec::new();
        }
        let table = process.read("mountinfo");
        let of = |place: &str| {
            let line = table.lines().rfind(|line| line.split(' ').nth(4) == Some(place))?;
            let (front, back) = line.split_once(" - ")?;
            let options = front.split(' ').nth(5)?;
            let shared = if front.contains("shared:") || front.contains("master:") { " SHARED" } else { "" };
            let mut words = back.split(' ');
            let (kind, source) = (words.next()?, words.next()?);
            // The host's own root may be of any kind.
            let kind = if source == "none" {
                format!("{kind} {}", sizeless(words.next()?))
            } else {
                "of the host".into()
            };
            let options = options.replace(",noatime", "").replace(",relatime", "");
            Some(format!("{place} {options} {kind}{shared}"))
        };
        // Ours, wherever they are: those of the host have a source.
        let ours =
            table.lines().filter(|line| line.contains(" - ") && line.split(' ').rev().nth(1) == Some("none"));
        let mut places: Vec<&str> =
            PLACES.iter().copied().chain(ours.filter_map(|line| line.split(' ').nth(4))).collect();
        places.sort_unstable();
        places.dedup();
        let mut lines: Vec<String> = places.into_iter().filter_map(of).collect();
        let tree = self.emperor.tree.path("");
        let below = table.lines().filter_map(|line| line.split(' ').nth(4));
        lines
            .extend(below.filter(|place| Path::new(place).starts_with(&tree)).map(|place| self.place(place)));
        lines
    }

    fn place(&self, path: &str) -> String {
        path.replace(self.emperor.tree.path("").to_str().unwrap().trim_end_matches('/'), "TREE")
    }
}

/// A vassal that may never have said a word.
pub fn running(emperor: &Emperor, name: &str) -> Process {
    let is_there = |one: &serde_json::Value| one["pid"].as_i64().is_some_and(|pid| pid > 0);
    let pid = emperor.wait_stats(name, is_there)["pid"].as_i64().unwrap();
    Process::of(i32::try_from(pid).unwrap())
}

/// Beside this test, which may be nice itself.
fn nice(process: &Process) -> i32 {
    let of = |process: &Process| {
        let stat = process.read("stat");
        let (_, words) = stat.rsplit_once(')').unwrap();
        words.split_whitespace().nth(16).unwrap().parse::<i32>().unwrap()
    };
    of(process) - of(&host())
}

/// Whose namespaces are the host's.
pub fn host() -> Process {
    Process::of_this_test()
}

/// What is the same each time.
fn unnumbered(text: &str) -> String {
    let mut parts = text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "N" + part)
}

fn environment(process: &Process) -> Vec<String> {
    let mut list = process.environment();
    // Of the shell.
    list.retain(|one| !["PWD=", "OLDPWD=", "_=", "SHLVL="].iter().any(|name| one.starts_with(name)));
    let unnumbered = |one: String| if one.contains("_PID=") { unnumbered(&one) } else { one };
    list.into_iter().map(unnumbered).collect()
}
