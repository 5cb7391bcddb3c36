//! `liege status`: reads the stats of a running Emperor and prints them as a table.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use comfy_table::Table;
use serde_json::Value;

use super::Target;
use super::fetch::{self, plain};
use crate::stats;

/// Exit status where one of those that are named is not up; as `supervisorctl` has it, and init scripts (LSB).
const DOWN: u8 = 3;
/// States in which a vassal does what it is there for.
const UP: [&str; 3] = ["running", "reloading", "on-demand"];

/// The status of the Emperor or of some vassals, and the exit status; with `json`, the document as it came, with no other vassals in it.
///
/// # Errors
/// Nobody serves stats there, or something else does; no such vassal.
pub fn status(target: &Target, json: bool) -> Result<(String, u8)> {
    let text = fetch::document(target.address.as_ref())?;
    let mut document = fetch::parsed(&text)?;
    if json && !target.is_narrow() {
        return Ok((text, 0));
    }
    keep(&mut document, target)?;
    let status = if target.is_narrow() && !all_up(&document) { DOWN } else { 0 };
    let jails = if target.is_narrow() { jails(&document) } else { String::new() };
    let text = if json { format!("{document:#}\n") } else { table(&document) + &jails };
    Ok((text, status))
}

fn all_up(document: &Value) -> bool {
    let mut vassals = document["vassals"].as_array().into_iter().flatten();
    vassals.all(|one| UP.contains(&one["state"].as_str().unwrap_or_default()))
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
            "emperor pid {}  uid {}  gid {}  capabilities {}\nspawner capabilities {}\njail {}\n",
            word("pid"),
            word("uid"),
            word("gid"),
            word("emperor_capabilities"),
            word("spawner_capabilities"),
            word("jail"),
        );
        text.push_str(&routers(document));
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["VASSAL", "STATE", "PID", "UID:GID", "SINCE", "STARTS", "RESPAWNS", "NOTE"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let vassals = || document["vassals"].as_array().into_iter().flatten();
    let naming = stats::Naming::of(vassals().filter_map(|vassal| vassal["id"].as_str()));
    for vassal in vassals() {
        let word = |key: &str| plain(&vassal[key]);
        let raw = |key: &str| vassal[key].as_str().unwrap_or_default();
        let name = plain(&naming.name(raw("id"), raw("monitor")).into());
        let ids = format!("{}:{}", word("uid"), word("gid"));
        let pid = if vassal["pid"] == -1 { "-".to_owned() } else { word("pid") };
        let row = [name, word("state"), pid, ids, since(&vassal["since"], now), word("starts")];
        table.add_row(row.into_iter().chain([word("respawns"), note(vassal)]));
    }
    text.push_str(&format!("{table}\n"));
    text
}

/// A line for each router, and an empty one.
fn routers(document: &Value) -> String {
    let routers = document["routers"].as_array().into_iter().flatten();
    let line = |router: &Value| {
        let word = |key: &str| plain(&router[key]);
        let pid = if router["pid"] == -1 { "-".to_owned() } else { word("pid") };
        format!(
            "router {} pid {pid}  socket {}  restarts {}  peers kept {}\n",
            word("device"),
            word("socket"),
            word("restarts"),
            word("parked"),
        )
    };
    routers.map(line).chain(["\n".to_owned()]).collect()
}

/// A line for the jail of each vassal that has a process.
fn jails(document: &Value) -> String {
    let vassals = document["vassals"].as_array().into_iter().flatten();
    let told = vassals.map(|vassal| (plain(&vassal["id"]), jail(vassal)));
    told.filter(|(_, jail)| !jail.is_empty())
        .map(|(name, jail)| format!("\njail of {name}: {jail}\n"))
        .collect()
}

/// The jail of a vassal in words; empty without a process.
pub fn jail(vassal: &Value) -> String {
    let jail = &vassal["jail"];
    let word = |key: &str| jail[key].as_str().filter(|text| !text.is_empty()).map(|_| plain(&jail[key]));
    let part = |key: &str, label: &str| word(key).map(|word| format!("{label} {word}"));
    let parts = [
        word("kind"),
        part("namespaces", "namespaces"),
        part("user", "user"),
        part("root", "root of the"),
        part("cgroup", "cgroup"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// How long ago that was, in its largest unit.
fn since(unix_s: &Value, now: u64) -> String {
    let s = now.saturating_sub(unix_s.as_u64().unwrap_or(now));
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..86_400 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// Where it waits for a connection, and what else there is to say.
fn note(vassal: &Value) -> String {
    let address = vassal["on_demand"].as_str().filter(|address| !address.is_empty());
    let listens = address.map(|_| format!("listens at {}", plain(&vassal["on_demand"])));
    let note = Some(plain(&vassal["note"])).filter(|note| !note.is_empty());
    listens.into_iter().chain(note).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let told = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 8_640_000].map(|s| since(&0.into(), s));
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "100 d"]);
        assert_eq!(since(&Value::Null, 5), "0 s", "an older Emperor does not say it");
    }

    #[test]
    fn where_a_vassal_listens_is_a_part_of_its_note() {
        let told =
            |on_demand: &str, text: &str| note(&serde_json::json!({"on_demand": on_demand, "note": text}));
        assert_eq!(told("@a", "last end: exit status 1"), "listens at @a; last end: exit status 1");
        assert_eq!(
            (told("@a", ""), told("", "x"), told("", "")),
            ("listens at @a".into(), "x".into(), String::new())
        );
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let document =
            serde_json::json!({"pid": 1, "vassals": [{"id": "a\u{1b}[2J.ini", "state": "running"}]});
        let text = table(&document);
        assert!(text.contains("a\\u{1b}[2J.ini") && !text.contains('\u{1b}'));
    }
}
