//! Pure. Who a process is, from what `/proc` says of it (`proc_pid_status(5)`, `user_namespaces(7)`): a session in its jail is exactly that.

use jail::plan::Joined;
use jail::{Capabilities, Identity};

use super::settings::{Settings, field};

/// A process of a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The pid of its parent.
    pub parent: i32,
    /// Its ids, as whoever reads has them.
    pub identity: Identity,
    /// What it may.
    pub permitted: Capabilities,
    /// What programs that it runs may.
    pub ambient: Capabilities,
    /// More than that nobody below it gets.
    pub bounding: Capabilities,
    /// It gains no privileges.
    pub no_new_privs: bool,
    /// How many filters of system calls are on it.
    pub filters: usize,
    /// Limits and priorities.
    pub settings: Settings,
    /// Its user namespace.
    pub users: Map,
    /// Its groups, mapped in the same way.
    pub groups: Map,
    /// Groups cannot be changed there.
    pub groups_stay: bool,
}

/// The file `uid_map` or `gid_map`, as somebody in another namespace reads it: inside, outside, count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(Vec<[u64; 3]>);

/// The files that tell of it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// `status`.
    pub status: String,
    /// `uid_map`.
    pub uid_map: String,
    /// `limits`.
    pub limits: String,
}

impl Model {
    /// Reads it, but for its groups' map; `None` where a line is not there.
    pub fn of(files: &Files) -> Option<Self> {
        let lines: Vec<&str> = files.status.lines().collect();
        let field = |name: &str| field(&lines, name);
        let set = |name: &str| u64::from_str_radix(field(name)?.trim(), 16).ok().map(Capabilities);
        // The second of the four is the one that counts.
        let id = |name: &str| field(name)?.split_whitespace().nth(1)?.parse::<u32>().ok();
        let groups =
            field("Groups")?.split_whitespace().map(|one| one.parse().ok()).collect::<Option<_>>()?;
        Some(Self {
            parent: field("PPid")?.trim().parse().ok()?,
            identity: Identity { uid: id("Uid")?, gid: id("Gid")?, groups },
            permitted: set("CapPrm")?,
            ambient: set("CapAmb")?,
            bounding: set("CapBnd")?,
            no_new_privs: field("NoNewPrivs").is_some_and(|flag| flag.trim() == "1"),
            filters: field("Seccomp_filters").and_then(|count| count.trim().parse().ok()).unwrap_or(0),
            settings: Settings::of(&files.limits, &lines)?,
            users: Map::of(&files.uid_map),
            groups: Map::default(),
            groups_stay: false,
        })
    }

    /// Reads the files `gid_map` and `setgroups`: until then no id has a name in its user namespace.
    pub fn know_groups(&mut self, gid_map: &str, setgroups: &str) {
        self.groups = Map::of(gid_map);
        self.groups_stay = setgroups.starts_with("deny");
    }

    /// Its ids, as they are called in its user namespace; `None` for one that has no name there.
    pub fn inside(&self) -> Option<Joined> {
        let Identity { uid, gid, groups } = &self.identity;
        // One that has no name could be neither taken nor kept.
        let groups = groups.iter().filter_map(|group| self.groups.inside(*group)).collect();
        let identity = Identity { uid: self.users.inside(*uid)?, gid: self.groups.inside(*gid)?, groups };
        Some(Joined { identity, groups_stay: self.groups_stay })
    }

    /// What a program that it runs would hold.
    pub fn passed_on(&self, uid: u32) -> Capabilities {
        let held = if uid == 0 { self.permitted } else { self.ambient };
        Capabilities(held.0 & self.permitted.0 & self.bounding.0)
    }

    /// Whether it may less than another one of its jail, and in nothing more.
    pub fn is_less_than(&self, other: &Self) -> bool {
        let less = self.permitted != other.permitted;
        let ceased = self.identity.uid != other.identity.uid;
        let poorer = self.settings.is_less_than(&other.settings);
        self.is_no_more_than(other) && (less || ceased || poorer || self.filters > other.filters)
    }

    /// Whether nobody would gain by being like this one: it may be a program that gives other ids to whoever runs it.
    fn is_no_more_than(&self, other: &Self) -> bool {
        let is_within = |of: fn(&Self) -> Capabilities| of(self).0 & !of(other).0 == 0;
        self.users == other.users
            && (self.has_no_other_ids_than(other) || other.is_root() && !self.is_root())
            && is_within(|one| one.permitted)
            && is_within(|one| one.bounding)
            && self.no_new_privs >= other.no_new_privs
            && self.filters >= other.filters
    }

