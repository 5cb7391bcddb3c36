//! Pure. What to do about a step that failed.

use caps::Capability;

use super::{Capabilities, Namespaces, Program, Setting, Step};

/// What is known of this host when something fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// We run with effective uid 0.
    pub root: bool,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu since 23.10), and we have no profile.
    pub apparmor_restricts_user: bool,
    /// The AppArmor profile by whose rules we are held.
    pub apparmor_profile: Option<String>,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian before 11, hardened kernels).
    pub user_clone_off: bool,
    /// `user.max_user_namespaces`; `None` where the kernel has no such knob.
    pub user_max: Option<u64>,
    /// What kind of container we seem to run in (`docker`, `lxc`, …).
    pub container: Option<String>,
    /// We are in a user namespace that is not the first one.
    pub inside_user: bool,
    /// We are process 1 of our pid namespace.
    pub first_process: bool,
    /// Capabilities that process 1 may have and we do not: a list was chosen for us, no container withholds them.
    pub left_out: Capabilities,
    /// The step is one of a vassal's own, which `emperor-cap` limits, not one of the spawner's.
    pub vassal: bool,
}

impl Host {
    /// The AppArmor profile that has no rule for user namespaces: nothing else refuses one with EACCES, not even root's.
    pub fn profile_that_refused(&self, errno: i32) -> Option<&str> {
        self.apparmor_profile.as_deref().filter(|_| errno == libc::EACCES)
    }
}

/// What lets whoever is held by this AppArmor profile have user namespaces.
pub fn rule_missing(profile: &str) -> String {
    format!(
        "the AppArmor profile `{profile}`, under which liege runs, needs the rule `userns,`, or liege a profile of its own (packaging/liege.apparmor)"
    )
}

/// The cure for a failed step, when we know one. `errno` is that of `errno(3)`.
pub fn advise(step: &Step, errno: i32, host: &Host) -> Option<String> {
    match step {
        Step::Unshare(namespaces) => advise_birth(*namespaces, errno, host),
        Step::NewTime(_) => time_refused(errno, host),
        Step::MountProc | Step::Mounts(_) => denied(errno).then(|| proc_refused(host)),
        Step::MapUser(_) => denied(errno).then(|| rights_missing(&IDS, host)),
        Step::LoopbackUp => denied(errno).then(|| rights_missing(&[Capability::CAP_NET_ADMIN], host)),
        Step::PrivateMounts | Step::Hostname(_) | Step::JoinNetwork(_) => {
            denied(errno).then(|| rights_missing(&ADMIN, host))
        }
        Step::Set(setting) => setting_refused(setting, errno, host),
        Step::NosuidMounts => nosuid_refused(errno, host),
        Step::Landlock(_) => {
            matches!(errno, libc::EOPNOTSUPP | libc::ENOSYS).then(|| LANDLOCK_MISSING.into())
        }
        Step::Filter(_) => matches!(errno, libc::EINVAL | libc::ENOSYS).then(|| FILTERS_MISSING.into()),
        Step::Identity(..) | Step::IdentityKeepingGroups(..) => identity_refused(errno, host),
        Step::Bound(_) => denied(errno).then(|| withheld(&[Capability::CAP_SETPCAP], host)),
        Step::Capabilities(wanted) | Step::RootCapabilities(wanted) => {
            denied(errno).then(|| not_held(*wanted, host))
        }
        Step::Run(_, program) | Step::Exec(program) => program_refused(program, errno),
        Step::Directory(_)
        | Step::DirectoryAmongOurs(_)
        | Step::DirectoryBelow(..)
        | Step::ChangeDirectory(_) => directory_refused(errno),
        Step::Descriptors(_) if errno == libc::EMFILE || errno == libc::EINVAL => {
            Some(MORE_DESCRIPTORS.into())
        }
        Step::Descriptors(_) | Step::NewSession | Step::NoNewPrivs | Step::FileIds(..) => None,
        Step::DieWithParent | Step::DefaultSignals | Step::Errand(_) | Step::Await(_) => None,
    }
}

fn time_refused(errno: i32, host: &Host) -> Option<String> {
    match errno {
        libc::ERANGE => Some("no clock can begin before 0: see `uptime`, or go less far back".into()),
        libc::ENOENT => {
            Some("it needs /proc: ask for it in `unshare`, before the root is another one".into())
        }
        errno if denied(errno) => {
            Some(rights_missing(&[Capability::CAP_SYS_ADMIN, Capability::CAP_SYS_TIME], host))
        }
        errno => advise_birth(Namespaces::TIME, errno, host),
    }
}

