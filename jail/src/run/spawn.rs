//! Makes a process and has it walk a plan.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{getpid, getppid};

use super::backdrop::{Backdrop, before};
use super::payer::paid_by;
use super::user_map::{Gate, gate, while_dumpable};
use super::walk::Walk;
use crate::plan::{Failure, Namespaces, Plan};
use crate::sys::{self, Child, CloneFlags, Stack};

/// How a process is born.
#[derive(Clone, Copy, Debug, Default)]
pub struct Birth<'a> {
    /// A child of our parent instead of ours: it is our parent that reaps it (`CLONE_PARENT`).
    pub sibling: bool,
    /// The directory of the cgroup v2 that it is born in (`CLONE_INTO_CGROUP`).
    pub cgroup: Option<BorrowedFd<'a>>,
    /// The mounts that it gets a copy of, in the place of ours.
    pub backdrop: Option<&'a Backdrop>,
    /// It gets a memory of its own whatever its plan is: what it was given may keep it waiting.
    pub apart: bool,
}

/// A process that was made.
#[derive(Debug)]
pub struct Born {
    /// Its pid, as its parent sees it.
    pub pid: i32,
    /// A descriptor of it.
    pub pidfd: OwnedFd,
}

/// What has become of a process that was made. Its parent must reap it in every case.
#[derive(Debug)]
pub enum Spawned {
    /// It runs its program.
    Running(Born),
    /// A step failed; it has ended.
    Failed(Born, Failure),
    /// It walks by itself. The descriptor tells how it went on: at its end of file without a byte it runs its
    /// program (or was killed on the way); else the bytes are a failure, see [`Failure::decode`].
    Walking(Born, OwnedFd),
}

impl Spawned {
    /// The process itself.
    pub fn born(&self) -> &Born {
        match self {
            Self::Running(born) | Self::Failed(born, _) | Self::Walking(born, _) => born,
        }
    }
}

/// No process was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot make a process: {}", .0.cause())]
pub struct SpawnError(pub Failure);

impl From<Errno> for SpawnError {
    fn from(errno: Errno) -> Self {
        Self(Failure::from(errno))
    }
}

/// Makes a process that walks `plan` to its last step.
///
/// Must: be called while this process has one thread.
///
/// # Errors
/// No process was made: `clone3(2)` refused (step 0).
pub fn spawn(plan: &Plan, birth: &Birth<'_>) -> Result<Spawned, SpawnError> {
    // A handler of ours must not run in the child, and none before the child has reset them all.
    let mask = sys::block_all()?;
    let waits = birth.apart || plan.can_wait() || !sys::CAN_SHARE;
    let spawned = match waits {
        true => apart(plan, birth),
        // Under a filter that hides `clone3`.
        false => sharing(plan, birth).or_else(|error| match error.0.errno {
            libc::ENOSYS => apart(plan, birth),
            _ => Err(error),
        }),
    };
    sys::restore_mask(mask);
    spawned
}

impl From<Child> for Born {
    fn from(child: Child) -> Self {
        Self { pid: child.pid, pidfd: child.pidfd }
    }
}

fn flags<'a>(plan: &Plan, birth: &Birth<'a>) -> CloneFlags<'a> {
    CloneFlags { namespaces: plan.namespaces, sibling: birth.sibling, cgroup: birth.cgroup }
}

/// Which pid the child will see as its parent's; `None` where that is no number of its own pid namespace.
fn parent_of_child(plan: &Plan, birth: &Birth<'_>) -> Option<i32> {
    let parent = if birth.sibling { getppid() } else { Some(getpid()) };
    parent.filter(|_| !plan.namespaces.has(Namespaces::PID)).map(|pid| pid.as_raw_nonzero().get())
}

/// The child shares our memory and we stand still until it runs its program: its cost does not grow with us.
///
/// Sound because we have one thread, which waits in the system call: what the child allocates and frees is
/// ours in one order; credentials change by system call alone, and libc remembers none; handlers, descriptors
/// and working directory are the child's own copies.
fn sharing(plan: &Plan, birth: &Birth<'_>) -> Result<Spawned, SpawnError> {
    let mut walk = Walk::new(&plan.steps, &plan.environment);
    walk.parent = parent_of_child(plan, birth);
    let mut failure = None;
    let mut stack = Stack::lend()?;
    let child = before(birth.backdrop, || {
        sys::clone_sharing(flags(plan, birth), &mut stack, &mut || failure = Some(walk.walk()))
    })?;
    Ok(match failure.or_else(|| walk.cut_short()) {
        None => Spawned::Running(child.into()),
        Some(failure) => Spawned::Failed(child.into(), failure),
    })
}

/// The child has a copy of our memory and walks at its own pace, while we go on.
fn apart(plan: &Plan, birth: &Birth<'_>) -> Result<Spawned, SpawnError> {
    match plan.map_from_outside() {
        None => walking(plan, birth, None),
        Some(map) => {
            let gate = gate(map.clone())?;
            while_dumpable(|| walking(plan, birth, Some(gate)))
        }
    }
}

fn walking(plan: &Plan, birth: &Birth<'_>, gate: Option<Gate>) -> Result<Spawned, SpawnError> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut walk = Walk::new(&plan.steps, &plan.environment);
    walk.parent = parent_of_child(plan, birth);
    walk.hold_report(writer.as_raw_fd());
    walk.gate = gate.as_ref().map(Gate::inner);
    let make = || sys::clone_apart(flags(plan, birth), || walk.walk_and_report());
    let child = before(birth.backdrop, || paid_by(plan.payer(), make))?;
    if let Some(gate) = gate {
        gate.open_for(child.pid, &child.pidfd);
    }
    Ok(Spawned::Walking(child.into(), reader))
}
