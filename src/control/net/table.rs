//! Pure. What a router tells, for people.

use std::fmt::Write as _;

use comfy_table::Table;
use serde_json::Value;

use crate::control::fetch::plain;

/// One line about the router, and a table of who is or was there, but for the process that asks.
pub(super) fn table(document: &Value, asker: u32) -> String {
    let word = |key: &str| plain(&document[key]);
    let addresses = texts(&document["addresses"]).join(" ");
    let mut text =
        format!("{}  {addresses}  socket {}  policy {}", word("device"), word("socket"), word("policy"));
    let rules = ["in", "out", "route"].map(|chain| document["rules"][chain].as_array().map_or(0, Vec::len));
    if !document["rules"].is_null() {
        let _ = write!(text, "  rules {} in, {} out, {} route", rules[0], rules[1], rules[2]);
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["PEER", "UID", "ADDRESSES", "THROUGH", "SENT", "RECEIVED", "DROPPED"]);
    let asks = |peer: &Value| peer["pid"] == asker && texts(&peer["addresses"]).is_empty();
    let peers = || document["peers"].as_array().into_iter().flatten().filter(|peer| !asks(peer));
    for peer in peers() {
        table.add_row(row(peer, peer));
    }
    let is_there = |account: &&Value| peers().any(|peer| peer["name"] == account["name"]);
    let accounts = document["accounts"].as_array().into_iter().flatten();
    for account in accounts.filter(|account| !is_there(account) && has_traffic(account)) {
        table.add_row(row(&Value::Null, account));
    }
    let _ = write!(text, "\n\n{table}\n");
    if let Some(count) = document["left_out"].as_u64() {
        let _ = writeln!(text, "and {count} more, for which there was no room; root sees them all");
    }
    text
}

/// A peer, or an account of one that is gone. Nobody's account has no name.
fn row(peer: &Value, account: &Value) -> [String; 7] {
    let name = match account["name"].as_str() {
        None | Some("") => "(nobody)".to_owned(),
        Some(name) => plain(&name.into()),
    };
    let or_none = |key: &str| if peer[key].is_null() { "-".to_owned() } else { plain(&peer[key]) };
    let addresses = texts(&peer["addresses"]).join(" ");
    let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses };
    let (sent, received) = (passed(&account["sent"]), passed(&account["received"]));
    [name, or_none("uid"), addresses, or_none("through"), sent, received, dropped(account)]
}

fn has_traffic(account: &Value) -> bool {
    let packets = |key: &str| account[key]["packets"].as_u64().unwrap_or(0);
    packets("sent") + packets("received") > 0 || dropped(account) != "-"
}

fn passed(flow: &Value) -> String {
    let number = |key: &str| flow[key].as_u64().unwrap_or(0);
    format!("{} ({})", number("packets"), bytes(number("bytes")))
}

/// Reasons with their numbers, of both directions; the most frequent one first.
fn dropped(account: &Value) -> String {
    let mut all: Vec<(u64, String)> = ["sent", "received"]
        .iter()
        .flat_map(|key| account[*key]["dropped"].as_object().into_iter().flatten())
        .fold(Vec::new(), |mut all: Vec<(u64, String)>, (reason, count)| {
            let count = count.as_u64().unwrap_or(0);
            match all.iter_mut().find(|(_, known)| known == reason) {
                Some((sum, _)) => *sum += count,
                None => all.push((count, plain(&reason.as_str().into()))),
            }
            all
        });
    all.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let told: Vec<String> = all.iter().map(|(count, reason)| format!("{count} {reason}")).collect();
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(plain).collect()
}

/// In the largest unit that it has one of.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut shown = (count as f64, "B");
    for unit in UNITS {
        if shown.0 < 1024.0 {
            break;
        }
        shown = (shown.0 / 1024.0, unit);
    }
    if shown.1 == "B" { format!("{count} B") } else { format!("{:.1} {}", shown.0, shown.1) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_there_comes_before_who_is_gone() {
        let flow = |packets: u64, dropped: Value| json!({"packets": packets, "bytes": packets * 1500, "dropped": dropped});
        let document = json!({
            "device": "emperor0", "socket": "/run/r", "policy": "standard", "addresses": ["10.0.0.1/24"],
            "rules": {"in": [], "out": [{"rule": "deny"}], "route": []},
            "peers": [{"name": "", "uid": 0, "pid": 77, "addresses": [], "through": "stream"}, {
                "name": "shop\u{1b}[2J", "uid": 1001, "addresses": ["10.0.0.2"], "through": "device",
                "sent": flow(1000, json!({"denied": 2, "spoofed": 5})), "received": flow(3, json!({"denied": 4})),
            }],
            "accounts": [
                {"name": "", "sent": flow(0, json!({})), "received": flow(0, json!({"no-peer": 1}))},
                {"name": "shop\u{1b}[2J", "sent": flow(1000, json!({})), "received": flow(3, json!({}))},
                {"name": "gone", "sent": flow(0, json!({})), "received": flow(1, json!({}))},
                {"name": "never", "sent": flow(0, json!({})), "received": flow(0, json!({}))},
            ],
        });
        let shown: Vec<String> =
            table(&document, 77).lines().map(|line| line.trim_end().to_owned()).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        emperor0  10.0.0.1/24  socket /run/r  policy standard  rules 0 in, 1 out, 0 route

         PEER           UID   ADDRESSES  THROUGH  SENT            RECEIVED     DROPPED
         shop\u{1b}[2J  1001  10.0.0.2   device   1000 (1.4 MiB)  3 (4.4 KiB)  6 denied, 5 spoofed
         (nobody)       -     -          -        0 (0 B)         0 (0 B)      1 no-peer
         gone           -     -          -        0 (0 B)         1 (1.5 KiB)  -
        ");
    }

    #[test]
    fn who_is_left_out_is_told_by_number() {
        let shown = table(&json!({"peers": [], "left_out": 3}), 77);
        assert!(
            shown.ends_with("\nand 3 more, for which there was no room; root sees them all\n"),
            "{shown}"
        );
    }

    #[test]
    fn bytes_are_told_in_their_largest_unit() {
        let told = [0, 1023, 1024, 1536 * 1024, u64::MAX].map(bytes);
        assert_eq!(told, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16777216.0 TiB"]);
    }
}
