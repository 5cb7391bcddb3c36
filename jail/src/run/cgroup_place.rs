//! Pure. Where our own cgroup is, from what `/proc` says (`proc(5)`, `cgroups(7)`).

use std::path::{Path, PathBuf};

/// The directory of the cgroup v2 that a process is in.
///
/// `mountinfo` and `cgroup` are the files of those names in `/proc/self`. `None` where no cgroup2 is mounted, or
/// none that shows that cgroup.
pub(super) fn place(mountinfo: &str, cgroup: &str) -> Option<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    mountinfo.lines().filter_map(mount).find_map(|(root, point)| {
        let below = Path::new(own).strip_prefix(&root).ok()?;
        // `join` of nothing would add a slash.
        Some(if below.as_os_str().is_empty() { point } else { point.join(below) })
    })
}

/// Root and mount point of a line about a cgroup2.
fn mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    (kind.split(' ').next() == Some("cgroup2")).then(|| (unescaped(root), unescaped(point)))
}

/// Blank, tab, line end and backslash stand as three octal digits.
fn unescaped(field: &str) -> PathBuf {
    let plain = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(plain.iter().fold(field.to_owned(), |text, (code, one)| text.replace(code, one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                          41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn our_cgroup_is_found_below_the_mount() {
        let found = place(HYBRID, "4:memory:/x\n0::/system.slice/liege.service\n");
        assert_eq!(found, Some("/sys/fs/cgroup/unified/system.slice/liege.service".into()));
        assert_eq!(place(HYBRID, "0::/\n"), Some("/sys/fs/cgroup/unified".into()));
    }

    #[test]
    fn a_mount_that_shows_another_part_of_the_tree_is_of_no_use() {
        let part = "41 31 0:38 /user.slice /mnt/a\\040b rw - cgroup2 none rw\n";
        assert_eq!(place(part, "0::/system.slice\n"), None);
        assert_eq!(place(part, "0::/user.slice/x\n"), Some("/mnt/a b/x".into()));
    }

    #[test]
    fn without_version_2_there_is_none() {
        assert_eq!(place("32 31 0:29 / /c rw - cgroup cgroup rw,cpu\n", "0::/\n"), None);
        assert_eq!(place(HYBRID, "4:memory:/x\n"), None);
    }
}
