//! Controllers for our leaves: whoever has processes in his own cgroup may give none to those below, so we step aside
//! into a leaf first (`Documentation/admin-guide/cgroup-v2.rst`, "no internal process constraint").

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::{Errno, read, write};
use rustix::process::{getpid, getppid};

use super::cgroup::{ASIDE, Cgroup, make};
use crate::plan::{Knob, controllers, errno_name, is_bound_to_v1};

/// Bytes read of a list of controllers or of the first pids.
const READ_MAX: usize = 4096;

impl Cgroup {
    /// Makes sure that every leaf can have these limits, and tries them once.
    ///
    /// Must: be called before anybody is born, by a process that may move its parent.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub fn delegate(&mut self, knobs: &[Knob]) -> Result<(), String> {
        let wanted = controllers(knobs);
        let there = words(&self.parent, CONTROLLERS);
        let missing: Vec<&str> = wanted.difference(&set(&there)).copied().collect();
        if !missing.is_empty() {
            return Err(self.without(&missing));
        }
        if !wanted.is_subset(&set(&words(&self.parent, SUBTREE))) {
            self.hand_down(&wanted)?;
        }
        enable(&self.top, &wanted)
            .map_err(|errno| self.refused("cannot give controllers to the leaves of", errno))?;
        self.try_once(knobs)
    }

    /// Writes the limits of a leaf.
    ///
    /// # Errors
    /// The first that the kernel does not take.
    pub fn limit(leaf: &OwnedFd, knobs: &[Knob]) -> Result<(), String> {
        knobs.iter().try_for_each(|knob| turn(leaf, knob))
    }

    /// To the cgroup that is ours.
    fn hand_down(&mut self, wanted: &BTreeSet<&str>) -> Result<(), String> {
        // The root of all cgroups has no type, and may keep its processes.
        if openat(&self.parent, "cgroup.type", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).is_ok() {
            self.step_aside()
                .map_err(|errno| self.refused("cannot make a leaf for the Emperor in", errno))?;
        }
        enable(&self.parent, wanted).map_err(|errno| {
            self.come_back();
            match errno {
                Errno::BUSY => self.crowded(),
                errno => self.refused("cannot give controllers to", errno),
            }
        })
    }

    fn step_aside(&mut self) -> Result<(), Errno> {
        let name = format!("{ASIDE}{}", getpid().as_raw_nonzero());
        let leaf = make(&self.parent, &name)?;
        self.aside = Some(name);
        each_of_us().iter().try_for_each(|pid| put(&leaf, "cgroup.procs", pid))
    }

    /// Takes back what [`Self::delegate`] did to the cgroup that we are in. What fails harms nobody: an empty cgroup is
    /// left to the next start.
    pub(super) fn come_back(&mut self) {
        let Some(name) = self.aside.take() else { return };
        let given: String = words(&self.parent, SUBTREE).iter().map(|one| format!("-{one} ")).collect();
        let _ = put(&self.parent, SUBTREE, &given);
        // Whoever is in the leaf, and nobody else: our parent may have died, and then another pid is our parent's.
        let leaf = make(&self.parent, &name);
        let pids = leaf.map(|leaf| words(&leaf, "cgroup.procs")).unwrap_or_default();
        pids.iter().for_each(|pid| {
            let _ = put(&self.parent, "cgroup.procs", pid);
        });
        let _ = unlinkat(&self.parent, &name, AtFlags::REMOVEDIR);
    }

    /// A limit that the kernel refuses is told at the start, not at each birth.
    fn try_once(&self, knobs: &[Knob]) -> Result<(), String> {
        let leaf = make(&self.top, TRIAL).map_err(|errno| self.refused("cannot make a leaf in", errno))?;
        let outcome = Self::limit(&leaf, knobs);
        let _ = unlinkat(&self.top, TRIAL, AtFlags::REMOVEDIR);
        outcome
    }

    fn refused(&self, what: &str, errno: Errno) -> String {
        let advice = match errno {
            Errno::ROFS => "; in a container, mount /sys/fs/cgroup writable",
            Errno::ACCESS | Errno::PERM => {
                "; start liege as root, or by `systemd-run --user --scope -p Delegate=yes`"
            }
            _ => "",
        };
        format!("{what} {}: {}{advice}", self.above(), errno_name(errno.raw_os_error()))
    }

    fn above(&self) -> String {
        self.path().parent().unwrap_or(self.path()).display().to_string()
    }

    fn without(&self, missing: &[&str]) -> String {
        let list = missing.join(", ");
        let mut text = format!("{} has no controller {list}", self.above());
        let hybrid = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let cure = match missing.iter().any(|one| is_bound_to_v1(&hybrid, one)) {
            true => {
                "it is bound to version 1 of cgroups: boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 alone"
            }
            false => {
                "enable it above: `Delegate=yes` in the service, or write it to cgroup.subtree_control of each cgroup above"
            }
        };
        let _ = write!(text, ": {cure}");
        text
    }

    /// Somebody else's processes are where we were started.
    fn crowded(&self) -> String {
        let ours = each_of_us();
        let others: Vec<String> =
            words(&self.parent, "cgroup.procs").into_iter().filter(|pid| !ours.contains(pid)).collect();
        let shown = others.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        format!(
            "other processes ({shown}) are in {}, so it can give no controllers to vassals: start liege as a service, or by \
             `systemd-run --scope -p Delegate=yes liege …`",
            self.above()
        )
    }
}

const CONTROLLERS: &str = "cgroup.controllers";
const SUBTREE: &str = "cgroup.subtree_control";
/// The leaf in which limits are tried.
const TRIAL: &str = "trial";

/// The Emperor and we: nobody else is there yet.
fn each_of_us() -> Vec<String> {
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    parent.into_iter().chain([getpid().as_raw_nonzero().to_string()]).collect()
}

fn enable(cgroup: &OwnedFd, wanted: &BTreeSet<&str>) -> Result<(), Errno> {
    let list: String = wanted.iter().map(|one| format!("+{one} ")).collect();
    put(cgroup, SUBTREE, list.trim_end())
}

fn turn(leaf: &OwnedFd, knob: &Knob) -> Result<(), String> {
    put(leaf, &knob.file, &knob.value).map_err(|errno| {
        let cause = match errno {
            Errno::NOENT => {
                format!("this kernel has no {} (see its boot options and its configuration)", knob.file)
            }
            errno => errno_name(errno.raw_os_error()),
        };
        format!("cannot set {}: {cause}", knob.option)
    })
}

/// Without waiting until what is above a lowered limit has been given back, where the kernel can do without (Linux 6.16).
fn put(cgroup: &OwnedFd, file: &str, text: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = openat(cgroup, file, flags, Mode::empty())?;
    write(file, text.as_bytes()).map(|_| ())
}

/// The words of a file; none where it cannot be read.
fn words(cgroup: &OwnedFd, file: &str) -> Vec<String> {
    let file = openat(cgroup, file, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty());
    let mut bytes = [0; READ_MAX];
    let length = file.and_then(|file| read(&file, &mut bytes)).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).split_whitespace().map(str::to_owned).collect()
}

fn set(words: &[String]) -> BTreeSet<&str> {
    words.iter().map(String::as_str).collect()
}
