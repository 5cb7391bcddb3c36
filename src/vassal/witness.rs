//! Notes what a config asks of the world besides its own text, while it is read: what is wrong with it may lie there.

use std::cell::Cell;
use std::io;

use crate::cli::world::Opened;
use crate::config::probe::Probes;
use crate::config::source::{Host, NotRun, Origin, Unread, Variable, World};
use crate::emperor::event::Digest;
use crate::fetch::Scheme;

/// What was read.
#[derive(Debug, Default)]
pub struct Notes {
    own: Cell<bool>,
    others: Cell<bool>,
    elsewhere: Cell<bool>,
    digest: Cell<Option<Digest>>,
}

impl Notes {
    /// The text that the Emperor watches was read, and nothing that may be another one at the next look without
    /// being a file: no program, no server, nothing that could not be read.
    pub fn are_of_files_alone(&self) -> bool {
        self.own.get() && !self.elsewhere.get()
    }

    /// Of the text of the config itself, however that was found.
    pub fn digest(&self) -> Option<Digest> {
        self.digest.get()
    }

    /// Takes down what was read under the name of the config.
    fn take_text(&self, origin: &Origin) {
        self.digest.set(Some(Digest::of(&origin.text)));
    }

    /// Other files were read, too.
    pub fn mention_others(&self) -> bool {
        self.others.get()
    }
}

/// The world, and who watches what is asked of it.
pub struct Witness<'f, 'n> {
    world: Opened<'f>,
    name: &'n str,
    notes: &'n Notes,
}

impl<'f, 'n> Witness<'f, 'n> {
    /// A witness of how the config `name` is read.
    pub fn new(world: Opened<'f>, name: &'n str, notes: &'n Notes) -> Self {
        Self { world, name, notes }
    }

    /// True when `name` is to be read from what is open.
    pub fn has(&self, name: &str) -> bool {
        self.world.has(name)
    }

    fn note(&self, name: &str, is_open: bool, read: &io::Result<Origin>) {
        let scheme = Scheme::of(name);
        if let Some(origin) = read.as_ref().ok().filter(|_| self.name == name) {
            self.notes.take_text(origin);
        }
        let is_own = self.name == name && (is_open || matches!(scheme, Some(Scheme::Emperor(_))));
        match (read, scheme) {
            // Whoever may ask is still to come; and what nobody reads is wrong in the text.
            (Err(error), _) if NotRun::is_in(error) => {}
            (Err(_), Some(Scheme::Refused(_))) => {}
            (Err(_), _) => self.notes.elsewhere.set(true),
            (Ok(_), None | Some(Scheme::Emperor(_))) if is_own => self.notes.own.set(true),
            (Ok(_), None) => self.notes.others.set(true),
            (Ok(_), Some(_)) => self.notes.elsewhere.set(true),
        }
    }
}

impl World for Witness<'_, '_> {
    fn read(&self, name: &str) -> io::Result<Origin> {
        let is_open = self.world.has(name);
        let read = self.world.read(name);
        self.note(name, is_open, &read);
        read
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.world.variable(name)
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        self.notes.elsewhere.set(true);
        self.world.variables(directory)
    }

    fn host(&self) -> &Host {
        self.world.host()
    }

    fn probes(&self) -> &dyn Probes {
        self.world.probes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;
    use crate::cli::world::Surroundings;

    /// What is noted when these are read, one after the other, by who has `own.ini` open, if it has.
    fn noted(names: &[&str], is_open: bool) -> (bool, bool) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"[uwsgi]\n").expect("room");
        let opened: Option<&File> = is_open.then_some(&file);
        let notes = Notes::default();
        let world = Opened::new(Surroundings::nameless(), "own.ini", opened);
        let witness = Witness::new(world, "own.ini", &notes);
        names.iter().for_each(|name| drop(witness.read(name)));
        (notes.are_of_files_alone(), notes.mention_others())
    }

    #[test]
    fn only_what_the_emperor_has_opened_is_known_to_be_what_it_watches() {
        assert_eq!(noted(&["own.ini"], true), (true, false));
        assert_eq!(noted(&["own.ini"], false), (false, false));
        assert_eq!(noted(&["own.ini", "/etc/passwd"], true), (true, true));
        assert_eq!(noted(&["/etc/passwd"], true), (false, true));
    }

    #[test]
    fn what_may_say_something_else_next_time_is_no_text() {
        for other in ["/no/such/file", "/etc", "exec://true", "fd://999", "emperor://x"] {
            assert!(!noted(&["own.ini", other], true).0, "{other}");
        }
        assert_eq!(noted(&["own.ini", "https://x", "call://x"], true), (true, false));
    }
}
