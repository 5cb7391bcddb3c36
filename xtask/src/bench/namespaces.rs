//! What each namespace costs, and another root: a tenant's jail with one alone, by our jail crate and by the C floor.

use std::path::Path;

use anyhow::Result;
use jail::Namespaces;

use super::bare::{Bare, Jail};
use super::lab::{Floor, Lab};
use super::spawn::PATIENCE;
use super::stamps::ms;
use super::table::Table;

/// As tables, `floor.c` and we call them.
const KINDS: [(&str, &str, Namespaces); 10] = [
    ("fs", "m", Namespaces::FS),
    ("net", "n", Namespaces::NET),
    ("ipc", "i", Namespaces::IPC),
    ("pid", "p", Namespaces::PID),
    ("uts", "u", Namespaces::UTS),
    ("cgroup", "c", Namespaces::CGROUP),
    ("time", "T", Namespaces::TIME),
    ("user", "U", Namespaces::USER),
    ("all six of a jail without users", "mnipuc", SIX),
    ("all seven of the default jail", "mnipucU", SIX.with(Namespaces::USER)),
];
const SIX: Namespaces = Namespaces::FS
    .with(Namespaces::NET)
    .with(Namespaces::IPC)
    .with(Namespaces::PID)
    .with(Namespaces::UTS)
    .with(Namespaces::CGROUP);
/// What another root takes that has a `/proc` of its own.
const ROOTED: (&str, Namespaces) = ("mp", Namespaces::FS.with(Namespaces::PID));
const FLOOR: &str = "C floor: clone3, ids, exec";
const BARE: &str = "jail crate alone";
const ROOT_PAYS: &str = "the same, where root pays for the user namespace";

/// One kind of jail in its table, by each who makes it.
struct Kind {
    table: Table,
    floor: Floor,
    jails: Vec<(&'static str, Jail)>,
}

/// One table for each.
///
/// # Errors
/// The floor cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let bare = Bare::new(lab)?;
    let root = lab.root()?;
    let mut kinds = KINDS.iter().map(|kind| apart(lab, *kind)).collect::<Result<Vec<_>>>()?;
    kinds.push(rooted(lab, &root)?);
    for round in 0..lab.rounds(100, 3) {
        for (number, kind) in kinds.iter_mut().enumerate() {
            let name = format!("{number}x{round}");
            kind.table.add_result(FLOOR, by_floor(lab, &mut kind.floor, &format!("f{name}")));
            for (row, jail) in &kind.jails {
                kind.table.add_result(row, bare.with(lab, jail, &format!("n{name}")));
            }
        }
    }
    Ok(kinds.into_iter().map(|kind| kind.table).collect())
}

fn apart(lab: &Lab, (name, letters, namespaces): (&str, &str, Namespaces)) -> Result<Kind> {
    let title = format!("A tenant's spawn with namespaces: {name} (none ready beforehand)");
    let jail = Jail { namespaces, ..Jail::default() };
    let unpaid = Jail { root_pays: true, ..jail.clone() };
    let mut jails = vec![(BARE, jail)];
    jails.extend(namespaces.has(Namespaces::USER).then_some((ROOT_PAYS, unpaid)));
    Ok(Kind { table: Table::new(title, "ms"), floor: lab.floor(&[], letters)?, jails })
}

fn rooted(lab: &Lab, root: &Path) -> Result<Kind> {
    let (letters, namespaces) = ROOTED;
    let title = "A tenant's spawn with namespaces fs and pid and another root, read-only, with its own /proc";
    let options = ["-r", &root.display().to_string(), "-b", &lab.place().display().to_string()];
    let jail = Jail { namespaces, root: Some(root.into()), ..Jail::default() };
    let floor = lab.floor(&options, letters)?;
    Ok(Kind { table: Table::new(title, "ms"), floor, jails: vec![(BARE, jail)] })
}

fn by_floor(lab: &Lab, floor: &mut Floor, name: &str) -> Result<f64> {
    let times = floor.order(&format!("one {name}"))?;
    Ok(ms(times[0], lab.stamps.of('s', name, times[0], PATIENCE)?.at_ns))
}
