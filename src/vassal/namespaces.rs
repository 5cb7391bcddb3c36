//! Namespaces of others that are joined, and ours that are served.

use std::os::fd::OwnedFd;
use std::path::Path;

use jail::{Namespaces, run};
use rustix::io::Errno;

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
