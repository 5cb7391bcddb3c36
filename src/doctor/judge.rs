//! Pure. What a host has and lacks, each with the command that mends it.

use jail::plan::rule_missing;

use crate::config::vassal::daemons::INSTALL_DROPBEAR;

/// What was seen of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Effective uid 0, with the capabilities to give ids away.
    pub root: bool,
    /// `uname -r`.
    pub release: String,
    /// Major and minor number of that.
    pub kernel: (u32, u32),
    /// Filters of system calls are built in.
    pub filters: bool,
    /// Version of Landlock; 0 for none.
    pub landlock: u32,
    /// Why no user namespace can be made; `None` when one can.
    pub user: Option<String>,
    /// Whether anybody has a range of subordinate ids, or what is wrong with the lists of them.
    pub ranges: Option<Result<bool, String>>,
    /// `user.max_user_namespaces`.
    pub user_max: Option<u64>,
    /// `kernel.unprivileged_userns_clone` is 0.
    pub user_clone_off: bool,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1, and we have no profile.
    pub apparmor: bool,
    /// The AppArmor profile that forbids user namespaces to us.
    pub profile: Option<String>,
    /// What kind of container we are in.
    pub container: Option<String>,
    /// Names of `/proc/self/ns`.
    pub namespaces: Vec<String>,
    /// Our place in the tree of cgroups.
    pub cgroup: Cgroup,
    /// Why `/dev/net/tun` cannot be opened; `None` when it can.
    pub tun: Option<String>,
    /// Programs of dropbear that are not here.
    pub dropbear_lacks: Vec<&'static str>,
    /// The group `tty`, where `/dev/pts` does not give it terminals.
    pub pts_lacks: Option<u32>,
    /// Values of `/proc/sys`; missing ones are not there.
    pub knobs: Vec<(&'static str, u64)>,
}

/// What there is of cgroups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Where version 2 is mounted.
    pub mount: Option<String>,
    /// We may make cgroups below our own.
    pub writable: bool,
    /// Controllers that our cgroup can hand on.
    pub controllers: Vec<String>,
    /// Controllers that belong to version 1, by their names in version 2.
    pub bound: Vec<&'static str>,
    /// How many processes of others are in it, where that keeps it from handing controllers on.
    pub others: usize,
}

/// How a line of the report ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There.
    Ok,
    /// Not there; one feature does without it, all others work.
    Optional,
    /// Not there, and vassals are less safe or do not start.
    Missing,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What mends it.
    pub cure: Option<String>,
}

/// Knobs of `/proc/sys` that protect links and files in directories where everybody writes, and the least they should be.
pub const PROTECTED: [(&str, u64); 4] = [
    ("fs/protected_hardlinks", 1),
    ("fs/protected_symlinks", 1),
    ("fs/protected_fifos", 1),
    ("fs/protected_regular", 1),
];
/// Packets are passed on between networks.
pub const FORWARD: &str = "net/ipv4/ip_forward";

/// Linux 5.12: `mount_setattr(2)`.
const KERNEL_LEAST: (u32, u32) = (5, 12);
/// `cgroup.kill`.
const KILL_SINCE: (u32, u32) = (5, 14);
/// Controllers by which a vassal is limited.
pub const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];
/// Namespaces that a jail is made of.
const NAMESPACES: [&str; 7] = ["mnt", "net", "ipc", "pid", "uts", "user", "cgroup"];

/// Judges a host.
pub fn judge(seen: &Seen) -> Vec<Finding> {
    let mut findings = vec![
        root(seen),
        kernel(seen),
        mounts(seen),
        filters(seen),
        landlock(seen),
        namespaces(seen),
        user(seen),
        apparmor(seen),
        time(seen),
    ];
    findings.extend(seen.ranges.as_ref().filter(|_| seen.root).map(ranges));
    findings.extend(cgroups(seen));
    findings.extend([tun(seen), forward(seen), dropbear(seen)]);
    findings.extend(seen.pts_lacks.map(terminals));
    findings.extend(PROTECTED.iter().filter_map(|(name, least)| protected(seen, name, *least)));
    findings
}

fn root(seen: &Seen) -> Finding {
    match seen.root {
        true => ok("root", "vassals can get the ids of their owners"),
        false => optional(
            "root",
            "not root: vassals keep your ids, and tyrant mode is out of reach",
            "sudo liege …",
        ),
    }
}

fn kernel(seen: &Seen) -> Finding {
    let found = format!("Linux {}", seen.release);
    match seen.kernel >= KERNEL_LEAST {
        true => ok("kernel", found),
        false => missing("kernel", found, "boot Linux 5.12 or newer"),
    }
}

