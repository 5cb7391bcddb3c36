//! Pure. `emperor-id-range`: the ids of a vassal in a user namespace besides those of its owner.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::values::Wrong;

/// Most rules of one Emperor.
const RULES_MAX: usize = 1_000;
/// What the kernel shows where an id has no number.
const NOBODY: u32 = 65_534;
/// All ones is "no id" to the kernel.
const LAST: u32 = u32::MAX - 1;
/// The last one that is given: those from the next one on make the jails of tenants, and would own them.
const LAST_GIVEN: u32 = jail::plan::PAYERS - 1;
const FORM: &str =
    "write UIDS FIRST COUNT: 10000-10999 1000000 65536 gives each of these tenants 65536 ids of its own";
const APART: &str = "choose ids that are nobody's yet";

/// Where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdRanges {
    /// Nowhere.
    None,
    /// From `/etc/subuid` and `/etc/subgid`.
    #[default]
    Auto,
    /// From the Emperor's own config alone. No two overlap.
    Rules(Vec<Rule>),
}

/// Tenants, and from where on each of them has how many ids, for users and groups alike: the first tenant those at the beginning, the
/// next one those behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    uids: Span,
    ids: Span,
    count: u32,
}

/// The first and the last of some ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl IdRanges {
    /// Adds a further value of the option: rules add up, a word takes the place of what stood before it.
    ///
    /// # Errors
    /// It is neither, or gives what another rule gives.
    pub fn read(&mut self, text: &str) -> Result<(), Wrong> {
        match text {
            "auto" => *self = Self::Auto,
            "none" => *self = Self::None,
            rule => {
                let mut rules = self.rules().to_vec();
                rules.push(Rule::parse(rule)?.beside(&rules)?);
                *self = Self::Rules(rules);
            }
        }
        Ok(())
    }

    /// The rules; none where the ids come from elsewhere.
    pub fn rules(&self) -> &[Rule] {
        match self {
            Self::Rules(rules) => rules,
            Self::None | Self::Auto => &[],
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [uids, first, count] = words[..] else {
            let cure = "use auto: the ranges are those of /etc/subuid and /etc/subgid; or ".to_owned() + FORM;
            return Err(Wrong::new("neither `auto`, `none`, nor UIDS FIRST COUNT", cure));
        };
        let uids = Span::parse(uids)?;
        let (first, count) = (number(first)?, number(count)?);
        let all = u64::from(count) * uids.length();
        let last =
            u32::try_from(u64::from(first) + all.saturating_sub(1)).ok().filter(|last| *last <= LAST_GIVEN);
        let Some(last) = last.filter(|_| count > 0 && first > 0) else {
            let cause = format!("{all} ids from {first} on are not all between 1 and {LAST_GIVEN}");
            return Err(Wrong::new(cause, APART));
        };
        Self { uids, ids: Span { first, last }, count }.sound()
    }

    fn sound(self) -> Result<Self, Wrong> {
        if self.ids.has(NOBODY) {
            return Err(Wrong::new(format!("{NOBODY}, among the ids that it gives, is `nobody`"), APART));
        }
        match self.ids.common(self.uids) {
            Some(id) => {
                Err(Wrong::new(format!("{id} would be a tenant, and an id that is given to one"), APART))
            }
            None => Ok(self),
        }
    }

    /// Nothing of it may be anything of another.
    fn beside(self, others: &[Self]) -> Result<Self, Wrong> {
        if others.len() >= RULES_MAX {
            return Err(Wrong::new(
                format!("more than {RULES_MAX} rules"),
                "give ranges to more tenants by each",
            ));
        }
        others
            .iter()
            .find_map(|other| self.clash(other))
            .map_or(Ok(self), |cause| Err(Wrong::new(cause, APART)))
    }

    fn clash(&self, other: &Self) -> Option<String> {
        if let Some(uid) = self.uids.common(other.uids) {
            return Some(format!("uid {uid} has a range already, by `{other}`"));
        }
        if let Some(id) = self.ids.common(other.ids) {
            return Some(format!("id {id} is given already, by `{other}`"));
        }
        let both = self.ids.common(other.uids).or(self.uids.common(other.ids))?;
        Some(format!("{both} would be a tenant, and an id that is given to one, with `{other}`"))
    }

    /// What this tenant has, if it is meant.
    pub fn of(&self, uid: u32) -> Option<Span> {
        let number = uid.checked_sub(self.uids.first).filter(|_| uid <= self.uids.last)?;
        let first = self.ids.first + number * self.count;
        Some(Span { first, last: first + (self.count - 1) })
    }

    /// Whether it gives this id to anybody.
    pub fn gives(&self, id: u32) -> bool {
        self.ids.has(id)
    }
}

/// As it is written.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { first, last } = self.uids;
        match first == last {
            true => write!(f, "{first}")?,
            false => write!(f, "{first}-{last}")?,
        }
        write!(f, " {} {}", self.ids.first, self.count)
    }
}

impl Span {
    /// `UID` or `MIN-MAX`; root is no tenant.
    fn parse(text: &str) -> Result<Self, Wrong> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let span = Self { first: number(first)?, last: number(last)? };
        if span.first == 0 || span.last > LAST {
            return Err(Wrong::new(
                format!("`{text}` are not tenants: root is none, nor is {}", u32::MAX),
                FORM,
            ));
        }
        if span.first > span.last {
            return Err(Wrong::new(format!("`{text}` ends before it begins"), FORM));
        }
        Ok(span)
    }

    fn length(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    fn has(self, id: u32) -> bool {
        (self.first..=self.last).contains(&id)
    }

    /// The first id that is in both.
    pub fn common(self, other: Self) -> Option<u32> {
        let first = self.first.max(other.first);
        (first <= self.last.min(other.last)).then_some(first)
    }
}

/// Digits only.
fn number(text: &str) -> Result<u32, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| Wrong::new(format!("`{text}` is no id"), FORM))
}

#[cfg(test)]
#[path = "id_range_tests.rs"]
mod tests;
