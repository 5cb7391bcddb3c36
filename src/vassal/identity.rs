//! Who the vassal becomes: names and numbers of its config, resolved.

use std::sync::OnceLock;

use jail::Identity;
use rustix::process::{getegid, geteuid, getgroups};

use crate::names::{Group, User, groups_of};

use super::step::Wanted;
use super::trouble::Trouble;

/// Resolves what the config wants for a process that is root.
///
/// Groups are exactly: those of the user, the gid, and `add-gid`.
///
/// # Errors
/// A name that nobody has, a missing primary group, or id 0.
pub fn resolve(wanted: &Wanted) -> Result<Identity, Trouble> {
    let (uid, user) = match &wanted.uid {
        Some(text) => named_user(text)?,
        None => return Ok(Identity { uid: 0, gid: 0, groups: Vec::new() }),
    };
    let gid = match &wanted.gid {
        Some(text) => named_group(text)?,
        None => primary(uid, user.as_ref())?,
    };
    let user = user.filter(|_| !wanted.no_initgroups);
    let mut groups = user.as_ref().map(groups_of).unwrap_or_default();
    groups.push(gid);
    for text in &wanted.add_gid {
        groups.push(named_group(text)?);
    }
    groups.sort_unstable();
    groups.dedup();
    refuse_root(uid, gid, &groups).map(|()| Identity { uid, gid, groups })
}

/// Fails unless the process is already what the config wants.
///
/// # Errors
/// The first id that differs.
pub fn check(wanted: &Wanted) -> Result<(), Trouble> {
    let (own_uid, own_gid) = own_ids();
    expect_ids(wanted, Some((own_uid, own_gid)))?;
    let own: Vec<u32> = getgroups()
        .map_err(|errno| Trouble::errno("read our groups", errno))?
        .iter()
        .map(|gid| gid.as_raw())
        .collect();
    for text in &wanted.add_gid {
        let gid = own_group(text)?;
        if gid != own_gid && !own.contains(&gid) {
            return Err(Trouble::new(format!(
                "add-gid = {text}: not one of our groups, and only root can add one"
            )));
        }
    }
    Ok(())
}

/// Fails unless whoever has these ids and is not root may start a daemon as this. Where nobody knows his ids, names are looked up alone.
///
/// # Errors
/// The first id that differs, or a name that nobody has.
pub fn check_daemon(wanted: &Wanted, own: Option<(u32, u32)>) -> Result<(), Trouble> {
    expect_ids(wanted, own).map_err(|trouble| {
        trouble.advise("leave `uid` out of the vassal's config: then its daemons can be different users")
    })
}

/// Fails where a name is nobody's, whoever we are.
///
/// # Errors
/// The first such name.
pub fn check_names(wanted: &Wanted) -> Result<(), Trouble> {
    expect_ids(wanted, None)?;
    wanted.add_gid.iter().try_for_each(|text| own_group(text).map(drop))
}

/// Uid and gid of this process.
pub fn own_ids() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

/// The owner that `chown-socket = user[:group]` names.
///
/// # Errors
/// A name that nobody has.
pub fn owner(text: &str) -> Result<(u32, u32), Trouble> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let (uid, user) = any_user(user)?;
    let gid = group.map_or_else(|| primary(uid, user.as_ref()), any_group)?;
    Ok((uid, gid))
}

/// Home, name and shell of whoever this process is now: of the real user, where root is a user's own.
pub fn current_user() -> Option<User> {
    let uid = geteuid().as_raw();
    let outside = if uid == 0 { outside(&uid_map(), uid) } else { None };
    User::by_uid(outside.unwrap_or(uid))
}

/// Whether we may have the rights of the host's root (or a container's, which has users too), by which a path that a tenant has a hand in
/// does harm. Where that cannot be seen, root has.
pub fn is_hosts_root() -> bool {
    (geteuid().is_root() && !is_users_own(first_map())) || is_foreigner()
}

/// Whether we are not of our own user namespace: whom its numbers name, its root's too, is then somebody else.
pub fn is_foreigner() -> bool {
    is_foreign(first_map(), geteuid().as_raw())
}

/// The map of our user namespace. Looked at once: later this process may see a `/proc` that somebody else has made.
pub fn first_map() -> &'static str {
    static MAP: OnceLock<String> = OnceLock::new();
    MAP.get_or_init(uid_map)
}

