//! Terminals: in a jail by `liege attach`, bare, and by what others have for it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::program;

use super::court::Kind;
use super::lab::Lab;
use super::proc;
use super::table::Table;

/// How long a server may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);
/// Whose config it is: a tenant's, so that it is jailed.
const TENANT: u32 = 61_001;

/// The first one is what the others are compared with.
const WAYS: [Way; 7] =
    [Way::Bare, Way::Floor, Way::Direct, Way::Attach, Way::Nsenter, Way::Dtach, Way::Uwsgi];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Bare,
    /// By way of the least client there can be.
    Floor,
    /// In a jail, with the terminal in the hands of whoever asked for it.
    Direct,
    Attach,
    /// Into the same namespaces, by root, with none of the limits of the jail, and without a cgroup.
    Nsenter,
    Dtach,
    Uwsgi,
}

/// What somebody at a terminal has seen.
struct Sample {
    first_us: f64,
    echo_us: f64,
    flood_mb_s: f64,
    /// Of all between him and the program.
    memory_kib: f64,
}

type Shown = (&'static str, &'static str, fn(&Sample) -> f64);
const SHOWN: [Shown; 4] = [
    ("A new terminal, until the first byte", "µs", |sample| sample.first_us),
    ("A key and its echo", "µs", |sample| sample.echo_us),
    ("A flood of output", "MB/s", |sample| sample.flood_mb_s),
    ("Private memory of whoever is between seat and program", "KiB", |sample| sample.memory_kib),
];

/// A table for each thing that is seen.
///
/// # Errors
/// No server can be started.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let hosts = Hosts::open(lab)?;
    let mut tables = SHOWN.map(|(title, unit, _)| Table::new(title, unit));
    for _ in 0..lab.rounds(30, 2) {
        for way in WAYS {
            let sample = hosts.sit(lab, way);
            for (table, (.., of)) in tables.iter_mut().zip(SHOWN) {
                let seen = sample.as_ref().map(of).map_err(|error| anyhow::anyhow!("{error:#}"));
                table.add_result(way.name(), seen);
            }
        }
    }
    Ok(tables.into())
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare terminal",
            Self::Floor => "C client",
            Self::Attach => "liege attach",
            Self::Direct => "liege, asked by the program",
            Self::Nsenter => "nsenter, without limits",
            Self::Dtach => "dtach",
            Self::Uwsgi => "uwsgi forkpty-router",
        }
    }
}

/// Who serves terminals; they end when it goes out of scope.
struct Hosts {
    liege: Child,
    uwsgi: Option<Child>,
    control: PathBuf,
    door: PathBuf,
}

impl Hosts {
    fn open(lab: &Lab) -> Result<Self> {
        let (vassals, place) = (lab.directory()?, lab.directory()?);
        let config = vassals.join("seat.ini");
        std::fs::write(&config, "[uwsgi]\ncommand = /bin/sleep 1000000\n")?;
        std::os::unix::fs::chown(&config, Some(TENANT), Some(TENANT))?;
        let (control, door) = (place.join("stats.control"), place.join("door"));
        let log = std::fs::File::create(lab.log(Kind::Liege))?;
        let mut command = Command::new(&lab.liege);
        command.arg("--emperor").arg(&vassals).arg("--emperor-stats").arg(place.join("stats"));
        let liege = command.arg("--emperor-tyrant").stderr(log).stdin(Stdio::null()).spawn()?;
        let uwsgi = lab.uwsgi.as_ref().map(|uwsgi| {
            let mut command = Command::new(uwsgi);
            command.args(["--plugin", "forkptyrouter", "--master"]).arg("--forkpty-router").arg(&door);
            command.arg("--forkptyrouter-command").arg(script(lab)?);
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().context("cannot run uwsgi")
        });
        let hosts = Self { liege, uwsgi: uwsgi.transpose()?, control, door };
        hosts.wait(lab)?;
        Ok(hosts)
    }

    fn wait(&self, lab: &Lab) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let mut command = Command::new(&lab.liege);
            command.arg("exec").arg(&self.control).args(["seat", "--", "true"]).stderr(Stdio::null());
            if command.status()?.success() && (self.uwsgi.is_none() || self.door.exists()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("no vassal can be entered")
    }

