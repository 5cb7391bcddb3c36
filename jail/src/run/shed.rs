//! What a process of ours gives up for itself.

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Signal, getpid, set_child_subreaper, set_dumpable_behavior,
    set_parent_process_death_signal,
};
use rustix::thread::{CapabilitySet, capabilities};

use super::{identity, perform};
use crate::plan::{Capabilities, Failure, Identity, Step};

/// Gives up the ids of this process for `identity`, all capabilities but `keep` (which also survive exec), and all
/// of the bounding set but `bounding`. With no identity only the capabilities go.
///
/// Must: be called while this process has one thread: the kernel changes the calling one alone.
///
/// # Errors
/// The first thing that did not come out exactly as asked; the process must then end.
pub fn shed(identity: Option<&Identity>, keep: Capabilities, bounding: Capabilities) -> Result<(), Failure> {
    // Without CAP_SETPCAP there is nothing to give up here: such a process has no right to pass on.
    if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        identity::bound(bounding)?;
    }
    match identity {
        Some(identity) => perform(&Step::Identity(identity.clone(), keep)),
        None => identity::hold_exactly(keep),
    }
}

/// Nobody of the same user may look into this process (`PR_SET_DUMPABLE`), and it leaves no core.
///
/// # Errors
/// None that the call is documented to give.
pub fn not_dumpable() -> Result<(), Errno> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// SIGKILL for this process when its parent dies.
///
/// Must: be called after the last change of ids, which clears it; the caller checks that the parent still lives.
///
/// # Errors
/// None that the call is documented to give.
pub fn die_with_parent() -> Result<(), Errno> {
    set_parent_process_death_signal(Some(Signal::KILL))
}

/// Orphans among our descendants become our children.
///
/// # Errors
/// None that the call is documented to give.
pub fn be_subreaper() -> Result<(), Errno> {
    set_child_subreaper(Some(getpid()))
}
