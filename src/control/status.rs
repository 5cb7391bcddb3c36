//! `liege status`: reads the stats of a running Emperor and prints them as a table.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use comfy_table::Table;
use serde_json::Value;

use super::Target;
use super::fetch::{self, plain};
use super::wish::{ALL, OURS};
use crate::{log, stats};

/// Exit status where one of those that are named is not up; as `supervisorctl` has it, and init scripts (LSB).
const DOWN: u8 = 3;
/// Exit status where one that is named is not there; likewise.
pub const UNKNOWN: u8 = 4;
/// Daemons of vassals that are not meant themselves, in a document that was narrowed.
pub const ALONE: &str = "daemons_of_vassals";
/// States in which a daemon does.
const DAEMON_UP: [&str; 2] = ["running", "starting"];
/// States in which a vassal does what it is there for.
const UP: [&str; 3] = ["running", "reloading", "on-demand"];

/// The status of the Emperor or of some vassals, and the exit status; with `json`, the document as it came, with no other vassals in it.
///
/// # Errors
/// Nobody serves stats there, or something else does; no such vassal.
pub fn status(target: &Target, json: bool) -> Result<(String, u8)> {
    if json && !target.is_narrow() {
        let text = fetch::document(target.address.as_ref())?;
        fetch::parsed(&text)?;
        return Ok((text, 0));
    }
    let mut document = fetch::of(target)?;
    let is_unknown = keep(&mut document, target)?;
    let down = if target.is_narrow() && !all_up(&document) { DOWN } else { 0 };
    let status = if is_unknown { UNKNOWN } else { down };
    let jails = if target.is_narrow() { jails(&document) } else { String::new() };
    let text = if json { format!("{document:#}\n") } else { table(&document) + &jails };
    Ok((text, status))
}

fn all_up(document: &Value) -> bool {
    let of = |list: &str| document[list].as_array().into_iter().flatten();
    of("vassals")
        .chain(of("daemons"))
        .chain(of(ALONE))
        .all(|one| UP.contains(&one["state"].as_str().unwrap_or_default()))
}

/// Leaves only those vassals, and daemons of the Emperor's own, that are meant; daemons of others, meant alone, are a list [`ALONE`].
///
/// Tells of words that mean nobody; whether there are some.
///
/// # Errors
/// All of them are.
pub fn keep(document: &mut Value, target: &Target) -> Result<bool> {
    let unknown = unknown(document, target);
    let alone = daemons_alone(document, target);
    if !alone.is_empty() {
        document[ALONE] = alone.into();
    }
    for list in ["vassals", "blacklist"] {
        if let Some(entries) = document[list].as_array_mut() {
            entries.retain(|entry| target.means(entry["id"].as_str().unwrap_or_default()));
        }
    }
    if let Some(daemons) = document["daemons"].as_array_mut().filter(|_| target.is_narrow()) {
        daemons.retain(|daemon| target.means(&format!("{OURS}/{}", plain(&daemon["name"]))));
    }
    if unknown.is_empty() {
        return Ok(false);
    }
    let told = format!(
        "no such vassal: {}; `liege status` lists all, `liege events` tells what became of one",
        unknown.join(", ")
    );
    if unknown.len() == target.words().count() {
        bail!("{told}");
    }
    log::print(&format!("liege: {told}\n"));
    Ok(true)
}

/// Words that mean no vassal and no daemon.
fn unknown(document: &Value, target: &Target) -> Vec<String> {
    let of = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let (vassals, own) = (of(&document["vassals"]), of(&document["daemons"]));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let has_one = |vassal: &Value, word: &Target| {
        let id = text(&vassal["id"]);
        word.means(&id)
            || of(&vassal["daemons"]).iter().any(|one| word.means_daemon(&id, &text(&one["name"])))
    };
    let is_there = |word: &Target| {
        vassals.iter().any(|vassal| has_one(vassal, word))
            || own.iter().any(|one| word.means(&format!("{OURS}/{}", plain(&one["name"]))))
    };
    let unknown = target.words().filter(|(text, word)| *text != ALL && !is_there(word));
    unknown.map(|(text, _)| plain(&text.into())).collect()
}

