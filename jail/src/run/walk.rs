//! The walk through the steps of a plan: by a fresh child to its end, or one step by ourselves.

use std::ffi::CString;
use std::os::fd::RawFd;

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Signal, chdir, fchdir, getppid, set_parent_process_death_signal, setsid};
use rustix::system::sethostname;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space, set_no_new_privs};

use super::descriptors::{self, Held};
use super::program::{Image, become_program, run_to_end};
use super::{errand, fence, identity, rootfs, settings, time, user_map};
use crate::plan::{Failure, Program, Step};
use crate::sys::{self, Strings};

/// One walk. Everything that exec needs is made before the process is.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    steps: &'a [Step],
    images: Vec<Option<Image<'a>>>,
    environment: Strings<'a>,
    held: Held,
    /// The step that was begun last, from 1.
    begun: usize,
    report: Option<RawFd>,
    /// Where the child waits until its user map is written from outside.
    pub(super) gate: Option<RawFd>,
    /// Our parent's pid, where we can see it.
    pub(super) parent: Option<i32>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(steps: &'a [Step], environment: &'a [CString]) -> Self {
        let held = steps.iter().flat_map(held);
        Self {
            images: steps.iter().map(image).collect(),
            environment: Strings::new(environment),
            held: Held::new(held),
            begun: 0,
            report: None,
            gate: None,
            parent: None,
            steps,
        }
    }

    /// Where a failure is told; kept open until exec.
    pub(super) fn hold_report(&mut self, report: RawFd) {
        self.held.add(report);
        self.report = Some(report);
    }

    /// Walks to the end, which is another program; returns only the reason why not.
    pub(super) fn walk(&mut self) -> Failure {
        let walked = (0..self.steps.len()).try_for_each(|index| self.carry_out(index));
        let failure = walked.err().unwrap_or_else(|| Failure::from("the plan ends without a program"));
        Failure { step: u16::try_from(self.begun).unwrap_or(u16::MAX), ..failure }
    }

    /// The same by a child with a copy of everything that is ours, and tells.
    pub(super) fn walk_and_report(&mut self) {
        let wire = match self.let_go() {
            Ok(()) => self.walk().encode(),
            Err(failure) => failure.encode(),
        };
        let report = self.report.and_then(|report| sys::borrow(self.held.now(report)).ok());
        if let Some(report) = report {
            // Nobody reads any more: then nobody wants to know.
            let _ = rustix::io::write(report, &wire);
        }
    }

    /// Closes what no step needs, at once: a hook may take long, and our sockets, the locks that we hold and what
    /// belongs to other vassals are not to live on in its shadow.
    fn let_go(&self) -> Result<(), Failure> {
        let ours = self.report.into_iter().chain(self.gate).chain(0..3);
        let mut needed: Vec<RawFd> = self.steps.iter().flat_map(named).chain(ours).collect();
        needed.sort_unstable();
        needed.dedup();
        descriptors::close_all_but(&needed)
    }

    /// A child that ended before its last step without a word was killed.
    pub(super) fn cut_short(&self) -> Option<Failure> {
        let step = u16::try_from(self.begun).unwrap_or(u16::MAX);
        let killed = || Failure { step, ..Failure::from("the process was killed on the way") };
        (self.begun < self.steps.len()).then(killed)
    }

    /// Does the step at `index`.
    pub(super) fn carry_out(&mut self, index: usize) -> Result<(), Failure> {
        self.begun = index + 1;
        match &self.steps[index] {
            Step::NewSession => Ok(setsid().map(|_| ())?),
            Step::Set(setting) => settings::set(setting),
            Step::MapUser(map) => user_map::map(map, self.gate),
            Step::JoinNetwork(fd) => join_network(*fd),
            Step::Unshare(namespaces) => Ok(sys::unshare(*namespaces)?),
            Step::NewTime(offsets) => time::enter(offsets),
            Step::PrivateMounts => private_mounts(),
            Step::MountProc => mount_proc(),
            Step::FileIds(uid, gid) => rootfs::take_file_ids(*uid, *gid),
            Step::Mounts(rootfs) => rootfs::enter(rootfs).map(|_| ()),
            Step::LoopbackUp => Ok(sys::loopback_up()?),
            Step::Hostname(name) => Ok(sethostname(name.as_bytes())?),
            Step::Run(..) => run_to_end(self.image(index)?, &self.held, &self.environment),
            Step::Errand(one) => errand::run(one, &self.held, &self.environment),
            Step::Await(awaited) => errand::wait(awaited),
            Step::Directory(fd) => Ok(fchdir(sys::borrow(*fd)?)?),
            Step::DirectoryAmongOurs(fd) => rootfs::settle_in_directory(*fd),
            Step::DirectoryBelow(fd, path) => rootfs::change_directory(*fd, path),
            Step::ChangeDirectory(path) => Ok(chdir(path.as_c_str())?),
            Step::Bound(set) => identity::bound(*set),
            Step::Identity(who, keep) => identity::become_exactly(who, *keep),
            Step::IdentityKeepingGroups(who, keep) => identity::become_in_map(who, *keep),
            Step::Capabilities(set) => identity::hold_exactly(*set),
            Step::RootCapabilities(set) => identity::hold_as_root(*set),
            Step::NosuidMounts => Ok(sys::nosuid_below_root()?),
            Step::NoNewPrivs => Ok(set_no_new_privs(true)?),
            Step::Landlock(fence) => fence::fence_in(fence),
            Step::Filter(filter) => Ok(sys::filter(filter.program)?),
            Step::DieWithParent => die_with_parent(self.parent),
            Step::DefaultSignals => default_signals(),
            Step::Descriptors(list) => descriptors::arrange(list, &mut self.held),
            Step::Exec(_) => Err(become_program(self.image(index)?, &self.held, &self.environment)),
        }
    }

    fn image(&self, index: usize) -> Result<&Image<'a>, Failure> {
        self.images[index].as_ref().ok_or_else(|| Failure::from("no program was made ready for this step"))
    }
}

