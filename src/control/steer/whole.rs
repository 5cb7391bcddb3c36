//! What is said to an Emperor about all of it, and signals by name.

use std::io::Write;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::config::vassal::Address;
use crate::control::attach::Connection;
use crate::control::fetch::plain;
use crate::control::messages::{Answer, Ask, Change};
use crate::control::target::Named;
use crate::control::wish::{ALL, Deed, Meant, Wish};

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
    loop {
        match connection.hear()? {
            Some((Answer::Changed(changes), _)) => {
                for (change, name) in changes.iter().filter(|(_, name)| is_meant(name)) {
                    count += 1;
                    tell(*change, name, json, out)?;
                }
            }
            Some((Answer::Told, _)) => break,
            Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
            Some(_) => {}
            None => bail!("the Emperor has ended"),
        }
    }
    if count == 0 && !json {
        writeln!(out, "nothing has changed that was not read already")?;
    }
    Ok(0)
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

/// What words there are for vassals of an Emperor.
///
/// # Errors
/// Nobody is there to ask, or he refuses.
pub fn names(address: Option<&Address>) -> Result<Vec<String>> {
    let connection = Connection::open(address)?;
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

/// The number of a signal of this name (`HUP`, `SIGHUP`) or number.
pub fn signal(word: &str) -> Option<u8> {
    let named = || format!("SIG{}", word.strip_prefix("SIG").unwrap_or(word)).parse::<Signal>().ok();
    let found = word.parse().map_or_else(|_| named(), |number: i32| Signal::try_from(number).ok());
    found.and_then(|signal| u8::try_from(signal as i32).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_names_and_a_number() {
        assert_eq!(["HUP", "SIGHUP", "1"].map(signal), [Some(1); 3]);
        assert_eq!(["USR1", "KILL", "31"].map(signal), [Some(10), Some(9), Some(31)]);
        assert_eq!(["", "0", "32", "HUPP", "-1", "hup"].map(signal), [None; 6]);
    }
}
