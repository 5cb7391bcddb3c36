//! What rules cost where nothing else does: verdicts alone, without devices.

use anyhow::Result;

use crate::bench::lab::Lab;
use crate::bench::table::Table;
use crate::program;

/// Between a figure and what it is of, as `routers/examples/chain.rs` prints them.
const UNIT: &str = " ns  ";

/// Nanoseconds of CPU for each packet.
pub fn measure(lab: &Lab) -> Table {
    let mut table = Table::new("Verdicts of liege's router, without devices", "ns of CPU for each");
    for _ in 0..lab.rounds(3, 1) {
        match figures() {
            Ok(figures) => figures.iter().for_each(|(name, ns)| table.add(name, *ns)),
            Err(error) => table.add_result("0 rules", Err(error)),
        }
    }
    table
}

fn figures() -> Result<Vec<(String, f64)>> {
    let mut cargo = program::cargo();
    cargo.args(["run", "--release", "--quiet", "--package", "routers", "--example", "chain"]);
    let text = program::output(&mut cargo)?;
    let figure = |line: &str| {
        let (ns, name) = line.split_once(UNIT)?;
        Some((name.to_owned(), ns.trim().parse().ok()?))
    };
    Ok(text.lines().filter_map(figure).collect())
}
