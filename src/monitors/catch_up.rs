//! What the kernel has told by now: for whoever has to know whether something is found by looking alone.

use super::{Monitors, VERIFY_MS};
use crate::emperor::event::{Key, Moment};

/// Most batches that are heard at once.
const CATCH_UP_MAX: usize = 64;

impl Monitors {
    /// Names of which the kernel has told that they change, and which have not come to rest.
    pub fn unsettled(&self) -> impl Iterator<Item = Key> {
        let heard = self.settle.unsettled().filter(|entry| !self.is_polled(entry.0));
        heard.filter_map(|entry| self.key(entry))
    }

    /// Hears all that the kernel has told so far, as far as it is no flood.
    pub fn catch_up(&mut self, now: Moment) {
        for _ in 0..CATCH_UP_MAX {
            let batch = self.watches.listen();
            if batch.is_empty() {
                break;
            }
            self.verify_at.get_or_insert(now.plus_ms(VERIFY_MS));
            batch.into_iter().for_each(|heard| self.route(heard, now));
        }
        self.verify();
        self.work(now);
    }
}
