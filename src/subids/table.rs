//! Pure. Whose subordinate ids are whose: what `subuid(5)` and `subgid(5)` say, judged as a whole.
//!
//! A range is given to one owner alone. Whatever else has an id of it (another owner, a user, the system) makes it
//! nobody's: a process inside could take that id and would be the other one outside.

use std::collections::BTreeMap;

use jail::Extent;
use jail::plan::PAYERS;

use super::parse::{Grant, grants, number};
use crate::emperor::event::Owner;

/// Most ranges of one owner in one file; the kernel takes 340 lines.
const RANGES_MAX: usize = 32;
/// Ids that are nobody's to give: root, and what the kernel shows where an id has no number.
const RESERVED: [(u32, &str); 2] = [(0, "root"), (65_534, "nobody")];
/// How every refusal ends.
const CURE: &str = "correct that file, or set emperor-id-range = none";

/// Ids that an owner has besides his own, with their numbers inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Of users.
    pub uid: Vec<Extent>,
    /// Of groups.
    pub gid: Vec<Extent>,
}

/// Who is there on this host.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// Names and ids of the users.
    pub users: Vec<(String, u32)>,
    /// Names and ids of the groups.
    pub groups: Vec<(String, u32)>,
}

/// Both files.
#[derive(Debug)]
pub struct Table {
    pub(super) uid: Side,
    pub(super) gid: Side,
}

/// One of the files.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) file: &'static str,
    /// Ids that somebody has by his own right, with his name.
    pub(super) taken: BTreeMap<u32, String>,
    /// All lines that can be read, with the uid of the owner.
    pub(super) lines: Vec<(Option<u32>, Grant)>,
    /// Ranges of each owner, or why he gets none.
    owners: BTreeMap<u32, Result<Vec<Grant>, String>>,
    /// All ranges that are given, in order; no two overlap.
    given: Vec<Grant>,
}

impl Table {
    /// Judges the texts of `subuid(5)` and `subgid(5)`.
    pub fn new(subuid: &str, subgid: &str, people: &People) -> Self {
        let owners: BTreeMap<&str, u32> =
            people.users.iter().rev().map(|(name, uid)| (name.as_str(), *uid)).collect();
        let side = |file, text, people: &[(String, u32)]| Side::new(file, text, (&owners, taken(people)));
        Self {
            uid: side("/etc/subuid", subuid, &people.users),
            gid: side("/etc/subgid", subgid, &people.groups),
        }
    }

    /// What this owner has.
    ///
    /// # Errors
    /// Why he must not get it, as a sentence.
    pub fn of(&self, owner: Owner) -> Result<Ranges, String> {
        self.uid.refuse_given("uid", owner.uid)?;
        self.gid.refuse_given("gid", owner.gid)?;
        Ok(Ranges { uid: self.uid.of(owner.uid)?, gid: self.gid.of(owner.uid)? })
    }

    /// Whether anybody has a range in both files.
    pub fn gives_any(&self) -> bool {
        let any = |side: &Side| side.owners.values().any(Result::is_ok);
        any(&self.uid) && any(&self.gid)
    }
}

/// Ids that somebody has, in order.
fn taken(people: &[(String, u32)]) -> BTreeMap<u32, String> {
    let reserved = RESERVED.iter().map(|(id, name)| (*id, (*name).to_owned()));
    reserved.chain(people.iter().rev().map(|(name, id)| (*id, name.clone()))).collect()
}

impl Side {
    fn new(
        file: &'static str,
        text: &str,
        (names, taken): (&BTreeMap<&str, u32>, BTreeMap<u32, String>),
    ) -> Self {
        let owner_of = |owner: &str| number(owner).or_else(|| names.get(owner).copied());
        let mut side = Self { file, taken, lines: Vec::new(), owners: BTreeMap::new(), given: Vec::new() };
        let mut sound = Vec::new();
        for read in grants(text) {
            match read {
                Ok(grant) => sound.push((owner_of(&grant.owner), grant)),
                Err(broken) => {
                    let why = format!("{file}:{} is no line of OWNER:FIRST:COUNT", broken.line);
                    side.refuse(owner_of(&broken.owner), why);
                }
            }
        }
        sound.sort_by_key(|(_, grant)| (grant.first, grant.line));
        side.hold_apart(&sound);
        for (owner, grant) in &sound {
            side.grant(*owner, grant.clone());
        }
        side.lines = sound;
        side.given = side.owners.values().flatten().flatten().cloned().collect();
        side.given.sort_by_key(|grant| grant.first);
        side
    }

    /// Refuses what has an id of somebody else.
    fn hold_apart(&mut self, sound: &[(Option<u32>, Grant)]) {
        let mut far: Option<&(Option<u32>, Grant)> = None;
        for one in sound {
            let (owner, grant) = one;
            if let Some(why) = self.not_to_give(grant) {
                self.refuse(*owner, format!("{}:{} covers {why}", self.file, grant.line));
            }
            // Whoever reaches furthest overlaps this one, if any of those before does.
            if let Some((other, known)) = far.filter(|(_, known)| known.last >= grant.first) {
                let why = format!("{}:{} and line {} overlap", self.file, grant.line, known.line);
                self.refuse(*owner, why.clone());
                self.refuse(*other, why);
            }
            if far.is_none_or(|(_, known)| known.last < grant.last) {
                far = Some(one);
            }
        }
    }

    /// An id of it that somebody has already.
    fn not_to_give(&self, grant: &Grant) -> Option<String> {
        if let Some((id, name)) = self.taken.range(grant.first..=grant.last).next() {
            return Some(format!("{id}, which is `{name}`"));
        }
        (grant.last >= PAYERS).then(|| format!("{}, and ids from {PAYERS} on own jails", grant.last))
    }

    /// The first reason stays: one is enough to be mended.
    fn refuse(&mut self, owner: Option<u32>, why: String) {
        let Some(owner) = owner else { return };
        if !matches!(self.owners.get(&owner), Some(Err(_))) {
            self.owners.insert(owner, Err(why));
        }
    }

    fn grant(&mut self, owner: Option<u32>, grant: Grant) {
        let Some(owner) = owner else { return };
        let Ok(list) = self.owners.entry(owner).or_insert_with(|| Ok(Vec::new())) else { return };
        list.push(grant);
        if list.len() > RANGES_MAX {
            self.refuse(Some(owner), format!("{} has more than {RANGES_MAX} lines of one user", self.file));
        }
    }

    /// The owner's ranges follow each other inside, from 1 on.
    fn of(&self, owner: u32) -> Result<Vec<Extent>, String> {
        let cannot = |why: &String| format!("cannot give it a range of ids: {why}: {CURE}");
        let Some(grants) = self.owners.get(&owner) else { return Ok(Vec::new()) };
        let grants = grants.as_ref().map_err(cannot)?;
        let mut inside = 1;
        let extent = |grant: &Grant| {
            let count = grant.last - grant.first + 1;
            let extent = Extent { inside, outside: grant.first, count };
            inside += count;
            extent
        };
        Ok(grants.iter().map(extent).collect())
    }

    /// Who has an id by his own right shares it with nobody's namespace.
    fn refuse_given(&self, kind: &str, id: u32) -> Result<(), String> {
        let behind = self.given.partition_point(|grant| grant.first <= id);
        match self.given[..behind].last() {
            Some(grant) if grant.last >= id => Err(format!(
                "cannot keep it apart: {kind} {id} is in the range of `{}` ({}:{}): {CURE}",
                grant.owner, self.file, grant.line
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
