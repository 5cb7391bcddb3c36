//! `liege why`: one vassal in sentences.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use serde_json::Value;

use super::fetch::{self, plain};
use super::{Target, events, status, tail};

/// Most lines of a vassal's past shown.
const LINES_MAX: usize = 8;

/// What happened to each vassal that is meant, when, what comes next, and what to do about it; and whether a word means none.
///
/// # Errors
/// Nobody serves stats there; no such vassal.
pub fn why(target: &Target) -> Result<(String, bool)> {
    let mut document = fetch::of(target)?;
    let is_unknown = status::keep(&mut document, target)?;
    // Where no events are served, what the stats say has to do.
    let past = events::past(target).unwrap_or_default();
    let vassals = document["vassals"].as_array().into_iter().flatten();
    let address = target.address.as_ref();
    let texts = vassals.map(|vassal| {
        let name = vassal["id"].as_str().unwrap_or_default();
        told(vassal, &past) + &tail::quoted(address, name)
    });
    let of = |list: &str| document[list].as_array().into_iter().flatten().filter(|_| target.is_narrow());
    let daemons = of("daemons").chain(of(status::ALONE)).map(|daemon| {
        let name = status::daemon_name(daemon);
        told_of_daemon(&name, daemon) + &told_by_others(target, daemon) + &tail::quoted(address, &name)
    });
    Ok((daemons.chain(texts).collect::<Vec<_>>().join("\n"), is_unknown))
}

fn told(vassal: &Value, past: &[Value]) -> String {
    let word = |key: &str| plain(&vassal[key]);
    let mut text = format!("{}: {} since {}\n", word("id"), word("state"), time(&vassal["since"]));
    let mut say = |label: &str, words: String| {
        if !words.is_empty() {
            let _ = writeln!(text, "  {:<18}{words}", format!("{label}:"));
        }
    };
    let alive = vassal["pid"].as_i64().is_some_and(|pid| pid > 0);
    let at = &vassal["reason_at"];
    let when = at.as_u64().filter(|at| *at > 0).map(|_| format!(", at {}", time(at))).unwrap_or_default();
    let reason = word("reason");
    let is_end = alive && !when.is_empty();
    let label = if is_end { "its last end" } else { "what happened" };
    say(label, if reason.is_empty() { reason } else { format!("{reason}{when}") });
    // An earlier Emperor has no such key.
    say("says of itself", vassal["said"].as_str().map_or_else(String::new, |_| word("said")));
    say("limits met", word("limits_met"));
    say("what comes next", word("next"));
    say("what to do", word("advice"));
    say("listens", listens(vassal));
    say("config", format!("{} (fingerprint {})", word("config"), word("fingerprint")));
    let uses = vassal["uses"].as_str().filter(|uses| !uses.is_empty() && vassal["fingerprint"] != *uses);
    say("it uses", uses.map(|uses| format!("the one with fingerprint {uses}")).unwrap_or_default());
    say("jail", status::jail(vassal));
    let pid = if alive { word("pid") } else { "none".to_owned() };
    say("process", format!("pid {pid}, for {}:{}, starts {}", word("uid"), word("gid"), word("starts")));
    let own =
        past.iter().filter(|line| line["vassal"] == vassal["id"] && line["monitor"] == vassal["monitor"]);
    let own: Vec<&Value> = own.collect();
    for line in &own[own.len().saturating_sub(LINES_MAX)..] {
        let _ = writeln!(text, "    {}", events::words(line));
    }
    text
}

/// What the master of its vassal wrote of it: how it ended, or why it was not as much as started.
fn told_by_others(target: &Target, daemon: &Value) -> String {
    let (Some(vassal), Some(name)) = (daemon["vassal"].as_str(), daemon["name"].as_str()) else {
        return String::new();
    };
    let is_of_it = |line: &str| line.split(|one: char| !is_of_name(one)).any(|word| word == name);
    tail::quoted_if(target.address.as_ref(), vassal, is_of_it)
}

/// Whether a daemon may have this character in its name.
fn is_of_name(one: char) -> bool {
    one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.')
}

/// A daemon alone.
fn told_of_daemon(name: &str, daemon: &Value) -> String {
    let word = |key: &str| plain(&daemon[key]);
    let pid = if daemon["pid"] == -1 { "none".to_owned() } else { word("pid") };
    let (state, since) = (word("state"), time(&daemon["since"]));
    let process = format!("process:          pid {pid}, starts {}", word("starts"));
    let said = word("said");
    let said = if said.is_empty() { said } else { format!("  says of itself:   {said}\n") };
    let next = next_of_daemon(name, &state);
    format!("{name}: {state} since {since}\n{said}{next}  {process}\n")
}

/// What becomes of one that does not run, and what helps.
fn next_of_daemon(name: &str, state: &str) -> String {
    let (next, cure) = match state {
        "throttled" => (
            "it is started again by itself, the later the oftener it fails",
            format!("mend what is said of it below, then `liege restart {name}`"),
        ),
        "stopped" => {
            ("it is started when somebody says so, or with its vassal", format!("`liege start {name}`"))
        }
        _ => return String::new(),
    };
    format!("  what comes next:  {next}\n  what to do:       {cure}\n")
}

/// What the Emperor has bound for it, and what it has bound itself, as it says.
fn listens(vassal: &Value) -> String {
    let of = |key: &str| vassal[key].as_str().filter(|text| !text.is_empty()).map(|_| plain(&vassal[key]));
    let on_demand = of("on_demand").map(|address| format!("{address} (on demand)"));
    on_demand.into_iter().chain(of("sockets")).collect::<Vec<_>>().join(", ")
}

fn time(unix_s: &Value) -> String {
    let at = unix_s.as_u64().and_then(|s| UNIX_EPOCH.checked_add(Duration::from_secs(s)));
    at.map_or_else(|| "?".to_owned(), |at| humantime::format_rfc3339_seconds(at).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crashing_vassal_is_explained_in_sentences() {
        let vassal = json!({
            "id": "shop.ini", "monitor": "/srv", "state": "throttled", "since": 5, "pid": -1, "uid": 7, "gid": 8,
            "reason": "ended by itself after 0.1 s (exit status 2)", "reason_at": 5, "starts": 3, "on_demand": "127.0.0.1:80",
            "next": "it is started in 4 s, after 3 deaths in a row", "advice": "read \u{1b}[2J", "limits_met": "",
            "config": "/srv/shop.ini", "fingerprint": "00ff", "uses": "00fe",
        });
        let line =
            |name: &str, text: &str| json!({"vassal": name, "monitor": "/srv", "time": "T", "text": text});
        let past = [line("other.ini", "no"), line("shop.ini", "died (exit status 2)")];
        insta::assert_snapshot!(told(&vassal, &past), @r"
        shop.ini: throttled since 1970-01-01T00:00:05Z
          what happened:    ended by itself after 0.1 s (exit status 2), at 1970-01-01T00:00:05Z
          what comes next:  it is started in 4 s, after 3 deaths in a row
          what to do:       read \u{1b}[2J
          listens:          127.0.0.1:80 (on demand)
          config:           /srv/shop.ini (fingerprint 00ff)
          it uses:          the one with fingerprint 00fe
          process:          pid none, for 7:8, starts 3
            T  shop.ini  died (exit status 2)
        ");
    }
}
