//! Pure. Whom a wish is about: vassals, daemons of vassals, owners with all that is theirs, and what is disabled without a config.

use std::collections::{BTreeMap, BTreeSet};

use crate::emperor::event::{Key, VassalId};

/// Numbers of daemons begin here: there are never so many vassals.
const DAEMONS_FROM: u32 = 1 << 31;
/// And those of owners.
const OWNERS_FROM: u32 = 3 << 30;
/// And those of marks.
const MARKS_FROM: u32 = 7 << 29;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A vassal.
    Vassal(VassalId),
    /// A daemon of this vassal, by a number and its name.
    Daemon(VassalId, u32, String),
    /// An owner, by a number and his uid.
    Owner(u32, u32),
    /// What is disabled though no config of it is there, by a number.
    Mark(u32, Key),
}

/// All that one wish is about, each once.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    vassals: BTreeSet<VassalId>,
    daemons: BTreeMap<VassalId, BTreeMap<String, u32>>,
    /// Told of when something is done with them, and not when a vassal changes.
    owners: Vec<u32>,
    /// Nothing changes of these but by the wish itself.
    marks: BTreeSet<Key>,
    last: u32,
}

impl Subject {
    /// How it is called in answers.
    pub fn number(&self) -> u32 {
        match self {
            Self::Vassal(id) => id.0,
            Self::Daemon(_, number, _) | Self::Owner(number, _) | Self::Mark(number, _) => *number,
        }
    }

    /// The vassal, or that of the daemon.
    pub fn vassal(&self) -> Option<VassalId> {
        match self {
            Self::Vassal(id) | Self::Daemon(id, ..) => Some(*id),
            Self::Owner(..) | Self::Mark(..) => None,
        }
    }
}

impl Subjects {
    /// This vassal too.
    pub fn add(&mut self, id: VassalId) {
        self.vassals.insert(id);
    }

    /// This daemon too.
    pub fn add_daemon(&mut self, id: VassalId, name: &str) {
        let numbers = self.daemons.entry(id).or_default();
        if !numbers.contains_key(name) {
            numbers.insert(name.to_owned(), DAEMONS_FROM | self.last);
            self.last += 1;
        }
    }

    /// This owner too: a few of them, as many as a wish has names.
    pub fn add_owner(&mut self, uid: u32) {
        self.owners.push(uid);
    }

    /// This mark too.
    pub fn add_mark(&mut self, key: &Key) {
        self.marks.insert(key.clone());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.owners.len() + self.vassals.len() + self.count_of_daemons() + self.marks.len()
    }

    /// How many of them are daemons.
    pub fn count_of_daemons(&self) -> usize {
        self.last as usize
    }

    /// All of them.
    pub fn all(&self) -> Vec<Subject> {
        let daemons = self.daemons.keys().flat_map(|id| self.daemons_of(*id));
        let owners = (OWNERS_FROM..).zip(&self.owners).map(|(number, uid)| Subject::Owner(number, *uid));
        let marks = (MARKS_FROM..).zip(&self.marks).map(|(number, key)| Subject::Mark(number, key.clone()));
        owners.chain(self.vassals.iter().copied().map(Subject::Vassal)).chain(daemons).chain(marks).collect()
    }

    /// This daemon, if it is one of them.
    pub fn daemon(&self, id: VassalId, name: &str) -> Option<Subject> {
        let number = self.daemons.get(&id)?.get(name)?;
        Some(Subject::Daemon(id, *number, name.to_owned()))
    }

    /// Those that a change of this vassal may be about.
    pub fn of(&self, id: VassalId) -> Vec<Subject> {
        let itself = self.vassals.get(&id).copied().map(Subject::Vassal);
        itself.into_iter().chain(self.daemons_of(id)).collect()
    }

    /// The vassals that are to be watched for that.
    pub fn vassals(&self) -> BTreeSet<VassalId> {
        self.vassals.iter().chain(self.daemons.keys()).copied().collect()
    }

    fn daemons_of(&self, id: VassalId) -> impl Iterator<Item = Subject> {
        let numbers = self.daemons.get(&id).into_iter().flatten();
        numbers.map(move |(name, number)| Subject::Daemon(id, *number, name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_a_daemon_is_watched_by_its_vassal() {
        let mut subjects = Subjects::default();
        assert!(subjects.is_empty());
        let (one, other) = (VassalId(1), VassalId(2));
        subjects.add(one);
        subjects.add(one);
        ["redis", "redis", "jobs"].iter().for_each(|name| subjects.add_daemon(other, name));
        assert_eq!((subjects.count(), subjects.count_of_daemons(), subjects.all().len()), (3, 2, 3));
        assert_eq!(subjects.daemon(other, "jobs").as_ref(), subjects.all().get(1));
        assert_eq!((subjects.daemon(other, "cron"), subjects.daemon(one, "jobs")), (None, None));
        assert_eq!(subjects.vassals(), BTreeSet::from([one, other]));
        assert_eq!(subjects.of(one), [Subject::Vassal(one)]);
        let numbers: BTreeSet<u32> = subjects.all().iter().map(Subject::number).collect();
        assert_eq!(numbers.len(), 3);
    }
}
