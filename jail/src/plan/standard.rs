//! Pure. The mounts of `jail = standard` and `jail = strict`, and the parts of them that a config may ask for by name.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use super::{
    Attributes, DEVICES, Depth, Device, HARMLESS, INERT, LINKS, Made, Mount, Namespaces, Presence, Rootfs,
    Source,
};

/// Mode of private memory, as of `/tmp`.
pub const OPEN_MODE: u32 = 0o1777;
/// Mode of directories of root.
const ROOTS_MODE: u32 = 0o755;
/// Bytes for the names of devices.
const DEV_SIZE: u64 = 1 << 20;
/// Group of terminals (`tty`, the same in every distribution).
const TTY: u32 = 5;
/// What a jail's root must not write to: these reach beyond any namespace.
const REACHES_OUT: [&str; 5] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];
/// What it must not see.
const TELLS: [&str; 8] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/latency_stats",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/asound",
];
/// What all others use and how the machine is made, which nobody in a jail needs to know.
const TELLS_OF_OTHERS: [&str; 3] = ["/sys/fs/cgroup", "/sys/firmware", "/sys/devices/virtual/powercap"];

/// A jail by one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Strictness {
    /// Everything of its own, the host's files as they are.
    Standard,
    /// The host's files read-only besides, and nothing of its `/run`.
    Strict,
}

/// The namespaces of either; `user` besides for everybody who is not root of the host.
pub fn standard_namespaces() -> Namespaces {
    let all = [Namespaces::FS, Namespaces::NET, Namespaces::IPC, Namespaces::PID, Namespaces::UTS];
    all.into_iter().fold(Namespaces::CGROUP, Namespaces::with)
}

/// What is made once for all jails and changed by none: what each of them mounts lies above it. `more`: devices besides those that
/// a program may expect anywhere.
pub fn backdrop(strictness: Strictness, made: Made, more: &[Device]) -> Rootfs {
    let mut mounts = devices(made, more);
    let empty = |target: &str| mount(target, Source::Directory, Attributes::NONE);
    mounts.extend([empty("/dev/pts"), empty("/dev/shm")]);
    mounts.push(mount("/dev", Source::Sealed(Presence::Needed, Depth::All), Attributes::RO));
    // Whoever takes his own away sees this, not the host's.
    mounts.push(mount("/tmp", Source::Memory(Some(0), NOBODYS_MODE), INERT.with(Attributes::RO)));
    mounts.push(mount("/sys", Source::Sealed(Presence::Optional, Depth::All), Attributes::RO));
    mounts
        .extend(TELLS_OF_OTHERS.iter().map(|path| mount(path, Source::Nothing, INERT.with(Attributes::RO))));
    if strictness == Strictness::Strict {
        mounts.push(mount("/run", Source::Memory(Some(0), NOBODYS_MODE), INERT.with(Attributes::RO)));
        mounts.push(mount("/", Source::Sealed(Presence::Needed, Depth::All), Attributes::RO));
    }
    // Of the host, where users do not see each other's processes. After `/` became read-only: where every proc is so, the
    // kernel lets no jail have one that is not.
    mounts.push(mount("/proc", Source::Proc, INERT));
    Rootfs { mounts, ..Rootfs::default() }
}

/// What each jail has for itself, above the backdrop. `user` is a jail in a user namespace.
pub fn own(strictness: Strictness, user: bool) -> Vec<Mount> {
    let mut mounts = Vec::new();
    if strictness == Strictness::Strict {
        mounts.push(mount("/run", Source::Memory(None, ROOTS_MODE), INERT));
    }
    mounts.push(mount("/tmp", Source::Memory(None, OPEN_MODE), HARMLESS));
    mounts.extend(terminals());
    mounts.extend(proc(!user));
    mounts
}

/// A directory of the host that stays as it is.
pub fn lent(path: &Path, tree: RawFd) -> Mount {
    Mount { target: path.to_path_buf(), source: Source::Lent(tree), attributes: HARMLESS }
}

/// A `/proc` of its own. Where root of the `host` stays root it is kept from what reaches beyond the jail; anybody else has
/// no right to it.
pub fn proc(host: bool) -> Vec<Mount> {
    let inert = INERT.with(Attributes::RO);
    let protected = |path: &&str| mount(path, Source::Itself(Presence::Optional), inert);
    let hidden = |path: &&str| mount(path, Source::Nothing, inert);
    let covers = REACHES_OUT.iter().map(protected).chain(TELLS.iter().map(hidden));
    let covers = covers.filter(|_| host);
    std::iter::once(mount("/proc", Source::Proc, INERT)).chain(covers).collect()
}

/// A minimal `/dev`.
pub fn dev(user: bool) -> Vec<Mount> {
    let mut mounts = devices(if user { Made::Bound } else { Made::New }, &[]);
    mounts.extend(terminals());
    mounts.push(sealed_dev());
    mounts
}

/// The `/dev` of the host. What has mounts of its own there (terminals, shared memory) is as it is.
pub fn hosts_dev() -> [Mount; 2] {
    [mount("/dev", Source::Tree("/dev".into(), Depth::All), QUIET), sealed_dev()]
}

/// Whoever may write to directories of root must find none where devices are: a file in the place of `null` would be
/// read and written by everybody in the jail.
///
/// Must: come after everything that is mounted below it.
fn sealed_dev() -> Mount {
    mount("/dev", Source::Sealed(Presence::Needed, Depth::One), Attributes::RO)
}

fn devices(made: Made, more: &[Device]) -> Vec<Mount> {
    let mut mounts = vec![mount("/dev", Source::Memory(Some(DEV_SIZE), ROOTS_MODE), QUIET)];
    let above = more.iter().filter_map(|device| Some(device.path().parent()?.to_path_buf()));
    mounts.extend(above.filter(|target| *target != Path::new("/dev")).map(|target| Mount {
        target,
        source: Source::Directory,
        attributes: Attributes::NONE,
    }));
    mounts.extend(DEVICES.iter().chain(more).map(|device| Mount {
        target: device.path(),
        source: Source::Device(*device, made),
        // Written to all the same; but mode and owner are those of the host's, whose root may be that of the jail.
        attributes: QUIET.with(Attributes::RO),
    }));
    let link = |(name, to): &(&str, &'static str)| {
        mount(&format!("/dev/{name}"), Source::Link(to), Attributes::NONE)
    };
    mounts.extend(LINKS.iter().map(link));
    mounts
}

/// Terminals and shared memory.
fn terminals() -> [Mount; 2] {
    [
        mount("/dev/pts", Source::Terminals(TTY), QUIET),
        mount("/dev/shm", Source::Memory(None, OPEN_MODE), INERT),
    ]
}

fn mount(target: &str, source: Source, attributes: Attributes) -> Mount {
    Mount { target: PathBuf::from(target), source, attributes }
}

/// Of devices: they have to be opened.
const QUIET: Attributes = Attributes::NOSUID.with(Attributes::NOEXEC);
/// Nobody makes anything there.
const NOBODYS_MODE: u32 = 0o555;
