//! Daemons of vassals: what their masters tell of them, and what is wanted of them in turn.

use std::collections::BTreeMap;

use super::Runtime;
use crate::config::vassal::daemons::DAEMONS_MAX;
use crate::daemons::{Steering, Word};
use crate::emperor::event::{Moment, VassalId};
use crate::emperor::order::to_vassal::{STEER, STEER_END};
use crate::emperor::snapshot::DaemonView;

/// So much memory may be taken by what its master has not read yet, in bytes: a line for each daemon and more.
const UNREAD_MAX: usize = 64 << 10;

/// Those of one vassal, by name.
#[derive(Debug, Default)]
pub struct Daemons(BTreeMap<String, (Word, Moment)>);

impl Daemons {
    /// One of them stands somewhere; without a word, what was told before counts no more. Whether that is anything new.
    pub fn hear(&mut self, word: Option<Word>, now: Moment) -> bool {
        let Some(word) = word else { return !std::mem::take(&mut self.0).is_empty() };
        let known = self.0.get(&word.name);
        if known.is_some_and(|(old, _)| *old == word) || (known.is_none() && self.0.len() >= DAEMONS_MAX) {
            return false;
        }
        let since = known.filter(|(old, _)| old.state == word.state).map_or(now, |(_, since)| *since);
        self.0.insert(word.name.clone(), (word, since));
        true
    }

    /// For people.
    pub fn views(&self) -> Vec<DaemonView> {
        self.0.values().map(view).collect()
    }

    /// # Errors
    /// A sentence: there is none of that name.
    pub fn check(&self, name: &str) -> Result<(), String> {
        if self.0.contains_key(name) {
            return Ok(());
        }
        let names = self.names().collect::<Vec<_>>().join(", ");
        Err(format!("it has no daemon of that name; it has: {names}"))
    }

    /// That of one.
    pub fn view(&self, name: &str) -> Option<DaemonView> {
        self.0.get(name).map(view)
    }

    /// How they are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn view((word, since): &(Word, Moment)) -> DaemonView {
    DaemonView {
        name: word.name.clone(),
        state: word.state.word(),
        pid: Some(word.pid).filter(|pid| *pid > 0),
        starts: word.starts,
        said: word.said.clone(),
        since: *since,
    }
}

impl Runtime {
    /// Has the running process of this vassal do something about one of its daemons. Nobody waits for it.
    ///
    /// # Errors
    /// A sentence: it does not run, is none of ours, has no such daemon, or does not listen.
    pub(super) fn steer_daemon(&self, id: VassalId, name: &str, steering: Steering) -> Result<(), String> {
        // Another program would take the letters for something else.
        let Some((control, daemons)) = self.courtiers.daemons(id) else {
            return Err("it runs no daemons".to_owned());
        };
        daemons.check(name)?;
        // What nobody reads is counted against us all.
        if jail::sys::unread(control).is_ok_and(|bytes| bytes > UNREAD_MAX) {
            return Err("its master has not read what it was told before".to_owned());
        }
        let line = [&[STEER], steering.line(name).as_bytes(), &[STEER_END]].concat();
        jail::run::send(control, &line, &[]).map_err(|errno| format!("it cannot be told: {errno}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Option<Word> {
        Some(Word::parse(text).expect("a word"))
    }

    #[test]
    fn a_daemon_stands_where_it_does_since_it_came_there() {
        let mut daemons = Daemons::default();
        daemons.hear(word("redis starting 0 1"), Moment(1));
        daemons.hear(word("redis starting 77 1"), Moment(2));
        daemons.hear(word("cache stopped 0 1"), Moment(3));
        let views = daemons.views();
        assert_eq!(views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(), ["cache", "redis"]);
        assert_eq!((views[1].pid, views[1].since, views[1].state), (Some(77), Moment(1), "starting"));
        assert_eq!((daemons.view("redis").as_ref(), daemons.view("jobs")), (Some(&views[1]), None));
        daemons.hear(None, Moment(4));
        assert_eq!(daemons.views(), []);
    }

    /// Row C8.
    #[test]
    fn a_vassal_that_tells_of_daemons_without_end_is_heard_up_to_a_bound() {
        let mut daemons = Daemons::default();
        let hear = |number| {
            let _ = daemons.hear(word(&format!("d{number} running 1 1")), Moment(1));
        };
        (0..1_000).for_each(hear);
        assert_eq!(daemons.views().len(), DAEMONS_MAX);
    }
}
