//! Carries hooks out, in the vassal itself: no program is needed for any of them.

pub mod files;
mod mounts;
mod news;
pub mod spot;
pub mod wait;

use jail::{Phase, sys};
use rustix::io::Errno;

use super::programs;
use super::state::Vassal;
use super::trouble::Trouble;
use crate::config::hook::{Action, Hook};

/// Why a hook failed.
#[derive(Debug)]
enum Broken {
    /// The system refused something.
    Errno(Errno),
    /// A sentence of its own.
    Trouble(Trouble),
}

/// Carries one hook out. A status ends the vassal with it.
///
/// # Errors
/// Why it failed; of a hidden one only that it did.
pub fn carry_out(vassal: &mut Vassal, phase: Phase, hook: &Hook) -> Result<Option<u8>, Trouble> {
    if let Action::Exit(status) = hook.action {
        return Ok(Some(status));
    }
    let named = hook.named(phase);
    act(vassal, phase, &hook.action, &named).map(|()| None).map_err(|broken| match broken {
        Broken::Errno(errno) => advised(Trouble::errno(format!("do {named}"), errno), errno),
        Broken::Trouble(_) if hook.shown.is_none() => Trouble::new(format!("cannot do {named}")),
        Broken::Trouble(trouble) => trouble,
    })
}

fn act(vassal: &mut Vassal, phase: Phase, action: &Action, named: &str) -> Result<(), Broken> {
    let base = vassal.directory.as_ref();
    match action {
        Action::Enter(path) => vassal.directory = Some(files::directory(base, path)?),
        Action::MakeDirectory(path) => files::make_directory(base, path)?,
        Action::Mode(path, mode) => files::set_mode(base, path, |_| *mode)?,
        Action::Sticky(path) => files::set_mode(base, path, |mode| mode | files::STICKY)?,
        Action::Owner(path, owner) => files::set_owner(base, path, super::identity::owner(owner)?)?,
        Action::Write(path, text) => files::write(base, path, text)?,
        Action::Append(path, text) => files::append(base, path, text)?,
        Action::Unlink(path) => files::unlink(base, path)?,
        Action::Mount(mount) => mounts::mount(base, mount)?,
        Action::Unmount(unmount) => mounts::unmount(base, unmount)?,
        Action::InterfaceUp(name) => sys::interface(name, true)?,
        Action::InterfaceDown(name) => sys::interface(name, false)?,
        Action::Hostname(name) => rustix::system::sethostname(name.as_bytes())?,
        Action::PutEnv(name, value) => vassal.set_variable(name, value),
        Action::Print(text) => vassal.teller.said(text),
        Action::Exec(text) => exec(vassal, phase, named, text)?,
        Action::SafeExec(text) => {
            if let Err(trouble) = exec(vassal, phase, named, text) {
                vassal.teller.trouble(&trouble);
            }
        }
        Action::Fifo(path, text, reader) => wait::fifo(vassal, named, (path, text), *reader)?,
        Action::WaitFor(thing) => wait::thing(vassal, named, thing, wait::SECONDS)?,
        Action::Exit(_) => unreachable!("carry_out() takes it itself"),
    }
    Ok(())
}

fn exec(vassal: &mut Vassal, phase: Phase, named: &str, text: &str) -> Result<(), Trouble> {
    let environment = programs::environment(vassal, phase);
    programs::run(vassal, named, text, environment)
}

/// What to do about an error of a path.
pub fn advised(trouble: Trouble, errno: Errno) -> Trouble {
    match errno {
        Errno::LOOP => trouble.advise(
            "a symbolic link on the way stands where others than root may write, or links lead in a circle: name the target itself",
        ),
        Errno::MLINK => trouble.advise(
            "the file has several names, and this one stands where others than root may write: give it a copy of its own",
        ),
        Errno::PERM => trouble.advise("is it done before the user is changed, and in a namespace of its own?"),
        Errno::NOENT => trouble.advise("does every part of its path exist in the jail at that time?"),
        _ => trouble,
    }
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Trouble> for Broken {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
