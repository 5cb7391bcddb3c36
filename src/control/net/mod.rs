//! `liege net`: who is at a router, what went by, and the rules, which change while it works.

mod asked;
mod change;
mod conversation;
mod find;
mod table;

use std::fs;
use std::io::{self, Read};

use anyhow::{Context, Result, anyhow};
use routers::tuntap::talk::RULES_TEXT_MAX;
use serde_json::Value;

pub use asked::NetAsked;

use asked::Wish;
use change::Change;
use conversation::Conversation;
use find::Found;

/// Carries out what was asked for; the text is to be printed.
///
/// # Errors
/// There is no such router, it refuses, or a rule is none.
pub fn net(asked: &NetAsked, json: bool) -> Result<String> {
    match &asked.wish {
        Wish::Table => tables(&find::routers(asked.router.as_deref())?, json),
        Wish::Rules => rules(&find::router(asked.router.as_deref())?, json),
        Wish::Replace(file) => replace(&find::router(asked.router.as_deref())?, file),
        Wish::Change(change) => alter(&find::router(asked.router.as_deref())?, change),
    }
}

/// One router is an object of JSON, several are a row.
fn tables(found: &[Found], json: bool) -> Result<String> {
    let documents = found.iter().map(|one| one.talk()?.table()).collect::<Result<Vec<Value>>>()?;
    match (json, &documents[..]) {
        (true, [one]) => Ok(format!("{one:#}\n")),
        (true, all) => Ok(format!("{:#}\n", Value::from(all.to_vec()))),
        (false, all) => {
            let tables = all.iter().map(|one| table::table(one, std::process::id()));
            Ok(tables.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn rules(found: &Found, json: bool) -> Result<String> {
    let mut talk = found.talk()?;
    if json {
        let document = talk.table()?;
        let rules = serde_json::json!({"generation": document["generation"], "rules": document["rules"]});
        return Ok(format!("{rules:#}\n"));
    }
    let (text, edition) = talk.rules()?;
    let count = change::judge("the rules of the router", &text).map_err(|wrong| anyhow!("{wrong}"))?.count();
    Ok(format!("# The rules of {}: {} (edition {edition})\n{text}", found.name(), counted(count)))
}

fn replace(found: &Found, file: &str) -> Result<String> {
    let text = read(file)?;
    let book = change::judge(file, &text).map_err(|wrong| anyhow!("{wrong}"))?;
    let mut talk = found.talk()?;
    let edition = talk.replace(&text, None)?;
    Ok(in_force(found, (book.count(), edition)) + &strangers(&mut talk, &book.peers()))
}

/// On top of the rules that are in force; others that came in between are not lost.
fn alter(found: &Found, change: &Change) -> Result<String> {
    let mut talk = found.talk()?;
    let (text, edition) = talk.rules()?;
    let book = change.apply(&text).map_err(|wrong| anyhow!("{wrong}"))?;
    let edition = talk.replace(&book.text(), Some(edition))?;
    Ok(in_force(found, (book.count(), edition)) + &strangers(&mut talk, &change.peers()))
}

fn in_force(found: &Found, (count, edition): (usize, u64)) -> String {
    format!("the rules of {} are in force: {} (edition {edition})\n", found.name(), counted(count))
}

fn counted(count: usize) -> String {
    if count == 0 { "none".to_owned() } else { count.to_string() }
}

/// A warning for each of these names that is nobody's so far. The rules are in force: a table that does not come is no failure.
fn strangers(talk: &mut Conversation, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    talk.table().map_or_else(|_| String::new(), |document| change::strangers(&document, names))
}

fn read(file: &str) -> Result<String> {
    let mut text = String::new();
    let mut source: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        path => Box::new(fs::File::open(path).with_context(|| format!("cannot open {path}"))?),
    };
    source
        .by_ref()
        .take(RULES_TEXT_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {file}"))?;
    if text.len() as u64 > RULES_TEXT_MAX {
        anyhow::bail!("{file} is longer than the {RULES_TEXT_MAX} bytes that rules may have");
    }
    Ok(text)
}
