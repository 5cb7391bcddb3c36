//! Pure. Variables that the lines behind them see, and the programs of the vassal too: `ienv`, `early-envdir`.

use super::admit::value;
use super::load::{Loader, Use};
use super::place::{ConfigError, Entry};
use super::show::quoted;
use super::source::{NotRun, Unread, Variable};
use super::values::pair;

impl Loader<'_> {
    /// `ienv = NAME=VALUE`.
    pub(super) fn set_early(&mut self, entry: Entry) {
        let Some(text) = self.immediate(&entry) else { return };
        let entry = Entry { value: text, ..entry };
        match value(&entry, pair) {
            Ok((name, value)) => self.see(&entry, [(name, Some(value))]),
            Err(error) => self.fail(error),
        }
        self.add(entry, Use::Option);
    }

    /// `early-envdir = DIRECTORY`.
    pub(super) fn read_early(&mut self, entry: Entry) {
        let Some(text) = self.immediate(&entry) else { return };
        let entry = Entry { value: text, ..entry };
        match self.count_file().map_err(Unread::Wrong).and_then(|()| self.world.variables(&entry.value)) {
            Ok(variables) => self.see(&entry, variables),
            Err(Unread::NotRun) => {
                let note = format!("{}: {NotRun}", quoted(&entry.value));
                self.leave_unread(ConfigError::at(&entry.value_place, note));
            }
            Err(Unread::Wrong(wrong)) => self.fail(wrong.at(&entry.value_place)),
        }
        self.add(entry, Use::Option);
    }

    /// They never reach the environment of this process: whatever config it reads next begins afresh.
    fn see(&mut self, entry: &Entry, variables: impl IntoIterator<Item = Variable>) {
        for (name, value) in variables {
            let bytes = name.len() + value.as_ref().map_or(0, String::len);
            if let Err(wrong) = self.expander.charge(bytes) {
                return self.fail(wrong.at(&entry.value_place));
            }
            self.expander.set_variable(name, value);
        }
    }
}
