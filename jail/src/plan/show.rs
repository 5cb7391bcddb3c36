//! Pure. Plans and steps in words: what `liege plan` prints is what a failure numbers.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::RawFd;

use super::{Extent, Identity, Phase, Plan, Program, Step, UserMap};

impl fmt::Display for Plan {
    /// One line for each step, `step N: …`; step 0 is the birth of the process.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step 0: {}", self.birth())?;
        let mut numbered = self.steps.iter().zip(1..);
        numbered.try_for_each(|(step, number)| write!(f, "\nstep {number}: {step}"))
    }
}

impl Plan {
    /// What step 0 does: `make a process in fs,net`.
    pub fn birth(&self) -> String {
        match self.namespaces.is_empty() {
            true => "make a process".into(),
            false => format!("make a process in new namespaces {}", self.namespaces),
        }
    }

    /// What step `number` does, without its particulars; `None` for a number that the plan has not.
    pub fn deed(&self, number: u16) -> Option<String> {
        match number.checked_sub(1) {
            None => Some(self.birth()),
            Some(index) => self.steps.get(usize::from(index)).map(Step::deed),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Mounts(rootfs) = self {
            return rootfs.fmt(f);
        }
        f.write_str(&self.deed())?;
        let particulars = self.particulars();
        if particulars.is_empty() { Ok(()) } else { write!(f, " ({particulars})") }
    }
}

impl Step {
    /// What is done, so that it reads well after "cannot".
    pub fn deed(&self) -> String {
        match self {
            Self::NewSession => "start a session".into(),
            Self::Set(setting) => setting.to_string(),
            Self::MapUser(_) => "map user and group ids".into(),
            Self::JoinNetwork(_) => "join a network namespace of the pool".into(),
            Self::Unshare(namespaces) => format!("make new namespaces {namespaces}"),
            Self::NewTime(_) => "enter a new time namespace".into(),
            Self::PrivateMounts => "make all mounts private".into(),
            Self::MountProc => "mount proc on /proc".into(),
            Self::FileIds(uid, _) => format!("make files as uid {uid}"),
            Self::Mounts(_) => "build the file system".into(),
            Self::LoopbackUp => "bring lo up".into(),
            Self::NosuidMounts => "set nosuid on all mounts".into(),
            Self::Hostname(name) => format!("set the host name to {name}"),
            Self::Run(phase, program) => format!("run exec-{} {}", phase.name(), program.name()),
            Self::Errand(errand) => errand.deed.clone(),
            Self::Await(awaited) => format!("do hook-{}", awaited.phase.name()),
            Self::Directory(_) | Self::DirectoryAmongOurs(_) | Self::DirectoryBelow(..) => {
                "enter the working directory".into()
            }
            Self::ChangeDirectory(path) => format!("enter {}", readable(path)),
            Self::Bound(_) => "reduce the bounding set".into(),
            Self::Identity(who, _) | Self::IdentityKeepingGroups(who, _) => format!("become uid {}", who.uid),
            Self::Capabilities(_) | Self::RootCapabilities(_) => "set capabilities".into(),
            Self::NoNewPrivs => "set no_new_privs".into(),
            Self::Landlock(_) => "go behind a fence of Landlock".into(),
            Self::Filter(_) => "filter system calls".into(),
            Self::DieWithParent => "ask for death with the parent".into(),
            Self::DefaultSignals => "reset signals".into(),
            Self::Descriptors(_) => "arrange descriptors".into(),
            Self::Exec(program) => format!("exec {}", program.name()),
        }
    }