/// The cure when the process itself, in these namespaces, could not be made.
pub fn advise_birth(namespaces: Namespaces, errno: i32, host: &Host) -> Option<String> {
    match errno {
        libc::EPERM | libc::EACCES if namespaces.has(Namespaces::USER) => user_refused(errno, host),
        libc::EPERM | libc::EACCES => Some(rights_missing(&ADMIN, host)),
        libc::ENOSPC | libc::EUSERS if namespaces.has(Namespaces::USER) && host.user_max == Some(0) => {
            Some(USER_MAX_IS_0.into())
        }
        libc::ENOSPC | libc::EUSERS => Some(MORE_NAMESPACES.into()),
        libc::EAGAIN => {
            Some("too many processes: raise `pids.max` of our cgroup, `ulimit -u` or kernel.pid_max".into())
        }
        libc::EINVAL if host.first_process => {
            Some("run liege below an init (docker run --init), not as process 1".into())
        }
        libc::EINVAL | libc::ENOSYS => {
            Some("this kernel lacks one of the namespaces: Linux 5.12 or newer is needed".into())
        }
        _ => None,
    }
}

/// For namespaces and mounts.
const ADMIN: [Capability; 1] = [Capability::CAP_SYS_ADMIN];
const IDS: [Capability; 2] = [Capability::CAP_SETUID, Capability::CAP_SETGID];
const FILTERS_MISSING: &str =
    "this kernel was built without filters of system calls: CONFIG_SECCOMP_FILTER is needed";
const LANDLOCK_MISSING: &str = "this kernel has no Landlock, or too old a one: Linux 6.2 is needed for files and 6.12 for scopes, \
                                built with CONFIG_SECURITY_LANDLOCK and `landlock` in the list lsm= of its command line";
const MORE_DESCRIPTORS: &str = "raise the limit of open files: `ulimit -n`, or LimitNOFILE= of the service";
const USER_MAX_IS_0: &str = "user namespaces are turned off: `sudo sysctl -w user.max_user_namespaces=15000`";
const MORE_NAMESPACES: &str =
    "the limit of namespaces is reached: raise user.max_*_namespaces (`sysctl -a | grep user.max_`)";
const APPARMOR: &str = "AppArmor restricts user namespaces here: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, \
                        or an AppArmor profile for liege with the rule `userns,`";
const CLONE_OFF: &str =
    "user namespaces are turned off for users: `sudo sysctl -w kernel.unprivileged_userns_clone=1`";

fn denied(errno: i32) -> bool {
    matches!(errno, libc::EPERM | libc::EACCES)
}

/// Why a user namespace is refused, the likeliest cause first.
fn user_refused(errno: i32, host: &Host) -> Option<String> {
    if host.user_max == Some(0) {
        return Some(USER_MAX_IS_0.into());
    }
    if let Some(profile) = host.profile_that_refused(errno) {
        return Some(rule_missing(profile));
    }
    if host.user_clone_off && !host.root {
        return Some(CLONE_OFF.into());
    }
    if host.apparmor_restricts_user && !host.root {
        return Some(APPARMOR.into());
    }
    let container = host.container.as_ref()?;
    Some(format!(
        "this {container} container forbids user namespaces: its seccomp profile must allow clone3 and unshare"
    ))
}

/// Why something that root of a namespace may do is refused. Under AppArmor's restriction a user namespace
/// can be made, but its root has no rights.
fn rights_missing(needed: &[Capability], host: &Host) -> String {
    if host.root || host.vassal || lists_leave_out(needed, host) {
        return withheld(needed, host);
    }
    match host.apparmor_restricts_user {
        true => APPARMOR.into(),
        false => "run as root, or add `user` to emperor-use-clone".into(),
    }
}

fn lists_leave_out(needed: &[Capability], host: &Host) -> bool {
    needed.iter().any(|one| host.left_out.has(*one))
}

