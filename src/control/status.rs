//! `liege status`: reads the stats of a running Emperor and prints them as a table.

use anyhow::{Result, bail};
use comfy_table::Table;
use serde_json::Value;

use super::Target;
use super::fetch::{self, plain};
use crate::stats;

/// The status of the Emperor or of some vassals; with `json`, the document as it came, with no other vassals in it.
///
/// # Errors
/// Nobody serves stats there, or something else does; no such vassal.
pub fn status(target: &Target, json: bool) -> Result<String> {
    let text = fetch::document(target.address.as_ref())?;
    let mut document = fetch::parsed(&text)?;
    if json && !target.is_narrow() {
        return Ok(text);
    }
    keep(&mut document, target)?;
    Ok(if json { format!("{document:#}\n") } else { table(&document) })
}

/// Leaves only those vassals that are meant.
///
/// # Errors
/// There is none.
pub fn keep(document: &mut Value, target: &Target) -> Result<()> {
    for list in ["vassals", "blacklist"] {
        if let Some(entries) = document[list].as_array_mut() {
            entries.retain(|entry| target.means(entry["id"].as_str().unwrap_or_default()));
        }
    }
    if target.is_narrow() && document["vassals"].as_array().is_none_or(Vec::is_empty) {
        bail!("no such vassal: `liege status` lists all, `liege events` tells what became of one");
    }
    Ok(())
}

fn table(document: &Value) -> String {
    let word = |key: &str| plain(&document[key]);
    let mut text = String::new();
    // A guest is not told of the Emperor.
    if !document["pid"].is_null() {
        text = format!(
            "emperor pid {}  uid {}  gid {}  capabilities {}\nspawner capabilities {}\njail {}\n\n",
            word("pid"),
            word("uid"),
            word("gid"),
            word("emperor_capabilities"),
            word("spawner_capabilities"),
            word("jail"),
        );
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["VASSAL", "STATE", "PID", "UID:GID", "STARTS", "RESPAWNS", "NOTE"]);
    let vassals = || document["vassals"].as_array().into_iter().flatten();
    let naming = stats::Naming::of(vassals().filter_map(|vassal| vassal["id"].as_str()));
    for vassal in vassals() {
        let word = |key: &str| plain(&vassal[key]);
        let raw = |key: &str| vassal[key].as_str().unwrap_or_default();
        let name = plain(&naming.name(raw("id"), raw("monitor")).into());
        let ids = format!("{}:{}", word("uid"), word("gid"));
        let pid = if vassal["pid"] == -1 { "-".to_owned() } else { word("pid") };
        table.add_row([name, word("state"), pid, ids, word("starts"), word("respawns"), word("note")]);
    }
    text.push_str(&format!("{table}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let document =
            serde_json::json!({"pid": 1, "vassals": [{"id": "a\u{1b}[2J.ini", "state": "running"}]});
        let text = table(&document);
        assert!(text.contains("a\\u{1b}[2J.ini") && !text.contains('\u{1b}'));
    }
}
