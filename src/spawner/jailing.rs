//! Pure. `jail` of the Emperor: what the jail of one vassal is.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use caps::Capability;
use jail::plan::standard::{self, Strictness};
use jail::plan::{Device, HARMLESS, Made, Mount, Rootfs, Scopes, Source, TUN};
use jail::{Capabilities, Namespaces};
use serde::{Deserialize, Serialize};

use super::charter::{Charter, Filtering, VassalProgram};
use crate::emperor::event::Owner;
use crate::trust::Trust;

/// Who a vassal is in its own user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inside {
    /// It has none.
    Host,
    /// Root. `true`: until its phases of root are over; then its owner, in one more namespace.
    Root(bool),
    /// Its owner from the beginning, without any right.
    Owner,
}

/// What of the host a jail is built on.
#[derive(Clone, Debug, Default)]
pub struct Scenery {
    /// The path of the directory of the config.
    pub path: Option<PathBuf>,
    /// Directories that stay writable where all others do not.
    pub kept: Vec<(PathBuf, Kept)>,
    /// It is born before a backdrop.
    pub backdrop: bool,
}

/// How such a directory gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Lent by a spawner that may.
    Lent(RawFd),
    /// By its path.
    Named,
}

impl Charter {
    /// The namespaces of a vassal of this trust.
    pub fn namespaces_of(&self, trust: Trust) -> Namespaces {
        let given_up = self.jail.is_some() && !self.stays_root(trust);
        if given_up { self.namespaces.with(Namespaces::USER) } else { self.namespaces }
    }

    /// Who such a vassal is in its user namespace.
    pub fn inside(&self, trust: Trust) -> Inside {
        match (self.namespaces_of(trust).has(Namespaces::USER), self.jail) {
            (false, _) => Inside::Host,
            (true, None) => Inside::Root(false),
            (true, Some(_)) if self.has_phases_of_root() => Inside::Root(true),
            (true, Some(_)) => Inside::Owner,
        }
    }

    /// True where no vassal comes to a network that was made beforehand.
    pub fn always_user(&self) -> bool {
        let jailed = self.jail.is_some() && (self.tyrant || !self.stays_root(Trust::Trusted));
        self.namespaces.has(Namespaces::USER) || jailed
    }

    /// The owner outside of a vassal that is not root of the host.
    pub fn owner_of(&self, trust: Trust, own: Owner) -> Owner {
        match trust {
            Trust::Tenant(owner) if self.privileged => owner,
            _ => self.identity.unwrap_or(own),
        }
    }

    /// Whether a vassal that is born outside of our network gets a way to it: root of the host alone may have one, who
    /// keeps the rights for it whatever we do, and no program but our own master knows what it is.
    pub fn lends_network(&self, trust: Trust) -> bool {
        let is_apart = self.namespaces_of(trust).has(Namespaces::NET);
        let is_ours = self.program == VassalProgram::Own;
        is_apart && is_ours && self.inside(trust) == Inside::Host && self.stays_root(trust)
    }

    fn stays_root(&self, trust: Trust) -> bool {
        self.privileged && trust == Trust::Trusted && self.identity.is_none()
    }

    /// Only our own master knows when they are over. A profile of the administrator's need not let it mount, nor become
    /// somebody else; and who maps the root of a namespace once more needs CAP_SETFCAP (`user_namespaces(7)`).
    fn has_phases_of_root(&self) -> bool {
        let may_map = self.vassal_capabilities.is_none_or(|listed| listed.has(Capability::CAP_SETFCAP));
        let known = !matches!(self.filtering, Filtering::Chosen(_));
        self.program == VassalProgram::Own && known && may_map
    }

    /// Devices of a jail besides those of any: what it takes to reach a router.
    pub fn devices(&self) -> &'static [Device] {
        if self.routers.is_empty() { &[] } else { &[TUN] }
    }

    /// What reaches nobody outside.
    pub fn scopes(&self) -> Scopes {
        match (self.scoped, self.jail) {
            (false, _) => Scopes::default(),
            (true, Some(Strictness::Strict)) => Scopes::ABSTRACT_SOCKETS.with(Scopes::SIGNALS),
            (true, _) => Scopes::ABSTRACT_SOCKETS,
        }
    }
}

/// What root of such a user namespace keeps.
pub fn kept(charter: &Charter, inside: Inside) -> Capabilities {
    match inside {
        Inside::Host | Inside::Owner => Capabilities::NONE,
        Inside::Root(_) => charter.vassal_capabilities.unwrap_or(Capabilities::all()),
    }
}

/// The file system of one vassal, if the jail has one.
pub fn mounts(charter: &Charter, inside: Inside, scenery: &Scenery) -> Option<Rootfs> {
    let strictness = charter.jail?;
    let strict = strictness == Strictness::Strict;
    let user = inside != Inside::Host;
    let mut mounts = Vec::new();
    if !scenery.backdrop {
        // Without the right to make one for all: each for itself, as far as its user may.
        let all = standard::backdrop(strictness, Made::Bound, charter.devices()).mounts;
        mounts.extend(all.into_iter().filter(is_needed_below));
        // Root first: what lies above it is to be written to.
        mounts.sort_by_key(|mount| mount.target != Path::new("/"));
    }
    mounts.extend(standard::own(strictness, user));
    mounts.extend(scenery.kept.iter().filter(|_| strict).map(|(path, kept)| match kept {
        Kept::Lent(tree) => standard::lent(path, *tree),
        Kept::Named => named(path),
    }));
    Some(Rootfs { mounts, ..Rootfs::default() })
}

