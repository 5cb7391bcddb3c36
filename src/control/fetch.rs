//! Reads what an Emperor serves.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::Target;
use super::attach::ask::Connection;
use super::messages::{Answer, Ask};
use crate::config::vassal::Address;
use crate::stats;

/// Longest document read, in bytes: 100 000 vassals and more.
const DOCUMENT_MAX: u64 = 64 << 20;
/// An Emperor that does not answer within this time is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How those are that are meant, as JSON: of few names nobody else is told of, unless the Emperor does not know how to.
///
/// # Errors
/// Nobody serves there, or something else does.
pub fn of(target: &Target) -> Result<Value> {
    let few = target.plain_names().and_then(|names| few(target.address.as_ref(), names));
    few.map_or_else(|| parsed(&document(target.address.as_ref())?), Ok)
}

/// At the control socket beside the stats. There may be none, or one that does not answer that: then the stats are read.
fn few(address: Option<&Address>, names: Vec<String>) -> Option<Value> {
    let connection = Connection::open(address).ok()?;
    connection.wait_at_most(Some(PATIENCE)).and_then(|()| connection.ask(&Ask::Show(names))).ok()?;
    let mut bytes = Vec::new();
    loop {
        match connection.hear().ok()?? {
            (Answer::Document(piece), _) => bytes.extend_from_slice(&piece),
            (Answer::Ended(0), _) => return serde_json::from_slice(&bytes).ok(),
            _ => return None,
        }
    }
}

/// The stats of the Emperor at this address, else at the usual place, as they came.
///
/// # Errors
/// Nobody serves there.
pub fn document(address: Option<&Address>) -> Result<String> {
    let socket = match address {
        Some(Address::Tcp(address)) => {
            let socket = TcpStream::connect_timeout(address, PATIENCE)
                .with_context(|| format!("cannot reach {address}"))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.shutdown(Shutdown::Write)?;
            return read(socket);
        }
        Some(Address::Inherited(number)) => {
            bail!(
                "fd://{number} is a socket of a process that was started with it: say HOST:PORT, a path or @NAME"
            )
        }
        Some(address) => connect(address)?,
        None => usual(Some).context("is an Emperor running? Its stats are where emperor-stats says")?,
    };
    socket.set_read_timeout(Some(PATIENCE))?;
    // Who waits for a request of HTTP is to know that there will be none.
    socket.shutdown(Shutdown::Write)?;
    read(socket)
}

/// The same, parsed.
///
/// # Errors
/// As above, or something else serves there.
pub fn parsed(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("what came is not the stats of an Emperor")
}

/// Where the Emperor tells what happens. The past comes at once; only it is waited for no longer than it may take.
///
/// # Errors
/// Its stats are at a place beside which no events are served, or nobody is there.
pub fn events(address: Option<&Address>) -> Result<UnixStream> {
    let socket = match address {
        Some(address) => {
            let beside = stats::beside(address);
            connect(&beside.ok_or_else(|| {
                anyhow!("events are served beside stats at a path or @NAME only (emperor-stats)")
            })?)
        }
        None => usual(|stats| stats::beside(&stats)),
    };
    let socket = socket.context("is an Emperor running?")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// One's own Emperor, else that of root, which serves whom the file's rights let in.
fn usual(of: impl Fn(Address) -> Option<Address>) -> Result<UnixStream> {
    let places = stats::usual_path().into_iter().chain([PathBuf::from(stats::OF_ROOT)]);
    let mut tried = places.map(Address::Unix).filter_map(of).map(|address| connect(&address));
    let first = tried.next().context("no place is known: say where (liege status ADDRESS)")?;
    first.or_else(|error| tried.find_map(Result::ok).ok_or(error))
}

fn connect(address: &Address) -> Result<UnixStream> {
    match address {
        Address::Unix(path) => UnixStream::connect(path).map_err(|error| {
            let place = path.display();
            let denied = error.kind() == ErrorKind::PermissionDenied;
            let sentence = match denied {
                true => format!(
                    "{place} lets nobody in but root and its group (`emperor-stats-for-tenants` would)"
                ),
                false => format!("cannot reach {place}"),
            };
            anyhow!(error).context(sentence)
        }),
        Address::Abstract(name) => {
            let address = SocketAddr::from_abstract_name(name)?;
            UnixStream::connect_addr(&address).with_context(|| format!("cannot reach @{name}"))
        }
        Address::Tcp(_) | Address::Inherited(_) => bail!("not a unix socket"),
    }
}

fn read(socket: impl Read) -> Result<String> {
    let mut text = String::new();
    socket.take(DOCUMENT_MAX).read_to_string(&mut text).context("cannot read the stats")?;
    Ok(text)
}

/// A value for a terminal: nothing in a name can move the cursor.
pub fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
