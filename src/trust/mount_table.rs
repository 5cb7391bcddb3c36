//! Pure. The table of mounts (`/proc/self/mountinfo`, `proc_pid_mountinfo(5)`), and which of them answer by themselves.

use std::collections::BTreeMap;

use crate::emperor::event::Owner;

/// Most mounts on one point, and most mounts above one.
const DEPTH_MAX: usize = 256;

/// File systems that are served by this kernel alone. Any other may wait for a server, a process or an automounter.
const LOCAL: [&str; 42] = [
    "bcachefs",
    "binfmt_misc",
    "bpf",
    "btrfs",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "exfat",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "fusectl",
    "hfsplus",
    "hugetlbfs",
    "iso9660",
    "jffs2",
    "jfs",
    "minix",
    "mqueue",
    "nilfs2",
    "nsfs",
    "ntfs3",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "reiserfs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "udf",
    "vfat",
    "xfs",
];
/// Not from the kernel's own tree, and local all the same.
const LOCAL_TOO: [&str; 3] = ["rootfs", "ubifs", "zfs"];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    parent: u64,
    local: bool,
    /// Whose process answers there (FUSE).
    server: Option<Owner>,
}

/// All mounts that can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable {
    mounts: BTreeMap<u64, Mount>,
    /// By the mount that they are on, and the path.
    points: BTreeMap<(u64, Vec<u8>), u64>,
    root: u64,
}

impl MountTable {
    /// Reads a table; `root` is the mount that `/` is on. A line that is none is passed over, and so its mount is not
    /// near.
    pub fn parse(text: &[u8], root: u64) -> Self {
        let mut table = Self { root, ..Self::default() };
        for (id, point, mount) in text.split(|byte| *byte == b'\n').filter_map(parse_line) {
            table.points.insert((mount.parent, point), id);
            table.mounts.insert(id, mount);
        }
        table
    }

    /// Whether nobody has to be waited for there: on the way from the root to this mount all are local. The root
    /// counts as local whatever it is: without it nothing goes on anyway.
    pub fn is_near(&self, mut mount: u64) -> bool {
        for _ in 0..DEPTH_MAX {
            if mount == self.root {
                return true;
            }
            match self.mounts.get(&mount) {
                Some(known) if known.local => mount = known.parent,
                _ => return false,
            }
        }
        false
    }

    /// The user, other than root, whose process answers for this mount or for one above it: it can say that anything
    /// there is anybody's.
    pub fn server(&self, mut mount: u64) -> Option<Owner> {
        for _ in 0..DEPTH_MAX {
            let known = self.mounts.get(&mount)?;
            match known.server {
                Some(server) if server.uid != 0 => return Some(server),
                _ => mount = known.parent,
            }
        }
        None
    }

    /// The topmost mount on this path, where the directory below it is on the mount `parent`.
    pub fn mounted_at(&self, parent: u64, path: &[u8]) -> Option<u64> {
        let mut place = (parent, path.to_vec());
        for _ in 0..DEPTH_MAX {
            match self.points.get(&place) {
                // The mount of a root may be its own parent.
                Some(next) if *next != place.0 => place.0 = *next,
                _ => break,
            }
        }
        Some(place.0).filter(|top| *top != parent)
    }
}

/// `ID PARENT DEVICE ROOT POINT OPTIONS [TAG]… - KIND …`
fn parse_line(line: &[u8]) -> Option<(u64, Vec<u8>, Mount)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut number = || str::from_utf8(fields.next()?).ok()?.parse().ok();
    let (id, parent) = (number()?, number()?);
    let point = unescape(fields.nth(2)?);
    let mut last = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = last.next()?;
    let local = LOCAL.iter().chain(&LOCAL_TOO).any(|known| known.as_bytes() == kind);
    let options = str::from_utf8(last.nth(1).unwrap_or_default()).unwrap_or_default();
    let server = kind.starts_with(b"fuse").then(|| server(options)).flatten();
    Some((id, point, Mount { parent, local, server }))
}

/// The options `user_id` and `group_id` of a FUSE mount.
fn server(options: &str) -> Option<Owner> {
    let number = |name: &str| options.split(',').find_map(|option| option.strip_prefix(name)?.parse().ok());
    Some(Owner { uid: number("user_id=")?, gid: number("group_id=")? })
}

/// Blanks, tabs, line ends and backslashes stand there as `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let code = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let byte = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 8).ok());
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[3..] } else { tail };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"27 1 254:0 / / rw,relatime - nfs4 server:/ rw
30 27 0:25 / /srv rw shared:5 master:1 - ext4 /dev/sdb rw
31 30 0:26 / /srv/a\\040b rw - tmpfs none rw
32 30 0:27 / /srv/hung rw,nosuid - fuse.sshfs u@h: rw,user_id=1000,group_id=100,allow_other
33 32 0:28 / /srv/hung/in rw - tmpfs none rw
34 30 0:29 / /srv/auto rw - autofs systemd-1 rw
35 31 0:30 / /srv/a\\040b rw - fuse x rw,user_id=0,group_id=0
garbage
36 27";

    #[test]
    fn a_mount_is_near_if_it_and_all_above_it_are_local() {
        let table = MountTable::parse(TEXT, 27);
        let near = [27, 30, 31, 32, 33, 34, 35, 36, 99].map(|mount| table.is_near(mount));
        assert_eq!(near, [true, true, true, false, false, false, false, false, false]);
        assert!(!MountTable::parse(TEXT, 1).is_near(30), "what nobody knows is not near");
    }

    #[test]
    fn a_users_process_answers_for_all_that_is_mounted_in_its_file_system() {
        let table = MountTable::parse(TEXT, 27);
        let user = Some(Owner { uid: 1000, gid: 100 });
        assert_eq!([27, 30, 32, 33, 35].map(|mount| table.server(mount)), [None, None, user, user, None]);
    }

    #[test]
    fn the_topmost_mount_of_a_point_counts() {
        let table = MountTable::parse(TEXT, 27);
        assert_eq!(table.mounted_at(30, b"/srv/a b"), Some(35));
        assert_eq!(table.mounted_at(30, b"/srv/hung"), Some(32));
        assert_eq!(table.mounted_at(27, b"/srv/hung"), None, "that one is on another mount");
        assert_eq!(table.mounted_at(30, b"/srv"), None);
    }

    #[test]
    fn a_mount_on_itself_is_no_endless_search() {
        let table = MountTable::parse(b"1 1 0:1 / / rw - rootfs rootfs rw", 5);
        assert_eq!(table.mounted_at(1, b"/"), None);
        assert!(!table.is_near(1));
    }
}
