//! Pure. What is known of a name, and which name was meant.

use std::sync::LazyLock;

use super::spec::{Group, OptionSpec};
use super::table::{find, options};
use super::uwsgi::{UwsgiOption, names, uwsgi};

/// Names further apart than this have nothing to do with each other.
const EDITS_MAX: usize = 3;

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub enum Standing {
    /// An option of ours.
    Ours(&'static Group, &'static OptionSpec),
    /// An option that only uWSGI has.
    Uwsgi(UwsgiOption),
    /// Nobody's.
    Unknown,
}

/// What is known of this name.
pub fn standing(name: &str) -> Standing {
    if let Some((group, option)) = find(name) {
        return Standing::Ours(group, option);
    }
    uwsgi(name).map_or(Standing::Unknown, Standing::Uwsgi)
}

/// The known name that is fewest edits away, ours before others; `None` when none is close.
pub fn nearest(name: &str) -> Option<&'static str> {
    let limit = EDITS_MAX.min(name.len() / 3);
    let plain = name.trim_start_matches('-').to_ascii_lowercase().replace(['_', ' '], "-");
    // Names of very different length cost nothing, and a name of a megabyte no more than one of forty letters.
    let alike = EVERY_NAME.iter().filter(|known| known.len().abs_diff(plain.len()) <= limit);
    let near = alike.map(|known| (strsim::osa_distance(&plain, known), *known));
    near.filter(|(edits, _)| *edits <= limit).min_by_key(|(edits, _)| *edits).map(|(_, known)| known)
}

/// Ours first: of equally near names the first is proposed. Gathered once: a config may misspell thousands.
static EVERY_NAME: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let ours =
        options().flat_map(|(_, option)| std::iter::once(option.name).chain(option.aliases.iter().copied()));
    ours.chain(names()).collect()
});
