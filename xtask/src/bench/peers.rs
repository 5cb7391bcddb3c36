//! Whole processes: from the exec of a program that makes a jail to the first instruction in it, ours and others'.
//!
//! Everybody makes the same: five namespaces, ids of a tenant, no new privileges; and in the second table also another
//! root, read-only, with a `/proc` of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::program;

use super::lab::{Lab, NAMESPACES};
use super::spawn::PATIENCE;
use super::stamps::{ms, now_ns};
use super::table::Table;

/// Ids of the tenant.
const ID: u32 = 1000;
const FLOOR: &str = "C floor";
/// Says that it is there, waits for a line, and becomes the program that is measured.
const WAIT: &str = r#"echo; read -r line; exec "$@""#;
/// `crun` refuses hosts that have both versions of cgroups: it is shown the first one only.
const WAIT_ON_V1: &str = r#"umount /sys/fs/cgroup/unified 2>/dev/null; echo; read -r line; exec "$@""#;

/// A program that makes jails.
struct Peer {
    name: &'static str,
    /// Its command line for a jail of this name.
    line: fn(&Yard, &str) -> Result<Vec<String>>,
    /// What it takes to end such a jail, beyond killing the program.
    end: fn(&Yard, &str) -> Vec<String>,
}

const PLAIN: [Peer; 4] = [
    Peer { name: FLOOR, line: floor, end: nothing },
    Peer { name: "liege vassal", line: liege, end: nothing },
    Peer { name: "bubblewrap", line: bubblewrap, end: nothing },
    Peer { name: "nsjail", line: nsjail, end: nothing },
];
const ROOTED: [Peer; 5] = [
    Peer { name: "liege vassal", line: liege_rooted, end: nothing },
    Peer { name: "bubblewrap", line: bubblewrap_rooted, end: nothing },
    Peer { name: "nsjail", line: nsjail_rooted, end: nothing },
    Peer { name: "crun", line: crun, end: end_crun },
    Peer { name: "runc", line: runc, end: end_runc },
];

/// One after the other in each round.
///
/// # Errors
/// The floor cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let yard = Yard::new(lab)?;
    let mut plain = Table::new("Whole processes: five namespaces, other ids, exec", "ms");
    let mut rooted = Table::new("The same with another root, read-only, and its own /proc", "ms");
    for round in 0..lab.rounds(60, 2) {
        for (table, peers) in [(&mut plain, &PLAIN[..]), (&mut rooted, &ROOTED[..])] {
            for (number, peer) in peers.iter().enumerate() {
                table.add_result(peer.name, yard.one(peer, &format!("w{number}x{round}")));
            }
        }
    }
    Ok(vec![plain, rooted])
}

/// Where jails of others have their files.
struct Yard<'a> {
    lab: &'a Lab,
    place: PathBuf,
}

impl<'a> Yard<'a> {
    /// A root with the tiny program in it and the place where it reports.
    fn new(lab: &'a Lab) -> Result<Self> {
        let place = lab.directory()?;
        let root = place.join("root");
        fs::create_dir_all(root.join("proc"))?;
        fs::create_dir(root.join("dev"))?;
        fs::create_dir(place.join("state"))?;
        // The same path inside and outside: the program has it compiled in.
        let inside = root.join(own(lab).strip_prefix("/")?);
        fs::create_dir_all(inside)?;
        Ok(Self { lab, place })
    }

    /// Milliseconds until the program in the jail runs.
    fn one(&self, peer: &Peer, name: &str) -> Result<f64> {
        let line = (peer.line)(self, name)?;
        ensure!(program::find(&line[0]).is_some() || Path::new(&line[0]).exists(), "not installed");
        let mut waiting = Waiting::start(&line)?;
        let before = now_ns();
        waiting.go()?;
        let stamp = self.lab.stamps.of('s', name, before, PATIENCE);
        let end = (peer.end)(self, name);
        if let Some((program, arguments)) = end.split_first() {
            let _ = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status();
        }
        drop(waiting);
        Ok(ms(before, stamp?.at_ns))
    }

    fn stamp(&self) -> String {
        self.lab.stamp().display().to_string()
    }

    fn root(&self) -> String {
        self.place.join("root").display().to_string()
    }

    fn own(&self) -> String {
        own(self.lab).display().to_string()
    }

