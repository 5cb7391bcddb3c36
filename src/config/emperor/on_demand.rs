//! Pure. Options of vassals that are started by their first connection.

use std::path::PathBuf;

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::{Wrong, mode, path, text, words};

/// Permissions of the sockets.
const MODE: u32 = 0o660;

/// Which vassals are on demand, and where their sockets are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemand {
    /// `emperor-on-demand-extension`: of the file with the address, beside the config. Comes before `directory`.
    pub extension: Option<String>,
    /// `emperor-on-demand-directory`.
    pub directory: Option<PathBuf>,
    /// `emperor-on-demand-exec`, in words: asked for the address where neither of them says it.
    pub program: Vec<String>,
    /// `on-demand-sockets`.
    pub sockets: Option<Placed<PathBuf>>,
    /// `on-demand-mode`.
    pub mode: u32,
}

impl Default for OnDemand {
    fn default() -> Self {
        Self { extension: None, directory: None, program: Vec::new(), sockets: None, mode: MODE }
    }
}

impl OnDemand {
    /// Whether any vassal may be on demand.
    pub fn is_used(&self) -> bool {
        self.extension.is_some() || self.directory.is_some() || !self.program.is_empty()
    }

    /// The program that is asked, if that is what says where vassals listen.
    pub fn asked(&self) -> &[String] {
        if self.extension.is_some() || self.directory.is_some() { &[] } else { &self.program }
    }

    /// Where the unix sockets are made, if anywhere.
    pub fn sockets(&self) -> Option<&PathBuf> {
        let named = self.sockets.as_ref().map(|sockets| &sockets.value);
        // Without an extension the directory says it all.
        named.filter(|_| self.extension.is_some() || self.directory.is_none()).or(self.directory.as_ref())
    }
}

/// Takes what such an option says; false for any other option.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(config: &mut OnDemand, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "emperor-on-demand-extension" => config.extension = Some(value(entry, extension)?),
        "emperor-on-demand-directory" => config.directory = Some(value(entry, path)?),
        "emperor-on-demand-exec" => config.program = value(entry, program)?,
        "on-demand-sockets" => config.sockets = Some(entry.placed(value(entry, path)?)),
        "on-demand-mode" => config.mode = value(entry, mode)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// A program and its first arguments; no shell splits them.
fn program(value: &str) -> Result<Vec<String>, Wrong> {
    let words = words(value)?;
    if words.iter().any(|word| word.contains('\0')) || words[0].contains('/') && !words[0].starts_with('/') {
        let cure = "write the whole path, such as /usr/local/bin/NAME".to_owned();
        return Err(Wrong { cause: "the program depends on the working directory".into(), cure: Some(cure) });
    }
    Ok(words)
}

/// What is added to the name of a config: it stays in the same directory.
fn extension(value: &str) -> Result<String, Wrong> {
    let value = text(value)?;
    if !value.contains('/') {
        return Ok(value);
    }
    let cure = "use a suffix, as .socket".to_owned();
    Err(Wrong { cause: "a suffix has no `/`".into(), cure: Some(cure) })
}
