//! The table that people read: who runs, as whom, since when, and why not.

use comfy_table::{Cell, Table};

use crate::emperor::event::Moment;
use crate::emperor::snapshot::{Snapshot, VassalView};
use crate::log;
use crate::reactor::Calendar;
use crate::stats::Naming;

/// Most rows shown; a directory of thousands is no table.
const ROWS_MAX: usize = 40;

/// The table of an Emperor's vassals.
pub fn of(snapshot: &Snapshot, sources: &[&str], calendar: &Calendar) -> String {
    if snapshot.vassals.is_empty() {
        return "no vassals yet\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["VASSAL", "STATE", "PID", "UID:GID", "SINCE", "NOTE"]);
    let naming = Naming::of(snapshot.vassals.iter().map(|row| &*row.key.name));
    for row in snapshot.vassals.iter().take(ROWS_MAX) {
        let source = sources.get(usize::from(row.key.monitor.0)).copied().unwrap_or_default();
        table.add_row(cells(row, &naming.name(&row.key.name, source), calendar));
    }
    let more = snapshot.vassals.len().saturating_sub(ROWS_MAX);
    let rest = if more > 0 { format!("… and {more} more\n") } else { String::new() };
    format!("{table}\n{rest}")
}

fn cells(row: &VassalView, name: &str, calendar: &Calendar) -> [Cell; 6] {
    let pid = row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    [
        Cell::new(log::plain(name)),
        Cell::new(row.state),
        Cell::new(pid),
        Cell::new(format!("{}:{}", row.owner.uid, row.owner.gid)),
        Cell::new(format!("{} s", calendar.now().ms_since(row.since) / 1000)),
        Cell::new(log::plain(&row.note(calendar.now()))),
    ]
}

/// One vassal in one line.
pub fn words(row: &VassalView, now: Moment) -> String {
    let pid = row.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
    let (owner, note) = (row.owner, row.note(now));
    let text = format!(
        "{} pid={pid} uid={} gid={} respawns={} {note}",
        row.state, owner.uid, owner.gid, row.respawns
    );
    text.trim_end().to_owned()
}