    fn state(&self) -> String {
        self.place.join("state").display().to_string()
    }
}

fn own(lab: &Lab) -> PathBuf {
    lab.beside("").components().collect()
}

/// A shell in which everything is ready but the program itself.
struct Waiting(Child);

impl Waiting {
    fn start(line: &[String]) -> Result<Self> {
        let script = if line[0] == "crun" { WAIT_ON_V1 } else { WAIT };
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut answer = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut answer)?;
        Ok(Self(child))
    }

    fn go(&mut self) -> Result<()> {
        Ok(self.0.stdin.as_mut().context("no stdin")?.write_all(b"\n")?)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn nothing(_: &Yard<'_>, _: &str) -> Vec<String> {
    Vec::new()
}

fn floor(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    let floor = yard.lab.beside("floor");
    Ok(words(&format!("{} -1 {name} {} {}", floor.display(), NAMESPACES.1, yard.stamp())))
}

/// As whoever starts a vassal by hand: our own master reads a config, makes the jail, starts the command.
fn liege(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    with_config(yard, name, "")
}

fn liege_rooted(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    let own = yard.own();
    with_config(yard, name, &format!("rootfs = {} ro\nproc\nbind = {own}:{own}\n", yard.root()))
}

fn with_config(yard: &Yard<'_>, name: &str, lines: &str) -> Result<Vec<String>> {
    let config = yard.place.join(format!("{name}.ini"));
    let jail = format!("unshare = {}\nuid = {ID}\ngid = {ID}\n", NAMESPACES.0);
    fs::write(&config, format!("[uwsgi]\n{jail}{lines}command = {} {name}\n", yard.stamp()))?;
    Ok(words(&format!("{} vassal --ini {}", yard.lab.liege.display(), config.display())))
}

const BUBBLEWRAP: &str = "bwrap --unshare-net --unshare-ipc --unshare-pid --unshare-uts --unshare-user \
                          --uid 1000 --gid 1000 --die-with-parent";

fn bubblewrap(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    Ok(words(&format!("{BUBBLEWRAP} --bind / / {} {name}", yard.stamp())))
}

fn bubblewrap_rooted(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    let (root, own, stamp) = (yard.root(), yard.own(), yard.stamp());
    Ok(words(&format!("{BUBBLEWRAP} --ro-bind {root} / --proc /proc --bind {own} {own} {stamp} {name}")))
}

const NSJAIL: &str = "nsjail --mode o --quiet --user 1000 --group 1000 --disable_clone_newuser \
                      --disable_clone_newcgroup --time_limit 0";

fn nsjail(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    Ok(words(&format!("{NSJAIL} --chroot / --rw --disable_proc -- {} {name}", yard.stamp())))
}

fn nsjail_rooted(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    let (root, own, stamp) = (yard.root(), yard.own(), yard.stamp());
    Ok(words(&format!("{NSJAIL} --chroot {root} --bindmount {own} -- {stamp} {name}")))
}

fn crun(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    container(yard, "crun", name)
}

fn runc(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    container(yard, "runc", name)
}

fn container(yard: &Yard<'_>, program: &str, name: &str) -> Result<Vec<String>> {
    fs::write(yard.place.join("config.json"), bundle(yard, name).to_string())?;
    let (state, bundle) = (yard.state(), yard.place.display());
    Ok(words(&format!("{program} --root {state} run --bundle {bundle} bench-{name}")))
}

/// A bundle as small as the runtime specification of OCI has it.
fn bundle(yard: &Yard<'_>, name: &str) -> Value {
    let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.0",
        "process": {
            "user": { "uid": ID, "gid": ID },
            "args": [yard.stamp(), name],
            "cwd": "/",
            "noNewPrivileges": true,
        },
        "root": { "path": "root", "readonly": true },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": yard.own(), "type": "none", "source": yard.own(), "options": ["bind"] },
        ],
        "linux": { "namespaces": namespaces },
    })
}

fn end_crun(yard: &Yard<'_>, name: &str) -> Vec<String> {
    words(&format!("crun --root {} delete --force bench-{name}", yard.state()))
}

fn end_runc(yard: &Yard<'_>, name: &str) -> Vec<String> {
    words(&format!("runc --root {} delete --force bench-{name}", yard.state()))
}
