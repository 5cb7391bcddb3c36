//! `cargo xtask bench`: measures against the floor and against a real uWSGI, interleaved in one run.
//!
//! Prints medians, 95th and 99th percentiles and ratios; asserts nothing, because another machine gives other numbers.

mod bare;
mod cold;
mod control;
mod court;
mod dinit;
mod files;
mod idle;
mod lab;
mod latency;
mod namespaces;
mod neighbours;
mod network;
mod on_demand;
mod peers;
mod proc;
mod spawn;
mod stamps;
mod table;
mod terminals;

use anyhow::{Result, bail};

use crate::program;
use court::Kind;
use lab::Lab;
use table::Table;

type Measure = fn(&Lab) -> Result<Vec<Table>>;

const MEASURES: [(&str, Measure); 12] = [
    ("spawn", spawn::measure),
    ("namespaces", namespaces::measure),
    ("peers", peers::measure),
    ("cold", cold::measure),
    ("latency", latency::measure),
    ("on-demand", on_demand::measure),
    ("neighbours", neighbours::measure),
    ("network", network::measure),
    ("terminals", terminals::measure),
    ("control", control::measure),
    ("idle", idle::measure),
    ("files", files::measure),
];

/// Runs the named measures, or all; `--quick` only shows that they run.
///
/// # Errors
/// A name that is none, not root, or the programs to be measured cannot be built.
pub fn run(words: &[&str]) -> Result<bool> {
    let (flags, names): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|flag| !["--quick", "--json"].contains(flag)) {
        bail!("unknown flag {unknown}: --quick, --json");
    }
    let wanted = wanted(&names)?;
    if !program::is_root() {
        println!(
            "xtask: benches make namespaces and drop ids: they have to be run as root. Nothing was measured."
        );
        return Ok(true);
    }
    let lab = Lab::open(flags.contains(&"--quick"))?;
    let mut tables = Vec::new();
    for (name, measure) in wanted {
        eprintln!("xtask: measuring {name}");
        tables.extend(measure(&lab)?);
    }
    print(&tables, flags.contains(&"--json"));
    if tables.iter().any(|table| table.lacks(Kind::Liege.name())) {
        eprintln!("The last that liege said:\n{}", lab.log_tail());
    }
    Ok(true)
}

fn wanted(names: &[&str]) -> Result<Vec<(&'static str, Measure)>> {
    if let Some(unknown) = names.iter().find(|name| !MEASURES.iter().any(|(known, _)| known == *name)) {
        let known: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
        bail!("unknown bench {unknown}: {}", known.join(", "));
    }
    Ok(MEASURES.into_iter().filter(|(name, _)| names.is_empty() || names.contains(name)).collect())
}

fn print(tables: &[Table], json: bool) {
    if json {
        let all: Vec<_> = tables.iter().map(Table::json).collect();
        println!("{:#}", serde_json::Value::from(all));
        return;
    }
    tables.iter().for_each(|table| println!("{table}"));
}
