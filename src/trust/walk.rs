//! The way to a config: every directory above it, and every directory and link that its link leads through.

use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, openat, readlinkat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::Target;
use super::judge::{Facts, Kind};
use super::reach::{LOOK, Mounts, Reach};
use super::stat::{Stat, has_private_group, path_of, proc_path, stat};
use crate::emperor::event::Owner;

/// Most directories above a config.
const DEPTH_MAX: usize = 64;
/// Most components of a link, those of the links on its way included.
const STEPS_MAX: usize = 128;

/// Longest path below a source, in bytes: with a name it fits into one message.
pub const PATH_MAX: usize = 3_072;

/// Most names that are given to be watched for one link.
const TURNS_MAX: usize = 8;

/// What was passed, and how to say where that was.
#[derive(Debug)]
pub struct Passed<'a> {
    reach: Reach<'a>,
    facts: Vec<Facts>,
    spots: Vec<Spot>,
    turns: Vec<Target>,
}

enum Step {
    Into(OwnedFd),
    Aside(Vec<u8>),
}

#[derive(Debug)]
enum Spot {
    /// So many directories above the one that the config is in.
    Above(usize),
    /// Still open.
    Held(OwnedFd),
}

/// The directory and the name that a link leads to.
#[derive(Debug)]
pub struct Destination {
    /// The directory (`O_PATH`).
    pub directory: OwnedFd,
    /// The name there.
    pub name: CString,
}

impl<'a> Passed<'a> {
    fn none(reach: Reach<'a>) -> Self {
        Self { reach, facts: Vec::new(), spots: Vec::new(), turns: Vec::new() }
    }

    /// All directories from `dir` up to the root.
    ///
    /// Who could move a directory between two of the looks owns one that is looked at.
    pub fn above(dir: BorrowedFd<'_>, reach: Reach<'a>) -> Result<Self, Errno> {
        let mut passed = Self::none(reach);
        let mut below: Option<Stat> = None;
        for level in 0..DEPTH_MAX {
            let found = stat(dir, &up(level))?;
            // At the root, `..` stays. The mount tells it from a directory that is mounted inside itself.
            if below.is_some_and(|below| below.identity == found.identity && below.mount == found.mount) {
                return Ok(passed);
            }
            passed.push(found.facts, Spot::Above(level));
            below = Some(found);
        }
        Err(Errno::NAMETOOLONG)
    }

    /// What is judged.
    pub fn facts(&self) -> &[Facts] {
        &self.facts
    }

    /// The path of one thing that was passed.
    pub fn path(&self, dir: BorrowedFd<'_>, place: usize) -> String {
        self.with_spot(dir, place, path_of).unwrap_or_else(|| "?".into())
    }

    /// Looks closer at group-writable directories: those of a private group are nobody else's.
    pub fn find_private_groups(&mut self, dir: BorrowedFd<'_>) {
        for place in 0..self.facts.len() {
            let facts = self.facts[place];
            if facts.kind == Kind::Directory && facts.mode & 0o022 == 0o020 {
                let path = self.with_spot(dir, place, proc_judged(&facts));
                self.facts[place].private_group = path.unwrap_or(false);
            }
        }
    }

    /// A user who answers for something that was passed, or for what stands at its end, and is not `owner`.
    pub fn foreign_server(&self, dir: BorrowedFd<'_>, end: BorrowedFd<'_>, owner: Owner) -> Option<Owner> {
        let Reach::Anywhere = self.reach else { return None };
        let mounts = Mounts::new();
        let held = self.spots.iter().filter_map(|spot| match spot {
            Spot::Held(held) => Some(held.as_fd()),
            // Those above are on the mounts above that of the directory.
            Spot::Above(_) => None,
        });
        let servers = held.chain([dir, end]).filter_map(|file| mounts.server_of(file));
        servers.into_iter().find(|server| *server != owner)
    }

    /// Walks where the text of a link in `dir` leads, up to the directory of its last component.
    pub fn follow(&mut self, dir: BorrowedFd<'_>, text: &[u8]) -> Result<Destination, Errno> {
        let mut current = start(dir, text, self)?;
        let mut steps: VecDeque<Vec<u8>> = components(text);
        for _ in 0..STEPS_MAX {
            let step = CString::new(steps.pop_front().ok_or(Errno::ISDIR)?).map_err(|_| Errno::INVAL)?;
            if steps.is_empty() && step.as_bytes() != b".." {
                self.turn(&current, &step);
                return Ok(Destination { directory: current, name: step });
            }
            current = match self.step(&current, &step)? {
                Step::Into(directory) => directory,
                Step::Aside(text) => {
                    components(&text).into_iter().rev().for_each(|step| steps.push_front(step));
                    start(current.as_fd(), &text, self)?
                }
            };
        }
        Err(Errno::LOOP)
    }

    /// The names on the way of a link that may come to mean something else.
    pub fn take_turns(&mut self) -> Vec<Target> {
        std::mem::take(&mut self.turns)
    }

