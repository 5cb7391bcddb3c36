//! Files beside configs that say where those listen (`emperor-on-demand-extension`): only that they changed is seen here.
//! Who reads them is the spawner.

use rustix::fs::inotify::ReadFlags;

use super::settle::Change;
use super::watches::Entry;
use super::{Monitors, Told};
use crate::emperor::event::{Event, Moment};

impl Monitors {
    /// Something happened to a file that is no config; it may be beside one.
    pub(super) fn address_changed(&mut self, entry: &Entry, flags: ReadFlags, now: Moment) {
        if self.beside(entry).is_none() {
            return;
        }
        let changes = [
            (ReadFlags::CREATE, Change::Created),
            (ReadFlags::MODIFY, Change::Modified),
            (ReadFlags::CLOSE_WRITE, Change::Closed),
            (ReadFlags::MOVED_TO, Change::MovedIn),
            (ReadFlags::MOVED_FROM, Change::MovedOut),
            (ReadFlags::DELETE, Change::Deleted),
            (ReadFlags::ATTRIB, Change::Touched),
        ];
        let change = changes.into_iter().find(|(flag, _)| flags.contains(*flag));
        change.into_iter().for_each(|(_, change)| self.settle.handle(entry, change, now));
    }

    /// Tells that such a file has come to rest; false for any other file.
    pub(super) fn tell_address(&mut self, entry: &Entry) -> bool {
        let Some(config) = self.beside(entry) else { return false };
        self.told.extend(self.key(&config).map(|key| Told::Event(Event::AddressWritten(key))));
        true
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
