//! Pure. What a source asks for: a literal directory, the directories below it that match, the files in those.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::config::emperor::Source;
use crate::trust::{NameFault, judge_name};

/// Suffixes of vassal files, as uWSGI has them.
const SUFFIXES: [&str; 7] = [".xml", ".ini", ".yml", ".yaml", ".js", ".json", ".toml"];

/// As `glob(3)`: a `/` is never matched, nor is a leading dot.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// What one component of a path may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// Anything.
    Any,
    /// This name.
    Literal(String),
    /// What fits.
    Wild(Pattern),
}

impl Matcher {
    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == name,
            Self::Wild(pattern) => pattern.matches_with(name, OPTIONS),
        }
    }

    /// The only name that fits, if there is only one: then nothing has to be listed.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Any | Self::Wild(_) => None,
        }
    }

    fn of(component: &str) -> Result<Self, String> {
        if !is_wild(component) {
            return Ok(Self::Literal(component.into()));
        }
        Pattern::new(component).map(Self::Wild).map_err(|error| format!("bad pattern {component}: {error}"))
    }
}

/// A source, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// As it was written.
    pub label: String,
    /// The directory that has to exist; absolute.
    pub base: PathBuf,
    /// What stands before a path below `base` in a vassal's name: empty for a directory, whose names are file names.
    pub prefix: String,
    /// One for each level of directories below `base`.
    pub directories: Vec<Matcher>,
    /// The files in the last of them.
    pub files: Matcher,
}

impl Shape {
    /// Takes a source apart; relative paths begin at `cwd`.
    pub fn of(source: &Source, cwd: &Path) -> Result<Self, String> {
        match source {
            Source::Dir(path) => Ok(Self::of_directory(path, cwd)),
            Source::Glob(pattern) => Self::of_pattern(pattern, cwd),
        }
    }

    /// Whether it is a directory and not a pattern.
    pub fn is_directory(&self) -> bool {
        self.files == Matcher::Any
    }

    /// Whether the same files belong to both, however they are written.
    pub fn finds_the_same(&self, other: &Self) -> bool {
        (&self.base, &self.directories, &self.files) == (&other.base, &other.directories, &other.files)
    }

    fn of_directory(path: &Path, cwd: &Path) -> Self {
        let label = path.display().to_string();
        let base = lexical(&cwd.join(path));
        Self { label, base, prefix: String::new(), directories: Vec::new(), files: Matcher::Any }
    }

    fn of_pattern(pattern: &str, cwd: &Path) -> Result<Self, String> {
        let (head, files) = pattern.rsplit_once('/').map_or(("", pattern), |(head, files)| (head, files));
        let components: Vec<&str> = head.split('/').collect();
        let literal = components.iter().position(|part| is_wild(part)).unwrap_or(components.len());
        let written = components[..literal].join("/");
        let rooted = pattern.starts_with('/');
        let start =
            if rooted { Path::new("/").join(written.trim_start_matches('/')) } else { cwd.join(&written) };
        let prefix = if rooted || !written.is_empty() {
            format!("{}/", written.trim_end_matches('/'))
        } else {
            written
        };
        let wild = components[literal..].iter().filter(|part| !part.is_empty() && **part != ".");
        Ok(Self {
            label: pattern.into(),
            base: lexical(&start),
            prefix,
            directories: wild.map(|part| Matcher::of(part)).collect::<Result<_, _>>()?,
            files: Matcher::of(files)?,
        })
    }
}

/// What a file's name says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sorted<'a> {
    /// Not for us; nothing is said.
    Ignored,
    /// A vassal's, but not with this name: how to show it, and why.
    Refused(String, NameFault),
    /// A vassal's.
    Valid(&'a str),
}

/// Sorts file names by their suffix, then by whether they may be names at all.
///
/// No refused name is shown as a valid one would be: what is escaped has a backslash, which no valid name has.
pub fn sort<'a>(name: &'a [u8], extra: &[String]) -> Sorted<'a> {
    let suffixes = SUFFIXES.iter().copied().chain(extra.iter().map(String::as_str));
    if !suffixes.into_iter().any(|suffix| !suffix.is_empty() && name.ends_with(suffix.as_bytes())) {
        return Sorted::Ignored;
    }
    match judge_name(name) {
        Ok(name) => Sorted::Valid(name),
        Err(NameFault::Hidden) => Sorted::Ignored,
        Err(fault) => Sorted::Refused(shown(name), fault),
    }
}