/// Which capabilities are missing, and where they are given: our own lists before the container.
fn withheld(needed: &[Capability], host: &Host) -> String {
    let names: Vec<String> = needed.iter().map(ToString::to_string).collect();
    let lacks = names.join(" or ");
    let listed: Vec<String> = names.iter().map(|name| option_name(name)).collect();
    let listed = listed.join(", ");
    let option = if host.vassal { "emperor-cap" } else { "cap" };
    match &host.container {
        Some(container) if !lists_leave_out(needed, host) => {
            format!(
                "{lacks} is missing: give it to this {container} container, and list {listed} in `{option}` if that is set"
            )
        }
        _ => format!(
            "{lacks} is missing: add {listed} to `{option}`, or to CapabilityBoundingSet= of the service"
        ),
    }
}

/// `CAP_SETUID` as lists write it.
fn option_name(name: &str) -> String {
    format!("`{}`", name.trim_start_matches("CAP_").to_ascii_lowercase())
}

fn not_held(wanted: Capabilities, host: &Host) -> String {
    match wanted.is_empty() {
        true => withheld(&[Capability::CAP_SETPCAP], host),
        false => format!("{wanted} must be held already: see `cap` and `emperor-cap` of the Emperor"),
    }
}

/// Whoever gives himself more than he was given needs a right to it.
fn setting_refused(setting: &Setting, errno: i32, host: &Host) -> Option<String> {
    let needed = match setting {
        Setting::Nice(_) | Setting::Io(_) => Capability::CAP_SYS_NICE,
        Setting::SecureBits(_) => Capability::CAP_SETPCAP,
        _ => Capability::CAP_SYS_RESOURCE,
    };
    match (setting, errno) {
        (Setting::Limit(..), libc::EPERM) => Some(format!(
            "stay within the hard limit that this vassal was born with; else {}",
            withheld(&[needed], host)
        )),
        (Setting::Keyring, libc::EDQUOT) => Some("raise kernel.keys.root_maxkeys".into()),
        (Setting::Processors(_), libc::EINVAL) => {
            Some("none of them is there: see `nproc` and `taskset -p`".into())
        }
        (Setting::Keyring | Setting::Processors(_) | Setting::Umask(_), _) => None,
        _ => denied(errno).then(|| withheld(&[needed], host)),
    }
}

fn nosuid_refused(errno: i32, host: &Host) -> Option<String> {
    match errno {
        libc::ENOSYS => {
            Some("this kernel cannot change all mounts at once: Linux 5.12 or newer is needed".into())
        }
        _ => denied(errno).then(|| rights_missing(&ADMIN, host)),
    }
}

fn proc_refused(host: &Host) -> String {
    let masked = "a fresh proc needs one that is wholly visible: in a container, unmask /proc \
                  (docker: --security-opt systempaths=unconfined), or leave `fs` or `pid` out";
    let masked_here = (host.container.is_some() || host.inside_user) && !lists_leave_out(&ADMIN, host);
    match masked_here {
        true => masked.into(),
        false => rights_missing(&ADMIN, host),
    }
}

fn identity_refused(errno: i32, host: &Host) -> Option<String> {
    match errno {
        libc::EPERM if host.root || lists_leave_out(&IDS, host) => Some(withheld(&IDS, host)),
        libc::EPERM => Some("only root may run vassals as another user: start liege as root".into()),
        libc::EINVAL => Some("this id has no place in the user namespace: see its uid_map".into()),
        libc::EAGAIN => Some("that user has too many processes (ulimit -u)".into()),
        _ => None,
    }
}

fn program_refused(program: &Program, errno: i32) -> Option<String> {
    match (errno, program) {
        (libc::ENOENT, Program::Path { file, .. }) if file.to_bytes().contains(&b'/') => {
            Some("the file is missing inside the jail, or the interpreter that it names is".into())
        }
        (libc::ENOENT, Program::Descriptor(..)) => {
            Some("an open program must be a binary, not a script".into())
        }
        (libc::ENOENT, Program::Path { .. }) => Some("install it, or give its absolute path".into()),
        (libc::EACCES, _) => Some(
            "the vassal's user must be allowed to execute it and to pass every directory above it".into(),
        ),
        (libc::ENOEXEC, _) => Some("a script needs a first line like `#!/bin/sh`".into()),
        (libc::E2BIG, _) => Some("arguments and environment are too long".into()),
        _ => None,
    }
}

fn directory_refused(errno: i32) -> Option<String> {
    match errno {
        libc::EACCES => Some("the process must be allowed to pass this directory (chmod +x)".into()),
        libc::ENOENT => Some("there is no such directory inside the jail: create it".into()),
        libc::ENOTDIR => Some("a part of this path is no directory".into()),
        _ => None,
    }
}
