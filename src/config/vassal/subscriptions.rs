//! Pure. To which routers a vassal is announced, and how: `subscribe-to`, `subscribe2` and what goes with them.

use std::path::PathBuf;

use super::Address;
use super::signing::{Signing, signing};
use crate::config::admit::value;
use crate::config::keyval::{self, Fault, Pair};
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::show::quoted;
use crate::config::values::{Wrong, address, count, flag, integer, path, text, wrong};

/// Announcements of one config.
const EACH_MAX: usize = 64;
/// Bytes of a key and of an address that a router takes.
pub const TEXT_MAX: usize = 255;
/// Seconds between two announcements when the config says nothing, and most that it may say.
const FREQUENCY_S: u32 = 10;
const FREQUENCY_MAX_S: u32 = 86_400;
/// Keys of `subscribe2`.
const KEYS: [&str; 18] = [
    "server",
    "key",
    "addr",
    "address",
    "socket",
    "modifier1",
    "modifier2",
    "weight",
    "backup",
    "proto",
    "algo",
    "check",
    "vassal",
    "notify",
    "sni_key",
    "sni_crt",
    "sni_ca",
    "sign",
];
const FORM: &str = "write SERVER:KEY, where SERVER is HOST:PORT, /PATH or @NAME";
/// All that a config says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// One for each router and key.
    pub list: Vec<Placed<Subscription>>,
    frequency_s: Option<u32>,
    modifier1: u8,
    weight: Option<u32>,
    /// `unsubscribe-on-graceful-reload`.
    pub leaves_on_reload: bool,
    notify: Option<PathBuf>,
}

/// One key at one router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Where the router takes datagrams; never `Inherited`.
    pub server: Address,
    /// A domain, as the router compares it.
    pub key: String,
    /// Which socket of the vassal is announced, where no address is given.
    pub socket: usize,
    /// What is announced instead of a socket: a place as the router knows it.
    pub address: Option<String>,
    /// As long as this file is there the vassal is not announced.
    pub check: Option<PathBuf>,
    /// With what each announcement is signed.
    pub signing: Option<Signing>,
    modifier1: Option<u8>,
    weight: Option<u32>,
    /// Fields of the announcement that are said as they are.
    fields: Vec<(&'static str, String)>,
}

impl Subscription {
    fn new(server: Address, key: String) -> Self {
        Self {
            server,
            key,
            socket: 0,
            address: None,
            check: None,
            signing: None,
            modifier1: None,
            weight: None,
            fields: Vec::new(),
        }
    }
}

