//! What this process was born as.

use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use jail::plan::{Host, advise_birth};
use jail::run::Nest;
use jail::{Capabilities, Namespaces};
use rustix::process::{geteuid, getpid, getppid};
use rustix::thread::capabilities;

use super::confine::Around;
use super::phases::Facts;
use super::trouble::Trouble;

/// Names the namespaces that a vassal was born into, set by liege's spawner (`fs,pid,uts`).
pub const JAIL: &str = "LIEGE_JAIL";
/// Who the vassal is once its phases of root are over (`UID:GID`), set for root of a user namespace by liege's spawner.
pub const OWNER: &str = "LIEGE_OWNER";
/// The descriptor of a way to the host's network, set by liege's spawner.
pub const OUTSIDE: &str = "LIEGE_NETWORK_FD";
/// The descriptor of the config that the process before this one has taken, set by liege's spawner where the file is another
/// one by now.
pub const ACCEPTED: &str = "LIEGE_ACCEPTED_FD";
/// There in a jail of the Emperor's `jail`.
pub const WHOLE: &str = "LIEGE_WHOLE";
/// Inode of the host's uts namespace, the same on every Linux (`PROC_UTS_INIT_INO`).
const UTS_OF_HOST: u64 = 0xEFFF_FFFE;

/// Looks at this process.
pub fn facts(emperor: bool) -> Facts {
    let jail = namespaces();
    Facts {
        root: geteuid().is_root(),
        jailed: !jail.is_empty() || getpid().is_init(),
        own_mounts: jail.has(Namespaces::FS) || are_mounts_own(),
        own_hostname: jail.has(Namespaces::UTS) || is_uts_own(),
        born: if shares_mounts() { jail.without(Namespaces::FS) } else { jail },
        emperor,
        permitted: permitted(),
        owner: std::env::var(OWNER).ok().as_deref().and_then(ids).filter(|_| geteuid().is_root()),
        whole: std::env::var_os(WHOLE).is_some(),
        outside: std::env::var_os(OUTSIDE).is_some(),
        around: Around::look(jail),
    }
}

/// What it takes to become the owner, where there is one.
///
/// Must: be called before anything of the config is run: it may mount what it likes over `/proc`.
///
/// # Errors
/// There is no `/proc`.
pub fn prepare(facts: &Facts) -> Result<Option<Nest>, Trouble> {
    let prepared = facts.owner.map(|_| Nest::prepare()).transpose();
    prepared.map_err(|failure| Trouble::new(format!("cannot use /proc: {}", failure.cause())))
}

/// Root of our user namespace becomes the owner of the config.
///
/// # Errors
/// What the kernel refuses: then nothing may be run.
pub fn become_owner(nest: Nest, (uid, gid): (u32, u32)) -> Result<(), Trouble> {
    nest.enter(uid, gid).map_err(|failure| {
        let advice = advise_birth(Namespaces::USER, failure.errno, &Host { vassal: true, ..Host::look() });
        Trouble { advice, ..Trouble::new(format!("cannot become uid {uid}: {}", failure.cause())) }
    })
}

fn namespaces() -> Namespaces {
    let named = std::env::var(JAIL).unwrap_or_default();
    Namespaces::from_str(&named).unwrap_or_default()
}

/// True when our parent has our mounts: whatever our environment says, they are not ours alone.
fn shares_mounts() -> bool {
    let parent = getppid().map(|pid| format!("/proc/{}/ns/mnt", pid.as_raw_nonzero()));
    let theirs = parent.and_then(|path| std::fs::read_link(path).ok());
    theirs.is_some() && theirs == std::fs::read_link("/proc/self/ns/mnt").ok()
}

/// An Emperor that knows nothing of `LIEGE_JAIL` may have made a namespace too. Without `/proc` we do not know.
fn is_uts_own() -> bool {
    std::fs::metadata("/proc/self/ns/uts").is_ok_and(|namespace| namespace.ino() != UTS_OF_HOST)
}

/// PID 1 of a pid namespace is there for its own jail alone, and so are mounts that the host's does not see.
fn are_mounts_own() -> bool {
    let of =
        |process: &str| std::fs::metadata(format!("/proc/{process}/ns/mnt")).map(|namespace| namespace.ino());
    match (of("self"), of("1")) {
        (Ok(ours), Ok(first)) => ours != first,
        _ => false,
    }
}

fn ids(text: &str) -> Option<(u32, u32)> {
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

fn permitted() -> Capabilities {
    capabilities(None).map_or(Capabilities::NONE, |sets| Capabilities(sets.permitted.bits()))
}
