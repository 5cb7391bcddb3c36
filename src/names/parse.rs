//! Pure. Lines of `passwd(5)` and `group(5)`.

/// One line of `passwd(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell; empty means `/bin/sh`.
    pub shell: String,
}

/// One line of `group(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Group name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Names of the users that are in it besides those whose primary group it is.
    pub members: Vec<String>,
}

/// `name:password:uid:gid:gecos:home:shell`; `None` for anything else, comments and NIS markers included.
pub fn user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.trim_end_matches('\n').split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    Some(User {
        name: entry_name(name)?,
        uid: number(uid)?,
        gid: number(gid)?,
        home: home.into(),
        shell: shell.into(),
    })
}

/// `name:password:gid:member,member`; `None` for anything else.
pub fn group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.trim_end_matches('\n').split(':').collect();
    let [name, _, gid, members] = fields[..] else { return None };
    let members = members.split(',').filter(|member| !member.is_empty()).map(Into::into).collect();
    Some(Group { name: entry_name(name)?, gid: number(gid)?, members })
}

/// What `getent initgroups` prints: the name, then group ids.
pub fn initgroups(line: &str) -> Vec<u32> {
    line.split_whitespace().skip(1).filter_map(number).collect()
}

/// Whether the `nsswitch.conf(5)` line of a database names a source that is not among `known`; without a line none is.
pub fn has_other_sources(nsswitch: &str, database: &str, known: &[&str]) -> bool {
    nsswitch
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once(':'))
        .filter(|(name, _)| name.trim() == database)
        .flat_map(|(_, sources)| sources.split_whitespace())
        .any(|source| !source.starts_with('[') && !source.ends_with(']') && !known.contains(&source))
}

fn entry_name(name: &str) -> Option<String> {
    let marker = name.is_empty() || name.starts_with(['#', '+', '-']);
    (!marker).then(|| name.into())
}

/// Digits only: `+5`, ` 5` and the empty string are no numbers here. All ones is "no id" to the kernel.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_line_has_seven_fields_and_plain_numbers() {
        let found = user("www:x:33:34:web server:/var/www:/bin/false\n").expect("is a good line");
        assert_eq!((found.name.as_str(), found.uid, found.gid), ("www", 33, 34));
        assert_eq!((found.home.as_str(), found.shell.as_str()), ("/var/www", "/bin/false"));
        for bad in [
            "",
            "#www:x:33:34::/:/bin/sh",
            "+::::::",
            "-evil:x:1:1::/:",
            ":x:1:1::/:",
            "www:x:33:34::/",
            "www:x:33:34::/:/bin/sh:more",
            "www:x: 33:34::/:/bin/sh",
            "www:x:+33:34::/:/bin/sh",
            "www:x:-1:34::/:/bin/sh",
            "www:x::34::/:/bin/sh",
            "www:x:4294967296:34::/:/bin/sh",
            "www:x:4294967295:34::/:/bin/sh",
            "www:x:33:abc::/:/bin/sh",
        ] {
            assert_eq!(user(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_group_line_has_four_fields_and_a_list() {
        let found = group("adm:x:4:alice,bob").expect("is a good line");
        assert_eq!((found.gid, found.members), (4, vec!["alice".to_owned(), "bob".to_owned()]));
        assert_eq!(group("root:x:0:").map(|found| found.members), Some(vec![]));
        for bad in ["", "adm:x:4", "adm:x:four:", "+:::", "adm:x:4:a:b"] {
            assert_eq!(group(bad), None, "{bad}");
        }
    }

    #[test]
    fn initgroups_lists_numbers_after_the_name() {
        assert_eq!(initgroups("alice                 4 24 27"), [4, 24, 27]);
        assert!(initgroups("alice").is_empty());
        assert!(initgroups("").is_empty());
    }

    #[test]
    fn only_sources_besides_the_files_are_worth_asking() {
        for (conf, wanted) in [
            ("", false),
            ("passwd: files\n", false),
            ("passwd:\tfiles sss", true),
            ("passwd: files systemd # sss", true),
            ("passwd: files [NOTFOUND=return]", false),
            ("# passwd: ldap\ngroup: ldap", false),
        ] {
            assert_eq!(has_other_sources(conf, "passwd", &["files"]), wanted, "{conf}");
        }
        assert!(!has_other_sources("passwd: files systemd", "passwd", &["files", "systemd"]));
    }
}
