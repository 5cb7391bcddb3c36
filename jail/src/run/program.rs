//! Becoming a program, and running one to its end.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, RawFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, set_parent_process_death_signal, waitid};

use super::descriptors::Held;
use super::identity;
use crate::plan::{Failure, Program, errno_name};
use crate::sys::{self, CloneFlags, Stack, Strings};

/// A program made ready for exec, before the process that will be it.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// In the order in which they are tried.
    choices: Vec<Choice<'a>>,
    /// Descriptors of ours that it gets, as (here, there), each far from every other one's `there`.
    lent: Vec<(RawFd, RawFd)>,
    /// Capabilities of ours are passed on to it.
    rights: bool,
}

/// One program that may become the image.
#[derive(Debug)]
struct Choice<'a> {
    program: &'a Program,
    source: Source,
    argv: Strings<'a>,
    /// Why it did not. It has its place beforehand: nothing may be allocated where the parent's memory is shared and
    /// exec may follow.
    reason: Cell<Errno>,
}

#[derive(Debug)]
enum Source {
    Open(RawFd),
    Paths(Vec<CString>),
}

impl<'a> Image<'a> {
    pub(super) fn new(program: &'a Program) -> Self {
        Self { choices: Choice::all(program), lent: Vec::new(), rights: false }
    }

    pub(super) fn lending(self, lent: Vec<(RawFd, RawFd)>) -> Self {
        Self { lent, ..self }
    }

    pub(super) fn passing_on_rights(self) -> Self {
        Self { rights: true, ..self }
    }

    fn lend(&self) -> Result<(), Errno> {
        self.lent.iter().try_for_each(|(here, there)| sys::duplicate_to(*here, *there))
    }

    /// By the child alone: the one who goes on has nothing more to give away than before.
    fn pass_on(&self) -> Result<(), Errno> {
        if self.rights { identity::pass_on() } else { Ok(()) }
    }
}

impl<'a> Choice<'a> {
    fn all(program: &'a Program) -> Vec<Self> {
        let source = match program {
            Program::Descriptor(fd, _) => Source::Open(*fd),
            Program::Path { file, search, .. } => Source::Paths(candidates(file, search)),
            Program::First(programs) => return programs.iter().flat_map(Self::all).collect(),
        };
        let (argv, reason) = (Strings::new(program.argv()), Cell::new(Errno::NOENT));
        vec![Self { program, source, argv, reason }]
    }

    /// Returns only when it cannot.
    fn become_it(&self, held: &Held, environment: &Strings<'_>) {
        let reason = match &self.source {
            Source::Open(fd) => match sys::borrow(held.now(*fd)) {
                Ok(file) => sys::execveat(file, &self.argv, environment),
                Err(errno) => errno,
            },
            Source::Paths(paths) => become_first(paths, &self.argv, environment),
        };
        self.reason.set(reason);
    }

    fn words(&self) -> String {
        format!("{}: {}", self.program.name(), errno_name(self.reason.get().raw_os_error()))
    }
}

/// Where a program may be: a path as it is, a name in each directory of the search.
fn candidates(file: &CStr, search: &[CString]) -> Vec<CString> {
    let name = file.to_bytes();
    if name.contains(&b'/') || name.is_empty() {
        return vec![file.to_owned()];
    }
    let joined = |directory: &CString| CString::new([directory.to_bytes(), b"/", name].concat());
    search.iter().filter_map(|directory| joined(directory).ok()).collect()
}

/// Becomes the first program that can be run; returns only the reasons why none of them can.
pub(super) fn become_program(image: &Image<'_>, held: &Held, environment: &Strings<'_>) -> Failure {
    image.choices.iter().for_each(|choice| choice.become_it(held, environment));
    match image.choices.as_slice() {
        [] => Errno::NOENT.into(),
        [only] => only.reason.get().into(),
        several => several.iter().map(Choice::words).collect::<Vec<_>>().join(", ").as_str().into(),
    }
}

/// Tries each path, as `execvp(3)` does: one that is not there is passed over, one that may not be executed is
/// remembered, anything else ends the search.
fn become_first(paths: &[CString], argv: &Strings<'_>, environment: &Strings<'_>) -> Errno {
    let mut reason = Errno::NOENT;
    for path in paths {
        match sys::execve(path, argv, environment) {
            Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT => {}
            Errno::ACCESS => reason = Errno::ACCESS,
            other => return other,
        }
    }
    reason
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started, or ends in anything but status 0.
pub(super) fn run_to_end(image: &Image<'_>, held: &Held, environment: &Strings<'_>) -> Result<(), Failure> {
    let mut failure = None;
    let mut stack = Stack::lend()?;
    let mut walk = || failure = Some(start(image, held, environment));
    let made = match sys::CAN_SHARE {
        true => sys::clone_sharing(CloneFlags::default(), &mut stack, &mut walk),
        false => sys::clone_apart(CloneFlags::default(), &mut walk),
    };
    let child = match made {
        Err(Errno::NOSYS) => return run_filtered(image, held, environment),
        made => made?,
    };
    let end = wait_for(|| WaitId::PidFd(child.pidfd.as_fd()))?;
    failure.map_or_else(|| judge(&end), Err)
}

/// The same under a filter of system calls, which lets nobody use `clone3`. Why it does not run comes over a pipe.
fn run_filtered(image: &Image<'_>, held: &Held, environment: &Strings<'_>) -> Result<(), Failure> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let pid = sys::fork(|| {
        let failure = start(image, held, environment);
        // A parent that does not listen any more is gone.
        let _ = rustix::io::write(&writer, &failure.encode());
        sys::CHILD_FAILED
    })?;
    drop(writer);
    let mut told = Vec::new();
    // Whatever could not be read shows in how it ended.
    let _ = File::from(reader).read_to_end(&mut told);
    let end = wait_for(|| WaitId::Pid(pid))?;
    Failure::decode(&told).map_or_else(|| judge(&end), Err)
}

/// The child's part. Our own descriptors, and whatever the vassal was given, are no business of a hook.
fn start(image: &Image<'_>, held: &Held, environment: &Strings<'_>) -> Failure {
    let ready = set_parent_process_death_signal(Some(Signal::KILL))
        .and_then(|()| sys::default_dispositions())
        .and_then(|()| sys::unblock_all())
        .and_then(|()| sys::close_range_on_exec(3))
        .and_then(|()| image.lend())
        .and_then(|()| image.pass_on());
    match ready {
        Ok(()) => become_program(image, held, environment),
        Err(errno) => errno.into(),
    }
}

fn wait_for<'a>(child: impl Fn() -> WaitId<'a>) -> Result<WaitIdStatus, Failure> {
    loop {
        match waitid(child(), WaitIdOptions::EXITED) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn judge(end: &WaitIdStatus) -> Result<(), Failure> {
    match (end.exit_status(), end.terminating_signal()) {
        (Some(0), _) => Ok(()),
        (Some(status), _) => Err(format!("exit status {status}").as_str().into()),
        (None, Some(signal)) => Err(format!("killed by signal {signal}").as_str().into()),
        (None, None) => Err("ended in an unknown way".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_name_is_searched() {
        let search = [c"/bin".to_owned(), c"/usr/bin".to_owned()];
        assert_eq!(candidates(c"sh", &search), [c"/bin/sh".to_owned(), c"/usr/bin/sh".to_owned()]);
        assert_eq!(candidates(c"./sh", &search), [c"./sh".to_owned()]);
        assert_eq!(candidates(c"", &search), [c"".to_owned()]);
    }
}
