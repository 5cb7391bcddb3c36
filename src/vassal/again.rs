//! Reads the config of a vassal that runs already: it may not see any more what it saw when it was born.

use std::fs::File;
use std::io;

use super::source::{Reading, Source, config_of};
use super::tell::Teller;
use super::witness::{Notes, Witness};
use crate::cli::Invocation;
use crate::cli::world::{Opened, Surroundings};
use crate::config::probe::Probes;
use crate::config::source::{Host, NotRun, Origin, Unread, Variable, World};
use crate::config::{Loaded, load, load_once};

/// What a vassal can see of the files that its config speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// All that it saw when it was born.
    Same,
    /// It has given up rights: what it may not read now it may have read then.
    Less,
    /// It has another root: names mean other files, or none.
    Elsewhere,
}

/// Reads it again; `opened` is the config that the arguments name, as it is now. `None` when that hangs on files that are not
/// to be seen from here: only the next start can tell.
pub fn read(source: &Source, opened: Option<&File>, view: View, teller: &Teller) -> Option<Reading> {
    if view == View::Elsewhere && opened.is_none() {
        return None;
    }
    let notes = Notes::default();
    let loaded = match source.invocation() {
        Ok(invocation) => load_in_view(invocation, opened, (view, &notes)),
        Err(errors) => return Some(Reading::bad(errors)),
    };
    let known = match view {
        View::Same => true,
        View::Less => loaded.unread.is_empty(),
        View::Elsewhere => loaded.is_by_itself(),
    };
    known.then(|| Reading { digest: notes.digest(), ..Reading::of(&loaded, teller) })
}

fn load_in_view(invocation: Invocation, opened: Option<&File>, (view, notes): (View, &Notes)) -> Loaded {
    let name = config_of(&invocation).unwrap_or_default();
    let world = |surroundings| {
        let world = Witness::new(Opened::new(surroundings, &name, opened), &name, notes);
        Narrowed { world, view }
    };
    let onlooker = world(Surroundings::nameless_onlooker());
    let own = || world(Surroundings::nameless());
    match view {
        View::Elsewhere => load(invocation.entries, invocation.texts, &onlooker),
        View::Same | View::Less => load_once(invocation.entries, invocation.texts, &onlooker, own),
    }
}

struct Narrowed<'f, 'n> {
    world: Witness<'f, 'n>,
    view: View,
}

impl World for Narrowed<'_, '_> {
    fn read(&self, name: &str) -> io::Result<Origin> {
        if self.view == View::Elsewhere && !self.world.has(name) {
            return Err(NotRun.into());
        }
        match self.world.read(name) {
            Err(error) if self.view == View::Less && error.kind() == io::ErrorKind::PermissionDenied => {
                Err(NotRun.into())
            }
            read => read,
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.world.variable(name)
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        match (self.view, self.world.variables(directory)) {
            (View::Elsewhere, _) | (View::Less, Err(_)) => Err(Unread::NotRun),
            (View::Same | View::Less, read) => read,
        }
    }

    fn host(&self) -> &Host {
        self.world.host()
    }

    fn probes(&self) -> &dyn Probes {
        self.world.probes()
    }
}
