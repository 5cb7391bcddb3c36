//! Pure. What a config says of the limits of a command: filters of system calls, fences around files and sockets.

use std::path::PathBuf;

use super::admit::value;
use super::place::{ConfigError, Entry, Placed};
use super::values::{Wrong, flag, path, text};

/// `seccomp`, `emperor-seccomp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The default filter.
    Default,
    /// Only what servers need, on top of the default.
    Strict,
    /// None but that against setuid files.
    Off,
    /// A profile.
    File(PathBuf),
}

/// The limits that a vassal's config puts on its command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// `seccomp`.
    pub seccomp: Option<Placed<Choice>>,
    /// `landlock-ro`.
    pub read: Vec<Placed<PathBuf>>,
    /// `landlock-rw`.
    pub write: Vec<Placed<PathBuf>>,
    /// `landlock-scope-abstract`.
    pub scope_abstract: Option<Placed<bool>>,
    /// `landlock-scope-signal`.
    pub scope_signal: Option<Placed<bool>>,
    /// `no-new-privs`.
    pub no_new_privs: Option<Placed<bool>>,
}

/// Takes an option of this part.
///
/// # Errors
/// A value that is none.
pub fn apply(confinement: &mut Confinement, name: &str, entry: &Entry) -> Result<(), ConfigError> {
    match name {
        "seccomp" => confinement.seccomp = Some(entry.placed(value(entry, choice)?)),
        "landlock-ro" => confinement.read.push(entry.placed(value(entry, path)?)),
        "landlock-rw" => confinement.write.push(entry.placed(value(entry, path)?)),
        "landlock-scope-abstract" => confinement.scope_abstract = Some(entry.placed(value(entry, flag)?)),
        "landlock-scope-signal" => confinement.scope_signal = Some(entry.placed(value(entry, flag)?)),
        _ => confinement.no_new_privs = Some(entry.placed(value(entry, flag)?)),
    }
    Ok(())
}

/// `default`, `strict`, `off`, or the path of a profile.
///
/// # Errors
/// No value.
pub fn choice(value: &str) -> Result<Choice, Wrong> {
    Ok(match text(value)?.as_str() {
        "default" => Choice::Default,
        "strict" => Choice::Strict,
        "off" => Choice::Off,
        path => Choice::File(path.into()),
    })
}
