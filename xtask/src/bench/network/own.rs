//! Our router: an Emperor with several of them in a network of its own, and vassals in their jails.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bench::lab::Lab;
use crate::bench::proc;
use crate::bench::stamps::now_ns;
use crate::bench::table::Table;

use super::place::Place;
use super::traffic::{self, Ends, Kind, Sample};
use super::wire::Program;

/// As the tables call it.
pub const NAME: &str = "liege";
const PATIENCE: Duration = Duration::from_secs(20);
/// Rules of each of the first routers; two peers each.
const RULES: [usize; 3] = [0, 10, 1_000];
/// The router of many peers comes last.
const CROWDED: usize = RULES.len();

/// All of it ends when it goes out of scope.
#[derive(Debug)]
pub struct Court {
    emperor: Program,
    host: Place,
    /// Network namespaces of the vassals, for each router.
    jails: Vec<Vec<PathBuf>>,
}

impl Court {
    /// Starts it with two vassals at each router, and with a crowd at the last.
    ///
    /// # Errors
    /// A vassal does not run.
    pub fn open(lab: &Lab) -> Result<Self> {
        let host = Place::new()?;
        let vassals = lab.directory()?;
        let config = lab.directory()?.join("emperor.ini");
        std::fs::write(&config, config_of_emperor(lab, &vassals))?;
        let log = std::fs::File::create(lab.log(crate::bench::court::Kind::Liege))?;
        let mut command = host.command(&lab.liege);
        let emperor = Program::start(command.arg(&config).stderr(log).stdout(Stdio::null()))?;
        let mut court = Self { emperor, host, jails: Vec::new() };
        for router in 0..=CROWDED {
            let count = if router == CROWDED { lab.rounds(200, 4) } else { 2 };
            let jails = (0..count).map(|number| vassal(lab, &vassals, (router, number)));
            court.jails.push(jails.collect::<Result<_>>().with_context(|| lab.log_tail())?);
        }
        Ok(court)
    }

    /// From one vassal through a router without rules.
    pub fn ends(&self) -> Ends {
        self.ends_of(0, 1)
    }

    /// What rules and peers cost.
    ///
    /// # Errors
    /// None by itself: a table tells why it has no samples.
    pub fn measure(&self, lab: &Lab) -> Result<Vec<Table>> {
        let mut streams = Table::new("TCP from jails through liege", "Gbit/s");
        let mut datagrams = Table::new("UDP of 64 bytes from jails through liege", "µs for each");
        let mut work = Table::new("the same, what the router works", "µs of CPU for each");
        for _ in 0..lab.rounds(3, 1) {
            for (name, ends) in self.ways() {
                let sample = traffic::measure(lab, &ends, Kind::Up, 1);
                streams.add_result(&name, sample.map(|sample| sample.gbit_s()));
                let sample = traffic::measure(lab, &ends, Kind::Datagrams, 1);
                let worked = sample.as_ref().ok().and_then(Sample::carrier_us_each);
                worked.into_iter().for_each(|worked| work.add(&name, worked));
                datagrams.add_result(&name, sample.map(|sample| sample.us_each()));
            }
        }
        Ok(vec![streams, datagrams, work])
    }

    fn ways(&self) -> Vec<(String, Ends)> {
        let mut ways: Vec<(String, Ends)> = RULES
            .iter()
            .enumerate()
            .map(|(router, rules)| (format!("1 jail, {rules} rules"), self.ends_of(router, 1)))
            .collect();
        let crowd = self.jails[CROWDED].len();
        ways.push(("2 jails at once".to_owned(), self.ends_of(0, 2)));
        ways.push((format!("1 jail among {crowd}"), self.ends_of(CROWDED, 1)));
        ways.push((format!("{crowd} jails at once"), self.ends_of(CROWDED, crowd)));
        ways
    }

    fn ends_of(&self, router: usize, count: usize) -> Ends {
        Ends {
            address: address(router, "0.1"),
            host: self.host.file(),
            jails: self.jails[router][..count].to_vec(),
            pids: self
                .emperor
                .pids()
                .into_iter()
                .filter(|pid| proc::is_named(*pid, "liege tuntap-router"))
                .collect(),
        }
    }
}

fn address(router: usize, rest: &str) -> String {
    format!("10.{}.{rest}", 80 + router)
}

fn device(router: usize) -> String {
    format!("bench{router}")
}

/// Rules that no packet meets, so that each of them is looked at.
fn config_of_emperor(lab: &Lab, vassals: &std::path::Path) -> String {
    let mut text = format!("[uwsgi]\nemperor = {}\nemperor-tenant-max = 100000\n", vassals.display());
    for router in 0..=CROWDED {
        let (device, socket) = (device(router), lab.beside(&format!("router-{router}")));
        let _ = writeln!(text, "tuntap-router = {device} {}", socket.display());
        let _ = writeln!(text, "tuntap-router-address = @{device} {}/16", address(router, "0.1"));
        for rule in 0..RULES.get(router).copied().unwrap_or(0) {
            let network = format!("172.{}.{}.0/24", 16 + rule / 250, rule % 250);
            let _ = writeln!(text, "tuntap-router-firewall-out = @{device} deny {network} {network}");
        }
    }
    text
}

/// Starts a vassal that does nothing, and returns its network namespace.
fn vassal(lab: &Lab, directory: &std::path::Path, (router, number): (usize, usize)) -> Result<PathBuf> {
    let name = format!("n{router}x{number}");
    let at = address(router, &format!("{}.{}", 1 + number / 200, 1 + number % 200));
    let text = format!(
        "[uwsgi]\nunshare = net\nnet = {at}/16 via {}\ncommand = {} {name}\n",
        device(router),
        lab.stamp().display()
    );
    let waiting = lab.beside("waiting");
    std::fs::write(&waiting, text)?;
    let since_ns = now_ns();
    std::fs::rename(&waiting, directory.join(format!("{name}.ini")))?;
    let pid = lab.stamps.of('s', &name, since_ns, PATIENCE)?.pid.context("no pid")?;
    Ok(format!("/proc/{}/ns/net", pid.as_raw_nonzero()).into())
}
