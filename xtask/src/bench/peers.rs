//! Whole processes: from the exec of a program that makes a jail to the first instruction in it, ours and others'.
//!
//! Everybody makes the same: five namespaces, ids of a tenant, no new privileges; in the second table also another
//! root, read-only, with a `/proc` of its own; in the third all that each has against a stranger's program.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::program;

use super::lab::{Lab, NAMESPACES};
use super::proc;
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
const ROOTED: [Peer; 6] = [
    Peer { name: FLOOR, line: floor_rooted, end: nothing },
    Peer { name: "liege vassal", line: liege_rooted, end: nothing },
    Peer { name: "bubblewrap", line: bubblewrap_rooted, end: nothing },
    Peer { name: "nsjail", line: nsjail_rooted, end: nothing },
    Peer { name: "crun", line: crun, end: end_crun },
    Peer { name: "runc", line: runc, end: end_runc },
];

const CONFINED: [Peer; 5] = [
    Peer { name: "liege vassal, jail = standard", line: liege_standard, end: nothing },
    Peer { name: "liege vassal, jail = strict", line: liege_strict, end: nothing },
    Peer { name: "bubblewrap, without a filter", line: bubblewrap_confined, end: nothing },
    Peer { name: "crun", line: crun_confined, end: end_crun },
    Peer { name: "runc", line: runc_confined, end: end_runc },
];

/// One after the other in each round.
///
/// # Errors
/// The floor cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let yard = Yard::new(lab)?;
    let mut plain = Table::new("Whole processes: five namespaces, other ids, exec", "ms");
    let mut rooted = Table::new("The same with another root, read-only, and its own /proc", "ms");
    let title =
        "Confined: private /tmp, /dev, /proc and cgroup besides, no capability, filtered system calls";
    let mut confined = Table::new(title, "ms");
    for round in 0..lab.rounds(60, 2) {
        let tables = [(&mut plain, &PLAIN[..]), (&mut rooted, &ROOTED[..]), (&mut confined, &CONFINED[..])];
        for (kind, (table, peers)) in tables.into_iter().enumerate() {
            for (number, peer) in peers.iter().enumerate() {
                table.add_result(peer.name, yard.one(peer, &format!("w{kind}x{number}x{round}")));
            }
        }
    }
    Ok(vec![plain, rooted, confined])
}

/// Where jails of others have their files.
struct Yard<'a> {
    lab: &'a Lab,
    place: PathBuf,
}

impl<'a> Yard<'a> {
    /// A root with the tiny program in it and the place where it reports.
    fn new(lab: &'a Lab) -> Result<Self> {
        let root = lab.root()?;
        let place = root.parent().context("a root in a directory")?.to_owned();
        fs::create_dir(place.join("state"))?;
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
        self.lab.place().display().to_string()
    }

    fn state(&self) -> String {
        self.place.join("state").display().to_string()
    }
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
        // Whoever is killed alone may leave the first process of a jail behind.
        for pid in proc::family(self.0.id().cast_signed(), Path::new("")) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
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
    floor_with(yard, "", name)
}

fn floor_rooted(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    floor_with(yard, &format!("-r {} -b {}", yard.root(), yard.own()), name)
}

fn floor_with(yard: &Yard<'_>, options: &str, name: &str) -> Result<Vec<String>> {
    let floor = yard.lab.beside("floor");
    Ok(words(&format!("{} {options} -1 {name} {} {}", floor.display(), NAMESPACES.1, yard.stamp())))
}

fn unshare() -> String {
    format!("unshare = {}\n", NAMESPACES.0)
}

/// As whoever starts a vassal by hand: our own master reads a config, makes the jail, starts the command.
fn liege(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    with_config(yard, name, &unshare())
}

fn liege_rooted(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    let (own, jail) = (yard.own(), unshare());
    with_config(yard, name, &format!("{jail}rootfs = {} ro\nproc\nbind = {own}:{own}\n", yard.root()))
}

fn liege_standard(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    with_config(yard, name, "jail = standard\n")
}

fn liege_strict(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    with_config(yard, name, "jail = strict\n")
}

fn with_config(yard: &Yard<'_>, name: &str, lines: &str) -> Result<Vec<String>> {
    let config = yard.place.join(format!("{name}.ini"));
    let ids = format!("uid = {ID}\ngid = {ID}\n");
    fs::write(&config, format!("[uwsgi]\n{ids}{lines}command = {} {name}\n", yard.stamp()))?;
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

fn bubblewrap_confined(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    let own = "--unshare-cgroup --new-session --cap-drop ALL --bind / / --dev /dev --proc /proc --tmpfs /tmp";
    Ok(words(&format!("{BUBBLEWRAP} {own} --tmpfs /dev/shm --ro-bind /sys /sys {} {name}", yard.stamp())))
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
    container(yard, "crun", name, &bundle(yard, name))
}

fn runc(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    container(yard, "runc", name, &bundle(yard, name))
}

fn crun_confined(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    container(yard, "crun", name, &confined(yard, name))
}

fn runc_confined(yard: &Yard<'_>, name: &str) -> Result<Vec<String>> {
    container(yard, "runc", name, &confined(yard, name))
}

fn container(yard: &Yard<'_>, program: &str, name: &str, text: &Value) -> Result<Vec<String>> {
    fs::write(yard.place.join("config.json"), text.to_string())?;
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

/// The same with what the runtimes write into a new bundle (`runc spec`), and a filter of system calls.
fn confined(yard: &Yard<'_>, name: &str) -> Value {
    let mut bundle = bundle(yard, name);
    let memory = |at: &str| json!({ "destination": at, "type": "tmpfs", "source": "tmpfs" });
    let mounts = bundle["mounts"].as_array_mut().expect("the bundle has mounts");
    let terminals = ["newinstance", "ptmxmode=0666", "mode=0620"];
    mounts.extend([memory("/dev"), memory("/dev/shm"), memory("/tmp")]);
    mounts
        .push(json!({ "destination": "/dev/pts", "type": "devpts", "source": "pts", "options": terminals }));
    mounts.push(json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] }));
    let kinds = bundle["linux"]["namespaces"].as_array_mut().expect("the bundle has namespaces");
    kinds.push(json!({ "type": "cgroup" }));
    bundle["process"]["capabilities"] = json!({});
    bundle["linux"]["maskedPaths"] =
        json!(["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]);
    bundle["linux"]["readonlyPaths"] = json!(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"]);
    bundle["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [{ "names": REFUSED, "action": "SCMP_ACT_ERRNO" }],
    });
    bundle
}

/// Of our default filter what takes no look at arguments.
const REFUSED: [&str; 24] = [
    "add_key",
    "request_key",
    "keyctl",
    "init_module",
    "finit_module",
    "delete_module",
    "bpf",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "syslog",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "perf_event_open",
    "userfaultfd",
    "open_by_handle_at",
    "iopl",
    "ioperm",
    "ustat",
];

fn end_crun(yard: &Yard<'_>, name: &str) -> Vec<String> {
    words(&format!("crun --root {} delete --force bench-{name}", yard.state()))
}

fn end_runc(yard: &Yard<'_>, name: &str) -> Vec<String> {
    words(&format!("runc --root {} delete --force bench-{name}", yard.state()))
}
