//! Settings that a process passes on: made, and read back where the kernel may do less than it was asked for.

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, write};
use rustix::process::{self, Rlimit, getpriority_process, setpriority_process, setrlimit, umask};
use rustix::thread::{
    CapabilitiesSecureBits, CpuSet, sched_getaffinity, sched_setaffinity, set_capabilities_secure_bits,
};

use super::rootfs::proc;
use crate::plan::{Failure, IoPriority, Limit, Resource, Setting};
use crate::sys;

/// Makes one setting.
pub(super) fn set(setting: &Setting) -> Result<(), Failure> {
    match setting {
        Setting::Keyring => fresh_keyring(),
        Setting::Umask(mask) => {
            umask(Mode::from_raw_mode(*mask));
            Ok(())
        }
        Setting::Limit(resource, limit) => Ok(setrlimit(kernels(*resource), rlimit(*limit))?),
        Setting::Nice(nice) => Ok(setpriority_process(None, *nice)?),
        Setting::Io(priority) => Ok(sys::set_io_priority(io_priority(*priority))?),
        Setting::OomScore(score) => oom_score(*score),
        Setting::Processors(list) => processors(list),
        Setting::SecureBits(bits) => {
            Ok(set_capabilities_secure_bits(CapabilitiesSecureBits::from_bits_retain(bits.0))?)
        }
    }
}

/// The limit that this process has.
pub fn limit(resource: Resource) -> Limit {
    let Rlimit { current, maximum } = process::getrlimit(kernels(resource));
    Limit { soft: current.unwrap_or(Limit::NONE), hard: maximum.unwrap_or(Limit::NONE) }
}

/// What a vassal would inherit from this process without being meant to: how far it comes before others, its mask, its
/// cores.
pub fn to_be_set_anew() -> Vec<Setting> {
    let nice = getpriority_process(None).ok().filter(|nice| *nice < 0);
    let text = std::fs::read_to_string(OOM_SCORE).unwrap_or_default();
    let score = text.trim().parse::<i32>().ok().filter(|score| *score < 0);
    let mut settings = vec![
        Setting::Umask(0o022),
        Setting::Limit(Resource::Core, Limit::no_core(limit(Resource::Core).hard)),
    ];
    settings.extend(nice.map(|_| Setting::Nice(0)));
    settings.extend(score.map(|_| Setting::OomScore(0)));
    settings
}

const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// Where no process may make keyrings (a filter of a container, a kernel without them), none can be reached either.
fn fresh_keyring() -> Result<(), Failure> {
    match sys::join_session_keyring() {
        Err(Errno::NOSYS | Errno::PERM) => Ok(()),
        joined => Ok(joined?),
    }
}

/// To a proc, and to nothing that a program of the vassal's has mounted in its place.
fn oom_score(score: i32) -> Result<(), Failure> {
    let file = openat(proc()?, "self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, score.to_string().as_bytes())?;
    Ok(())
}

/// The kernel leaves out silently what is not there or not ours.
fn processors(list: &[u16]) -> Result<(), Failure> {
    let mut wanted = CpuSet::new();
    for &one in list {
        if usize::from(one) >= CpuSet::MAX_CPU {
            return Err(Failure::from(format!("there is no cpu {one}").as_str()));
        }
        wanted.set(one.into());
    }
    sched_setaffinity(None, &wanted)?;
    let got = sched_getaffinity(None)?;
    match list.iter().find(|one| !got.is_set(usize::from(**one))) {
        Some(one) => Err(Failure::from(format!("cpu {one} is not there, or not ours").as_str())),
        None => Ok(()),
    }
}

fn rlimit(limit: Limit) -> Rlimit {
    let known = |value| (value != Limit::NONE).then_some(value);
    Rlimit { current: known(limit.soft), maximum: known(limit.hard) }
}

/// The priority of a process's I/O; `None` for one that has none of its own, or that we may not ask.
pub fn io_priority_of(pid: i32) -> Option<IoPriority> {
    let value = sys::io_priority(pid).ok()?;
    let level = u8::try_from(value & 0x7).ok()?;
    match value >> 13 {
        1 => Some(IoPriority::Realtime(level)),
        2 => Some(IoPriority::BestEffort(level)),
        3 => Some(IoPriority::Idle),
        _ => None,
    }
}

/// `IOPRIO_PRIO_VALUE` of `ioprio_set(2)`: class above level.
fn io_priority(priority: IoPriority) -> i32 {
    let (class, level) = match priority {
        IoPriority::Realtime(level) => (1, level),
        IoPriority::BestEffort(level) => (2, level),
        IoPriority::Idle => (3, 0),
    };
    class << 13 | i32::from(level)
}

fn kernels(resource: Resource) -> process::Resource {
    match resource {
        Resource::As => process::Resource::As,
        Resource::Core => process::Resource::Core,
        Resource::Cpu => process::Resource::Cpu,
        Resource::Data => process::Resource::Data,
        Resource::Fsize => process::Resource::Fsize,
        Resource::Locks => process::Resource::Locks,
        Resource::Memlock => process::Resource::Memlock,
        Resource::Msgqueue => process::Resource::Msgqueue,
        Resource::Nice => process::Resource::Nice,
        Resource::Nofile => process::Resource::Nofile,
        Resource::Nproc => process::Resource::Nproc,
        Resource::Rss => process::Resource::Rss,
        Resource::Rtprio => process::Resource::Rtprio,
        Resource::Rttime => process::Resource::Rttime,
        Resource::Sigpending => process::Resource::Sigpending,
        Resource::Stack => process::Resource::Stack,
    }
}
