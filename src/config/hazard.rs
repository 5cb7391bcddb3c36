//! Pure. Values that do what they say, and let others do more than was meant. Only what the text shows.

use super::values;
use super::vassal::Address;

/// A dangerous value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// What others can do because of it.
    pub danger: &'static str,
    /// What to write instead.
    pub safe: &'static str,
}

/// Who carries the option out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// Our Emperor.
    Emperor,
    /// Our vassal master.
    Master,
    /// The `uwsgi` binary.
    Uwsgi,
}

/// Directories in which everybody may make files.
const PUBLIC: [&str; 3] = ["/tmp/", "/var/tmp/", "/dev/shm/"];
/// Directories that belong to people.
const PRIVATE: [&str; 2] = ["/home/", "~"];
/// Groups whose members can become root.
const POWERFUL: [&str; 8] = ["root", "disk", "docker", "kmem", "lxd", "shadow", "sudo", "wheel"];
/// Capabilities by which a process can become root.
const ALMIGHTY: [&str; 8] =
    ["bpf", "dac_override", "dac_read_search", "sys_admin", "sys_module", "sys_ptrace", "sys_rawio", "mknod"];

const fn hazard(danger: &'static str, safe: &'static str) -> Option<Hazard> {
    Some(Hazard { danger, safe })
}

/// What is dangerous about this value.
pub fn judge(name: &str, value: &str, runner: Runner) -> Option<Hazard> {
    match name {
        "chmod-socket" | "chmod" if is_for_all(value) => hazard(
            "everybody on this machine may connect",
            "chmod-socket = 660 and chown-socket = USER:GROUP",
        ),
        "umask" if value.parse::<u32>().is_ok() && digit(value) & 2 == 0 => {
            hazard("everybody may change the files that it makes", "umask = 027")
        }
        "uid" | "immediate-uid" if runner != Runner::Emperor && is_root(value) => {
            hazard("the program runs as root", "uid = NAME of a user made for it")
        }
        "gid" | "add-gid" | "immediate-gid" if runner != Runner::Emperor && is_powerful(value) => {
            hazard("members of this group can become root", "a group made for it")
        }
        "cap" if runner != Runner::Emperor && value.split(',').any(is_almighty) => {
            hazard("with this capability it can become root", "leave it out, or give it a user namespace")
        }
        "stats" | "stats-server" | "emperor-stats" | "emperor-stats-server" | "emperor-command-socket"
            if is_open(value) =>
        {
            hazard("whoever reaches this port is served, unasked", "a path, or 127.0.0.1:PORT")
        }
        "socket" | "uwsgi-socket" if runner == Runner::Uwsgi && is_open(value) => {
            hazard("who speaks uwsgi's protocol chooses which code is run", "a path, or 127.0.0.1:PORT")
        }
        _ => of_path(name, value),
    }
}

fn of_path(name: &str, value: &str) -> Option<Hazard> {
    let public = PUBLIC.iter().any(|directory| value.starts_with(directory));
    if public && WRITTEN.contains(&name) {
        return hazard(
            "somebody else may be there first with this name",
            "a directory of its own: /run/NAME/",
        );
    }
    let program = value.split_whitespace().next().unwrap_or_default();
    let owned = PUBLIC.iter().chain(&PRIVATE).any(|directory| program.starts_with(directory));
    let relative = program.contains('/') && !program.starts_with(['/', '$']);
    if PRIVILEGED.contains(&name) && (owned || relative) {
        let safe = "a program that root alone may change, by its whole path: /usr/local/lib/NAME";
        return hazard("whoever may change this program decides what root does", safe);
    }
    None
}

/// Options whose value is a file to be made.
const WRITTEN: [&str; 13] = [
    "daemonize",
    "daemonize2",
    "emperor-pidfile",
    "emperor-stats",
    "emperor-stats-server",
    "http-socket",
    "logto",
    "logto2",
    "master-fifo",
    "pidfile",
    "pidfile2",
    "socket",
    "stats",
];

/// Options whose value is run with rights that the owner of the config need not have.
const PRIVILEGED: [&str; 8] = [
    "exec-as-emperor",
    "exec-as-root",
    "exec-in-jail",
    "exec-post-jail",
    "exec-pre-jail",
    "privileged-binary-patch",
    "privileged-binary-patch-arg",
    "exec-asap",
];

/// True for a mode by which everybody may write; none at all means 666.
fn is_for_all(mode: &str) -> bool {
    mode.is_empty() || (values::mode(mode).is_ok_and(|mode| mode & 0o002 != 0))
}

/// The last octal digit.
fn digit(mode: &str) -> u32 {
    mode.chars().last().and_then(|last| last.to_digit(8)).unwrap_or(7)
}

fn is_root(user: &str) -> bool {
    user == "root" || user.parse::<u32>() == Ok(0)
}

fn is_powerful(group: &str) -> bool {
    POWERFUL.contains(&group) || group.parse::<u32>() == Ok(0)
}

fn is_almighty(capability: &str) -> bool {
    let name = capability.trim().to_ascii_lowercase();
    ALMIGHTY.contains(&name.strip_prefix("cap_").unwrap_or(&name))
}

/// True for a port that is not the machine's own alone.
fn is_open(address: &str) -> bool {
    matches!(values::address(address), Ok(Address::Tcp(address)) if !address.ip().is_loopback())
}
