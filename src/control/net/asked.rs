//! Pure. The words behind `liege net`.

use super::change::{Chain, Change};

/// What these words may be.
const FORM: &str = "write: liege net [ROUTER]
       liege net rules [ROUTER] [replace FILE|-]
       liege net rules [ROUTER] add in|out|route [at N] RULE
       liege net rules [ROUTER] delete in|out|route N
  ROUTER is the name of its device, or the path of its socket";

/// A router, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetAsked {
    /// Name of its device or path of its socket; the only one there is where none is named.
    pub(super) router: Option<String>,
    pub(super) wish: Wish,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Who is there.
    Table,
    /// Which rules are in force.
    Rules,
    /// The rules of this file from now on.
    Replace(String),
    /// One rule more or less.
    Change(Change),
}

impl NetAsked {
    /// Reads the words.
    ///
    /// # Errors
    /// What is wrong, with the form that they should have.
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        match words {
            ["rules", rest @ ..] => parse_rules(rest),
            [] => Ok(Self { router: None, wish: Wish::Table }),
            [router] => Ok(Self { router: Some((*router).to_owned()), wish: Wish::Table }),
            [_, word, ..] => Err(wrong(&format!("`{word}` is one word too many"))),
        }
    }
}

fn parse_rules(words: &[&str]) -> Result<NetAsked, String> {
    let is_wish = |word: &&str| ["replace", "add", "delete"].contains(word);
    let (router, words) = match words {
        [router, rest @ ..] if !is_wish(router) => (Some((*router).to_owned()), rest),
        _ => (None, words),
    };
    let wish = match words {
        [] => Wish::Rules,
        ["replace", file] => Wish::Replace((*file).to_owned()),
        ["replace", ..] => return Err(wrong("`replace` takes one file, or - for standard input")),
        ["add", chain, "at", place, rule @ ..] => add(chain, Some(place), rule)?,
        ["add", chain, rule @ ..] => add(chain, None, rule)?,
        ["delete", chain, number] => {
            Wish::Change(Change::Delete { chain: parse_chain(chain)?, number: parse_number(number)? })
        }
        ["add" | "delete", ..] => return Err(wrong("there are too few words, or too many")),
        [word, ..] => return Err(wrong(&format!("`{word}` is nothing that can be done with rules"))),
    };
    Ok(NetAsked { router, wish })
}

fn add(chain: &str, at: Option<&str>, rule: &[&str]) -> Result<Wish, String> {
    if rule.is_empty() {
        return Err(wrong("the rule is missing"));
    }
    let (chain, at) = (parse_chain(chain)?, at.map(parse_number).transpose()?);
    Ok(Wish::Change(Change::Add { chain, at, rule: rule.join(" ") }))
}

fn parse_chain(word: &str) -> Result<Chain, String> {
    Chain::named(word).ok_or_else(|| wrong(&format!("`{word}` is no chain")))
}

/// Rules count from 1.
fn parse_number(word: &str) -> Result<usize, String> {
    let number = word.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| wrong(&format!("`{word}` is no number of a rule: they count from 1")))
}

fn wrong(cause: &str) -> String {
    format!("{cause}\n{FORM}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<NetAsked, String> {
        NetAsked::parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn asked(router: Option<&str>, wish: Wish) -> Result<NetAsked, String> {
        Ok(NetAsked { router: router.map(str::to_owned), wish })
    }

    #[test]
    fn a_router_stands_in_front_of_what_is_done_to_its_rules() {
        assert_eq!(parse(""), asked(None, Wish::Table));
        assert_eq!(parse("emperor0"), asked(Some("emperor0"), Wish::Table));
        assert_eq!(parse("rules"), asked(None, Wish::Rules));
        assert_eq!(parse("rules /run/r"), asked(Some("/run/r"), Wish::Rules));
        assert_eq!(parse("rules replace -"), asked(None, Wish::Replace("-".into())));
        assert_eq!(parse("rules emperor0 replace f"), asked(Some("emperor0"), Wish::Replace("f".into())));
        let add = |at| Change::Add { chain: Chain::Out, at, rule: "deny any 192.0.2.1".into() };
        assert_eq!(parse("rules add out deny any 192.0.2.1"), asked(None, Wish::Change(add(None))));
        assert_eq!(parse("rules add out at 2 deny any 192.0.2.1"), asked(None, Wish::Change(add(Some(2)))));
        let delete = Change::Delete { chain: Chain::Route, number: 7 };
        assert_eq!(parse("rules emperor0 delete route 7"), asked(Some("emperor0"), Wish::Change(delete)));
    }

    #[test]
    fn what_is_none_of_these_is_told_with_the_form() {
        for line in [
            "emperor0 peers",
            "rules emperor0 flush",
            "rules replace",
            "rules replace a b",
            "rules add",
            "rules add out",
            "rules add forward deny",
            "rules add out at 0 deny",
            "rules add out at x deny",
            "rules delete out",
            "rules delete out -1",
            "rules delete out 1 2",
        ] {
            let told = parse(line).expect_err(line);
            assert!(told.contains("write: liege net"), "{line}: {told}");
        }
    }
}
