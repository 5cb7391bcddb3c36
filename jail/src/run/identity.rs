//! Who a process is and what it may do: set, read back, and refused when it is not exactly what was asked for.
//!
//! System calls alone, never the functions of libc: those tell all threads, by a list that a raw child has no
//! part in.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Uid, getgroups, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_ambient_set, capability_is_in_bounding_set,
    clear_ambient_capability_set, configure_capability_in_ambient_set, remove_capability_from_bounding_set,
    set_capabilities, set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::plan::{Capabilities, Failure, Identity};
use crate::sys::{file_gid, real_effective_saved_gid, real_effective_saved_uid};

/// The highest number that a capability can have.
const NUMBER_MAX: u8 = 63;

/// Reduces the bounding set.
///
/// Must: run before the capabilities go; it needs CAP_SETPCAP.
pub(super) fn bound(keep: Capabilities) -> Result<(), Failure> {
    let dropped = (0..=NUMBER_MAX).filter(|number| keep.0 & (1 << number) == 0);
    for number in dropped {
        // A look costs a tenth of a removal, and most of them have gone from us already.
        match capability_is_in_bounding_set(bit(number)) {
            // Beyond the last capability that this kernel knows.
            Err(Errno::INVAL) => return Ok(()),
            present if present? => remove_capability_from_bounding_set(bit(number))?,
            _ => {}
        }
    }
    Ok(())
}

/// Takes groups, gid and uid, holds exactly `keep`, and makes sure of all of it.
///
/// Must not: be followed by anything that needs rights which `keep` does not give.
pub(super) fn become_exactly(who: &Identity, keep: Capabilities) -> Result<(), Failure> {
    refuse_no_id(who)?;
    let groups: Vec<Gid> = who.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    // Groups first: afterwards there is no right to. What is left of ours would be the tenant's.
    set_thread_groups(&groups)?;
    take_ids(who, keep)?;
    check_groups(&who.groups)
}

/// The same where the user map gave up `setgroups`: the groups stay what they are.
pub(super) fn become_in_map(who: &Identity, keep: Capabilities) -> Result<(), Failure> {
    refuse_no_id(who)?;
    take_ids(who, keep)
}

/// To the kernel -1 means "leave it": never an id.
fn refuse_no_id(who: &Identity) -> Result<(), Failure> {
    let refused = [who.uid, who.gid].into_iter().chain(who.groups.iter().copied()).any(|id| id == u32::MAX);
    if refused { Err("4294967295 is no id".into()) } else { Ok(()) }
}

fn take_ids(who: &Identity, keep: Capabilities) -> Result<(), Failure> {
    // Else leaving uid 0 would empty the permitted set; exec forgets this flag, and so do we below. Also where nothing
    // is kept: as long as we hold more than the user's other processes, they may not look into us, and where
    // fs.suid_dumpable is 1 nothing else keeps them from it before the step after next.
    set_keep_capabilities(true)?;
    let (uid, gid) = (Uid::from_raw(who.uid), Gid::from_raw(who.gid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    // The kernel did so already, unless fs.suid_dumpable says otherwise: nobody looks into us until exec.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_keep_capabilities(false)?;
    if who.uid == 0 {
        hold_as_root(keep)?
    } else {
        hold_exactly(keep)?
    }
    check_ids(who)
}

/// Permitted, effective, inheritable and ambient set become `set`.
pub(super) fn hold_exactly(set: Capabilities) -> Result<(), Failure> {
    hold(set, set)
}

/// Permitted and effective set become `set`, inheritable and ambient set empty: what root runs is root's again, as far as
/// the bounding set goes, and nobody whom it becomes takes anything along.
pub(super) fn hold_as_root(set: Capabilities) -> Result<(), Failure> {
    hold(set, Capabilities::NONE)
}

/// All that this process may is passed on to what it runs, also where exec takes it from whoever is not root there.
pub(super) fn pass_on() -> Result<(), Errno> {
    take_group_of_files()?;
    let are = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: are.permitted, ..are })?;
    let held = Capabilities(are.permitted.bits());
    held.each().try_for_each(|number| configure_capability_in_ambient_set(bit(number), true))
}

/// Exec takes an effective group that is neither that of our files nor a supplementary one for a change of ids (Linux 6.16),
/// and empties the ambient set. Our old group has no number in a user namespace: only the new one can be taken.
fn take_group_of_files() -> Result<(), Errno> {
    let files = file_gid();
    if files == real_effective_saved_gid()[1] {
        return Ok(());
    }
    let gid = Gid::from_raw(files);
    set_thread_res_gid(gid, gid, gid)
}

fn hold(set: Capabilities, passed_on: Capabilities) -> Result<(), Failure> {
    let bits = CapabilitySet::from_bits_retain(set.0);
    let inheritable = CapabilitySet::from_bits_retain(passed_on.0);
    clear_ambient_capability_set()?;
    set_capabilities(None, CapabilitySets { effective: bits, permitted: bits, inheritable })?;
    for number in passed_on.each() {
        configure_capability_in_ambient_set(bit(number), true)?;
    }
    check_capabilities(set, passed_on)
}

/// The kernel keeps the ambient set within permitted and inheritable: so it can only be too small.
fn check_capabilities(wanted: Capabilities, passed_on: Capabilities) -> Result<(), Failure> {
    let are = capabilities(None)?;
    let exact = [are.effective, are.permitted].iter().all(|set| set.bits() == wanted.0);
    let inheritable = are.inheritable.bits() == passed_on.0;
    let ambient = passed_on.each().all(|number| capability_is_in_ambient_set(bit(number)) == Ok(true));
    if exact && inheritable && ambient {
        Ok(())
    } else {
        Err("the capabilities are not what was asked for".into())
    }
}

fn check_ids(who: &Identity) -> Result<(), Failure> {
    let exact = real_effective_saved_uid() == [who.uid; 3] && real_effective_saved_gid() == [who.gid; 3];
    if exact { Ok(()) } else { Err("the ids are not what was asked for".into()) }
}

fn check_groups(wanted: &[u32]) -> Result<(), Failure> {
    let mut are: Vec<u32> = getgroups()?.into_iter().map(Gid::as_raw).collect();
    let mut wanted = wanted.to_vec();
    are.sort_unstable();
    wanted.sort_unstable();
    if are == wanted { Ok(()) } else { Err("the groups are not what was asked for".into()) }
}

fn bit(number: u8) -> CapabilitySet {
    CapabilitySet::from_bits_retain(1 << number)
}
