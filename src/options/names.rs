//! Pure. What is known of a name, and which name was meant.
//!
//! The two lists name the options of uWSGI that are not in our table: those of its Emperor, jail and
//! option language, which liege is to learn, and those of its application server.

use std::cmp::Ordering;

use super::spec::{Group, OptionSpec};
use super::table::{find, options};

/// Sorted, one name on each line.
const LATER: &str = include_str!("later.txt");
/// Sorted, one name on each line.
const APP_SERVER: &str = include_str!("app-server.txt");
/// Names further apart than this have nothing to do with each other.
const EDITS_MAX: usize = 3;

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub enum Standing {
    /// An option of ours.
    Ours(&'static Group, &'static OptionSpec),
    /// An option of uWSGI that liege does not know yet.
    Later,
    /// An option of uWSGI's application server.
    AppServer,
    /// Nobody's.
    Unknown,
}

/// What is known of this name.
pub fn standing(name: &str) -> Standing {
    if let Some((group, option)) = find(name) {
        return Standing::Ours(group, option);
    }
    if is_in(LATER, name) {
        Standing::Later
    } else if is_in(APP_SERVER, name) {
        Standing::AppServer
    } else {
        Standing::Unknown
    }
}

/// Binary search: a config may have ten thousand names.
fn is_in(list: &str, name: &str) -> bool {
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = list[..middle].rfind('\n').map_or(0, |newline| newline + 1);
        let end = list[start..].find('\n').map_or(list.len(), |length| start + length);
        match list[start..end].cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Equal => return true,
            Ordering::Greater => high = start,
        }
    }
    false
}

/// The options of uWSGI that liege does not know yet, sorted.
pub fn later() -> impl Iterator<Item = &'static str> {
    LATER.lines()
}

/// The known name that is fewest edits away, ours before others; `None` when none is close.
pub fn nearest(name: &str) -> Option<&'static str> {
    let limit = EDITS_MAX.min(name.len() / 3);
    let plain = name.to_ascii_lowercase().replace('_', "-");
    // Names of very different length cost nothing, and a name of a megabyte no more than one of forty letters.
    let alike = every_name().filter(|known| known.len().abs_diff(plain.len()) <= limit);
    let near = alike.map(|known| (strsim::damerau_levenshtein(&plain, known), known));
    near.filter(|(edits, _)| *edits <= limit).min_by_key(|(edits, _)| *edits).map(|(_, known)| known)
}

/// Ours first: of equally near names the first is proposed.
fn every_name() -> impl Iterator<Item = &'static str> {
    let ours =
        options().flat_map(|(_, option)| std::iter::once(option.name).chain(option.aliases.iter().copied()));
    ours.chain(LATER.lines()).chain(APP_SERVER.lines())
}
