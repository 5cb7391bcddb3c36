//! Pure. Ranges by the rules of the Emperor's own config, held apart from everybody whom this host knows.

use jail::Extent;

use super::table::{Ranges, Side, Table};
use crate::config::emperor::id_range::{Rule, Span};
use crate::emperor::event::Owner;

/// How every refusal ends.
const CURE: &str = "choose other ids in emperor-id-range";

/// Makes sure that an owner has no id that these rules give to tenants: a process of theirs could be him.
///
/// # Errors
/// Who could, as a sentence.
pub fn keep_apart(rules: &[Rule], owner: Owner) -> Result<(), String> {
    for (kind, id) in [("uid", owner.uid), ("gid", owner.gid)] {
        if let Some(rule) = rules.iter().find(|rule| rule.gives(id)) {
            return Err(format!("cannot keep it apart: {kind} {id} is given by `{rule}`: {CURE}"));
        }
    }
    Ok(())
}

impl Table {
    /// What this owner has by these rules.
    ///
    /// # Errors
    /// Why he must not get it, as a sentence.
    pub fn ruled(&self, rules: &[Rule], owner: Owner) -> Result<Ranges, String> {
        let found = rules.iter().find_map(|rule| Some((rule, rule.of(owner.uid)?)));
        let Some((rule, span)) = found else { return Ok(Ranges::default()) };
        let (Span { first, last }, sides) = (span, [&self.uid, &self.gid]);
        if let Some(why) = sides.into_iter().find_map(|side| side.foreign(owner.uid, span)) {
            return Err(format!("cannot give it the ids {first} to {last} of `{rule}`: {why}: {CURE}"));
        }
        let extent = vec![Extent { inside: 1, outside: first, count: last - first + 1 }];
        Ok(Ranges { uid: extent.clone(), gid: extent })
    }
}

impl Side {
    /// Whose some of these ids are, if they are somebody's.
    fn foreign(&self, owner: u32, span: Span) -> Option<String> {
        if let Some((id, name)) = self.taken.range(span.first..=span.last).next() {
            return Some(format!("{id} is `{name}`"));
        }
        let gives = |grant: &super::parse::Grant| {
            span.common(Span { first: grant.first, last: grant.last }).is_some()
        };
        let (_, grant) = self.lines.iter().find(|(whose, grant)| *whose != Some(owner) && gives(grant))?;
        Some(format!("{}:{} gives some of them to `{}`", self.file, grant.line, grant.owner))
    }
}

#[cfg(test)]
#[path = "ruled_tests.rs"]
mod tests;
