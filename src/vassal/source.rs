//! Where the config of a vassal comes from: its arguments, and for the file that they name a descriptor, if the
//! Emperor opened it for us.

use std::ffi::OsString;
use std::fs::File;

use super::tell::Teller;
use super::witness::{Notes, Witness};
use crate::cli::world::{Opened, Surroundings};
use crate::cli::{self, Invocation};
use crate::config::place::{ConfigError, Entry};
use crate::config::vassal::VassalKind;
use crate::config::{Loaded, load_once, split_section};
use crate::emperor::event::Digest;
use crate::options::find;

/// What a config came to.
pub struct Reading {
    /// What to run, or all that is wrong, each with its place.
    pub kind: Result<VassalKind, Vec<ConfigError>>,
    /// `exit`: the status to leave with at once.
    pub exit: Option<u8>,
    /// `fallback-config`.
    pub fallback: Option<String>,
    /// It is wrong by its text alone: who reads it again finds the same, until that changes.
    pub useless: bool,
    /// Of the text of the config that the arguments name, as it was read.
    pub digest: Option<Digest>,
}

/// The arguments of a vassal, which name its config. They are all that is kept of it while the command runs.
#[derive(Clone, Debug)]
pub struct Source {
    arguments: Vec<OsString>,
}

impl Source {
    /// A source for these arguments, without the name of the program.
    pub fn new(arguments: Vec<OsString>) -> Self {
        Self { arguments }
    }

    /// What the vassal is called: its config as named, the last one when there are several.
    pub fn name(&self) -> String {
        self.invocation()
            .ok()
            .and_then(|invocation| config_of(&invocation))
            .unwrap_or_else(|| "vassal".into())
    }

    /// The arguments, without the verb: for a program that reads the config itself.
    pub fn arguments(&self) -> Vec<String> {
        let verb = usize::from(self.arguments.first().is_some_and(|first| first == "vassal"));
        self.arguments.iter().skip(verb).map(|one| one.to_string_lossy().into_owned()).collect()
    }

    /// Reads everything. `opened` is the config that the arguments name; without it, it is opened by name. What is
    /// merely odd in it, and what it wants to be said, is told.
    pub fn read(&self, opened: Option<&File>, teller: &Teller) -> Reading {
        match self.invocation() {
            Ok(invocation) => {
                let name = config_of(&invocation).unwrap_or_default();
                let notes = Notes::default();
                let loaded = load_own(invocation, (&name, opened), &notes);
                let reading = Reading::of(&loaded, teller);
                let useless = reading.is_useless(&loaded, &name, &notes);
                Reading { useless, digest: notes.digest(), ..reading }
            }
            Err(errors) => Reading::bad(errors),
        }
    }

    /// The arguments, understood.
    ///
    /// # Errors
    /// Whatever is wrong with them, each with its place.
    pub fn invocation(&self) -> Result<Invocation, Vec<ConfigError>> {
        let environment: Vec<_> = std::env::vars_os().collect();
        cli::parse(&self.arguments, &environment)
    }
}

impl Reading {
    /// A config of which nothing can be used.
    pub fn bad(errors: Vec<ConfigError>) -> Self {
        Self { kind: Err(errors), exit: None, fallback: None, useless: false, digest: None }
    }

    /// Where other files are read, too, a line of its own has to be wrong: all else may be mended in those.
    fn is_useless(&self, loaded: &Loaded, name: &str, notes: &Notes) -> bool {
        let Err(errors) = &self.kind else { return false };
        let hangs_on_files = !notes.are_of_files_alone() || !loaded.is_by_itself();
        let is_alone = !notes.mention_others();
        !hangs_on_files && self.fallback.is_none() && (is_alone || loaded.is_wrong_in(name, errors))
    }

    /// What a config came to that has been read. What is merely odd in it, and what it wants to be said, is told.
    pub fn of(loaded: &Loaded, teller: &Teller) -> Self {
        let kind = loaded.vassal();
        // What uwsgi reads itself is not ignored by anybody.
        let is_uwsgis = matches!(kind, Ok(VassalKind::Uwsgi(_)));
        let misread = || [loaded.texts.explain(loaded.warnings.clone()), loaded.misread()].concat();
        teller.warnings(&if is_uwsgis { misread() } else { loaded.advice() });
        loaded.said.iter().for_each(|said| teller.said(&said.value));
        let exit = loaded.exit.filter(|_| loaded.errors.is_empty());
        Self { kind, exit, fallback: loaded.fallback.clone(), useless: false, digest: None }
    }
}

fn load_own(invocation: Invocation, (name, opened): (&str, Option<&File>), notes: &Notes) -> Loaded {
    let world = |surroundings| Witness::new(Opened::new(surroundings, name, opened), name, notes);
    let onlooker = world(Surroundings::nameless_onlooker());
    load_once(invocation.entries, invocation.texts, &onlooker, || world(Surroundings::nameless()))
}

/// The last file that the arguments name, without its section.
pub fn config_of(invocation: &Invocation) -> Option<String> {
    let named = |keys: &[&str]| invocation.entries.iter().rev().find(|entry| keys.contains(&name_of(entry)));
    // An Emperor names the config itself with `--ini`, and only with a suffix that it does not know otherwise.
    let typed = named(&["ini", "xml", "yaml", "json", "toml", "config"]);
    let entry = typed.or_else(|| named(&["include", "inherit"]))?;
    Some(split_section(&entry.value).0.to_owned())
}

/// The name of an option, which may have been written as an alias.
fn name_of(entry: &Entry) -> &str {
    find(&entry.key).map_or(&entry.key, |(_, option)| option.name)
}