    fn particulars(&self) -> String {
        match self {
            Self::MapUser(map) => map_in_words(map),
            Self::NewTime(offsets) => offsets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Self::MountProc => "nosuid,nodev,noexec".into(),
            Self::Bound(set) => format!("keeping {set}"),
            Self::Identity(who, keep) => {
                format!("gid {}, {}, capabilities {keep}", who.gid, groups_in_words(who))
            }
            Self::IdentityKeepingGroups(who, keep) => {
                format!("gid {}, groups stay, capabilities {keep}", who.gid)
            }
            Self::Capabilities(set) | Self::RootCapabilities(set) => set.to_string(),
            Self::Landlock(fence) => fence.to_string(),
            Self::Filter(filter) => filter.refused.into(),
            Self::DieWithParent => "SIGKILL".into(),
            Self::Descriptors(list) => descriptors_in_words(list),
            Self::Run(_, program) | Self::Exec(program) => arguments(program),
            Self::Errand(errand) => errand.failure.into(),
            Self::Await(awaited) => format!("{}: a failure ends the start", awaited.deeds.join(", ")),
            Self::FileIds(_, gid) => format!("gid {gid}"),
            Self::DirectoryBelow(_, path) => path.display().to_string(),
            Self::Mounts(_) => String::new(),
            Self::Set(_)
            | Self::NewSession
            | Self::JoinNetwork(_)
            | Self::Unshare(_)
            | Self::PrivateMounts => String::new(),
            Self::LoopbackUp
            | Self::Hostname(_)
            | Self::Directory(_)
            | Self::DirectoryAmongOurs(_)
            | Self::ChangeDirectory(_) => String::new(),
            Self::NosuidMounts | Self::NoNewPrivs | Self::DefaultSignals => String::new(),
        }
    }
}

impl Phase {
    /// What options of this phase end with: `as-root` of `exec-as-root`.
    pub fn name(self) -> &'static str {
        match self {
            Self::EmperorStart => "emperor-start",
            Self::AsEmperorBeforeVassal => "as-emperor-before-vassal",
            Self::AsVassalBeforeDrop => "as-vassal-before-drop",
            Self::AsVassal => "as-vassal",
            Self::AsEmperor => "as-emperor",
            Self::AsEmperorSetns => "as-emperor-setns",
            Self::AsOnDemandVassal => "as-on-demand-vassal",
            Self::AsOnConfigVassal => "as-on-config-vassal",
            Self::Asap => "asap",
            Self::PreJail => "pre-jail",
            Self::PostJail => "post-jail",
            Self::InJail => "in-jail",
            Self::AsRoot => "as-root",
            Self::AsUser => "as-user",
            Self::PreApp => "pre-app",
            Self::PostApp => "post-app",
            Self::MasterStart => "master-start",
            Self::Accepting => "accepting",
            Self::AcceptingOnce => "accepting-once",
            Self::Accepting1 => "accepting1",
            Self::Accepting1Once => "accepting1-once",
            Self::Touch => "touch",
            Self::EmperorReload => "emperor-reload",
            Self::EmperorStop => "emperor-stop",
            Self::EmperorLost => "emperor-lost",
            Self::AsUserAtexit => "as-user-atexit",
        }
    }
}

impl Program {
    /// What names it: its path, or its `argv[0]` where a descriptor does.
    pub fn name(&self) -> String {
        match self {
            Self::Path { file, .. } => readable(file),
            Self::Descriptor(_, argv) => {
                argv.first().map_or_else(|| "an open program".into(), |name| readable(name))
            }
            Self::First(programs) => programs.iter().map(Self::name).collect::<Vec<_>>().join(", else "),
        }
    }

    /// Its arguments, `argv[0]` first.
    pub fn argv(&self) -> &[CString] {
        match self {
            Self::Path { argv, .. } | Self::Descriptor(_, argv) => argv,
            Self::First(programs) => programs.first().map_or(&[], Self::argv),
        }
    }
}

fn arguments(program: &Program) -> String {
    let words: Vec<String> = program.argv().iter().skip(1).map(|word| readable(word)).collect();
    words.join(" ")
}

fn map_in_words(map: &UserMap) -> String {
    let groups = if map.groups { "" } else { ", no setgroups" };
    format!("{}, {}{groups}", extents_in_words("uid", &map.uid), extents_in_words("gid", &map.gid))
}

fn extents_in_words(kind: &str, extents: &[Extent]) -> String {
    let words = extents.iter().map(|extent| match extent {
        Extent { inside, outside, count: 1 } => format!("{kind} {inside} is {outside} outside"),
        Extent { inside, outside, count } => format!("{count} from {kind} {inside} on are {outside} on"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn groups_in_words(who: &Identity) -> String {
    let list: Vec<String> = who.groups.iter().map(u32::to_string).collect();
    if list.is_empty() { "no groups".into() } else { format!("groups {}", list.join(",")) }
}

fn descriptors_in_words(list: &[(RawFd, RawFd)]) -> String {
    let (given, null): (Vec<RawFd>, Vec<RawFd>) = (
        list.iter().map(|(_, there)| *there).collect(),
        (0..3).filter(|fd| list.iter().all(|(_, there)| there != fd)).collect(),
    );
    let parts = [("only", given), ("/dev/null on", null)];
    let parts = parts.into_iter().filter(|(_, fds)| !fds.is_empty());
    let parts: Vec<String> = parts.map(|(what, fds)| format!("{what} {}", numbers(fds))).collect();
    parts.join(", ")
}

fn numbers(mut fds: Vec<RawFd>) -> String {
    fds.sort_unstable();
    let fds: Vec<String> = fds.iter().map(RawFd::to_string).collect();
    fds.join(",")
}

/// A tenant chooses some of these words: nothing in them may steer a terminal or end a line.
fn readable(text: &CStr) -> String {
    String::from_utf8_lossy(text.to_bytes()).chars().flat_map(shown).collect()
}

fn shown(one: char) -> impl Iterator<Item = char> {
    let escaped = one.is_control().then(|| one.escape_default());
    let plain = if one.is_control() { None } else { Some(one) };
    escaped.into_iter().flatten().chain(plain)
}
