//! Pure. One rule more or less, and what is wrong with a rule, where it stands.

use std::collections::BTreeSet;

use routers::tuntap::Book;
use serde_json::Value;

use crate::config::place::{COMMAND_LINE, ConfigError, Place};
use crate::config::quoted;

/// A row of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// To peers.
    In,
    /// From peers.
    Out,
    /// To other routers.
    Route,
}

/// A change of the rules that are in force. Numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One more, in front of the one that has this number, or behind all.
    Add { chain: Chain, at: Option<usize>, rule: String },
    /// One less.
    Delete { chain: Chain, number: usize },
}

impl Chain {
    const NAMES: [(Self, &'static str); 3] = [(Self::In, "in"), (Self::Out, "out"), (Self::Route, "route")];

    /// By its name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(chain, _)| *chain)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(chain, _)| *chain == self).map_or("", |(_, name)| name)
    }

    fn of(self, book: &mut Book) -> &mut Vec<String> {
        match self {
            Self::In => &mut book.incoming,
            Self::Out => &mut book.outgoing,
            Self::Route => &mut book.routes,
        }
    }
}

impl Change {
    /// The rules behind it; `text` has those before.
    ///
    /// # Errors
    /// The rule is none, or there is none of that number.
    pub(super) fn apply(&self, text: &str) -> Result<Book, ConfigError> {
        let mut book = judge("the rules of the router", text)?;
        match self {
            Self::Add { chain, at, rule } => add(&mut book, (*chain, *at), rule)?,
            Self::Delete { chain, number } => {
                let rules = chain.of(&mut book);
                (*number <= rules.len())
                    .then(|| rules.remove(number - 1))
                    .ok_or_else(|| lacks(*chain, rules.len()))?;
            }
        }
        Ok(book)
    }

    /// Whom what is added names as a peer.
    pub(super) fn peers(&self) -> Vec<String> {
        match self {
            Self::Add { chain, rule, .. } => judge(COMMAND_LINE, &format!("{} {rule}", chain.name()))
                .map_or_else(|_| Vec::new(), |one| one.peers()),
            Self::Delete { .. } => Vec::new(),
        }
    }
}

/// What is said of names in rules that are those of no peer, neither there or gone by now nor to come by the config.
pub(super) fn strangers(document: &Value, names: &[String]) -> String {
    let rows = |key: &str| document[key].as_array().map_or(&[][..], Vec::as_slice).iter();
    let known: BTreeSet<&str> = rows("peers")
        .chain(rows("accounts"))
        .filter_map(|one| one["name"].as_str())
        .chain(rows("granted").filter_map(Value::as_str))
        .collect();
    let odd: BTreeSet<&str> = names.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    let told = odd.iter().map(|name| {
        let name = quoted(name);
        format!(
            "warning: no peer is called {name}, and no `tuntap-router-peer` has that name: the rule waits for one; `liege net` lists them\n"
        )
    });
    told.collect()
}

fn add(book: &mut Book, (chain, at): (Chain, Option<usize>), rule: &str) -> Result<(), ConfigError> {
    let mut one = judge(COMMAND_LINE, &format!("{} {rule}", chain.name()))?;
    let rules = chain.of(book);
    let at = at.unwrap_or(rules.len() + 1);
    if at > rules.len() + 1 {
        return Err(lacks(chain, rules.len()));
    }
    rules.splice(at - 1..at - 1, chain.of(&mut one).drain(..));
    Ok(())
}

fn lacks(chain: Chain, count: usize) -> ConfigError {
    let cause = format!("the chain {} has {count} rules", chain.name());
    ConfigError::whole(cause).cure("liege net rules prints them; they count from 1, for each chain")
}

/// Reads rules, one a line.
///
/// # Errors
/// The first one that is none, with its line.
pub(super) fn judge(name: &str, text: &str) -> Result<Book, ConfigError> {
    Book::parse(text).map_err(|wrong| {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let column = number(wrong.wrong.span.start + 1);
        let place = Place { file: name.into(), line: number(wrong.line), column };
        let line = text.lines().nth(wrong.line - 1).map(str::to_owned);
        ConfigError { place: Some(place), line, cause: wrong.wrong.cause, cure: Some(wrong.wrong.cure) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "in deny any any proto 47\nout allow any 192.0.2.1\nout deny\n";

    fn add(chain: Chain, at: Option<usize>, rule: &str) -> Result<String, String> {
        let change = Change::Add { chain, at, rule: rule.to_owned() };
        change.apply(RULES).map(|book| book.text()).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_rule_goes_behind_the_others_or_to_its_place() {
        let last = add(Chain::In, None, "allow any any").unwrap();
        assert_eq!(last, RULES.replace("out allow", "in allow any any\nout allow"));
        let first = add(Chain::Out, Some(1), "deny any 192.0.2.2").unwrap();
        assert_eq!(first, RULES.replace("out allow", "out deny any 192.0.2.2\nout allow"));
        assert!(add(Chain::Out, Some(3), "allow any 192.0.2.2").is_ok());
        assert!(add(Chain::Out, Some(4), "allow any 192.0.2.2").unwrap_err().contains("has 2 rules"));
    }

    #[test]
    fn a_rule_goes_by_its_number() {
        let delete = |chain, number| Change::Delete { chain, number }.apply(RULES).map(|book| book.text());
        assert_eq!(delete(Chain::Out, 2).unwrap(), RULES.replace("out deny\n", ""));
        assert!(delete(Chain::Out, 3).is_err() && delete(Chain::Route, 1).is_err());
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        let told = add(Chain::Out, None, "deny any 192.0.2.300").unwrap_err();
        assert!(told.starts_with("command line:1:14: "), "{told}");
        assert!(told.contains("\n  out deny any 192.0.2.300\n               ^\n"), "{told}");
        let told = judge("rules.txt", "in deny\n\nforward deny\n").unwrap_err().to_string();
        assert!(told.starts_with("rules.txt:3:1: `forward`"), "{told}");
    }

    #[test]
    fn a_name_of_nobody_is_told_and_others_are_not() {
        let document = serde_json::json!({
            "peers": [{"name": "alice"}], "accounts": [{"name": "gone"}], "granted": ["later"],
        });
        let names = |rule: &str| Change::Add { chain: Chain::Out, at: None, rule: rule.to_owned() }.peers();
        for rule in ["deny peer alice", "deny peer gone", "deny peer later", "deny"] {
            assert_eq!(strangers(&document, &names(rule)), "", "{rule}");
        }
        let told = strangers(&document, &names("deny peer nobodyhere"));
        assert!(told.starts_with("warning: no peer is called `nobodyhere`, "), "{told}");
        let both = judge("rules", "in deny peer a\nout deny peer alice\nout deny peer b\nin allow peer a\n")
            .unwrap();
        assert_eq!((strangers(&document, &both.peers()).lines().count(), both.count()), (2, 4));
    }
}
