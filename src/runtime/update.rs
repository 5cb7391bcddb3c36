//! `liege update`: all sources are looked at anew, and whoever asked is told what has changed. `liege shutdown`: the end.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use super::Runtime;
use crate::control::caller::Caller;
use crate::control::door;
use crate::control::messages::{Answer, Change, batches};
use crate::emperor::event::{Event, Fingerprint, Key, Moment};
use crate::emperor::sender::Sender;
use crate::log;
use crate::reactor::clock;

/// Most who wait for a look, or for the end.
const ASKERS_MAX: usize = 32;
/// How long a name that changes without end is waited for, in ms.
const PATIENCE_MS: u64 = 2_000;

/// Those who wait for a look at all sources, or for the end.
#[derive(Default)]
pub struct Audience {
    looks: Vec<Look>,
    mourners: Vec<Caller>,
}

/// One who waits for a look.
struct Look {
    client: Caller,
    /// What was known when it began, in the turn in which it was asked for.
    before: Option<Known>,
    until: Moment,
}

/// What is known without a look.
#[derive(Clone)]
struct Known {
    configs: Configs,
    /// Of these the kernel has told already that they change.
    told: BTreeSet<Key>,
}

impl Audience {
    /// When the first of them has waited for long enough.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.looks.iter().map(|look| look.until).min()
    }
}

type Configs = BTreeMap<Key, Fingerprint>;

impl Runtime {
    /// A look costs something for each config there is, so it is not for everybody.
    pub(super) fn look_anew(&mut self, sender: Sender, client: Caller) -> Result<(), (String, Caller)> {
        if !sender.is_master() {
            let sentence = "only root may have all configs read anew; yours are read as soon as they change";
            return Err((sentence.into(), client));
        }
        if self.audience.looks.len() >= ASKERS_MAX {
            return Err(("too many wait for a look: try again".into(), client));
        }
        log::info("control", &format!("uid {} wants: update", sender.uid));
        let now = clock::now();
        self.audience.looks.push(Look { client, before: None, until: now.plus_ms(PATIENCE_MS) });
        self.monitors.catch_up(now);
        Ok(())
    }

    /// What the kernel had told of by then is no finding of theirs.
    fn begin_looks(&mut self) {
        if self.audience.looks.iter().all(|look| look.before.is_some()) {
            return;
        }
        let known = Known { configs: self.emperor.configs(), told: self.monitors.unsettled().collect() };
        let new = self.audience.looks.iter_mut().filter(|look| look.before.is_none());
        new.for_each(|look| look.before = Some(known.clone()));
        self.monitors.rescan(clock::now());
    }

    /// Once everything was looked at and is at rest, or has been waited for.
    pub(super) fn tell_what_changed(&mut self) {
        self.begin_looks();
        let is_late = |look: &Look| look.until <= clock::now();
        let looks = &self.audience.looks;
        if looks.is_empty() || !(self.monitors.has_told_all() || looks.iter().any(is_late)) {
            return;
        }
        let now = self.emperor.configs();
        for Look { client, before, .. } in std::mem::take(&mut self.audience.looks) {
            let differs = before.map(|before| difference(&before, &now)).unwrap_or_default();
            for batch in batches(differs) {
                door::tell(client.as_fd(), &Answer::Changed(batch));
            }
            door::tell(client.as_fd(), &Answer::Told);
        }
    }

    /// Everything stops; whoever asked learns of the end by the end of his connection.
    pub(super) fn end_by_word(&mut self, sender: Sender, client: Caller) -> Result<(), (String, Caller)> {
        if !sender.is_master() {
            return Err(("only root may end the Emperor".into(), client));
        }
        door::tell(client.as_fd(), &Answer::Told);
        if self.audience.mourners.len() < ASKERS_MAX {
            self.audience.mourners.push(client);
        }
        // Who says it twice means no harm: only signals hurry it.
        if !self.emperor.is_ending() {
            log::info("emperor", &format!("[emperor] *** RAGNAROK EVOKED *** (uid {})", sender.uid));
            self.tell(Event::StopAll);
        }
        Ok(())
    }
}

fn difference(Known { configs: before, told }: &Known, now: &Configs) -> Vec<(Change, String)> {
    let name = |key: &Key| key.name.to_string();
    let changed = now.iter().filter(|(key, _)| !told.contains(key)).filter_map(|(key, fingerprint)| {
        match before.get(key) {
            None => Some((Change::Added, name(key))),
            Some(known) if known != fingerprint => Some((Change::Changed, name(key))),
            Some(_) => None,
        }
    });
    let removed = before.keys().filter(|key| !now.contains_key(key) && !told.contains(key));
    changed.chain(removed.map(|key| (Change::Removed, name(key)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emperor::event::MonitorId;

    #[test]
    fn what_came_went_and_changed_is_told_and_nothing_else() {
        let configs = |of: &[(&str, u64)]| -> Configs {
            let key = |name: &str| Key { monitor: MonitorId(0), name: name.into() };
            of.iter().map(|(name, print)| (key(name), Fingerprint(*print))).collect()
        };
        let (before, now) =
            (configs(&[("a", 1), ("b", 1), ("c", 1)]), configs(&[("b", 1), ("c", 2), ("d", 1)]));
        let known = |configs: &Configs, told: &[&str]| {
            let key = |name: &&str| Key { monitor: MonitorId(0), name: (*name).into() };
            Known { configs: configs.clone(), told: told.iter().map(key).collect() }
        };
        let told = |change, name: &str| (change, name.to_owned());
        assert_eq!(
            difference(&known(&before, &[]), &now),
            [told(Change::Changed, "c"), told(Change::Added, "d"), told(Change::Removed, "a")]
        );
        assert_eq!(difference(&known(&now, &[]), &now), []);
        assert_eq!(difference(&known(&before, &["a", "c"]), &now), [told(Change::Added, "d")]);
    }
}
