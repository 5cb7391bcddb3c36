//! Pure. From what was stat'ed on the way to a config: whether it may run, and how far it is trusted.
//!
//! One rule: everything on the way (directories, links, the file) belongs to root or to the owner that counts, and
//! nobody else can write it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CONFIG_MAX, Trust, TrustPolicy};
use crate::emperor::event::Owner;

/// What the kernel's `nobody` is called where an id has no meaning in this user namespace or on this NFS server.
const OVERFLOW_ID: u32 = 65_534;

/// Only who owns a name may remove it (`inode(7)`).
const STICKY: u32 = 0o1000;

/// What something in the file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the kinds of stat(2)")]
pub enum Kind {
    File,
    Directory,
    Link,
    Fifo,
    Socket,
    Device,
    Unknown,
}

/// What stat says of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Who owns it.
    pub owner: Owner,
    /// Permission bits, with the sticky bit.
    pub mode: u32,
    /// Number of hard links.
    pub links: u32,
    /// Bytes.
    pub size: u64,
    /// Group-writable, but the group is the owner's own and no access list says otherwise.
    pub private_group: bool,
}

/// All that was passed on the way to a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The link, if the name was one.
    pub link: Option<Facts>,
    /// Directories and links that were passed.
    pub passed: Vec<Facts>,
    /// What stands at its end.
    pub file: Facts,
}

/// Who counts as the owner, and how far the config is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The owner.
    pub owner: Owner,
    /// How far.
    pub trust: Trust,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a regular file.
    Kind(Kind),
    /// Larger than `CONFIG_MAX`.
    TooLarge,
    /// Has other names, which may be in other people's directories.
    HardLinked(u32),
    /// Others than its owner can write the file: its mode.
    FileWritable(u32),
    /// A link of one user to another user's file: link's uid, file's uid.
    ForeignTarget(u32, u32),
    /// What was passed (by its place in `Way::passed`) belongs to a third party: its uid, the config's.
    ForeignWay(usize, u32, u32),
    /// Others than its owner can write a directory that was passed: its mode.
    WayWritable(usize, u32),
    /// Tyrant mode: the config is root's.
    RootOwned(Owner),
    /// Tyrant mode: its owner has no id here.
    UnmappedOwner(Owner),
}

impl Fault {
    /// Which of the things passed is meant.
    pub fn place(&self) -> Option<usize> {
        match self {
            Self::ForeignWay(place, ..) | Self::WayWritable(place, _) => Some(*place),
            _ => None,
        }
    }

    /// The sentence for people; `path` is that of `place`.
    pub fn sentence(&self, path: &str) -> String {
        match self {
            Self::Kind(kind) => format!("it is {kind}, not a regular file"),
            Self::TooLarge => format!("it is larger than {CONFIG_MAX} bytes"),
            Self::HardLinked(links) => format!("it has {links} hard links; a config has exactly one name"),
            Self::FileWritable(mode) => {
                format!("others than its owner can write it (mode {mode:04o}); chmod go-w the file")
            }
            Self::ForeignTarget(link, file) => {
                format!("link owned by uid {link} points to a file of uid {file}")
            }
            Self::ForeignWay(_, uid, owner) => {
                format!(
                    "{path} belongs to uid {uid}, who is neither root nor the owner (uid {owner}); chown it"
                )
            }
            // Directories such as /tmp are meant to be so.
            Self::WayWritable(_, mode) if mode & STICKY != 0 => {
                format!(
                    "everybody can write {path} (mode {mode:04o}); move the configs to a directory of their own"
                )
            }
            Self::WayWritable(_, mode) => {
                format!("others than its owner can write {path} (mode {mode:04o}); chmod go-w {path}")
            }
            Self::RootOwned(owner) => {
                format!(
                    "it belongs to uid {} gid {}: with emperor-tyrant nothing runs as root; chown it",
                    owner.uid, owner.gid
                )
            }
            Self::UnmappedOwner(owner) => {
                format!("it belongs to uid {} gid {}, which is nobody here; chown it", owner.uid, owner.gid)
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a regular file",
            Self::Directory => "a directory",
            Self::Link => "a link to another link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Unknown => "of a kind of its own",
        })
    }
}

/// May it run, as whose, and how far is it trusted?
pub fn judge(way: &Way, policy: &TrustPolicy) -> Result<Verdict, Fault> {
    judge_shape(&way.file)?;
    let owner = counting_owner(way, policy);
    if policy.tyrant {
        judge_tyrant(owner)?;
    }
    if !policy.privileged {
        judge_common_decency(way)?;
        return Ok(Verdict { owner, trust: Trust::Tenant(owner) });
    }
    judge_file(way, owner)?;
    judge_reach(way)?;
    for (place, facts) in way.passed.iter().enumerate() {
        judge_passed(place, facts, owner)?;
    }
    Ok(Verdict { owner, trust: trust(way, policy, owner) })
}

