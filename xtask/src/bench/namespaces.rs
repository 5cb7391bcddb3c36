//! What each namespace costs: a tenant's jail with one alone, by our jail crate and by the C floor.

use anyhow::Result;
use jail::Namespaces;

use super::bare::Bare;
use super::lab::{Floor, Lab};
use super::spawn::PATIENCE;
use super::stamps::ms;
use super::table::Table;

/// As tables, `floor.c` and we call them.
const KINDS: [(&str, &str, Namespaces); 8] = [
    ("fs", "m", Namespaces::FS),
    ("net", "n", Namespaces::NET),
    ("ipc", "i", Namespaces::IPC),
    ("pid", "p", Namespaces::PID),
    ("uts", "u", Namespaces::UTS),
    ("cgroup", "c", Namespaces::CGROUP),
    ("user", "U", Namespaces::USER),
    ("all six", "mnipuc", ALL),
];
const ALL: Namespaces = Namespaces::FS
    .with(Namespaces::NET)
    .with(Namespaces::IPC)
    .with(Namespaces::PID)
    .with(Namespaces::UTS)
    .with(Namespaces::CGROUP);

/// One table for each.
///
/// # Errors
/// The floor cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let bare = Bare::new(lab)?;
    let mut kinds = Vec::new();
    for (name, letters, namespaces) in KINDS {
        let title = format!("A tenant's spawn with namespaces: {name} (none ready beforehand)");
        kinds.push((Table::new(title, "ms"), lab.floor(&[], letters)?, namespaces));
    }
    for round in 0..lab.rounds(100, 3) {
        for (number, (table, floor, namespaces)) in kinds.iter_mut().enumerate() {
            let name = format!("{number}x{round}");
            table.add_result("C floor: clone3, ids, exec", by_floor(lab, floor, &format!("f{name}")));
            table.add_result("jail crate alone", bare.with(lab, *namespaces, &format!("n{name}")));
        }
    }
    Ok(kinds.into_iter().map(|(table, ..)| table).collect())
}

fn by_floor(lab: &Lab, floor: &mut Floor, name: &str) -> Result<f64> {
    let times = floor.order(&format!("one {name}"))?;
    Ok(ms(times[0], lab.stamps.of('s', name, times[0], PATIENCE)?.at_ns))
}
