//! Pure. The rules that are in force, as their administrator has written them: one a line, behind `in`, `out` or `route`.

use std::fmt::Write as _;

use super::charter::Charter;
use super::policy::Settings;
use super::router::Chains;
use super::rule::{Direction, Rule};
use super::words::Wrong;

/// Rules of a router and which ones they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// For what goes to peers.
    pub incoming: Vec<String>,
    /// For what comes from peers.
    pub outgoing: Vec<String>,
    /// To other routers.
    pub routes: Vec<String>,
}

/// A line of rules that is none, counted from 1, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {}: {wrong}", .wrong.span.start + 1)]
pub struct WrongLine {
    /// Which line.
    pub line: usize,
    /// With its place in that line.
    pub wrong: Wrong,
}

impl Book {
    /// The rules of a router's first day.
    pub fn of(charter: &Charter) -> Self {
        Self {
            incoming: charter.firewall_in.clone(),
            outgoing: charter.firewall_out.clone(),
            routes: charter.routes.clone(),
        }
    }

    /// Reads what `text` writes; lines of blanks, or behind `#`, say nothing.
    ///
    /// # Errors
    /// The first line that is no rule.
    pub fn parse(text: &str) -> Result<Self, WrongLine> {
        let mut book = Self::default();
        for (index, line) in text.lines().enumerate() {
            book.parse_line(line).map_err(|wrong| WrongLine { line: index + 1, wrong })?;
        }
        Ok(book)
    }

    fn parse_line(&mut self, line: &str) -> Result<(), Wrong> {
        let begin = line.len() - line.trim_start().len();
        let rest = line.trim();
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(());
        }
        let (chain, rule) = rest.split_once(|sign: char| sign.is_ascii_whitespace()).unwrap_or((rest, ""));
        let rules = match chain {
            "in" => &mut self.incoming,
            "out" => &mut self.outgoing,
            "route" => &mut self.routes,
            other => {
                let (span, cause) = (begin..begin + chain.len(), format!("`{other}` is no chain"));
                return Err(Wrong {
                    span,
                    cause,
                    cure: "write in, out or route in front of the rule".into(),
                });
            }
        };
        let parsed = if chain == "route" { Rule::route(rule) } else { Rule::firewall(rule) };
        let before = begin + rest.len() - rule.len();
        parsed
            .map_err(|wrong| Wrong { span: wrong.span.start + before..wrong.span.end + before, ..wrong })?;
        rules.push(rule.trim().to_owned());
        Ok(())
    }

    /// All of them as text, which `parse` takes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (chain, rules) in [("in", &self.incoming), ("out", &self.outgoing), ("route", &self.routes)] {
            for rule in rules {
                let _ = writeln!(text, "{chain} {rule}");
            }
        }
        text
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        [&self.incoming, &self.outgoing, &self.routes].map(Vec::len).iter().sum()
    }

    /// Whom they name as a peer, in order.
    pub fn peers(&self) -> Vec<String> {
        let rules = self.incoming.iter().chain(&self.outgoing).map(|rule| Rule::firewall(rule));
        let rules = rules.chain(self.routes.iter().map(|rule| Rule::route(rule)));
        rules.filter_map(|rule| rule.ok()?.peer).collect()
    }

    /// The chains of these rules; without a socket to other routers there are no routes.
    ///
    /// # Errors
    /// One sentence: a rule that is none, or too many.
    pub fn chains(&self, settings: &Settings, has_gateway: bool) -> Result<Chains, String> {
        let firewall = |rules: &[String]| -> Result<Vec<Rule>, String> {
            rules
                .iter()
                .map(|rule| Rule::firewall(rule).map_err(|wrong| format!("`{rule}`: {wrong}")))
                .collect()
        };
        let routes =
            self.routes.iter().map(|rule| Rule::route(rule).map_err(|wrong| format!("`{rule}`: {wrong}")));
        let routes = super::Chain::new(routes.collect::<Result<_, _>>()?, Vec::new(), super::Action::Allow);
        let chain = |direction, rules: &[String]| {
            settings.chain(direction, firewall(rules)?).map_err(|many| many.to_string())
        };
        Ok(Chains {
            incoming: chain(Direction::In, &self.incoming)?,
            outgoing: chain(Direction::Out, &self.outgoing)?,
            routes: if has_gateway { Some(routes.map_err(|many| many.to_string())?) } else { None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_what_their_text_says() {
        let text =
            "in deny\nout allow any 192.0.2.0/24 proto tcp dport 80\nroute any 10.1.0.0/16 192.0.2.1:5000\n";
        let book = Book::parse(&format!("# ours\n\n{text}")).unwrap();
        assert_eq!(book.text(), text);
        assert_eq!((book.incoming.len(), book.outgoing.len(), book.routes.len()), (1, 1, 1));
    }

    #[test]
    fn each_mistake_is_shown_where_it_stands() {
        for (text, line, meant) in [
            ("in deny\nforward deny", 2, "forward"),
            ("out allow any 192.0.2.300", 1, "192.0.2.300"),
            ("  in  drop", 1, "drop"),
            ("route any any", 1, ""),
        ] {
            let wrong = Book::parse(text).expect_err(text);
            assert_eq!(wrong.line, line);
            assert_eq!(
                &text.lines().nth(line - 1).unwrap()[wrong.wrong.span.clone()],
                meant,
                "{text}: {wrong}"
            );
        }
    }
}
