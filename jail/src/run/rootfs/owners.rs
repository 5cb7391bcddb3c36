//! Files that belong to somebody else on disk than in the jail (`MOUNT_ATTR_IDMAP` of `mount_setattr(2)`).

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::plan::{Attributes, Extent, Failure, Namespaces, Owners, UserMap};
use crate::run::user_map;
use crate::sys;

/// Digits of a process number.
const NUMBER_MAX: usize = 20;
/// The kernel's answer where a file system cannot do it.
const CANNOT: &str = "EINVAL: its file system cannot show files as somebody else's: copy them to ext4, xfs, btrfs or \
                      (Linux 6.3) tmpfs, or change their owner";

/// Sets the attributes of a tree of mounts that nobody sees yet, and whose its files are.
pub(super) fn set(
    proc: &OwnedFd,
    tree: &OwnedFd,
    (attributes, owners): (Attributes, Owners),
) -> Result<(), Failure> {
    let users = users(proc, owners)?;
    let attributes = attributes.with(Attributes::IDMAPPED);
    sys::set_owners(tree.as_fd(), attributes, users.as_fd()).map_err(|errno| match errno {
        Errno::INVAL => CANNOT.into(),
        errno => errno.into(),
    })
}

/// A user namespace in which the ids on disk are those to be seen, for the kernel to translate by. No process is in it.
///
/// Must: run with the rights of root over the ids outside.
fn users(proc: &OwnedFd, owners: Owners) -> Result<OwnedFd, Failure> {
    let (uid, gid) = owners.seen.ok_or("nobody has said whose the files are to be")?;
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let (gate, open) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut open = Some(open);
    let child = sys::fork(|| {
        // The child's copy: else it would wait for itself.
        open = None;
        i32::from(stand(proc, &tell, &gate).is_err())
    })?;
    drop((tell, gate));
    let Owners { disk: inside, count, .. } = owners;
    let extent = |outside| vec![Extent { inside, outside, count }];
    let map = UserMap { uid: extent(uid), gid: extent(gid), groups: true };
    let users = name(&told).and_then(|name| mapped(proc, &name, map));
    drop(open);
    wait(child)?;
    users
}

/// The child: makes the namespace, says its own number as this `/proc` has it, stays until it is let go.
fn stand(proc: &OwnedFd, tell: &OwnedFd, gate: &OwnedFd) -> Result<(), Errno> {
    sys::unshare(Namespaces::USER)?;
    write(tell, readlinkat(proc, c"self", Vec::new())?.as_bytes())?;
    read(gate, &mut [0]).map(|_| ())
}

fn name(told: &OwnedFd) -> Result<String, Failure> {
    let mut name = [0; NUMBER_MAX];
    let length = read(told, &mut name)?;
    let number = std::str::from_utf8(&name[..length]).ok().filter(|name| name.parse::<u32>().is_ok());
    Ok(number.ok_or("no user namespace could be made to translate owners by")?.to_owned())
}

fn mapped(proc: &OwnedFd, name: &str, map: UserMap) -> Result<OwnedFd, Failure> {
    // Our child, not reaped: the number is its own.
    let process = openat(proc, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    user_map::write_maps(&process, &map)?;
    Ok(openat(&process, c"ns/user", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn wait(child: Pid) -> Result<(), Errno> {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            ended => return ended.map(|_| ()),
        }
    }
}
