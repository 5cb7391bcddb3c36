//! Pure. Whether who answers in the name of a fork server is the vassal that was asked for, and stands as one that we
//! would have made.
//!
//! What a fork server says proves nothing. What counts is what the kernel says of the process that spoke: that it has come
//! to the Emperor (so it descends from a vassal of the Emperor's, whose limits it inherits), is of today, and has the ids.

use jail::{Capabilities, Identity, Spec};
use serde::{Deserialize, Serialize};

use crate::emperor::event::Owner;

/// What was heard, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The pid in the answer.
    pub said: i32,
    /// The process that sent the answer, as the kernel says.
    pub sender: i32,
    /// When it was asked, in clock ticks since the boot.
    pub asked_at: u64,
}

/// A process, as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    parent: i32,
    began: u64,
    uids: Vec<u32>,
    gids: Vec<u32>,
    groups: Vec<u32>,
    /// Inheritable, permitted, effective, ambient.
    capabilities: u64,
    bounding: u64,
    no_new_privs: bool,
    filtered: bool,
}

/// As whom and how the vassal has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    identity: Option<Identity>,
    own: Owner,
    bounding: Option<Capabilities>,
    no_new_privs: bool,
    emperor: i32,
}

impl Seen {
    /// Reads `/proc/PID/status` and `/proc/PID/stat` (`proc_pid_status(5)`); `None` where something is missing.
    pub fn parse(status: &str, stat: &str) -> Option<Self> {
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let numbers = |name| -> Option<Vec<u32>> {
            line(name)?.split_whitespace().map(|word| word.parse().ok()).collect()
        };
        let bits = |name| u64::from_str_radix(line(name)?.trim(), 16).ok();
        let own = ["CapInh", "CapPrm", "CapEff", "CapAmb"].into_iter().map(bits);
        Some(Self {
            parent: line("PPid")?.trim().parse().ok()?,
            began: began(stat)?,
            uids: numbers("Uid")?,
            gids: numbers("Gid")?,
            groups: numbers("Groups")?,
            capabilities: own.reduce(|one, other| Some(one? | other?))??,
            bounding: bits("CapBnd")?,
            no_new_privs: line("NoNewPrivs")?.trim() == "1",
            filtered: line("Seccomp")?.trim() == "2",
        })
    }
}