/// Not what its own mounts cover.
fn is_needed_below(mount: &Mount) -> bool {
    !["/tmp", "/proc", "/run"].iter().any(|covered| mount.target == Path::new(covered))
}

fn named(path: &Path) -> Mount {
    Mount { target: path.into(), source: Source::Before(path.into()), attributes: HARMLESS }
}

#[cfg(test)]
mod tests {
    use jail::plan::Filter;

    use super::*;
    use crate::spawner::charter::{Leftover, Lodging};

    const OWNER: Owner = Owner { uid: 1001, gid: 1001 };

    fn tyrant() -> Charter {
        Charter {
            privileged: true,
            tyrant: true,
            jail: Some(Strictness::Standard),
            namespaces: standard::standard_namespaces(),
            ..Charter::default()
        }
    }

    #[test]
    fn only_root_of_the_host_has_no_user_namespace() {
        let tenant = Trust::Tenant(OWNER);
        let user = |charter: &Charter, trust| charter.namespaces_of(trust).has(Namespaces::USER);
        let lenient = Charter { tyrant: false, ..tyrant() };
        assert!(user(&lenient, tenant) && !user(&lenient, Trust::Trusted));
        let ordinary = Charter { privileged: false, ..lenient.clone() };
        let given_up = Charter { identity: Some(OWNER), ..lenient.clone() };
        assert!(user(&ordinary, Trust::Trusted) && user(&given_up, Trust::Trusted));
        assert!(tyrant().always_user() && !lenient.always_user());
        let unjailed = Charter { jail: None, ..tyrant() };
        assert!(!user(&unjailed, tenant));
        assert_eq!(unjailed.inside(tenant), Inside::Host);
    }

    #[test]
    fn root_inside_is_there_only_where_our_master_ends_it() {
        let inside = |charter: Charter| charter.inside(Trust::Tenant(OWNER));
        assert_eq!(inside(tyrant()), Inside::Root(true));
        let others = VassalProgram::Path("/usr/bin/uwsgi".into());
        assert_eq!(inside(Charter { program: others, ..tyrant() }), Inside::Owner);
        let chosen = Filtering::Chosen(Filter::standard());
        assert_eq!(inside(Charter { filtering: chosen, ..tyrant() }), Inside::Owner);
        let listed = Some(Capabilities::of(&[Capability::CAP_CHOWN]));
        assert_eq!(inside(Charter { vassal_capabilities: listed, ..tyrant() }), Inside::Owner);
        let namespaces = Namespaces::USER;
        assert_eq!(inside(Charter { jail: None, namespaces, ..tyrant() }), Inside::Root(false));
    }

    #[test]
    fn a_jail_mounts_what_is_its_own_above_what_all_share() {
        let shown = |scenery: &Scenery, strictness| {
            let charter = Charter { jail: Some(strictness), ..tyrant() };
            mounts(&charter, Inside::Root(true), scenery).expect("a jail").to_string()
        };
        let kept = vec![("/home/shop".into(), Kept::Lent(7))];
        let scenery = Scenery { path: None, kept, backdrop: true };
        insta::assert_snapshot!(shown(&scenery, Strictness::Standard), @"
        build the file system
            /tmp: memory, at most a tenth of the machine's (nosuid,nodev)
            /dev/pts: terminals of its own (nosuid,noexec)
            /dev/shm: memory, at most a tenth of the machine's (nosuid,nodev,noexec)
            /proc: proc of this pid namespace (nosuid,nodev,noexec)
            read back what was mounted
        ");
        insta::assert_snapshot!(shown(&scenery, Strictness::Strict), @"
        build the file system
            /run: memory, at most a tenth of the machine's (nosuid,nodev,noexec)
            /tmp: memory, at most a tenth of the machine's (nosuid,nodev)
            /dev/pts: terminals of its own (nosuid,noexec)
            /dev/shm: memory, at most a tenth of the machine's (nosuid,nodev,noexec)
            /proc: proc of this pid namespace (nosuid,nodev,noexec)
            /home/shop: as it is outside (nosuid,nodev)
            read back what was mounted
        ");
        let alone = Scenery { backdrop: false, ..scenery };
        let text = shown(&alone, Strictness::Strict);
        let root = text.lines().nth(1).expect("a mount");
        assert_eq!(root.trim(), "/: as it is (ro)", "{text}");
        assert!(
            !text.contains("tun")
                && text.contains("/dev: as it is (ro)")
                && text.contains("/dev/null: device 1:3 as it is outside"),
            "{text}"
        );
    }

    #[test]
    fn a_jail_has_the_device_of_networks_where_there_is_a_router() {
        let socket = Leftover { path: "/s".into(), device: 1, inode: 2, pid: None };
        let routers = vec![Lodging { device: "emperor0".into(), socket }];
        let charter = Charter { routers, ..tyrant() };
        let text = mounts(&charter, Inside::Owner, &Scenery::default()).expect("a jail").to_string();
        let lines = "    /dev/net: an empty directory\n    /dev/null: device 1:3 as it is outside";
        assert!(text.contains(lines), "{text}");
        assert!(text.contains("/dev/net/tun: device 10:200 as it is outside (ro,nosuid,noexec)"), "{text}");
    }
}
