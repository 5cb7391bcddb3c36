//! Pure. The options of uWSGI: what each takes, what it belongs to, and what becomes of it here.
//!
//! Names and arguments were found by asking uWSGI 2.0.21 with all plugins of Debian 12, and for names of
//! later snapshots its manual.

use std::cmp::Ordering;
use std::fmt;

use super::parts::{Part, Reader};
use super::table::find;

/// Sorted lines `NAME ARGUMENT PART VERDICT [REASON]`.
const TABLE: &str = include_str!("uwsgi.txt");

/// An option of uWSGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UwsgiOption {
    /// Its name, without dashes.
    pub name: &'static str,
    /// Whether it takes a value on the command line.
    pub argument: Argument,
    /// What it belongs to.
    pub part: &'static Part,
    /// What becomes of it.
    pub fate: Fate,
    /// What is changed, why it is ignored, what is unsafe and what is not; empty when its part says enough.
    pub reason: &'static str,
}

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// None.
    None,
    /// One that can be left out; on the command line only `--name=value` gives it.
    Optional,
    /// Exactly one.
    Required,
}

/// What becomes of an option of uWSGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Does what it does in uWSGI: here, or because uwsgi itself reads it.
    Same,
    /// Does something else here.
    Changed,
    /// Does nothing here, and is missed by nobody.
    Ignored,
    /// Does what it does in uWSGI, which is dangerous; there is a safe form.
    Unsafe,
    /// Refused for good: there is another way.
    Refused,
    /// Refused: liege does not know it yet.
    Later,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Ignored => "ignored",
            Self::Unsafe => "unsafe",
            Self::Refused => "refused",
            Self::Later => "later",
        })
    }
}

impl UwsgiOption {
    /// True when only the application server reads it.
    pub fn is_app_servers(&self) -> bool {
        self.part.reader == Reader::Uwsgi
    }

    /// True when liege can do without it wherever it is not uwsgi that reads the config.
    pub fn is_ignored(&self) -> bool {
        self.fate == Fate::Ignored
    }

    /// Why it has this fate, in words.
    pub fn why(&self) -> &'static str {
        if self.reason.is_empty() { self.part.about } else { self.reason }
    }
}

/// The option of uWSGI of this name.
pub fn uwsgi(name: &str) -> Option<UwsgiOption> {
    line_of(name).map(parsed)
}

/// All options of uWSGI, sorted.
pub fn all() -> impl Iterator<Item = UwsgiOption> {
    TABLE.lines().map(parsed)
}

/// The names of all options of uWSGI, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter_map(|line| line.split(' ').next())
}

/// Binary search: a config may have ten thousand names.
fn line_of(name: &str) -> Option<&'static str> {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = TABLE[..middle].rfind('\n').map_or(0, |newline| newline + 1);
        let end = TABLE[start..].find('\n').map_or(TABLE.len(), |length| start + length);
        let line = &TABLE[start..end];
        match line.split(' ').next().unwrap_or_default().cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Equal => return Some(line).filter(|line| !line.is_empty()),
            Ordering::Greater => high = start,
        }
    }
    None
}

fn parsed(line: &'static str) -> UwsgiOption {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().unwrap_or_default();
    let (name, argument, part, fate, reason) = (next(), next(), next(), next(), next());
    let part = Part::named(part).expect("a test parses every line");
    UwsgiOption { name, argument: argument_of(argument), part, fate: fate_of(name, part, fate), reason }
}

fn argument_of(word: &str) -> Argument {
    match word {
        "none" => Argument::None,
        "optional" => Argument::Optional,
        _ => Argument::Required,
    }
}

/// What is liege's to read and not in its table comes later, whatever will then become of it.
fn fate_of(name: &str, part: &Part, word: &str) -> Fate {
    let later = part.reader == Reader::Liege && find(name).is_none();
    match word {
        "ignored" => Fate::Ignored,
        "refused" => Fate::Refused,
        "unsafe" if later => Fate::Refused,
        _ if later => Fate::Later,
        "changed" => Fate::Changed,
        "unsafe" => Fate::Unsafe,
        _ => Fate::Same,
    }
}