/// When a process began, in clock ticks since the boot, from its `/proc/PID/stat`.
pub fn began(stat: &str) -> Option<u64> {
    // Its name stands in parentheses, and may hold any.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

impl Wanted {
    /// The process of this jail; who keeps our ids has these.
    pub fn of(spec: &Spec, own: Owner, emperor: i32) -> Self {
        let (identity, bounding) = (spec.identity.clone(), spec.bounding.map(|set| set.with(spec.keep)));
        Self { identity, own, bounding, no_new_privs: spec.no_new_privs, emperor }
    }

    /// # Errors
    /// What keeps this process from being that vassal, to be said of its fork server.
    pub fn judge(&self, claim: Claim, seen: &Seen) -> Result<(), String> {
        let Claim { said, sender, asked_at } = claim;
        if said != sender {
            return Err(format!("says that process {said} is the vassal, but process {sender} says it"));
        }
        if seen.parent != self.emperor {
            return Err(format!(
                "says so of process {sender}, which is no orphan of a vassal of this Emperor's: it is to fork twice, and to be a vassal itself"
            ));
        }
        if seen.began < asked_at {
            return Err(format!("says so of process {sender}, which is older than the question"));
        }
        self.judge_ids(sender, seen)?;
        self.judge_rights(sender, seen)
    }

    fn judge_ids(&self, sender: i32, seen: &Seen) -> Result<(), String> {
        let (Owner { uid, gid }, groups) = match &self.identity {
            Some(identity) => (Owner { uid: identity.uid, gid: identity.gid }, Some(&identity.groups)),
            None => (self.own, None),
        };
        let all = |ids: &[u32], id| ids.len() == 4 && ids.iter().all(|one| *one == id);
        if !all(&seen.uids, uid) || !all(&seen.gids, gid) {
            let (uids, gids) = (&seen.uids, &seen.gids);
            return Err(format!(
                "made process {sender} with uids {uids:?} and gids {gids:?}, not {uid}:{gid}"
            ));
        }
        let sorted = |list: &[u32]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list.dedup();
            list
        };
        match groups {
            Some(groups) if sorted(groups) != sorted(&seen.groups) => {
                Err(format!("made process {sender} with the groups {:?}, not {groups:?}", seen.groups))
            }
            _ => Ok(()),
        }
    }

    fn judge_rights(&self, sender: i32, seen: &Seen) -> Result<(), String> {
        let without = |what: &str| Err(format!("made process {sender} {what}"));
        if self.identity.is_some() && seen.capabilities != 0 {
            return without("with capabilities");
        }
        if self.bounding.is_some_and(|bounding| seen.bounding & !bounding.0 != 0) {
            return without("which can gain capabilities (its bounding set)");
        }
        if self.no_new_privs && !(seen.no_new_privs && seen.filtered) {
            return without("without no_new_privs, or without a filter of system calls");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPEROR: i32 = 50;
    const CLAIM: Claim = Claim { said: 77, sender: 77, asked_at: 1000 };

    fn wanted() -> Wanted {
        let identity = Some(Identity { uid: 1001, gid: 1002, groups: vec![5, 4] });
        let own = Owner { uid: 0, gid: 0 };
        Wanted { identity, own, bounding: Some(Capabilities::NONE), no_new_privs: true, emperor: EMPEROR }
    }

    fn status(changes: &[(&str, &str)]) -> String {
        let lines = [
            ("Name", "a) 1"),
            ("PPid", "50"),
            ("Uid", "1001\t1001\t1001\t1001"),
            ("Gid", "1002\t1002\t1002\t1002"),
            ("Groups", "4 5 "),
            ("CapInh", "0000000000000000"),
            ("CapPrm", "0000000000000000"),
            ("CapEff", "0000000000000000"),
            ("CapBnd", "0000000000000000"),
            ("CapAmb", "0000000000000000"),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
            ("Seccomp_filters", "1"),
        ];
        let value = |name, value| changes.iter().find(|(one, _)| *one == name).map_or(value, |(_, new)| *new);
        lines.iter().map(|(name, old)| format!("{name}:\t{}\n", value(*name, *old))).collect()
    }

    fn stat(began: u64) -> String {
        format!("77 (a) b) S 50 {}{began} 7 8", "0 ".repeat(17))
    }

    fn judged(claim: Claim, changes: &[(&str, &str)]) -> Result<(), String> {
        let seen = Seen::parse(&status(changes), &stat(1000)).expect("whole");
        wanted().judge(claim, &seen)
    }

    #[test]
    fn a_process_that_stands_as_ours_do_is_the_vassal() {
        assert_eq!(judged(CLAIM, &[]), Ok(()));
        assert_eq!(began(&stat(4711)), Some(4711));
    }

    #[test]
    fn whatever_is_not_as_asked_for_is_refused() {
        let changed = [
            ("PPid", "51"),
            ("Uid", "1001\t0\t1001\t1001"),
            ("Uid", "0\t0\t0\t0"),
            ("Gid", "1002\t1002\t0\t1002"),
            ("Groups", "4 5 6"),
            ("Groups", ""),
            ("CapInh", "0000000000000001"),
            ("CapPrm", "0000000000000001"),
            ("CapEff", "0000000000000001"),
            ("CapAmb", "0000000000000001"),
            ("CapBnd", "0000000000000001"),
            ("NoNewPrivs", "0"),
            ("Seccomp", "0"),
        ];
        for change in changed {
            assert!(judged(CLAIM, &[change]).is_err(), "{change:?}");
        }
        assert!(judged(Claim { said: 78, ..CLAIM }, &[]).is_err(), "somebody else speaks");
        assert!(judged(Claim { asked_at: 1001, ..CLAIM }, &[]).is_err(), "it was there before");
    }

    #[test]
    fn who_cannot_be_looked_at_is_nobody() {
        assert_eq!(Seen::parse("", &stat(1)), None);
        assert_eq!(Seen::parse(&status(&[("CapEff", "x")]), &stat(1)), None);
        assert_eq!(Seen::parse(&status(&[]), "77 (a"), None);
    }

    #[test]
    fn where_no_ids_are_given_they_are_ours() {
        let own = Owner { uid: 7, gid: 8 };
        let lax = Wanted { identity: None, own, bounding: None, no_new_privs: false, ..wanted() };
        let ids =
            |uid, gid| [("Uid", uid), ("Gid", gid), ("CapEff", "00000000000000ff"), ("NoNewPrivs", "0")];
        let judged = |changes: &[(&str, &str)]| {
            lax.judge(CLAIM, &Seen::parse(&status(changes), &stat(1000)).expect("whole"))
        };
        assert_eq!(judged(&ids("7 7 7 7", "8 8 8 8")), Ok(()));
        assert!(judged(&ids("7 7 7 7", "7 7 7 7")).is_err());
    }
}
