//! `/etc/passwd` and `/etc/group`, read line by line and never beyond a bound.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use super::parse::{self, Group, User};

/// Most that is read of one of the files, in bytes.
const FILE_MAX: u64 = 64 << 20;

/// All users of the file.
pub fn users() -> impl Iterator<Item = User> {
    lines("/etc/passwd").filter_map(|line| parse::user(&line))
}

/// All groups of the file.
pub fn groups() -> impl Iterator<Item = Group> {
    lines("/etc/group").filter_map(|line| parse::group(&line))
}

/// The first user that fits.
pub fn any_user(fits: impl Fn(&User) -> bool) -> Option<User> {
    users().find(fits)
}

/// The first group that fits.
pub fn any_group(fits: impl Fn(&Group) -> bool) -> Option<Group> {
    groups().find(fits)
}

/// Ids of the groups that list this user as a member.
pub fn groups_naming(user: &str) -> Vec<u32> {
    groups()
        .filter(|group| group.members.iter().any(|member| member == user))
        .map(|group| group.gid)
        .collect()
}

/// Whether `gid` is the primary group of `uid` and of nobody else, and lists nobody else.
pub fn is_alone_in(uid: u32, gid: u32) -> bool {
    let Some(owner) = any_user(|user| user.uid == uid) else { return false };
    let shared = any_user(|user| user.gid == gid && user.uid != uid).is_some();
    let others = |group: &Group| group.gid == gid && group.members.iter().any(|member| *member != owner.name);
    owner.gid == gid && !shared && any_group(others).is_none()
}

/// Lines up to the first that cannot be read or is not UTF-8; none if the file cannot be opened.
fn lines(path: &str) -> impl Iterator<Item = String> {
    let reader = File::open(path).ok().map(|file| BufReader::new(file.take(FILE_MAX)));
    reader
        .into_iter()
        .flat_map(|reader| reader.split(b'\n'))
        .map_while(Result::ok)
        .filter_map(|line| String::from_utf8(line).ok())
}
