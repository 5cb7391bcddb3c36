//! `emperor-magic-exec`: which configs are programs. The vassal is asked, so to speak: its ids, on the open file.

use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, fstat};

use super::charter::Charter;
use super::owners::groups;
use super::owners::own_ids;
use crate::emperor::event::Owner;
use crate::trust::Trust;

/// Whether the vassal of this config may read and execute it, by its mode (access lists make no program).
///
/// Must not: run anything. What a program prints is asked for by the vassal itself, in its jail.
pub fn is_program(charter: &Charter, config: BorrowedFd<'_>, trust: Trust) -> bool {
    if !charter.magic_exec {
        return false;
    }
    let who = charter.owner_of(trust, own_ids());
    // A file that cannot be looked at is at worst read as text.
    fstat(config).is_ok_and(|found| {
        let owner = Owner { uid: found.st_uid, gid: found.st_gid };
        may_execute(Mode::from_raw_mode(found.st_mode), owner, who, &groups(charter, who.uid))
    })
}

/// As the kernel decides: the first class that fits counts, and root needs anybody's right to execute.
fn may_execute(mode: Mode, owner: Owner, who: Owner, groups: &[u32]) -> bool {
    let any = Mode::XUSR | Mode::XGRP | Mode::XOTH;
    let wanted = match who {
        Owner { uid: 0, .. } => return mode.intersects(any),
        Owner { uid, .. } if uid == owner.uid => Mode::RUSR | Mode::XUSR,
        Owner { gid, .. } if gid == owner.gid || groups.contains(&owner.gid) => Mode::RGRP | Mode::XGRP,
        Owner { .. } => Mode::ROTH | Mode::XOTH,
    };
    mode.contains(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_the_vassal_decide_what_is_executable() {
        let (root, alice, bob) =
            (Owner { uid: 0, gid: 0 }, Owner { uid: 1, gid: 1 }, Owner { uid: 2, gid: 2 });
        let may =
            |mode, owner, who, groups: &[u32]| may_execute(Mode::from_raw_mode(mode), owner, who, groups);
        assert!(may(0o700, alice, alice, &[]) && may(0o755, root, alice, &[]));
        assert!(!may(0o600, alice, alice, &[]) && !may(0o744, root, alice, &[]));
        assert!(!may(0o075, alice, alice, &[]), "the owner's own class counts, not a wider one");
        assert!(may(0o750, bob, alice, &[2]) && !may(0o705, bob, alice, &[2]));
        assert!(may(0o100, alice, root, &[]) && !may(0o666, alice, root, &[]));
    }
}
