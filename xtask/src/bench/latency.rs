//! How fast one change of a config, or one crash, is answered.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;

use super::court::{Court, Kind, Vassals};
use super::lab::Lab;
use super::stamps::{Stamp, ms, now_ns};
use super::table::Table;

const PATIENCE: Duration = Duration::from_secs(15);
/// Longer than it takes until a program that accepts is told of a reload.
const SETTLED: Duration = Duration::from_millis(300);
const SUPERVISOR: &str = "C supervisor: wait, vfork, exec";

/// Four tables: create, touch, kill, unlink.
///
/// # Errors
/// A program cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let mut tables = Tables::new();
    let minisup = lab.minisup(1)?;
    let mut child = lab.stamps.of('s', "v0", 0, PATIENCE)?.pid.context("no pid")?;
    let courts = open(lab, &mut tables);
    for round in 0..lab.rounds(100, 5) {
        let crash = crash(lab, "v0", child)?;
        tables.crash.add(SUPERVISOR, crash.0);
        child = crash.1;
        for (kind, court) in &courts {
            if round % every(*kind) == 0 {
                let lived = live(&Case { lab, court, kind: *kind, round }, &mut tables);
                lived.unwrap_or_else(|error| tables.crash.add_result(kind.name(), Err(error)));
            }
        }
    }
    drop(minisup);
    Ok(tables.into())
}

/// The slow ones take part in some rounds only.
fn every(kind: Kind) -> usize {
    match kind {
        Kind::Liege => 1,
        Kind::UwsgiUnthrottled => 10,
        Kind::Uwsgi => 20,
    }
}

fn open(lab: &Lab, tables: &mut Tables) -> Vec<(Kind, Court)> {
    let kinds = [Kind::Liege, Kind::UwsgiUnthrottled, Kind::Uwsgi];
    let kinds = kinds.into_iter().filter(|kind| !lab.quick || *kind != Kind::Uwsgi);
    let mut courts = Vec::new();
    for kind in kinds {
        let court = Court::open(lab, kind, Vassals::Plain, 1);
        let ready = court.and_then(|(court, since)| {
            lab.stamps.of('s', "v0.ini", since, PATIENCE)?;
            Ok(court)
        });
        match ready {
            Ok(court) => courts.push((kind, court)),
            Err(error) => tables.create.add_result(kind.name(), Err(error)),
        }
    }
    courts
}

/// One vassal of one Emperor in one round.
struct Case<'a> {
    lab: &'a Lab,
    court: &'a Court,
    kind: Kind,
    round: usize,
}

impl Case<'_> {
    /// Comes at another time of the other's period in every round: uWSGI looks once a second, and also right
    /// after a vassal has spoken.
    fn rest(&self) {
        let period =
            if self.kind == Kind::Liege { Duration::from_millis(30) } else { Duration::from_secs(1) };
        let golden = 0.618_034 * (self.round / every(self.kind) + 1) as f64;
        thread::sleep(period / 10 + period.mul_f64(golden.fract()));
    }

    /// Until a reload is not held back any more: another program than our master is told of one a quarter of a second after
    /// it accepted, at the earliest.
    fn settle(&self) {
        if self.kind == Kind::Liege {
            thread::sleep(SETTLED);
        }
        self.rest();
    }

    fn stamp(&self, event: char, name: &str, since_ns: u64) -> Result<Stamp> {
        self.lab.stamps.of(event, name, since_ns, PATIENCE)
    }
}

/// The whole life of one vassal. A crash is its first one, so nothing is held back.
fn live(case: &Case<'_>, tables: &mut Tables) -> Result<()> {
    let (row, name) = (case.kind.name(), &*format!("c{}.ini", case.round));
    case.rest();
    let before = case.court.create(name, "[uwsgi]\n")?;
    let born = case.stamp('s', name, before)?;
    tables.create.add(row, ms(before, born.at_ns));
    case.settle();
    let before = case.court.touch(name)?;
    tables.touch.add(row, ms(before, case.stamp('r', name, before)?.at_ns));
    case.rest();
    let (took_ms, again) = crash(case.lab, name, born.pid.context("no pid")?)?;
    tables.crash.add(row, took_ms);
    case.rest();
    tables.unlink.add(row, unlink(case.court, name, again)?);
    Ok(())
}

/// Removes a config; milliseconds until its process is gone.
fn unlink(court: &Court, name: &str, pid: Pid) -> Result<f64> {
    let fd = pidfd_open(pid, PidfdFlags::empty())?;
    let before = court.remove(name)?;
    let gone = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&Timespec::try_from(PATIENCE)?))?;
    ensure!(gone == 1, "{name} is not gone after {} s", PATIENCE.as_secs());
    Ok(ms(before, now_ns()))
}

/// Kills a process; milliseconds until its successor runs, and who that is.
fn crash(lab: &Lab, name: &str, pid: Pid) -> Result<(f64, Pid)> {
    let fd = pidfd_open(pid, PidfdFlags::empty()).context("it has died by itself")?;
    let before = now_ns();
    pidfd_send_signal(&fd, Signal::KILL)?;
    let again = lab.stamps.of('s', name, before, PATIENCE)?;
    Ok((ms(before, again.at_ns), again.pid.context("no pid")?))
}

struct Tables {
    create: Table,
    touch: Table,
    crash: Table,
    unlink: Table,
}

impl Tables {
    fn new() -> Self {
        Self {
            create: Table::new("Config created → program runs", "ms"),
            touch: Table::new("Config touched → program reloads", "ms"),
            crash: Table::new("kill -9 of a loyal vassal → its successor runs", "ms"),
            unlink: Table::new("Config removed → program gone", "ms"),
        }
    }
}

impl From<Tables> for Vec<Table> {
    fn from(tables: Tables) -> Self {
        vec![tables.create, tables.touch, tables.crash, tables.unlink]
    }
}