    fn sit(&self, lab: &Lab, way: Way) -> Result<Sample> {
        let program = lab.beside("terminal");
        let echoes = lab.rounds(1_000, 20).to_string();
        let mut seat = Command::new(&program);
        match way {
            Way::Uwsgi if self.uwsgi.is_none() => bail!("uwsgi is not installed"),
            Way::Uwsgi => _ = seat.arg("seat-at").arg(&self.door).arg(echoes),
            Way::Bare => _ = seat.args(["seat", &echoes]).arg(&program),
            Way::Floor => {
                seat.args(["seat", &echoes]).arg(client(lab)?).arg("client").arg(&program);
            }
            Way::Attach => {
                seat.args(["seat", &echoes]).arg(&lab.liege).arg("attach").arg(&self.control);
                seat.args(["seat", "--"]).arg(&program);
            }
            Way::Direct => {
                seat.arg("seat-in").arg(&self.control).arg(&echoes).arg("seat").arg(&program);
            }
            Way::Nsenter => {
                let nsenter = program::find("nsenter").context("nsenter is not installed")?;
                let jailed = self.jailed(lab)?.to_string();
                seat.args(["seat", &echoes]).arg(nsenter).args([
                    "--all",
                    "--preserve-credentials",
                    "--target",
                ]);
                seat.arg(jailed).arg(&program);
            }
            Way::Dtach => {
                let dtach = program::find("dtach").context("dtach is not installed")?;
                seat.args(["seat", &echoes]).arg(dtach).arg("-A").arg(lab.directory()?.join("dtach"));
                seat.args(["-z", "-r", "none", "-E"]).arg(&program);
            }
        }
        if way != Way::Uwsgi {
            seat.arg("program");
        }
        self.seen(lab, way, seat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?)
    }

    /// The command of the vassal.
    fn jailed(&self, lab: &Lab) -> Result<i32> {
        let all = proc::family(self.liege.id().cast_signed(), &lab.beside("terminal"));
        all.into_iter().find(|pid| proc::is_named(*pid, "/bin/sleep")).context("no vassal runs")
    }

    fn seen(&self, lab: &Lab, way: Way, mut seat: Child) -> Result<Sample> {
        let mut line = String::new();
        BufReader::new(seat.stdout.take().context("the seat has no stdout")?).read_line(&mut line)?;
        let memory: u64 =
            self.between(lab, &seat, way).iter().map(|pid| proc::memory_kib(*pid, "Private")).sum();
        drop(seat.stdin.take());
        seat.wait()?;
        let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [first_us, echo_us, flood_mb_s] = numbers[..] else { bail!("the terminal was lost") };
        Ok(Sample { first_us, echo_us, flood_mb_s, memory_kib: memory as f64 })
    }

    /// Clients, and whoever minds what they see; not the program. uWSGI's processes are those of all terminals.
    fn between(&self, lab: &Lab, seat: &Child, way: Way) -> Vec<i32> {
        let program = lab.beside("terminal");
        if let (Way::Uwsgi, Some(uwsgi)) = (way, &self.uwsgi) {
            return proc::family(uwsgi.id().cast_signed(), &program);
        }
        let clients = proc::family(seat.id().cast_signed(), &program);
        let minders = proc::family(self.liege.id().cast_signed(), &program);
        let minders = minders.into_iter().filter(|pid| proc::is_named(*pid, "liege: session"));
        let own = seat.id().cast_signed();
        clients.into_iter().filter(|pid| *pid != own).chain(minders).collect()
    }
}

/// The same program by another name: so it is told apart from the one that is served.
fn client(lab: &Lab) -> Result<PathBuf> {
    let path = lab.beside("terminal-client");
    if !path.exists() {
        std::fs::copy(lab.beside("terminal"), &path)?;
    }
    Ok(path)
}

/// What uWSGI is given as one word.
fn script(lab: &Lab) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = lab.beside("terminal-program");
    std::fs::write(&path, format!("#!/bin/sh\nexec {} program\n", lab.beside("terminal").display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for child in self.uwsgi.iter_mut().chain([&mut self.liege]) {
            let _ = kill_process(Pid::from_child(child), Signal::INT);
            let _ = child.wait();
        }
    }
}