fn mounts(seen: &Seen) -> Finding {
    match seen.kernel >= KERNEL_LEAST {
        true => ok("mount_setattr, idmapped mounts", "the kernel has them"),
        false => {
            missing("mount_setattr, idmapped mounts", "the kernel is too old", "boot Linux 5.12 or newer")
        }
    }
}

fn filters(seen: &Seen) -> Finding {
    match seen.filters {
        true => ok("seccomp", "filters of system calls"),
        false => {
            missing("seccomp", "no filters of system calls", "boot a kernel with CONFIG_SECCOMP_FILTER=y")
        }
    }
}

fn landlock(seen: &Seen) -> Finding {
    let version = format!("version {}", seen.landlock);
    match seen.landlock {
        0 => optional(
            "landlock",
            "the kernel has none, or it is not turned on",
            "add `landlock` to lsm= on the kernel's command line (CONFIG_SECURITY_LANDLOCK=y)",
        ),
        1 | 2 => optional(
            "landlock",
            version + ": no `landlock-ro`, `landlock-rw`, no scopes",
            "boot Linux 6.12 or newer",
        ),
        3..=5 => optional("landlock", version + ": no scopes", "boot Linux 6.12 or newer"),
        _ => ok("landlock", version),
    }
}

fn namespaces(seen: &Seen) -> Finding {
    let lacks: Vec<&str> = NAMESPACES.into_iter().filter(|name| !seen.has_namespace(name)).collect();
    match lacks.is_empty() {
        true => ok("namespaces", NAMESPACES.join(",")),
        false => missing(
            "namespaces",
            format!("no {}", lacks.join(",")),
            "boot a kernel with CONFIG_NAMESPACES and all below it",
        ),
    }
}

fn time(seen: &Seen) -> Finding {
    match seen.has_namespace("time") {
        true => ok("time namespaces", "the kernel has them"),
        false => optional(
            "time namespaces",
            "the kernel has none",
            "boot Linux 5.6 or newer with CONFIG_TIME_NS=y",
        ),
    }
}

fn user(seen: &Seen) -> Finding {
    let Some(reason) = &seen.user else { return ok("user namespaces", "one can be made") };
    let cure = match seen {
        Seen { user_max: Some(0), .. } => "sysctl -w user.max_user_namespaces=15000".to_owned(),
        Seen { profile: Some(profile), .. } => rule_missing(profile),
        Seen { user_clone_off: true, .. } => "sysctl -w kernel.unprivileged_userns_clone=1".to_owned(),
        Seen { apparmor: true, .. } => UNCONFINED.to_owned(),
        Seen { container: Some(container), .. } => {
            format!("let the seccomp profile of this {container} container allow clone3 and unshare")
        }
        _ => "boot a kernel with CONFIG_USER_NS=y".to_owned(),
    };
    missing("user namespaces", reason, cure)
}

fn ranges(seen: &Result<bool, String>) -> Finding {
    match seen {
        Ok(true) => ok("id ranges", "/etc/subuid and /etc/subgid have some"),
        Ok(false) => optional(
            "id ranges",
            "nobody has one: a vassal's user namespace has one user and one group",
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER, for each owner another range",
        ),
        Err(why) => missing("id ranges", why, "mend that line, or set emperor-id-range = none"),
    }
}

const UNCONFINED: &str = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for liege with the rule `userns,`";

fn apparmor(seen: &Seen) -> Finding {
    if let Some(profile) = &seen.profile {
        return missing("apparmor", "our profile forbids user namespaces", rule_missing(profile));
    }
    match (seen.apparmor, seen.root) {
        (false, _) => ok("apparmor", "user namespaces are not restricted"),
        (true, true) => ok("apparmor", "user namespaces of users are restricted, root's are not"),
        (true, false) => missing("apparmor", "root of a user namespace gets no rights", UNCONFINED),
    }
}

fn cgroups(seen: &Seen) -> Vec<Finding> {
    let Some(mount) = &seen.cgroup.mount else {
        let cure = "mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1";
        return vec![missing("cgroup v2", "not mounted", cure)];
    };
    let place = match seen.cgroup.writable {
        true => ok("cgroup v2", format!("at {mount}, and our own can be divided")),
        false => missing(
            "cgroup v2",
            format!("at {mount}, and our own belongs to somebody else"),
            "Delegate=yes in the service, or systemd-run --user --scope -p Delegate=yes liege …",
        ),
    };
    let shared = (seen.cgroup.others > 0).then(|| shared(seen.cgroup.others));
    [place, controllers(&seen.cgroup)].into_iter().chain(shared).chain([kill(seen)]).collect()
}