fn judge_shape(file: &Facts) -> Result<(), Fault> {
    match file.kind {
        Kind::File if file.size > CONFIG_MAX => Err(Fault::TooLarge),
        Kind::File => Ok(()),
        kind => Err(Fault::Kind(kind)),
    }
}

fn counting_owner(way: &Way, policy: &TrustPolicy) -> Owner {
    way.link.filter(|_| policy.tyrant_nofollow).map_or(way.file.owner, |link| link.owner)
}

fn judge_tyrant(owner: Owner) -> Result<(), Fault> {
    let nobody = |id| id == u32::MAX || id == OVERFLOW_ID;
    if owner.uid == 0 || owner.gid == 0 {
        return Err(Fault::RootOwned(owner));
    }
    if nobody(owner.uid) || nobody(owner.gid) {
        return Err(Fault::UnmappedOwner(owner));
    }
    Ok(())
}

/// An ordinary user loses no more than his own to those he lets write: only the whole world is kept out.
fn judge_common_decency(way: &Way) -> Result<(), Fault> {
    if way.file.mode & 0o002 != 0 {
        return Err(Fault::FileWritable(way.file.mode));
    }
    let open = |facts: &Facts| facts.kind == Kind::Directory && facts.mode & 0o1002 == 0o002;
    way.passed
        .iter()
        .position(open)
        .map_or(Ok(()), |place| Err(Fault::WayWritable(place, way.passed[place].mode)))
}

fn judge_file(way: &Way, owner: Owner) -> Result<(), Fault> {
    let (file, link) = (&way.file, way.link.unwrap_or(way.file));
    if !is_of(link.owner, owner) || !is_of(file.owner, owner) {
        return Err(Fault::ForeignTarget(link.owner.uid, file.owner.uid));
    }
    if file.mode & 0o022 != 0 {
        return Err(Fault::FileWritable(file.mode));
    }
    if file.links != 1 && (file.owner.uid != 0 || owner.uid != 0) {
        return Err(Fault::HardLinked(file.links));
    }
    Ok(())
}

/// A link whose own owner counts, in a directory of his, opens nothing of root's: he may have no right to read it.
/// In a directory of root's it was root who put it there.
fn judge_reach(way: &Way) -> Result<(), Fault> {
    let Some(link) = way.link else { return Ok(()) };
    let planted = way.passed.first().is_some_and(|directory| directory.owner.uid != 0);
    if planted && link.owner.uid != 0 && link.owner.uid != way.file.owner.uid {
        return Err(Fault::ForeignTarget(link.owner.uid, way.file.owner.uid));
    }
    Ok(())
}

/// A sticky directory is no exception: whoever may create in it may plant what the owner did not write.
fn judge_passed(place: usize, facts: &Facts, owner: Owner) -> Result<(), Fault> {
    if !is_of(facts.owner, owner) {
        return Err(Fault::ForeignWay(place, facts.owner.uid, owner.uid));
    }
    if facts.kind == Kind::Directory && is_writable_by_others(facts) {
        return Err(Fault::WayWritable(place, facts.mode));
    }
    Ok(())
}

/// With an access list, the group bits are its mask: clear ones mean that it lets nobody else write either.
fn is_writable_by_others(facts: &Facts) -> bool {
    facts.mode & 0o002 != 0 || facts.mode & 0o020 != 0 && !facts.private_group
}

fn is_of(found: Owner, owner: Owner) -> bool {
    found.uid == 0 || found.uid == owner.uid
}

