//! Files beside configs that say where those listen (`emperor-on-demand-extension`): only that they changed is seen here.
//! Who reads them is the spawner.

use super::pattern::{Sorted, sort};
use super::settle::Change;
use super::watches::Entry;
use super::{Monitors, Told};
use crate::emperor::event::{Event, Moment};

impl Monitors {
    /// Something happened to a file that is no config; it may be beside one.
    ///
    /// Each change is as good as a byte that was written: it counts once the file was left alone for a while, so that nobody
    /// who writes all the time has it read all the time.
    pub(super) fn address_changed(&mut self, entry: &Entry, now: Moment) {
        if self.beside(entry).is_some() {
            self.settle.handle(entry, Change::Modified, now);
        }
    }

    /// Tells that such a file has come to rest; false for a config.
    pub(super) fn tell_address(&mut self, entry: &Entry) -> bool {
        if let Some(config) = self.beside(entry) {
            self.told.extend(self.key(&config).map(|key| Told::Event(Event::AddressWritten(key))));
            return true;
        }
        // Its config may be gone by now.
        self.settings.address_extension.is_some()
            && matches!(sort(entry.1.as_bytes(), &self.settings.extra_extensions), Sorted::Ignored)
    }

    /// A config was listed: what is beside it may have changed unheard, where directories are polled or something was
    /// lost.
    pub(super) fn compare_address(&mut self, config: &Entry) {
        let Some(extension) = &self.settings.address_extension else { return };
        let beside = (config.0, format!("{}{extension}", config.1).into());
        let stat = self.stat_entry(&beside).ok();
        if self.addresses.insert(config.clone(), stat).is_some_and(|before| before != stat) {
            self.tell_address(&beside);
        }
    }

    /// The known config that such a file is beside.
    fn beside(&self, (id, name): &Entry) -> Option<Entry> {
        let config = name.strip_suffix(self.settings.address_extension.as_deref()?)?;
        let (known, _) = self.nodes.get(id)?.names.get_key_value(config)?;
        Some((*id, known.clone()))
    }
}