/// Whether an Emperor would take a file of this name for a vassal.
pub fn is_vassal(name: &[u8]) -> bool {
    matches!(sort(name, &[]), Sorted::Valid(_))
}

/// Whether `glob(3)` would look for more than this very name.
pub fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name has the suffix of a vassal file.
pub fn has_suffix(name: &str, extra: &[String]) -> bool {
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        || extra.iter().any(|suffix| name.ends_with(suffix.as_str()))
}

fn shown(name: &[u8]) -> String {
    format!("\\{}", name.escape_ascii())
}

/// Without `.`; `..` stays, because a link may stand before it.
fn lexical(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(pattern: &str) -> (String, String, usize) {
        let shape = Shape::of(&Source::Glob(pattern.into()), Path::new("/start")).expect("is a pattern");
        (shape.base.display().to_string(), shape.prefix, shape.directories.len())
    }

    #[test]
    fn a_pattern_is_cut_at_its_first_wild_component() {
        for (pattern, base, prefix, levels) in [
            ("/srv/*/liege.ini", "/srv", "/srv/", 1),
            ("/srv/*/x/*.ini", "/srv", "/srv/", 2),
            ("/*/x.ini", "/", "/", 1),
            ("/*.ini", "/", "/", 0),
            ("/etc/app.ini", "/etc", "/etc/", 0),
            ("*.ini", "/start", "", 0),
            ("vassals/*.ini", "/start/vassals", "vassals/", 0),
            ("./v[ab]/?.ini", "/start", "./", 1),
            ("../*/x.ini", "/start/..", "../", 1),
        ] {
            assert_eq!(shape(pattern), (base.into(), prefix.into(), levels), "{pattern}");
        }
        assert!(Shape::of(&Source::Glob("/srv/[/x.ini".into()), Path::new("/")).is_err());
    }

    #[test]
    fn wild_cards_stay_in_their_component_and_skip_hidden_names() {
        let wild = Matcher::of("*.ini").expect("is a pattern");
        assert!(wild.fits("a.ini") && !wild.fits(".a.ini") && !wild.fits("a.yml"));
        let dots = Matcher::of(".*").expect("is a pattern");
        assert!(dots.fits(".config"));
        let one = Matcher::of("v[ab]?").expect("is a pattern");
        assert!(one.fits("va1") && !one.fits("vc1") && !one.fits("va"));
    }

    #[test]
    fn a_directory_names_its_files_by_their_names() {
        let shape = Shape::of(&Source::Dir("./vassals".into()), Path::new("/start")).expect("is a directory");
        assert_eq!((shape.base, shape.prefix.as_str()), (PathBuf::from("/start/vassals"), ""));
    }

    #[test]
    fn names_are_sorted_by_suffix_first() {
        let extra = [".conf".to_owned()];
        for (name, sorted) in [
            (&b"a.ini"[..], Sorted::Valid("a.ini")),
            (b"a.json", Sorted::Valid("a.json")),
            (b"a.conf", Sorted::Valid("a.conf")),
            (b"a.skel", Sorted::Ignored),
            (b"a.INI", Sorted::Ignored),
            (b".a.ini", Sorted::Ignored),
            (b"a.ini~", Sorted::Ignored),
            (b"#a.ini#", Sorted::Ignored),
            (b".ini", Sorted::Ignored),
            (b"a\n.txt", Sorted::Ignored),
            (b"-a.ini", Sorted::Refused("\\-a.ini".into(), NameFault::LeadingDash)),
            (b"a\nb.ini", Sorted::Refused("\\a\\nb.ini".into(), NameFault::Unprintable)),
            (b"\xff.ini", Sorted::Refused("\\\\xff.ini".into(), NameFault::NotUtf8)),
        ] {
            assert_eq!(sort(name, &extra), sorted, "{name:?}");
        }
    }
}
