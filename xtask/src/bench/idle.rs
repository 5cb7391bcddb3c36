//! What a thousand vassals, and ten thousand, cost when nothing happens.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Pid;

use super::court::{Court, Kind, Vassals};
use super::lab::Lab;
use super::proc;
use super::table::Table;

const PATIENCE: Duration = Duration::from_secs(10);
/// A second after the last change the Emperor looks at its directories once more: that is no idle time.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// CPU and memory of the Emperors, memory of our vassal master.
///
/// # Errors
/// A directory cannot be made.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let count = lab.rounds(1000, 20);
    let mut cpu = Table::new(format!("CPU of an idle Emperor with {count} vassals"), "ms per minute");
    let mut memory = Table::new(format!("Memory (PSS) of an Emperor for each of {count} vassals"), "KiB");
    for kind in [Kind::Liege, Kind::UwsgiUnthrottled] {
        match emperor(lab, kind, count) {
            Ok((cpu_ms, kib)) => {
                cpu.add(kind.name(), cpu_ms);
                memory.add(kind.name(), kib);
            }
            Err(error) => cpu.add_result(kind.name(), Err(error)),
        }
    }
    let crowd = lab.rounds(10_000, 40);
    let mut many = Table::new(format!("CPU of an idle Emperor with {crowd} vassals"), "ms per minute");
    many.add_result(Kind::Liege.name(), emperor(lab, Kind::Liege, crowd).map(|(cpu_ms, _)| cpu_ms));
    let mut master = Table::new("Private memory of one vassal master at rest", "KiB");
    master.add_result(Kind::Liege.name(), vassal_master(lab));
    Ok(vec![cpu, many, memory, master])
}

/// CPU in ms per minute, and KiB for each vassal: the difference to the same Emperor with a single one.
fn emperor(lab: &Lab, kind: Kind, count: usize) -> Result<(f64, f64)> {
    lab.stamps.drain();
    let (court, since) = Court::open(lab, kind, Vassals::Plain, 1)?;
    lab.stamps.of('s', "v0.ini", since, PATIENCE)?;
    lab.settle();
    let empty_kib = memory(lab, &court);
    for number in 0..count {
        court.create(&format!("c{number}.ini"), "[uwsgi]\n")?;
    }
    lab.stamps.last_of(count, PATIENCE)?;
    thread::sleep(LAST_LOOK);
    lab.settle();
    let cpu_ms = cpu(lab, &court, Duration::from_secs(lab.rounds(10, 1) as u64));
    Ok((cpu_ms, memory(lab, &court).saturating_sub(empty_kib) as f64 / count as f64))
}

fn memory(lab: &Lab, court: &Court) -> u64 {
    proc::family(court.pid(), &lab.stamp()).iter().map(|pid| proc::memory_kib(*pid, "Pss:")).sum()
}

fn cpu(lab: &Lab, court: &Court, time: Duration) -> f64 {
    let family = proc::family(court.pid(), &lab.stamp());
    let sum = || family.iter().map(|pid| proc::cpu_ns(*pid)).sum::<u64>();
    let before = sum();
    thread::sleep(time);
    (sum() - before) as f64 / 1e6 * 60.0 / time.as_secs_f64()
}

/// Of several, so that what they share counts as shared.
fn vassal_master(lab: &Lab) -> Result<f64> {
    lab.stamps.drain();
    let (court, _) = Court::open(lab, Kind::Liege, Vassals::AsWritten, 0)?;
    let start = |name: &str| -> Result<Pid> {
        let text = format!("[uwsgi]\ncommand = {} {name}\n", lab.stamp().display());
        let since = court.create(&format!("{name}.ini"), &text)?;
        lab.stamps.of('s', name, since, PATIENCE)?.pid.context("no pid")
    };
    let program = start("m")?;
    start("n")?;
    lab.settle();
    let master = proc::parent(program.as_raw_nonzero().get()).context("the program has no parent")?;
    Ok(proc::memory_kib(master, "Private_") as f64)
}
