//! Makes user namespaces at somebody's expense: see [`crate::plan::Plan::payer`].

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Uid, dumpable_behavior, geteuid, set_dumpable_behavior};
use rustix::thread::{
    CapabilitiesSecureBits, capabilities_secure_bits, set_capabilities_secure_bits, set_thread_res_uid,
};

use crate::sys;

/// Does something, such as to make a process, with the effective uid of `payer`, all our rights, and root's files.
///
/// Where it cannot be had (a container that does not know the number, a spawner that may not change ids) it is done as
/// ourselves. Whatever happens, the caller is itself again; were that impossible, the process would end.
///
/// Must: be called by the only thread.
pub(super) fn paid_by<T>(payer: Option<u32>, deed: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    // One who is not root writes the map of a child only because the child's files are his own.
    let Some(payer) = payer.filter(|_| geteuid().is_root()) else { return deed() };
    let own = Own::now()?;
    if own.lend(payer).is_err() {
        own.must_return();
    }
    let done = deed();
    own.must_return();
    done
}

/// What a root process has to come back to.
struct Own {
    bits: CapabilitiesSecureBits,
    dumpable: DumpableBehavior,
}

impl Own {
    fn now() -> Result<Self, Errno> {
        let dumpable = match dumpable_behavior()? {
            DumpableBehavior::Dumpable => DumpableBehavior::Dumpable,
            // The kernel alone sets the third way, by fs.suid_dumpable.
            _ => DumpableBehavior::NotDumpable,
        };
        Ok(Self { bits: capabilities_secure_bits()?, dumpable })
    }

    /// Real and saved uid stay root's: they are the way back, and keep the limits on what root starts.
    fn lend(&self, payer: u32) -> Result<(), Errno> {
        // Else the rights would go with the id. A child in a user namespace does not inherit it.
        set_capabilities_secure_bits(self.bits | CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
        set_thread_res_uid(None, Uid::from_raw(payer), None)?;
        // The child's way to files until it takes ids of its own: a cgroup, its `/proc`, what it mounts.
        if sys::set_file_uid(0) { self.stay_hidden() } else { Err(Errno::PERM) }
    }

    /// A change of ids leaves this to fs.suid_dumpable.
    fn stay_hidden(&self) -> Result<(), Errno> {
        set_dumpable_behavior(self.dumpable)
    }

    /// Without CAP_SETPCAP they cannot be set, and have not been.
    fn restore_bits(&self) -> Result<(), Errno> {
        if capabilities_secure_bits()? == self.bits {
            Ok(())
        } else {
            set_capabilities_secure_bits(self.bits)
        }
    }

    fn must_return(&self) {
        let returned = set_thread_res_uid(None, Uid::ROOT, None)
            .and_then(|()| self.restore_bits())
            .and_then(|()| self.stay_hidden());
        if returned.is_err() || !geteuid().is_root() {
            // All that this process makes from here on would be somebody else's.
            std::process::abort();
        }
    }
}