/// Daemons that are meant and their vassals are not, each with its `vassal` and that one's `monitor`.
fn daemons_alone(document: &Value, target: &Target) -> Vec<Value> {
    let mut alone = Vec::new();
    for vassal in document["vassals"].as_array().into_iter().flatten() {
        let id = vassal["id"].as_str().unwrap_or_default();
        let is_meant = |daemon: &&Value| target.means_daemon(id, daemon["name"].as_str().unwrap_or_default());
        let daemons = vassal["daemons"].as_array().into_iter().flatten();
        for daemon in daemons.filter(is_meant).filter(|_| !target.means(id)) {
            let mut daemon = daemon.clone();
            (daemon["vassal"], daemon["monitor"]) = (vassal["id"].clone(), vassal["monitor"].clone());
            alone.push(daemon);
        }
    }
    alone
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
    text.push_str(&daemons(document));
    let vassals = || document["vassals"].as_array().into_iter().flatten();
    if vassals().next().is_none() && !document[ALONE].is_null() {
        return text;
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["VASSAL", "STATE", "PID", "UID:GID", "SINCE", "STARTS", "RESPAWNS", "NOTE"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
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

/// A line for each daemon of the Emperor's own or that is meant alone, and an empty one.
fn daemons(document: &Value) -> String {
    let of = |list: &str| document[list].as_array().into_iter().flatten();
    let daemons: Vec<&Value> = of("daemons").chain(of(ALONE)).collect();
    let line = |daemon: &&Value| {
        let word = |key: &str| plain(&daemon[key]);
        let pid = if daemon["pid"] == -1 { "-".to_owned() } else { word("pid") };
        format!("daemon {} {} pid {pid}  starts {}\n", daemon_name(daemon), word("state"), word("starts"))
    };
    let end = if daemons.is_empty() { "" } else { "\n" };
    daemons.iter().map(line).chain([end.to_owned()]).collect()
}

/// `shop.ini/redis`, or `emperor/redis`.
pub fn daemon_name(daemon: &Value) -> String {
    let vassal = daemon["vassal"].as_str().map_or_else(|| OURS.to_owned(), |_| plain(&daemon["vassal"]));
    format!("{vassal}/{}", plain(&daemon["name"]))
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
    let at = plain(&vassal["on_demand"]);
    let listens = address.map(|_| match vassal["state"].as_str() {
        Some("suspended") => format!("whoever connects to {at} waits for `liege start`"),
        Some("disabled") => format!("whoever connects to {at} waits for `liege enable`"),
        _ => format!("listens at {at}"),
    });
    let note = Some(plain(&vassal["note"])).filter(|note| !note.is_empty());
    listens.into_iter().chain(note).chain(daemons_down(vassal)).collect::<Vec<_>>().join("; ")
}

/// How many of its daemons do not run, if any.
fn daemons_down(vassal: &Value) -> Option<String> {
    let daemons = vassal["daemons"].as_array()?;
    let is_down = |one: &&Value| !DAEMON_UP.contains(&one["state"].as_str().unwrap_or_default());
    let down = daemons.iter().filter(is_down).count();
    let verb = if down == 1 { "does" } else { "do" };
    (down > 0).then(|| format!("{down} of {} daemons {verb} not run", daemons.len()))
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
    fn whoever_connects_to_one_that_was_stopped_waits_and_that_is_said() {
        let told = |state: &str| note(&serde_json::json!({"on_demand": "@a", "note": "", "state": state}));
        assert_eq!(told("on-demand"), "listens at @a");
        assert_eq!(told("suspended"), "whoever connects to @a waits for `liege start`");
        assert_eq!(told("disabled"), "whoever connects to @a waits for `liege enable`");
    }

    #[test]
    fn daemons_that_do_not_run_are_counted() {
        let told = |states: &[&str]| {
            let daemons: Vec<Value> =
                states.iter().map(|state| serde_json::json!({"name": "x", "state": state})).collect();
            note(&serde_json::json!({"note": "", "state": "running", "daemons": daemons}))
        };
        assert_eq!(told(&["running", "starting"]), "");
        assert_eq!(told(&["running", "throttled"]), "1 of 2 daemons does not run");
        assert_eq!(told(&["stopped", "throttled", "running"]), "2 of 3 daemons do not run");
    }

    #[test]
    fn words_that_mean_nobody_are_named() {
        let document = serde_json::json!({"daemons": [{"name": "own"}], "vassals": [
            {"id": "shop.ini", "daemons": [{"name": "redis"}]}, {"id": "blog.ini", "daemons": []},
        ]});
        let words =
            ["shop", "nosuch", "shop/redis", "shop/no", "b*", "z*", "all", "emperor/own", "emperor/no"];
        let target = Target::of(words.into_iter()).expect("a target");
        assert_eq!(unknown(&document, &target), ["nosuch", "shop/no", "z*", "emperor/no"]);
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let document =
            serde_json::json!({"pid": 1, "vassals": [{"id": "a\u{1b}[2J.ini", "state": "running"}]});
        let text = table(&document);
        assert!(text.contains("a\\u{1b}[2J.ini") && !text.contains('\u{1b}'));
    }
}
