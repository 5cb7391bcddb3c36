//! What is said to an Emperor about all of it, and signals by name.

use std::io::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::config::vassal::Address;
use crate::control::attach::Connection;
use crate::control::fetch::plain;
use crate::control::messages::{Answer, Ask, Change};
use crate::control::target::Named;
use crate::control::wish::{ALL, Deed, Meant, Wish};
use crate::log;

/// `liege update`: what has changed, of these names or of all.
///
/// # Errors
/// Nobody is there to ask, he refuses, or the output is gone.
pub fn update(named: &Named, json: bool, out: &mut dyn Write) -> Result<u8> {
    let connection = Connection::open(named.address.as_ref())?;
    connection.ask(&Ask::Update)?;
    let meant: Vec<Meant<'_>> = named.names.iter().map(|name| Meant::by(name)).collect();
    let is_meant = |name: &str| meant.is_empty() || meant.iter().any(|one| one.is(name));
    let mut count = 0;
    let mut changed = Vec::new();
    loop {
        match connection.hear()? {
            Some((Answer::Changed(changes), _)) => {
                for (change, name) in changes.iter().filter(|(_, name)| is_meant(name)) {
                    count += 1;
                    changed.push(name.clone());
                    tell(*change, name, json, out)?;
                }
            }
            Some((Answer::Told, _)) => break,
            Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
            Some(_) => {}
            None => bail!("the Emperor has ended"),
        }
    }
    let unknown = if meant.is_empty() { Vec::new() } else { unknown(named, changed)? };
    for word in &unknown {
        log::print(&format!("liege: no such vassal: {}\n", plain(&(*word).into())));
    }
    match (count, json) {
        (0, _) if !unknown.is_empty() => {}
        (0, true) => writeln!(out, "{}", json!({"vassal": null, "config": "unchanged"}))?,
        (0, false) => writeln!(out, "nothing has changed that was not read already")?,
        _ => {}
    }
    Ok(u8::from(!unknown.is_empty()))
}

/// Words that mean nobody who is there or has just changed.
fn unknown(named: &Named, changed: Vec<String>) -> Result<Vec<&str>> {
    let mut known = names(named.address.as_ref(), None)?;
    known.retain(|name| name != ALL);
    known.extend(changed);
    let is_there = |word: &str| word == ALL || known.iter().any(|name| Meant::by(word).is(name));
    Ok(named.names.iter().map(String::as_str).filter(|word| !is_there(word)).collect())
}

fn tell(change: Change, name: &str, json: bool, out: &mut dyn Write) -> Result<()> {
    let word = match change {
        Change::Added => "added",
        Change::Changed => "changed",
        Change::Removed => "removed",
    };
    let name = plain(&name.into());
    match json {
        true => writeln!(out, "{}", json!({"vassal": name, "config": word}))?,
        false => writeln!(out, "{name}: {word}")?,
    }
    Ok(())
}

/// What words there are for vassals of an Emperor; with `patience`, if each answer comes in that time.
///
/// # Errors
/// Nobody is there to ask, or he refuses.
pub fn names(address: Option<&Address>, patience: Option<Duration>) -> Result<Vec<String>> {
    let connection = Connection::open(address)?;
    connection.wait_at_most(patience)?;
    let wish = Wish { deed: Deed::Look, names: vec![ALL.to_owned()] };
    connection.ask(&Ask::Govern(wish))?;
    let mut names = vec![ALL.to_owned()];
    while let Some((answer, _)) = connection.hear()? {
        match answer {
            Answer::Standings(standings) => names.extend(standings.into_iter().map(|one| one.name)),
            Answer::Told => break,
            Answer::Refused(sentence) => bail!("{sentence}"),
            _ => {}
        }
    }
    Ok(names)
}

/// `liege shutdown`: over when the Emperor has ended.
///
/// # Errors
/// Nobody is there to ask, or he refuses.
pub fn shutdown(named: &Named) -> Result<u8> {
    if let Some(word) = named.names.first() {
        bail!("{word} is no address of an Emperor; `liege stop {word}` stops a vassal");
    }
    let connection = Connection::open(named.address.as_ref())?;
    connection.ask(&Ask::End)?;
    loop {
        match connection.hear()? {
            Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
            Some(_) => {}
            None => return Ok(0),
        }
    }
}

/// Whether somebody is there to ask.
///
/// # Errors
/// Nobody is.
pub fn reach(address: Option<&Address>) -> Result<()> {
    Connection::open(address).map(drop)
}

/// The number of a signal of this name (`HUP`, `SIGHUP`, `hup`) or number.
pub fn signal(word: &str) -> Option<u8> {
    let word = word.to_ascii_uppercase();
    let named = || format!("SIG{}", word.strip_prefix("SIG").unwrap_or(&word)).parse::<Signal>().ok();
    let found = word.parse().map_or_else(|_| named(), |number: i32| Signal::try_from(number).ok());
    found.and_then(|signal| u8::try_from(signal as i32).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_names_and_a_number() {
        assert_eq!(["HUP", "SIGHUP", "1", "hup", "sighup", "Hup"].map(signal), [Some(1); 6]);
        assert_eq!(["USR1", "KILL", "31"].map(signal), [Some(10), Some(9), Some(31)]);
        assert_eq!(["", "0", "32", "HUPP", "-1", "SIG"].map(signal), [None; 6]);
    }
}
