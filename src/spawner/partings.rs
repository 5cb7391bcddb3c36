//! Pure. What is remembered of each vassal until `vassals-stop-hook` was run for it: the emperor says which one is gone, and
//! no more.

use std::collections::BTreeMap;

use super::wire::{Reply, Ticket};

/// Most vassals that are remembered: more than an emperor minds. Beyond them the one that came first is forgotten.
const REMEMBERED_MAX: usize = 1 << 17;

/// A vassal that is about to run, or has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// As people know it.
    pub name: String,
    /// Where its config was when it was last born.
    pub directory: String,
    has_run: bool,
}

/// All of them, by their number; empty without the hook.
#[derive(Debug, Default)]
pub struct Partings(BTreeMap<u32, Parted>);

impl Partings {
    /// This one is about to be born.
    pub fn expect(&mut self, ticket: Ticket, name: &str, directory: &str) {
        let has_run = self.0.get(&ticket.id).is_some_and(|known| known.has_run);
        let parted = Parted { name: name.to_owned(), directory: directory.to_owned(), has_run };
        self.0.insert(ticket.id, parted);
        while self.0.len() > REMEMBERED_MAX {
            self.0.pop_first();
        }
    }

    /// What the emperor is told now.
    pub fn note(&mut self, reply: &Reply) {
        match reply {
            Reply::Running { ticket, .. } => {
                self.0.get_mut(&ticket.id).into_iter().for_each(|known| known.has_run = true);
            }
            Reply::Failed(ticket, _) => self.miss(*ticket),
            _ => {}
        }
    }

    /// It is no more; one that never ran is not missed.
    pub fn miss(&mut self, ticket: Ticket) {
        if self.0.get(&ticket.id).is_some_and(|known| !known.has_run) {
            self.0.remove(&ticket.id);
        }
    }

    /// Its hook is to be run: once.
    pub fn part(&mut self, id: u32) -> Option<Parted> {
        self.0.remove(&id).filter(|known| known.has_run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawner::wire::Jailed;

    const FIRST: Ticket = Ticket { id: 7, attempt: 1 };

    fn running(ticket: Ticket) -> Reply {
        Reply::Running { ticket, fingerprint: 1, uid: 0, gid: 0, jail: Jailed::FarFromHere }
    }

    fn expected() -> Partings {
        let mut partings = Partings::default();
        partings.expect(FIRST, "a.ini", "/srv/v");
        partings
    }

    #[test]
    fn who_has_run_is_parted_from_once_with_its_last_directory() {
        let mut partings = expected();
        partings.note(&running(FIRST));
        partings.miss(FIRST);
        partings.expect(Ticket { attempt: 2, ..FIRST }, "a.ini", "/srv/w");
        partings.note(&Reply::Failed(FIRST, "no".into()));
        let parted = partings.part(7).expect("it has run");
        assert_eq!((parted.name.as_str(), parted.directory.as_str()), ("a.ini", "/srv/w"));
        assert_eq!(partings.part(7), None);
    }

    #[test]
    fn who_never_ran_leaves_nothing_behind() {
        for end in [None, Some(Reply::Failed(FIRST, "no".into()))] {
            let mut partings = expected();
            match end {
                Some(reply) => partings.note(&reply),
                None => partings.miss(FIRST),
            }
            assert!(partings.0.is_empty());
        }
        assert_eq!(expected().part(7), None);
    }

    #[test]
    fn no_more_are_remembered_than_there_may_be() {
        let mut partings = Partings::default();
        for id in 0..=u32::try_from(REMEMBERED_MAX).expect("small") {
            partings.expect(Ticket { id, attempt: 1 }, "", "");
        }
        assert_eq!((partings.0.len(), partings.0.contains_key(&0)), (REMEMBERED_MAX, false));
    }
}
