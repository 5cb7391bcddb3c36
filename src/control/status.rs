//! `liege status`: reads the stats of a running Emperor and prints them as a table.

use std::io::Read;
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comfy_table::Table;
use serde_json::Value;

use crate::config::vassal::Address;
use crate::stats;

/// Longest document read, in bytes: 100 000 vassals and more.
const DOCUMENT_MAX: u64 = 64 << 20;
/// An Emperor that does not answer within this time is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The status of the Emperor at this address, else at the usual place; with `json`, as it came.
///
/// # Errors
/// Nobody serves stats there, or something else does.
pub fn status(address: Option<&Address>, json: bool) -> Result<String> {
    let text = match address {
        Some(address) => fetch(address)?,
        None => usual().context("is an Emperor running? Its stats are where emperor-stats says")?,
    };
    let document: Value = serde_json::from_str(&text).context("what came is not the stats of an Emperor")?;
    Ok(if json { text } else { table(&document) })
}

/// One's own Emperor, else that of root, which serves whom the file's rights let in.
fn usual() -> Result<String> {
    let of_root = || fetch(&Address::Unix(stats::OF_ROOT.into()));
    let Some(own) = stats::usual_path() else { return of_root() };
    fetch(&Address::Unix(own)).or_else(|error| of_root().map_err(|_| error))
}

fn fetch(address: &Address) -> Result<String> {
    match address {
        Address::Tcp(address) => {
            let socket = TcpStream::connect_timeout(address, PATIENCE)
                .with_context(|| format!("cannot reach {address}"))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            read(socket)
        }
        Address::Unix(path) => {
            let socket =
                UnixStream::connect(path).with_context(|| format!("cannot reach {}", path.display()))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            read(socket)
        }
        Address::Abstract(name) => {
            let address = SocketAddr::from_abstract_name(name)?;
            let socket =
                UnixStream::connect_addr(&address).with_context(|| format!("cannot reach @{name}"))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            read(socket)
        }
        Address::Inherited(number) => {
            bail!(
                "fd://{number} is a socket of a process that was started with it: say HOST:PORT, a path or @NAME"
            )
        }
    }
}

fn read(socket: impl Read) -> Result<String> {
    let mut text = String::new();
    socket.take(DOCUMENT_MAX).read_to_string(&mut text).context("cannot read the stats")?;
    Ok(text)
}

fn table(document: &Value) -> String {
    let word = |key: &str| plain(&document[key]);
    let mut text = format!(
        "emperor pid {}  uid {}  gid {}  capabilities {}\nspawner capabilities {}\njail {}\n",
        word("pid"),
        word("uid"),
        word("gid"),
        word("emperor_capabilities"),
        word("spawner_capabilities"),
        word("jail"),
    );
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["VASSAL", "STATE", "PID", "UID:GID", "RESPAWNS", "NOTE"]);
    let vassals = || document["vassals"].as_array().into_iter().flatten();
    let naming = stats::Naming::of(vassals().filter_map(|vassal| vassal["id"].as_str()));
    for vassal in vassals() {
        let word = |key: &str| plain(&vassal[key]);
        let raw = |key: &str| vassal[key].as_str().unwrap_or_default();
        let name = plain(&naming.name(raw("id"), raw("monitor")).into());
        let ids = format!("{}:{}", word("uid"), word("gid"));
        table.add_row([name, word("state"), word("pid"), ids, word("respawns"), word("note")]);
    }
    text.push_str(&format!("\n{table}\n"));
    text
}

/// A value for a terminal: nothing in a name can move the cursor.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
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
