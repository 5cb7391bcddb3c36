//! Users and groups by name or number, without the C library's look-ups: a static binary cannot load their modules.
//!
//! The files come first. Only where `nsswitch.conf` names another source is `getent` asked, which is an ordinary
//! program of the system and may load what it likes.

mod files;
mod getent;
mod parse;

pub use files::{groups, users};
pub use parse::{Group, User};

use files::{any_group, any_user, groups_naming, is_alone_in};
use getent::Database;

impl User {
    /// The user of this name, or `None`.
    pub fn by_name(name: &str) -> Option<Self> {
        any_user(|user| user.name == name).or_else(|| {
            getent::line(Database::Passwd, name)
                .and_then(|line| parse::user(&line))
                .filter(|user| user.name == name)
        })
    }

    /// The first user with this number, or `None`.
    pub fn by_uid(uid: u32) -> Option<Self> {
        any_user(|user| user.uid == uid).or_else(|| {
            getent::line(Database::Passwd, &uid.to_string())
                .and_then(|line| parse::user(&line))
                .filter(|user| user.uid == uid)
        })
    }
}

impl Group {
    /// The group of this name, or `None`.
    pub fn by_name(name: &str) -> Option<Self> {
        any_group(|group| group.name == name).or_else(|| {
            getent::line(Database::Group, name)
                .and_then(|line| parse::group(&line))
                .filter(|group| group.name == name)
        })
    }

    /// The first group with this number, or `None`.
    pub fn by_gid(gid: u32) -> Option<Self> {
        any_group(|group| group.gid == gid).or_else(|| {
            getent::line(Database::Group, &gid.to_string())
                .and_then(|line| parse::group(&line))
                .filter(|group| group.gid == gid)
        })
    }
}

/// All groups of a user, as `initgroups(3)` would set them: the primary one first, each once.
pub fn groups_of(user: &User) -> Vec<u32> {
    let mut found = vec![user.gid];
    found.extend(groups_naming(&user.name));
    if let Some(line) = getent::line(Database::Initgroups, &user.name) {
        found.extend(parse::initgroups(&line));
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|gid| seen.insert(*gid));
    found
}

/// Whether the group is the user's private one: his primary group, nobody else's, and without further members.
///
/// Answered from the files alone: other sources cannot be listed in full, so there the answer is no.
pub fn is_private_group(uid: u32, gid: u32) -> bool {
    !getent::has_directory() && is_alone_in(uid, gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_number() {
        let root = User::by_name("root").expect("every system has root");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(User::by_uid(0).map(|user| user.name), Some("root".into()));
        assert_eq!(
            Group::by_gid(0).and_then(|group| Group::by_name(&group.name)).map(|group| group.gid),
            Some(0)
        );
    }

    #[test]
    fn the_primary_group_comes_first_and_no_group_twice() {
        let root = User::by_uid(0).expect("every system has root");
        let groups = groups_of(&root);
        assert_eq!(groups[0], 0);
        let distinct: std::collections::BTreeSet<_> = groups.iter().collect();
        assert_eq!(distinct.len(), groups.len());
    }

    #[test]
    fn unknown_names_are_unknown() {
        assert_eq!(User::by_name("no-such-user-here"), None);
        assert_eq!(User::by_name(""), None);
        assert_eq!(Group::by_name("--help"), None);
        assert!(!is_private_group(4_000_000_000, 4_000_000_000));
    }
}
