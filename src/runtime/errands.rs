//! Configs that the Emperor must not look at itself, fetched for a reload by those who may wait for ever.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use super::Runtime;
use super::obey::Newest;
use crate::emperor::event::Incarnation;
use crate::monitors::NUMBER_MAX;
use crate::reactor::clock;
use crate::spawner::wire::{Place, Report, Request, Task};

/// Reloads that wait for their config.
#[derive(Debug, Default)]
pub struct Fetched {
    last: u32,
    awaited: BTreeMap<u32, Incarnation>,
}

impl Fetched {
    /// The numbers of the monitors lie below.
    fn expect(&mut self, one: Incarnation) -> u32 {
        self.last = self.last.wrapping_add(1) & NUMBER_MAX;
        let number = NUMBER_MAX + 1 + self.last;
        self.awaited.insert(number, one);
        number
    }
}

impl Runtime {
    /// Sends somebody for the newest config of a vassal that is to reload.
    pub(super) fn fetch(&mut self, one: Incarnation, place: Place, file: String) {
        let number = self.fetched.expect(one);
        let request = Request::Look { number, place, task: Task::Lend(file) };
        if self.spawner.send(&request, Vec::new()).is_err() {
            self.fetched.awaited.remove(&number);
        }
    }

    /// What somebody saw who was sent.
    pub(super) fn take_report(&mut self, number: u32, report: Report, lent: Option<OwnedFd>) {
        if number <= NUMBER_MAX {
            return self.monitors.handle_report(number, report, clock::now());
        }
        // Without it the vassal reads the file by its name, and may wait for as long as it likes.
        if let Some(one) = self.fetched.awaited.remove(&number) {
            let text = if let Report::Seen(_, seen) = &report { seen.text() } else { None };
            self.reload(one, Newest { text, config: lent });
        }
    }
}