    fn has_no_other_ids_than(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.identity, &other.identity);
        let has = |gid: &u32| *gid == theirs.gid || theirs.groups.contains(gid);
        ours.uid == theirs.uid && has(&ours.gid) && ours.groups.iter().all(has)
    }

    /// In its own user namespace.
    fn is_root(&self) -> bool {
        self.users.inside(self.identity.uid) == Some(0)
    }
}

impl Map {
    fn of(text: &str) -> Self {
        let line = |line: &str| {
            let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            numbers.try_into().ok()
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// Whether this is what is in such a file.
    pub fn is(&self, text: &str) -> bool {
        *self == Self::of(text)
    }

    fn inside(&self, outside: u32) -> Option<u32> {
        let outside = u64::from(outside);
        let has = |[_, first, count]: &&[u64; 3]| (*first..first.saturating_add(*count)).contains(&outside);
        let [inside, first, _] = self.0.iter().find(has)?;
        u32::try_from(inside + (outside - first)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsleep\nPPid:\t12\nUid:\t61001\t61002\t61001\t61001\nGid:\t7\t7\t7\t7\nGroups:\t7 8 \n\
                          CapPrm:\t0000000000000003\nCapBnd:\t0000000000000001\nCapAmb:\t0000000000000002\nNoNewPrivs:\t1\n\
                          Seccomp_filters:\t2\n";

    fn model(uid_map: &str, gid_map: &str) -> Model {
        let limits = include_str!("limits.txt").into();
        let files = Files { status: STATUS.into(), uid_map: uid_map.into(), limits };
        let mut model = Model::of(&files).expect("whole");
        assert_eq!(model.inside(), None, "its groups are not known");
        model.know_groups(gid_map, "allow\n");
        model
    }

    #[test]
    fn a_process_is_read_as_it_is() {
        let model = model("0 0 4294967295", "0 0 4294967295");
        assert_eq!(model.identity, Identity { uid: 61_002, gid: 7, groups: vec![7, 8] });
        assert_eq!(model.parent, 12);
        assert!(model.no_new_privs && !model.groups_stay && model.filters == 2);
        assert_eq!(model.inside().map(|joined| joined.identity), Some(model.identity.clone()));
        assert_eq!([model.passed_on(0), model.passed_on(5)], [Capabilities(1), Capabilities::NONE]);
        assert_eq!(Model::of(&Files::default()), None);
    }

    #[test]
    fn ids_have_the_names_of_their_namespace() {
        let mapped = model("0 61002 1\n1 100000 65535", "9 7 1").inside().expect("mapped").identity;
        assert_eq!(mapped, Identity { uid: 0, gid: 9, groups: vec![9] });
        assert_eq!(model("0 61001 1", "0 7 1").inside(), None);
        assert_eq!(model("", "").inside(), None);
    }

    #[test]
    fn whoever_may_less_is_known() {
        let less = model("0 0 99999", "");
        let more = Model { permitted: Capabilities(7), ..less.clone() };
        let free = Model { filters: 0, ..less.clone() };
        assert!(less.is_less_than(&free) && !free.is_less_than(&less));
        let root = Model { identity: Identity::default(), ..less.clone() };
        assert!(less.is_less_than(&more) && !more.is_less_than(&less));
        assert!(less.is_less_than(&root) && !root.is_less_than(&less) && !less.is_less_than(&less));
    }

    /// Row N6: a program that gives other ids to whoever runs it is poorer in something, as whoever ran it wanted.
    #[test]
    fn whoever_may_more_of_anything_is_not_less() {
        let first = Model { permitted: Capabilities::NONE, ..model("0 0 99999", "0 0 99999") };
        let poorer = Model { filters: 3, ..first.clone() };
        assert!(poorer.is_less_than(&first));
        let with = |change: fn(&mut Model)| {
            let mut other = poorer.clone();
            change(&mut other);
            other
        };
        for other in [
            with(|one| one.identity.uid = 0),
            with(|one| one.identity.uid = 61_003),
            with(|one| one.identity.gid = 42),
            with(|one| one.identity.groups.push(42)),
            with(|one| one.permitted = Capabilities(1)),
            with(|one| one.bounding = Capabilities(3)),
            with(|one| one.no_new_privs = false),
            with(|one| one.users = Map::default()),
        ] {
            assert!(!other.is_less_than(&first), "{other:?}");
        }
        let fewer = with(|one| one.identity.groups.truncate(1));
        assert!(fewer.is_less_than(&first));
    }
}
