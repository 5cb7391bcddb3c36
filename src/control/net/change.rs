//! Pure. One rule more or less, and what is wrong with a rule, where it stands.

use routers::tuntap::Book;

use crate::config::place::{COMMAND_LINE, ConfigError, Place};

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
    pub(super) fn apply(&self, text: &str) -> Result<String, ConfigError> {
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
        Ok(book.text())
    }
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
        change.apply(RULES).map_err(|wrong| wrong.to_string())
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
        let delete = |chain, number| Change::Delete { chain, number }.apply(RULES);
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
}