fn open_programs(program: &Program) -> Vec<RawFd> {
    match program {
        Program::Descriptor(fd, _) => vec![*fd],
        Program::Path { .. } => Vec::new(),
        Program::First(programs) => programs.iter().flat_map(open_programs).collect(),
    }
}

/// Those of a step that must outlive the arrangement of what the program gets.
fn held(step: &Step) -> Vec<RawFd> {
    match step {
        Step::Errand(errand) => vec![errand.executable, errand.brief],
        Step::Run(_, program) | Step::Exec(program) => open_programs(program),
        _ => Vec::new(),
    }
}

/// The descriptors that a step names.
fn named(step: &Step) -> Vec<RawFd> {
    match step {
        Step::JoinNetwork(fd)
        | Step::Directory(fd)
        | Step::DirectoryAmongOurs(fd)
        | Step::DirectoryBelow(fd, _) => vec![*fd],
        Step::Mounts(rootfs) => rootfs.lent().collect(),
        Step::Descriptors(list) => list.iter().map(|(here, _)| *here).collect(),
        Step::Await(awaited) => vec![awaited.socket],
        _ => held(step),
    }
}

fn image(step: &Step) -> Option<Image<'_>> {
    match step {
        Step::Run(_, program) | Step::Exec(program) => Some(Image::new(program)),
        _ => None,
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno: errno.raw_os_error(), ..Self::default() }
    }
}

impl From<&str> for Failure {
    fn from(detail: &str) -> Self {
        Self { detail: detail.into(), ..Self::default() }
    }
}

/// Enters the network namespace that `fd` names, and no other kind.
fn join_network(fd: RawFd) -> Result<(), Failure> {
    Ok(move_into_link_name_space(sys::borrow(fd)?, Some(LinkNameSpaceType::Network))?)
}

/// Cuts every mount off from its peers.
///
/// Must: run in a mount namespace of our own, before any mount.
fn private_mounts() -> Result<(), Failure> {
    Ok(mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Mounts a proc that shows this pid namespace.
///
/// Must not: run while mounts are shared, or the host loses its own `/proc`.
fn mount_proc() -> Result<(), Failure> {
    let harmless = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount(c"proc", c"/proc", c"proc", harmless, None)?)
}

/// Asks for SIGKILL at our parent's death, and makes sure that it did not happen before we asked.
///
/// A process in a pid namespace of its own does not see who its parent is. There a death in that moment shows
/// in the spawner's socket, and the spawner kills what it has made.
fn die_with_parent(parent: Option<i32>) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let now = getppid().map(|pid| pid.as_raw_nonzero().get());
    match parent {
        Some(_) if now != parent => Err("the parent has died meanwhile".into()),
        _ => Ok(()),
    }
}

fn default_signals() -> Result<(), Failure> {
    sys::default_dispositions()?;
    Ok(sys::unblock_all()?)
}