fn trust(way: &Way, policy: &TrustPolicy, owner: Owner) -> Trust {
    let roots = way.file.owner.uid == 0
        && way.link.is_none_or(|link| link.owner.uid == 0)
        && way.passed.iter().all(|facts| facts.owner.uid == 0);
    if roots && !policy.tyrant { Trust::Trusted } else { Trust::Tenant(owner) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Owner = Owner { uid: 0, gid: 0 };
    const ALICE: Owner = Owner { uid: 1000, gid: 1000 };
    const BOB: Owner = Owner { uid: 1001, gid: 1001 };
    const ADMIN: TrustPolicy =
        TrustPolicy { tyrant: false, nofollow: false, tyrant_nofollow: false, privileged: true };
    const TYRANT: TrustPolicy = TrustPolicy { tyrant: true, ..ADMIN };
    const LINKS: TrustPolicy = TrustPolicy { tyrant_nofollow: true, ..TYRANT };
    const USER: TrustPolicy = TrustPolicy { privileged: false, ..ADMIN };

    fn facts(kind: Kind, owner: Owner, mode: u32) -> Facts {
        Facts { kind, owner, mode, links: 1, size: 10, private_group: false }
    }

    fn file(owner: Owner, mode: u32) -> Facts {
        facts(Kind::File, owner, mode)
    }

    fn dir(owner: Owner, mode: u32) -> Facts {
        facts(Kind::Directory, owner, mode)
    }

    fn way(link: Option<Owner>, passed: &[Facts], file: Facts) -> Way {
        Way { link: link.map(|owner| facts(Kind::Link, owner, 0o777)), passed: passed.to_vec(), file }
    }

    fn runs(owner: Owner, trust: Trust) -> Result<Verdict, Fault> {
        Ok(Verdict { owner, trust })
    }

    #[test]
    fn plain_files() {
        let etc = [dir(ROOT, 0o755), dir(ROOT, 0o755)];
        let home = [dir(ALICE, 0o750), dir(ROOT, 0o755)];
        let cases = [
            (&etc, file(ROOT, 0o644), ADMIN, runs(ROOT, Trust::Trusted)),
            (&etc, file(ALICE, 0o644), ADMIN, runs(ALICE, Trust::Tenant(ALICE))),
            (&home, file(ALICE, 0o600), TYRANT, runs(ALICE, Trust::Tenant(ALICE))),
            (&home, file(ROOT, 0o644), ADMIN, Err(Fault::ForeignWay(0, 1000, 0))),
            (&home, file(BOB, 0o644), TYRANT, Err(Fault::ForeignWay(0, 1000, 1001))),
            (&etc, file(ALICE, 0o664), TYRANT, Err(Fault::FileWritable(0o664))),
            (&etc, file(ALICE, 0o646), ADMIN, Err(Fault::FileWritable(0o646))),
            (&etc, file(ROOT, 0o644), TYRANT, Err(Fault::RootOwned(ROOT))),
            (&etc, facts(Kind::Fifo, ALICE, 0o644), TYRANT, Err(Fault::Kind(Kind::Fifo))),
            (&etc, facts(Kind::Directory, ROOT, 0o755), ADMIN, Err(Fault::Kind(Kind::Directory))),
            (&etc, Facts { size: CONFIG_MAX + 1, ..file(ROOT, 0o644) }, ADMIN, Err(Fault::TooLarge)),
            (&etc, Facts { size: CONFIG_MAX, ..file(ROOT, 0o644) }, ADMIN, runs(ROOT, Trust::Trusted)),
            (&etc, Facts { links: 2, ..file(ROOT, 0o644) }, ADMIN, runs(ROOT, Trust::Trusted)),
            (&home, Facts { links: 2, ..file(ALICE, 0o644) }, TYRANT, Err(Fault::HardLinked(2))),
            (&etc, Facts { links: 2, ..file(ALICE, 0o644) }, ADMIN, Err(Fault::HardLinked(2))),
        ];
        for (number, (passed, file, policy, expected)) in cases.into_iter().enumerate() {
            assert_eq!(judge(&way(None, passed, file), &policy), expected, "case {number}");
        }
    }

    #[test]
    fn nobody_is_nobody() {
        let etc = [dir(ROOT, 0o755)];
        for (uid, gid) in [(0, 1000), (1000, 0)] {
            let owner = Owner { uid, gid };
            assert_eq!(judge(&way(None, &etc, file(owner, 0o644)), &TYRANT), Err(Fault::RootOwned(owner)));
        }
        for (uid, gid) in [(65_534, 1000), (1000, 65_534), (u32::MAX, 1000), (1000, u32::MAX)] {
            let owner = Owner { uid, gid };
            assert_eq!(
                judge(&way(None, &etc, file(owner, 0o644)), &TYRANT),
                Err(Fault::UnmappedOwner(owner))
            );
        }
    }

    #[test]
    fn links() {
        let etc = [dir(ROOT, 0o755)];
        let cases = [
            (ROOT, ROOT, ADMIN, runs(ROOT, Trust::Trusted)),
            (ROOT, ALICE, ADMIN, runs(ALICE, Trust::Tenant(ALICE))),
            (ROOT, ALICE, TYRANT, runs(ALICE, Trust::Tenant(ALICE))),
            (ALICE, ALICE, TYRANT, runs(ALICE, Trust::Tenant(ALICE))),
            (ALICE, BOB, TYRANT, Err(Fault::ForeignTarget(1000, 1001))),
            (ALICE, ROOT, ADMIN, Err(Fault::ForeignTarget(1000, 0))),
            (ALICE, ROOT, TYRANT, Err(Fault::RootOwned(ROOT))),
            (ALICE, ROOT, LINKS, runs(ALICE, Trust::Tenant(ALICE))),
            (ALICE, BOB, LINKS, Err(Fault::ForeignTarget(1000, 1001))),
            (ALICE, ALICE, LINKS, runs(ALICE, Trust::Tenant(ALICE))),
            (ROOT, ALICE, LINKS, Err(Fault::RootOwned(ROOT))),
        ];
        for (number, (link, owner, policy, expected)) in cases.into_iter().enumerate() {
            assert_eq!(judge(&way(Some(link), &etc, file(owner, 0o644)), &policy), expected, "case {number}");
        }
    }

    #[test]
    fn a_link_that_its_owner_could_make_himself_leads_to_no_file_of_roots() {
        let cases = [(dir(ALICE, 0o755), Err(Fault::ForeignTarget(1000, 0))), (dir(ROOT, 0o755), Ok(()))];
        for (first, expected) in cases {
            let way = way(Some(ALICE), &[first, dir(ROOT, 0o755)], file(ROOT, 0o600));
            assert_eq!(judge(&way, &LINKS).map(drop), expected);
        }
    }

    #[test]
    fn the_way_belongs_to_root_or_the_owner_and_nobody_else_writes_it() {
        let cases = [
            (dir(ROOT, 0o755), Ok(())),
            (dir(ALICE, 0o711), Ok(())),
            (dir(BOB, 0o755), Err(Fault::ForeignWay(1, 1001, 1000))),
            (dir(ROOT, 0o777), Err(Fault::WayWritable(1, 0o777))),
            (dir(ROOT, 0o1777), Err(Fault::WayWritable(1, 0o1777))),
            (dir(ALICE, 0o775), Err(Fault::WayWritable(1, 0o775))),
            (Facts { private_group: true, ..dir(ALICE, 0o775) }, Ok(())),
            (Facts { private_group: true, ..dir(ALICE, 0o777) }, Err(Fault::WayWritable(1, 0o777))),
            (facts(Kind::Link, ALICE, 0o777), Ok(())),
            (facts(Kind::Link, BOB, 0o777), Err(Fault::ForeignWay(1, 1001, 1000))),
        ];
        for (number, (passed, expected)) in cases.into_iter().enumerate() {
            let way = way(None, &[dir(ROOT, 0o755), passed], file(ALICE, 0o644));
            assert_eq!(judge(&way, &ADMIN).map(|_| ()), expected, "case {number}");
        }
    }

    #[test]
    fn root_trusts_nothing_that_passes_through_other_hands() {
        let private = Facts { private_group: true, ..dir(ROOT, 0o775) };
        let trusted = judge(&way(None, &[private], file(ROOT, 0o644)), &ADMIN);
        assert_eq!(trusted, runs(ROOT, Trust::Trusted));
        let linked = way(Some(ROOT), &[dir(ALICE, 0o755)], file(ALICE, 0o644));
        assert_eq!(judge(&linked, &ADMIN), runs(ALICE, Trust::Tenant(ALICE)));
    }

    #[test]
    fn an_ordinary_user_keeps_only_the_world_out() {
        let cases = [
            (dir(ALICE, 0o775), file(ALICE, 0o664), None),
            (dir(ROOT, 0o1777), file(ALICE, 0o644), None),
            (dir(BOB, 0o755), Facts { links: 3, ..file(BOB, 0o644) }, None),
            (dir(ALICE, 0o777), file(ALICE, 0o644), Some(Fault::WayWritable(0, 0o777))),
            (dir(ALICE, 0o755), file(ALICE, 0o666), Some(Fault::FileWritable(0o666))),
        ];
        for (number, (passed, file, expected)) in cases.into_iter().enumerate() {
            assert_eq!(judge(&way(None, &[passed], file), &USER).err(), expected, "case {number}");
        }
        let trust =
            judge(&way(None, &[dir(ROOT, 0o755)], file(ROOT, 0o644)), &USER).map(|verdict| verdict.trust);
        assert_eq!(trust, Ok(Trust::Tenant(ROOT)), "who has no power lends none");
    }

    #[test]
    fn a_sentence_names_the_path_and_the_cure() {
        assert_eq!(
            Fault::WayWritable(0, 0o777).sentence("/srv/x"),
            "others than its owner can write /srv/x (mode 0777); chmod go-w /srv/x"
        );
        assert!(!Fault::WayWritable(0, 0o1777).sentence("/tmp").contains("chmod"), "it is meant to be so");
        assert_eq!(Fault::ForeignTarget(7, 8).sentence(""), "link owned by uid 7 points to a file of uid 8");
    }
}