/// `Documentation/admin-guide/cgroup-v2.rst`, "no internal process constraint".
fn shared(others: usize) -> Finding {
    optional(
        "cgroup of its own",
        format!("{others} other processes are here: a liege started from here gives no limits to vassals"),
        "start it as a service, or by systemd-run --scope -p Delegate=yes liege …",
    )
}

fn controllers(cgroup: &Cgroup) -> Finding {
    let has = |name: &&str| cgroup.controllers.iter().any(|one| one == name);
    let lacks: Vec<&str> = CONTROLLERS.into_iter().filter(|name| !has(name)).collect();
    if lacks.is_empty() {
        return ok("cgroup controllers", CONTROLLERS.join(","));
    }
    let cure = match lacks.iter().any(|name| cgroup.bound.contains(name)) {
        true => "they belong to cgroups of version 1: boot with systemd.unified_cgroup_hierarchy=1".into(),
        false => format!("echo '+{}' >cgroup.subtree_control in the cgroup above", lacks.join(" +")),
    };
    optional("cgroup controllers", format!("no {}: no limits of these", lacks.join(",")), cure)
}

fn kill(seen: &Seen) -> Finding {
    match seen.kernel >= KILL_SINCE {
        true => ok("cgroup.kill", "the kernel has it"),
        false => optional(
            "cgroup.kill",
            "the kernel is too old: processes are killed one by one",
            "boot Linux 5.14 or newer",
        ),
    }
}

fn tun(seen: &Seen) -> Finding {
    match &seen.tun {
        None => ok("/dev/net/tun", "can be opened"),
        Some(reason) => optional(
            "/dev/net/tun",
            reason,
            "modprobe tun; mkdir -p /dev/net; mknod -m 666 /dev/net/tun c 10 200",
        ),
    }
}

fn forward(seen: &Seen) -> Finding {
    match seen.knob(FORWARD) {
        Some(1..) => ok("ip_forward", "packets are passed on"),
        _ => optional(
            "ip_forward",
            "off: jails reach no other network by routing",
            "sysctl -w net.ipv4.ip_forward=1",
        ),
    }
}

fn dropbear(seen: &Seen) -> Finding {
    match seen.dropbear_lacks[..] {
        [] => ok("dropbear", "`ssh = PORT` runs it in jails"),
        _ => optional(
            "dropbear",
            format!(
                "no {}: `ssh = PORT` starts no ssh server where the root of the jail has none of its own",
                seen.dropbear_lacks.join(", ")
            ),
            INSTALL_DROPBEAR,
        ),
    }
}

/// A server of ssh that is not root gives a terminal to that group, and may not unless it has it from the start.
fn terminals(group: u32) -> Finding {
    let found = "/dev/pts gives terminals to no group: an ssh server that runs as a user on it (`ssh = PORT` with `uid`, without a jail) ends \
                 where a terminal is asked for";
    optional("terminals", found, format!("mount -o remount,gid={group},mode=620 /dev/pts"))
}

/// Options of the devpts at `/dev/pts`, by a `/proc/self/mountinfo`: whether they name a group.
pub fn names_group(mounts: &str) -> Option<bool> {
    let of_pts = |line: &&str| line.split(' ').nth(4) == Some("/dev/pts");
    let (_, kind) = mounts.lines().rfind(of_pts)?.split_once(" - ")?;
    let mut words = kind.split(' ');
    let is_devpts = words.next() == Some("devpts");
    let options = words.nth(1)?;
    is_devpts.then(|| options.split(',').any(|option| option.starts_with("gid=")))
}

fn protected(seen: &Seen, name: &'static str, least: u64) -> Option<Finding> {
    let short = name.strip_prefix("fs/").unwrap_or(name);
    Some(match seen.knob(name)? {
        value if value >= least => ok(short, value.to_string()),
        value => missing(short, value.to_string(), format!("sysctl -w fs.{short}={least}")),
    })
}

impl Seen {
    fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.iter().any(|one| one == name)
    }

    fn knob(&self, name: &str) -> Option<u64> {
        self.knobs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

fn ok(name: &'static str, found: impl Into<String>) -> Finding {
    Finding { name, state: State::Ok, found: found.into(), cure: None }
}

fn optional(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { name, state: State::Optional, found: found.into(), cure: Some(cure.into()) }
}

fn missing(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { name, state: State::Missing, found: found.into(), cure: Some(cure.into()) }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