/// Whether this uid only stands for one that the namespace of this map does not know: who makes a user namespace for somebody else is such
/// a one in it, and still owns all files of root's.
fn is_foreign(map: &str, uid: u32) -> bool {
    let numbers =
        |line: &str| line.split_whitespace().map_while(|word| word.parse().ok()).collect::<Vec<u64>>();
    let has = |line: &str| match numbers(line)[..] {
        [inside, _, count] => (inside..inside + count).contains(&u64::from(uid)),
        _ => false,
    };
    !map.trim().is_empty() && !map.lines().any(has)
}

/// Whether root of this `uid_map` is one user of the namespace outside.
fn is_users_own(map: &str) -> bool {
    let first: Vec<&str> = map.lines().next().unwrap_or_default().split_whitespace().collect();
    matches!(first[..], ["0", outside, "1"] if outside != "0")
}

/// Of our user namespace; empty where there is no `/proc`.
fn uid_map() -> String {
    std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default()
}

/// The user that `uid` is outside, where a line of the `uid_map` (`user_namespaces(7)`) is about that one alone. What
/// lies in a range is no user of the host.
fn outside(map: &str, uid: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let numbers: Vec<u32> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        match numbers[..] {
            [inside, outside, 1] if inside == uid => Some(outside),
            _ => None,
        }
    })
}

/// Whether nobody else has a number.
fn is_alone(map: &str, uid: u32) -> bool {
    map.lines().count() == 1 && outside(map, uid).is_some()
}

fn expect_ids(wanted: &Wanted, own: Option<(u32, u32)>) -> Result<(), Trouble> {
    if let Some(text) = &wanted.uid {
        let uid = any_user(text)?.0;
        own.map_or(Ok(()), |(own, _)| expect("uid", text, uid, own))?;
    }
    if let Some(text) = &wanted.gid {
        let gid = own_group(text)?;
        own.map_or(Ok(()), |(_, own)| expect("gid", text, gid, own))?;
    }
    Ok(())
}

fn expect(option: &str, text: &str, wanted: u32, own: u32) -> Result<(), Trouble> {
    if wanted == own {
        return Ok(());
    }
    let trouble =
        Trouble::new(format!("{option} = {text}: this vassal runs as {option} {own} and is not root"));
    let cure = if wanted == 0 { OWN_IDS } else { "remove the option, or let the config belong to that user" };
    Err(trouble.advise(cure))
}

fn refuse_root(uid: u32, gid: u32, groups: &[u32]) -> Result<(), Trouble> {
    if uid == 0 || gid == 0 {
        let trouble = Trouble::new(format!("uid {uid} with gid {gid} is root"));
        return Err(trouble.advise(stay_root()));
    }
    if groups.contains(&0) {
        return Err(Trouble::new("group 0 is among the groups of the vassal"));
    }
    Ok(())
}

fn primary(uid: u32, user: Option<&User>) -> Result<u32, Trouble> {
    let unknown =
        || Trouble::new(format!("uid {uid} is nobody's, so it has no primary group")).advise("add `gid`");
    user.map(|user| user.gid).ok_or_else(unknown)
}

fn named_user(text: &str) -> Result<(u32, Option<User>), Trouble> {
    any_user(text).and_then(|(uid, user)| if uid == 0 { Err(root(text)) } else { Ok((uid, user)) })
}

fn named_group(text: &str) -> Result<u32, Trouble> {
    any_group(text).and_then(|gid| if gid == 0 { Err(root(text)) } else { Ok(gid) })
}

/// A group of a vassal that is not root.
fn own_group(text: &str) -> Result<u32, Trouble> {
    let own_only = || Trouble::new(format!("`{text}` is root's group")).advise(OWN_IDS);
    any_group(text).and_then(|gid| if gid == 0 { Err(own_only()) } else { Ok(gid) })
}

fn root(text: &str) -> Trouble {
    Trouble::new(format!("`{text}` is root")).advise(stay_root())
}

const OWN_IDS: &str = "only the vassal's own user and groups are possible: leave `uid` and `gid` out";

/// In a namespace of one id nobody is left to become.
fn stay_root() -> &'static str {
    match is_alone(&uid_map(), geteuid().as_raw()) {
        true => OWN_IDS,
        false => "leave out `uid` and `gid` to stay root",
    }
}

