//! From nothing to a hundred or a thousand vassals.

use std::time::Duration;

use anyhow::Result;

use super::court::{Court, Kind, Vassals};
use super::dinit::Dinit;
use super::lab::Lab;
use super::spawn;
use super::stamps::{ms, now_ns};
use super::table::Table;

/// The slowest start of a single vassal that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table for each number, with and without namespaces.
///
/// # Errors
/// A directory cannot be made.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let counts: &[usize] = if lab.quick { &[20] } else { &[100, 1000] };
    let cases = counts.iter().flat_map(|count| [(*count, Vassals::Plain), (*count, Vassals::Jailed)]);
    let tables = cases.map(|(count, vassals)| table(lab, count, vassals));
    let crowds: &[usize] = if lab.quick { &[] } else { &[5_000, 10_000] };
    Ok(tables.chain(crowds.iter().map(|count| crowd(lab, *count))).collect())
}

/// So many that only the price of one counts. uWSGI would take minutes.
fn crowd(lab: &Lab, count: usize) -> Table {
    let title = format!("Cold start of {count} vassals without namespaces, until the last runs");
    let mut table = Table::new(title, "ms");
    for _ in 0..3 {
        table.add_result("C supervisor: vfork, exec, wait", start_floor(lab, count, Vassals::Plain));
        table.add_result(Kind::Liege.name(), start(lab, Kind::Liege, Vassals::Plain, count));
        table.add_result("dinit", start_dinit(lab, count));
    }
    table
}

fn table(lab: &Lab, count: usize, vassals: Vassals) -> Table {
    let (kind, floor) = match vassals {
        Vassals::Jailed => ("jails, each of 5 namespaces", "C floor: clone3, ids, exec"),
        _ => ("vassals without namespaces", "C supervisor: vfork, exec, wait"),
    };
    let mut table = Table::new(format!("Cold start of {count} {kind}, until the last runs"), "ms");
    for _ in 0..lab.rounds(3, 1) {
        table.add_result(floor, start_floor(lab, count, vassals));
        table.add_result(Kind::Liege.name(), start(lab, Kind::Liege, vassals, count));
        let rival = Kind::UwsgiUnthrottled;
        table.add_result(rival.name(), start(lab, rival, vassals, count));
        if vassals == Vassals::Plain {
            table.add_result("dinit", start_dinit(lab, count));
        }
    }
    if !lab.quick {
        table.add_result(Kind::Uwsgi.name(), start(lab, Kind::Uwsgi, vassals, count));
    }
    table
}

fn start(lab: &Lab, kind: Kind, vassals: Vassals, count: usize) -> Result<f64> {
    lab.settle();
    lab.stamps.drain();
    let (_court, before) = Court::open(lab, kind, vassals, count)?;
    Ok(ms(before, lab.stamps.last_of(count, PATIENCE)?))
}

fn start_floor(lab: &Lab, count: usize, vassals: Vassals) -> Result<f64> {
    if vassals == Vassals::Jailed {
        return spawn::many_of_floor(lab, &[], count);
    }
    lab.settle();
    lab.stamps.drain();
    let before = now_ns();
    let _minisup = lab.minisup(count)?;
    Ok(ms(before, lab.stamps.last_of(count, PATIENCE)?))
}

fn start_dinit(lab: &Lab, count: usize) -> Result<f64> {
    lab.settle();
    lab.stamps.drain();
    let (_dinit, before) = Dinit::start(lab, count)?;
    Ok(ms(before, lab.stamps.last_of(count, PATIENCE)?))
}