impl Subscriptions {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "subscribe-to" => self.add(entry, value(entry, short)?)?,
            "subscribe2" => self.add(entry, long(&entry.value).map_err(|fault| fault.at(entry))?)?,
            "subscribe-freq" => self.frequency_s = Some(value(entry, frequency)?),
            "subscribe-with-modifier1" => self.modifier1 = value(entry, modifier)?,
            "weight" => self.weight = Some(value(entry, count)?),
            "unsubscribe-on-graceful-reload" => self.leaves_on_reload = value(entry, flag)?,
            "subscription-notify-socket" => self.notify = Some(value(entry, path)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add(&mut self, entry: &Entry, subscription: Subscription) -> Result<(), ConfigError> {
        if self.list.len() == EACH_MAX {
            let error = ConfigError::at(&entry.place, format!("more than {EACH_MAX} subscriptions"));
            return Err(error.cure("use fewer, or a pattern at the router"));
        }
        self.list.push(entry.placed(subscription));
        Ok(())
    }

    /// Milliseconds between two announcements.
    pub fn frequency_ms(&self) -> u64 {
        u64::from(self.frequency_s.unwrap_or(FREQUENCY_S)) * 1_000
    }

    /// The fields of an announcement of this address, in their order.
    pub fn fields(&self, one: &Subscription, address: &str) -> Vec<(&'static str, String)> {
        let said = |name: &str| one.fields.iter().any(|(field, _)| *field == name);
        let modifier1 = one.modifier1.unwrap_or(self.modifier1);
        let weight = one.weight.or(self.weight).unwrap_or(1);
        let mut fields = vec![
            ("key", one.key.clone()),
            ("address", address.to_owned()),
            ("modifier1", modifier1.to_string()),
            ("cores", "1".to_owned()),
            ("load", "0".to_owned()),
            ("weight", weight.to_string()),
        ];
        // A router that is told nothing may take it for anything.
        let defaults = [("modifier2", "0"), ("proto", "uwsgi")];
        fields.extend(
            defaults.into_iter().filter(|(name, _)| !said(name)).map(|(name, text)| (name, text.into())),
        );
        if let Some(notify) = self.notify.as_ref().filter(|_| !said("notify")) {
            fields.push(("notify", notify.display().to_string()));
        }
        fields.extend(one.fields.iter().cloned());
        fields
    }
}

/// `[SOCKET=]SERVER:KEY[,MODIFIER1[,DIGEST:KEYFILE]]`.
fn short(value: &str) -> Result<Subscription, Wrong> {
    let (socket, rest) = match value.split_once('=') {
        Some((number, rest)) if !number.contains([':', '/', '@']) => (socket(number)?, rest),
        _ => (0, value),
    };
    let mut words = rest.splitn(3, ',');
    let place = words.next().unwrap_or_default();
    let Some((server, key)) = end_of_server(place).map(|end| (&place[..end], &place[end + 1..])) else {
        return wrong(format!("{} names no key", quoted(place)), FORM);
    };
    let modifier1 = words.next().map(modifier).transpose()?;
    let signing = words.next().map(signing).transpose()?;
    Ok(Subscription { socket, modifier1, signing, ..Subscription::new(router(server)?, domain(key)?) })
}

/// Where the colon between server and key is.
fn end_of_server(text: &str) -> Option<usize> {
    let after = |start: usize| text[start..].find(':').map(|at| start + at);
    match text.as_bytes().first()? {
        b'/' | b'@' => after(0),
        b'[' => text.find(']').and_then(after).and_then(|colon| after(colon + 1)),
        _ => after(0).and_then(|colon| after(colon + 1)),
    }
}

/// `key=value,…`.
fn long(value: &str) -> Result<Subscription, Fault> {
    let pairs = keyval::parse(value, &KEYS)?;
    let missing = |name: &str| {
        let cause = format!("no `{name}` is given");
        Fault { offset: 0, wrong: Wrong::new(cause, "write: server=SERVER,key=KEY") }
    };
    let find = |name: &str| pairs.iter().find(|pair| pair.key == name).ok_or_else(|| missing(name));
    let server = find("server").and_then(|pair| router(&pair.value).map_err(|wrong| at(pair, wrong)))?;
    let key = find("key").and_then(|pair| domain(&pair.value).map_err(|wrong| at(pair, wrong)))?;
    let mut subscription = Subscription::new(server, key);
    pairs.iter().try_for_each(|pair| detail(&mut subscription, pair).map_err(|wrong| at(pair, wrong)))?;
    Ok(subscription)
}

fn at(pair: &Pair, wrong: Wrong) -> Fault {
    let cause = format!("`{}`: {}", pair.key, wrong.cause);
    Fault { offset: pair.value_offset, wrong: Wrong { cause, ..wrong } }
}

fn detail(one: &mut Subscription, pair: &Pair) -> Result<(), Wrong> {
    let value = pair.value.as_str();
    let mut say = |name, text: String| one.fields.push((name, text));
    match pair.key.as_str() {
        "addr" | "address" => one.address = Some(bounded(value)?),
        "socket" => one.socket = socket(value)?,
        "modifier1" => one.modifier1 = Some(modifier(value)?),
        "weight" => one.weight = Some(count(value)?),
        "check" => one.check = Some(path(value)?),
        "modifier2" => say("modifier2", modifier(value)?.to_string()),
        "backup" => say("backup", count(value)?.to_string()),
        "proto" => say("proto", bounded(value)?),
        "algo" => say("algo", bounded(value)?),
        "vassal" => say("vassal", bounded(value)?),
        "notify" => say("notify", bounded(value)?),
        "sni_key" => say("sni_key", bounded(value)?),
        "sni_crt" => say("sni_crt", bounded(value)?),
        "sni_ca" => say("sni_ca", bounded(value)?),
        "sign" => one.signing = Some(signing(value)?),
        // `server` and `key` were read before, and others are not known.
        _ => {}
    }
    Ok(())
}

fn router(value: &str) -> Result<Address, Wrong> {
    match address(value)? {
        Address::Inherited(_) => wrong(format!("{} is no place of a router", quoted(value)), FORM),
        Address::Unix(path) if path.is_relative() => {
            wrong(format!("{} is no absolute path", quoted(value)), FORM)
        }
        address => Ok(address),
    }
}

fn domain(key: &str) -> Result<String, Wrong> {
    match key {
        "" => wrong("a router compares requests with a key", FORM),
        key if key.starts_with('@') => {
            wrong("keys are not read from a file", "write `subscribe-to` once for each key")
        }
        key => bounded(key),
    }
}

fn bounded(value: &str) -> Result<String, Wrong> {
    match value.len() {
        0..=TEXT_MAX => text(value),
        _ => wrong(format!("more than {TEXT_MAX} bytes"), "a router takes no more: use a shorter one"),
    }
}

fn modifier(value: &str) -> Result<u8, Wrong> {
    let number = integer(value)?;
    u8::try_from(number).or_else(|_| wrong(format!("{number} is no modifier"), "use 0 to 255"))
}

fn socket(value: &str) -> Result<usize, Wrong> {
    let cure = "write the number of a `socket` line, counted from 0";
    usize::try_from(count(value).map_err(|wrong| Wrong::new(wrong.cause, cure))?)
        .or_else(|_| wrong(format!("{} is too large", quoted(value)), cure))
}

fn frequency(value: &str) -> Result<u32, Wrong> {
    match count(value)? {
        seconds @ 1..=FREQUENCY_MAX_S => Ok(seconds),
        seconds => wrong(format!("{seconds} is no pause"), "use 1 to 86400 seconds"),
    }
}

#[cfg(test)]
#[path = "subscriptions_tests.rs"]
mod tests;
