//! Namespaces of others that are joined, and ours that are served.

use std::os::fd::OwnedFd;
use std::path::Path;

use jail::plan::{Extent, Host, UserMap, advise_birth};
use jail::{Namespaces, run};
use rustix::io::Errno;
use rustix::process::{getppid, parent_process_death_signal, set_parent_process_death_signal};

use super::handover::{self, Goods};
use super::state::Vassal;
use super::trouble::Trouble;

/// Waits for whoever serves namespaces on this socket, and joins them. True where only a child of ours will be in all
/// of them.
///
/// # Errors
/// Nobody in time, somebody who is not to be trusted, what the kernel refuses, or the vassal is to stop.
pub fn join(vassal: &mut Vassal, path: &Path) -> Result<bool, Trouble> {
    let served = handover::fetch(vassal, path, Goods::Namespaces)?;
    let joined = run::join(&served).map_err(|failure| {
        let trouble =
            Trouble::new(format!("cannot join the namespaces of {}: {}", path.display(), failure.cause()));
        match failure.errno {
            errno if errno == Errno::PERM.raw_os_error() => {
                trouble.advise("it takes root of the user namespace that they belong to")
            }
            _ => trouble,
        }
    })?;
    // Paths mean what they mean there.
    vassal.moved |= joined.has(Namespaces::FS);
    Ok(joined.has(Namespaces::PID))
}

/// Changes our ids. Whoever our death was to follow, it still does: the change itself clears that.
///
/// # Errors
/// Those of the change, or whose death ours follows has died.
pub fn keep_fate(change: impl FnOnce() -> Result<(), Trouble>) -> Result<(), Trouble> {
    let told = |errno| Trouble::errno("keep our parent-death signal", errno);
    let (parent, signal) = (getppid(), parent_process_death_signal().map_err(told)?);
    change()?;
    set_parent_process_death_signal(signal).map_err(told)?;
    if getppid() == parent { Ok(()) } else { Err(Trouble::new("our parent is gone")) }
}

/// Into a new user namespace with these ids, as its root.
///
/// # Errors
/// What the kernel refuses.
pub fn enter_user(ids: &[Extent]) -> Result<(), Trouble> {
    let map = UserMap { uid: ids.to_vec(), gid: ids.to_vec(), groups: true };
    run::enter_user_namespace(&map).map_err(|failure| {
        let advice = advise_birth(Namespaces::USER, failure.errno, &Host { vassal: true, ..Host::look() });
        let trouble = Trouble::new(format!("cannot enter a new user namespace: {}", failure.cause()));
        Trouble { advice, ..trouble }
    })
}

/// Our namespaces as they are now, except those named.
///
/// # Errors
/// An unknown name, or no `/proc`.
pub fn own(except: &[String]) -> Result<Vec<OwnedFd>, Trouble> {
    // `user` is never served: to name it changes nothing.
    let is_known =
        |name: &&String| *name == "user" || run::served_names().any(|known| known == name.as_str());
    if let Some(odd) = except.iter().find(|name| !is_known(name)) {
        let known = run::served_names().collect::<Vec<_>>().join(", ");
        let trouble = Trouble::new(format!("setns-socket-skip: there is no namespace `{odd}`"));
        return Err(trouble.advise(format!("use some of: {known}")));
    }
    run::own_namespaces(except).map_err(|failure| {
        let trouble = Trouble::new(format!("cannot take our namespaces: {}", failure.cause()));
        trouble.advise("they are named by /proc: add `proc`, or `setns-preopen`")
    })
}