    fn step(&mut self, current: &OwnedFd, step: &CString) -> Result<Step, Errno> {
        let next = self.reach.open(current.as_fd(), step).inspect_err(|_| self.turn(current, step))?;
        let facts = stat(next.as_fd(), c"")?.facts;
        match facts.kind {
            Kind::Directory => {
                self.push(facts, Spot::Held(copy(next.as_fd())?));
                Ok(Step::Into(next))
            }
            Kind::Link => {
                self.turn(current, step);
                let text = readlinkat(&next, c"", Vec::new())?.into_bytes();
                self.push(facts, Spot::Held(next));
                Ok(Step::Aside(text))
            }
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Without it, only a change of that name is missed.
    fn turn(&mut self, directory: &OwnedFd, name: &CString) {
        let (Ok(directory), Ok(name)) = (copy(directory.as_fd()), name.to_str()) else { return };
        if self.turns.len() < TURNS_MAX {
            self.turns.push(Target { directory, name: name.into() });
        }
    }

    fn push(&mut self, facts: Facts, spot: Spot) {
        self.facts.push(facts);
        self.spots.push(spot);
    }

    fn with_spot<T>(
        &self,
        dir: BorrowedFd<'_>,
        place: usize,
        then: impl Fn(BorrowedFd<'_>) -> T,
    ) -> Option<T> {
        match self.spots.get(place)? {
            Spot::Held(held) => Some(then(held.as_fd())),
            Spot::Above(0) => Some(then(dir)),
            Spot::Above(level) => {
                openat(dir, up(*level), LOOK, Mode::empty()).ok().map(|found| then(found.as_fd()))
            }
        }
    }
}

/// Opens what an administrator's own path names (`O_PATH`), links followed.
///
/// # Errors
/// `AWAY` where the way leads beyond what is near.
pub fn open_path(path: &[u8], reach: Reach<'_>) -> Result<OwnedFd, Errno> {
    let mut passed = Passed::none(reach);
    let mut current = start(CWD, b"/", &mut passed)?;
    let mut steps = components(path);
    for _ in 0..STEPS_MAX {
        let Some(step) = steps.pop_front() else { return Ok(current) };
        let step = CString::new(step).map_err(|_| Errno::INVAL)?;
        current = match passed.step(&current, &step) {
            Ok(Step::Into(directory)) => directory,
            Ok(Step::Aside(text)) => {
                components(&text).into_iter().rev().for_each(|step| steps.push_front(step));
                start(current.as_fd(), &text, &mut passed)?
            }
            Err(Errno::NOTDIR) if steps.is_empty() => return reach.open(current.as_fd(), &step),
            Err(errno) => return Err(errno),
        };
    }
    Err(Errno::LOOP)
}

/// Opens a directory below an open one (`O_PATH`), through no link; the empty path is that directory itself.
///
/// # Errors
/// `AWAY`; `EINVAL` for a path that leads out of it; what opening gives.
pub fn open_below(dir: BorrowedFd<'_>, path: &[u8], reach: Reach<'_>) -> Result<OwnedFd, Errno> {
    if path.len() > PATH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    reach.admit(dir)?;
    let mut current = copy(dir)?;
    for step in components(path) {
        if step == b".." {
            return Err(Errno::INVAL);
        }
        let step = CString::new(step).map_err(|_| Errno::INVAL)?;
        current = reach.open(current.as_fd(), &step)?;
        match stat(current.as_fd(), c"")?.facts.kind {
            Kind::Directory => {}
            Kind::Link => return Err(Errno::LOOP),
            _ => return Err(Errno::NOTDIR),
        }
    }
    Ok(current)
}

/// Where a link's text begins: at the root, or in the directory of the link.
fn start(dir: BorrowedFd<'_>, text: &[u8], passed: &mut Passed<'_>) -> Result<OwnedFd, Errno> {
    if !text.starts_with(b"/") {
        return copy(dir);
    }
    let root = openat(CWD, c"/", LOOK, Mode::empty())?;
    passed.push(stat(root.as_fd(), c"")?.facts, Spot::Held(copy(root.as_fd())?));
    Ok(root)
}

fn copy(file: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    fcntl_dupfd_cloexec(file, 3)
}

fn components(text: &[u8]) -> VecDeque<Vec<u8>> {
    text.split(|byte| *byte == b'/')
        .filter(|step| !step.is_empty() && *step != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

/// The empty path, `..`, `../..` and so on.
fn up(level: usize) -> CString {
    CString::new(vec![".."; level].join("/")).expect("dots and slashes have no NUL")
}

fn proc_judged(facts: &Facts) -> impl Fn(BorrowedFd<'_>) -> bool + use<> {
    let facts = *facts;
    move |dir| CString::new(proc_path(dir)).is_ok_and(|path| has_private_group(&path, &facts))
}
