//! Root of a user namespace becomes an ordinary user: in one more namespace below it, which has his id alone.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, write};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::identity::{bound, hold_exactly};
use super::rootfs::{clone, proc};
use crate::plan::{Capabilities, Depth, Failure, Namespaces};
use crate::sys::{self, real_effective_saved_gid, real_effective_saved_uid};

/// What it takes to become that user later.
#[derive(Debug)]
pub struct Nest {
    /// Opened before anybody else could mount something over it.
    proc: OwnedFd,
}

impl Nest {
    /// Makes ready.
    ///
    /// Must: be called before anything of the vassal is run.
    ///
    /// # Errors
    /// `/proc` is none.
    pub fn prepare() -> Result<Self, Failure> {
        let proc = proc()?;
        // A mount of its own, where we may make one: else his phases of root could not unmount theirs.
        Ok(Self { proc: clone(proc.as_fd(), Depth::All).unwrap_or(proc) })
    }

    /// From root of our user namespace to this uid and gid, with no capability at all.
    ///
    /// Must: be root there, with CAP_SETFCAP, and have one thread.
    /// Must not: be followed by anything that needs a right.
    ///
    /// # Errors
    /// What the kernel refuses, or what is not as asked for afterwards.
    pub fn enter(self, uid: u32, gid: u32) -> Result<(), Failure> {
        let (outer_uid, outer_gid) = (real_effective_saved_uid()[1], real_effective_saved_gid()[1]);
        sys::unshare(Namespaces::USER)?;
        self.write("self/setgroups", "deny")?;
        self.write("self/uid_map", &format!("{uid} {outer_uid} 1\n"))?;
        self.write("self/gid_map", &format!("{gid} {outer_gid} 1\n"))?;
        bound(Capabilities::NONE)?;
        hold_exactly(Capabilities::NONE)?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        let exact = real_effective_saved_uid() == [uid; 3] && real_effective_saved_gid() == [gid; 3];
        if exact { Ok(()) } else { Err("the ids are not what was asked for".into()) }
    }

    fn write(&self, name: &'static str, text: &str) -> Result<(), Failure> {
        let named = |errno: Errno| Failure { detail: name.into(), ..Failure::from(errno) };
        let file =
            openat(&self.proc, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(named)?;
        write(&file, text.as_bytes()).map(|_| ()).map_err(named)
    }
}
