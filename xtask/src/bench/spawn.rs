//! What one jail costs: five namespaces, other ids, exec.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::bare::{Bare, Whose};
use super::court::{Court, Kind, Vassals};
use super::lab::{Floor, Lab, NAMESPACES};
use super::stamps::{ms, now_ns};
use super::table::Table;

/// The slowest start that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);
const FLOOR: &str = "C floor: clone3, ids, exec";
const POOL: &str = "C floor, vfork-like, network namespaces from a pool";
const TENANT: &str = "jail crate alone, ids of a tenant";
const FILTERED: &str = "the same with the default filter";
const ROOT: &str = "jail crate alone, ids of root";
const LIEGE: &str = "liege";
const RUNNING: [(&str, Vassals); 4] = [
    ("liege, a user namespace besides", Vassals::RootInside),
    ("liege, jail = standard", Vassals::Standard),
    ("the same without its filter of system calls", Vassals::Unfiltered),
    ("liege, jail = strict", Vassals::Strict),
];
const AGAIN: &str = "liege, from kill -9 of the one before";

/// One at a time into a running Emperor, and a thousand from nothing.
///
/// # Errors
/// The floor cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    Ok(vec![one_at_a_time(lab)?, many(lab)?])
}

/// For liege from before the config is there, for the floor from before the clone: it has no config.
fn one_at_a_time(lab: &Lab) -> Result<Table> {
    let mut table = Table::new("One jail into a running Emperor, until its program runs", "ms");
    let mut floor = lab.floor(&[], NAMESPACES.1)?;
    let mut pool = lab.floor(&["-v", "-p", "4"], NAMESPACES.1)?;
    let mut bare = Bare::new(lab)?;
    let (court, _) = Court::open(lab, Kind::Liege, Vassals::Jailed, 1)?;
    let ready = lab.stamps.of('s', "v0.ini", 0, PATIENCE);
    for round in 0..lab.rounds(200, 10) {
        table.add(FLOOR, one(lab, &mut floor, &format!("f{round}"))?);
        pool.order("fill")?;
        table.add(POOL, one(lab, &mut pool, &format!("p{round}"))?);
        table.add(TENANT, bare.one(lab, Whose::Tenant, &format!("t{round}"))?);
        table.add(FILTERED, bare.one(lab, Whose::FilteredTenant, &format!("u{round}"))?);
        table.add(ROOT, bare.one(lab, Whose::Root, &format!("r{round}"))?);
        if ready.is_ok() {
            let name = format!("c{round}.ini");
            let born = create(lab, &court, &name);
            let again =
                born.as_ref().map_err(|error| anyhow!("{error}")).and_then(|born| again(lab, &name, born));
            table.add_result(LIEGE, born.map(|born| born.0));
            table.add_result(AGAIN, again);
        }
    }
    if let Err(error) = ready {
        table.add_result(LIEGE, Err(error));
    }
    drop(court);
    for (name, vassals) in RUNNING {
        into_running(lab, &mut table, (name, vassals))?;
    }
    Ok(table)
}

/// The same into another kind of jail.
fn into_running(lab: &Lab, table: &mut Table, (name, vassals): (&'static str, Vassals)) -> Result<()> {
    let (court, _) = Court::open(lab, Kind::Liege, vassals, 1)?;
    lab.stamps.of('s', "v0.ini", 0, PATIENCE)?;
    for round in 0..lab.rounds(200, 10) {
        let born = create(lab, &court, &format!("k{round}.ini"));
        table.add_result(name, born.map(|born| born.0));
    }
    Ok(())
}

fn one(lab: &Lab, floor: &mut Floor, name: &str) -> Result<f64> {
    let times = floor.order(&format!("one {name}"))?;
    let stamp = lab.stamps.of('s', name, times[0], PATIENCE)?;
    Ok(ms(times[0], stamp.at_ns))
}

fn create(lab: &Lab, court: &Court, name: &str) -> Result<(f64, Option<Pid>)> {
    let before = court.create(name, "[uwsgi]\n")?;
    let stamp = lab.stamps.of('s', name, before, PATIENCE)?;
    Ok((ms(before, stamp.at_ns), stamp.pid))
}

/// Its first death: noticed, judged, and the next jail made. The nearest to the bare spawn that can be seen from
/// outside.
fn again(lab: &Lab, name: &str, born: &(f64, Option<Pid>)) -> Result<f64> {
    let pidfd = pidfd_open(born.1.context("no pid")?, PidfdFlags::empty())?;
    let before = now_ns();
    pidfd_send_signal(&pidfd, Signal::KILL)?;
    Ok(ms(before, lab.stamps.of('s', name, before, PATIENCE)?.at_ns))
}

fn many(lab: &Lab) -> Result<Table> {
    let count = lab.rounds(1000, 50);
    let mut table = Table::new(format!("{count} jails from nothing, until the last program runs"), "ms");
    for _ in 0..lab.rounds(5, 1) {
        table.add_result(FLOOR, many_of_floor(lab, &[], count));
        table.add_result(POOL, many_of_floor(lab, &["-v", "-p", &count.to_string()], count));
        table.add_result(LIEGE, many_of_liege(lab, count));
    }
    Ok(table)
}

/// Milliseconds for so many jails of `floor.c`, from its own start; the making of a pool counts.
///
/// # Errors
/// It cannot be run, or not all programs reported.
pub fn many_of_floor(lab: &Lab, options: &[&str], count: usize) -> Result<f64> {
    lab.settle();
    lab.stamps.drain();
    let before = now_ns();
    let mut floor = lab.floor(options, NAMESPACES.1)?;
    let last = std::thread::scope(|scope| {
        let last = scope.spawn(|| lab.stamps.last_of(count, PATIENCE));
        floor.order(&format!("many {count}"))?;
        last.join().expect("the receiver does not panic")
    });
    Ok(ms(before, last?))
}

fn many_of_liege(lab: &Lab, count: usize) -> Result<f64> {
    lab.settle();
    lab.stamps.drain();
    let (_court, before) = Court::open(lab, Kind::Liege, Vassals::Jailed, count)?;
    Ok(ms(before, lab.stamps.last_of(count, PATIENCE)?))
}