fn any_user(text: &str) -> Result<(u32, Option<User>), Trouble> {
    if let Some(uid) = number(text)? {
        return Ok((uid, User::by_uid(uid)));
    }
    let user = User::by_name(text).ok_or_else(|| unknown("user", text))?;
    Ok((user.uid, Some(user)))
}

fn any_group(text: &str) -> Result<u32, Trouble> {
    if let Some(gid) = number(text)? {
        return Ok(gid);
    }
    let group = Group::by_name(text).ok_or_else(|| unknown("group", text))?;
    Ok(group.gid)
}

fn unknown(kind: &str, text: &str) -> Trouble {
    let cure = format!("correct the name, or make the {kind}: `{kind}add --system {text}`");
    Trouble::new(format!("there is no {kind} `{text}`")).advise(cure)
}

/// A text of digits as an id; -1 means "no change" to the kernel and is none.
fn number(text: &str) -> Result<Option<u32>, Trouble> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let id = text.parse().ok().filter(|id| *id != u32::MAX);
    id.map(Some).ok_or_else(|| Trouble::new(format!("`{text}` is no id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(uid: &str, gid: Option<&str>) -> Wanted {
        Wanted { uid: Some(uid.into()), gid: gid.map(Into::into), ..Wanted::default() }
    }

    #[test]
    fn numbers_that_nobody_has_need_a_group() {
        let trouble = resolve(&wanted("54321", None)).unwrap_err();
        assert_eq!(trouble.advice.as_deref(), Some("add `gid`"));
        let identity = resolve(&wanted("54321", Some("54322"))).unwrap();
        assert_eq!(identity, Identity { uid: 54321, gid: 54322, groups: vec![54322] });
    }

    #[test]
    fn root_of_a_users_own_namespace_is_the_user_outside() {
        assert_eq!(outside("         0       1000          1\n", 0), Some(1000));
        assert_eq!(outside("0 1000 1", 1000), None);
        assert_eq!(outside("0 0 4294967295", 0), None);
        let ranged = "0 1000 1\n1 100000 65536\n";
        assert_eq!((outside(ranged, 0), outside(ranged, 33)), (Some(1000), None));
        assert!(is_alone("0 1000 1\n", 0) && !is_alone(ranged, 0) && !is_alone("0 0 4294967295", 0));
        assert_eq!(outside("", 0), None);
    }

    #[test]
    fn only_a_namespace_of_ones_own_makes_root_harmless() {
        assert!(is_users_own("         0       1000          1\n         1     100000      65536\n"));
        for hosts in ["", "0 0 4294967295\n", "0 100000 65536\n", "0 0 1\n", "1000 1000 1\n"] {
            assert!(!is_users_own(hosts), "{hosts}");
        }
    }

    #[test]
    fn who_is_not_of_its_namespace_may_be_the_hosts_root() {
        assert!(is_foreign("         0      61001          1\n", 65_534));
        assert!(!is_foreign("0 61001 1\n", 0));
        assert!(!is_foreign("0 0 4294967295\n", 65_534));
        assert!(!is_foreign("0 1000 1\n1 100000 65536\n", 33));
        assert!(!is_foreign("", 1000));
    }

    #[test]
    fn nobody_becomes_root_by_name_or_number() {
        for (uid, gid) in [("0", "1000"), ("root", "1000"), ("000", "1000"), ("1000", "0"), ("1000", "root")]
        {
            assert!(resolve(&wanted(uid, Some(gid))).is_err(), "{uid} {gid}");
        }
        assert!(resolve(&Wanted { add_gid: vec!["root".into()], ..wanted("54321", Some("54322")) }).is_err());
    }

    #[test]
    fn ids_that_are_none_are_refused() {
        for uid in ["4294967295", "4294967296", "99999999999999999999", "", " 0", "-1", "no such user"] {
            assert!(resolve(&wanted(uid, Some("54322"))).is_err(), "{uid:?}");
        }
    }

    #[test]
    fn groups_are_those_of_the_user_and_the_added_ones() {
        let added =
            Wanted { add_gid: vec!["54399".into(), "54399".into()], ..wanted("54321", Some("54322")) };
        assert_eq!(resolve(&added).unwrap().groups, [54322, 54399]);
    }
}
