//! Pure. What whoever joins a running jail is held by: the same as those who were born in it.

use serde::{Deserialize, Serialize};

use super::{Capabilities, Fence, Filter, Identity, Scopes, Setting, Step};

/// The limits of a jail, as its maker knows them. Nothing of it is ever read from inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restraint {
    /// As those of [`super::Spec`].
    pub settings: Vec<Setting>,
    /// Gains no privileges by whatever it runs.
    pub no_new_privs: bool,
    /// What reaches nobody outside of the jail (`LANDLOCK_SCOPE_*`).
    pub scopes: u64,
    /// What may be asked of the kernel.
    pub filters: Vec<Filter>,
    /// Filters of programs besides: those of the vassal's own command.
    pub program_filters: Vec<Filter>,
    /// What root of the jail may hold, and its bounding set.
    pub root: Capabilities,
}

/// Who somebody is in a user namespace that he has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its only id, or root.
    pub identity: Identity,
    /// Supplementary groups cannot be changed there.
    pub groups_stay: bool,
}

impl Joined {
    /// From the files `uid_map`, `gid_map` and `setgroups` of a process in it (`user_namespaces(7)`); `None` where nobody has a
    /// number there yet.
    pub fn of(uid_map: &str, gid_map: &str, setgroups: &str) -> Option<Self> {
        let identity = Identity { uid: first_id(uid_map)?, gid: first_id(gid_map)?, groups: Vec::new() };
        Some(Self { identity, groups_stay: setgroups.starts_with("deny") })
    }
}

/// Root where it has a number, else the first that has one.
fn first_id(map: &str) -> Option<u32> {
    let first = |line: &str| line.split_whitespace().next()?.parse::<u32>().ok();
    let ids: Vec<u32> = map.lines().filter_map(first).collect();
    ids.iter().copied().find(|id| *id == 0).or(ids.first().copied())
}

impl Restraint {
    /// What is done before any namespace is joined, with the rights of who joins.
    pub fn before(&self) -> Vec<Step> {
        let settings = self.settings.iter().cloned().map(Step::Set);
        settings.chain(self.no_new_privs.then_some(Step::NoNewPrivs)).collect()
    }

    /// What is done at once after a user namespace was joined, before anything of the jail is touched: a filter that is put
    /// on sooner would refuse to join.
    pub fn inside(&self, joined: &Joined) -> Vec<Step> {
        let who = &joined.identity;
        // Joining has filled all sets.
        let keep = if who.uid == 0 { self.root } else { Capabilities::NONE };
        let identity = match joined.groups_stay {
            true => Step::IdentityKeepingGroups(who.clone(), keep),
            false => Step::Identity(who.clone(), keep),
        };
        let fence = Fence { scopes: Scopes(self.scopes), ..Fence::default() };
        let fence = (self.no_new_privs && self.scopes != 0).then_some(Step::Landlock(fence));
        let filters = self.filters.iter().map(|filter| Step::Filter(*filter));
        [Step::Bound(keep), identity].into_iter().chain(fence).chain(filters).collect()
    }

    /// What is done before a program of the jail takes over.
    pub fn program(&self) -> Vec<Step> {
        self.program_filters.iter().map(|filter| Step::Filter(*filter)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(uid: u32) -> Joined {
        Joined { identity: Identity { uid, gid: uid, groups: Vec::new() }, groups_stay: uid != 0 }
    }

    #[test]
    fn only_root_of_a_jail_holds_what_its_root_may() {
        let restraint = Restraint { root: Capabilities(5), ..Restraint::default() };
        let [bound, identity] = &restraint.inside(&joined(0))[..] else { panic!("two steps") };
        assert_eq!(*bound, Step::Bound(Capabilities(5)));
        assert_eq!(*identity, Step::Identity(joined(0).identity, Capabilities(5)));
        let [bound, identity] = &restraint.inside(&joined(1001))[..] else { panic!("two steps") };
        assert_eq!(*bound, Step::Bound(Capabilities::NONE));
        assert_eq!(*identity, Step::IdentityKeepingGroups(joined(1001).identity, Capabilities::NONE));
    }

    #[test]
    fn whoever_joins_is_root_where_root_has_a_number() {
        let of = |uid_map, setgroups| {
            let joined = Joined::of(uid_map, uid_map, setgroups)?;
            Some((joined.identity.uid, joined.groups_stay))
        };
        assert_eq!(of("         0      61001          1\n", "allow\n"), Some((0, false)));
        assert_eq!(of("  61001          0          1\n", "deny\n"), Some((61_001, true)));
        assert_eq!(of("  1 100000 65535\n  0 61001 1\n", "allow\n"), Some((0, false)));
        assert_eq!(of("", "allow\n"), None);
    }

    #[test]
    fn rights_go_before_filters_and_privileges_are_given_up_outside() {
        let restraint = Restraint {
            no_new_privs: true,
            scopes: 1,
            filters: vec![Filter::of_root()],
            program_filters: vec![Filter::after_root()],
            ..Restraint::default()
        };
        assert_eq!(restraint.before(), [Step::NoNewPrivs]);
        let inside = restraint.inside(&joined(0));
        assert!(matches!(inside[2..], [Step::Landlock(_), Step::Filter(_)]), "{inside:?}");
        assert_eq!(restraint.program(), [Step::Filter(Filter::after_root())]);
    }
}
