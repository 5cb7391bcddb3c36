//! Looks at this host, and changes nothing.

use std::fs::{File, read_dir, read_to_string};
use std::path::{Path, PathBuf};

use caps::Capability;
use jail::plan::{Host, errno_name, is_bound_to_v1};
use jail::{Namespaces, Step, run, sys};
use rustix::fs::{Access, access};
use rustix::process::{WaitOptions, getpid, getppid, waitpid};

use super::judge::{CONTROLLERS, Cgroup, FORWARD, PROTECTED, Seen, names_group};
use crate::config::emperor::id_range::IdRanges;
use crate::names::Group;
use crate::seccomp::profile::numbers;
use crate::spawner::birth::SEARCH;
use crate::subids::Subids;

/// What `ssh = PORT` runs: the server, and what makes its key.
const DROPBEAR: [&str; 2] = ["dropbear", "dropbearkey"];

/// Looks at all of it.
pub fn look() -> Seen {
    let host = Host::look();
    let user = user();
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    Seen {
        root: host.root && crate::permitted().has(Capability::CAP_SETUID),
        kernel: numbers(&release).unwrap_or((0, 0)),
        release,
        filters: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
        landlock: run::landlock_version(),
        profile: user.and_then(|errno| host.profile_that_refused(errno)).map(str::to_owned),
        user: no_user(user),
        ranges: Some(Subids::look(&IdRanges::Auto).gives_any()),
        user_max: host.user_max,
        user_clone_off: host.user_clone_off,
        apparmor: host.apparmor_restricts_user,
        container: host.container,
        namespaces: namespaces(),
        cgroup: cgroup(),
        tun: File::open("/dev/net/tun").err().map(|error| error.to_string()),
        dropbear_lacks: DROPBEAR.into_iter().filter(|name| !is_program(name)).collect(),
        pts_lacks: pts_lacks(),
        knobs: knobs(),
    }
}

fn pts_lacks() -> Option<u32> {
    let mounts = read_to_string("/proc/self/mountinfo").ok()?;
    names_group(&mounts).filter(|names| !names).and_then(|_| Group::by_name("tty")).map(|group| group.gid)
}

/// Makes a user namespace in a child that ends at once: what is written down about them is not all. Its errno is 0 when one was
/// made; there is none when no child was.
fn user() -> Option<i32> {
    let child = sys::fork(|| {
        run::perform(&Step::Unshare(Namespaces::USER)).map_or_else(|failure| failure.errno, |()| 0)
    });
    let status = child.ok().and_then(|pid| waitpid(Some(pid), WaitOptions::empty()).ok().flatten());
    status.and_then(|(_, status)| status.exit_status())
}

fn no_user(errno: Option<i32>) -> Option<String> {
    match errno {
        Some(0) => None,
        Some(errno) => Some(format!("none can be made: {}", errno_name(errno))),
        None => Some("none can be tried: no process can be made".into()),
    }
}

/// Whether it is where vassals search for programs.
fn is_program(name: &str) -> bool {
    SEARCH.iter().any(|directory| Path::new(directory).join(name).is_file())
}

fn namespaces() -> Vec<String> {
    let entries = read_dir("/proc/self/ns").into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn knobs() -> Vec<(&'static str, u64)> {
    let names = PROTECTED.iter().map(|(name, _)| *name).chain([FORWARD]);
    let value = |name: &str| read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok();
    names.filter_map(|name| Some((name, value(name)?))).collect()
}

fn cgroup() -> Cgroup {
    let Some((mount, own)) = place() else { return Cgroup::default() };
    let controllers = read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    let old = read_to_string("/proc/self/cgroup").unwrap_or_default();
    Cgroup {
        bound: CONTROLLERS.into_iter().filter(|name| is_bound_to_v1(&old, name)).collect(),
        others: others(&own),
        mount: Some(mount),
        writable: access(&own, Access::WRITE_OK).is_ok(),
        controllers: controllers.split_whitespace().map(str::to_owned).collect(),
    }
}

/// Processes beside us in our cgroup; the root of all may keep them, and has no type.
fn others(own: &Path) -> usize {
    if !own.join("cgroup.type").exists() {
        return 0;
    }
    let ours = [Some(getpid()), getppid()].map(|pid| pid.map_or(0, |pid| pid.as_raw_nonzero().get()));
    let pids = read_to_string(own.join("cgroup.procs")).unwrap_or_default();
    pids.lines().filter_map(|pid| pid.parse().ok()).filter(|pid| !ours.contains(pid)).count()
}

/// Where version 2 is mounted, and our own cgroup below (`cgroups(7)`).
fn place() -> Option<(String, PathBuf)> {
    let mounts = read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let mount = line.split(' ').nth(4)?.to_owned();
    let ours = read_to_string("/proc/self/cgroup").ok()?;
    let below = ours.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let own = Path::new(&mount).join(below);
    Some((mount, own))
}
