//! Pure. A seccomp profile in JSON, as OCI runtimes and docker write it, to rules.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use jail::Capabilities;
use jail::plan::{Answer, Clause, Compare, Relation, Rules, Test};
use serde::Deserialize;
use syscalls::Sysno;

/// What a profile's `includes` and `excludes` ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Capabilities that the vassal keeps.
    pub capabilities: Capabilities,
    /// Version of the kernel, major and minor.
    pub kernel: (u32, u32),
}

/// The profile as it is written. What is not known is refused: a misspelt `syscalls` would be no filter at all.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: Action,
    default_errno_ret: Option<u16>,
    #[serde(default)]
    syscalls: Vec<Row>,
    // Filters are made for our own door only, and every other one is closed: nothing of this can be chosen.
    #[serde(rename = "defaultErrno")]
    _default_errno: Option<serde::de::IgnoredAny>,
    #[serde(rename = "architectures")]
    _architectures: Option<serde::de::IgnoredAny>,
    #[serde(rename = "archMap")]
    _arch_map: Option<serde::de::IgnoredAny>,
    #[serde(rename = "flags")]
    _flags: Option<serde::de::IgnoredAny>,
    #[serde(rename = "comment")]
    _comment: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Action {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_KILL", alias = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    #[serde(default)]
    names: Vec<String>,
    name: Option<String>,
    action: Action,
    errno_ret: Option<u16>,
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
    #[serde(rename = "errno")]
    _errno: Option<serde::de::IgnoredAny>,
    #[serde(rename = "comment")]
    _comment: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    #[serde(deserialize_with = "index")]
    index: u8,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: Operation,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Operation {
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    #[serde(rename = "SCMP_CMP_GE")]
    AtLeast,
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    #[serde(rename = "SCMP_CMP_LE")]
    AtMost,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    Masked,
}

/// Docker's: the row counts only there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Condition {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    #[serde(default, deserialize_with = "version")]
    min_kernel: Option<(u32, u32)>,
}

/// Names of our architecture in such files.
const ARCHES: &[&str] = if cfg!(target_arch = "x86_64") {
    &["amd64", "x86_64"]
} else if cfg!(target_arch = "aarch64") {
    &["arm64", "aarch64"]
} else {
    &["riscv64"]
};

/// Arguments of a system call.
const ARGUMENTS: u8 = 6;

/// Reads a profile. Names that this architecture has not are passed over: such files are written for all of them.
///
/// # Errors
/// What is wrong, with its line and column.
pub fn read(text: &str, setting: Setting) -> Result<Rules, serde_json::Error> {
    let profile: Profile = serde_json::from_str(text)?;
    let otherwise = profile.default_action.answer(profile.default_errno_ret);
    let mut calls: BTreeMap<u32, Vec<Clause>> = BTreeMap::new();
    for row in profile.syscalls.iter().filter(|row| row.counts(setting)) {
        let clauses = row.clauses();
        let names = row.names.iter().chain(&row.name);
        for number in names.filter_map(|name| Sysno::from_str(name).ok()) {
            calls.entry(number.id().unsigned_abs()).or_default().extend(clauses.iter().cloned());
        }
    }
    Ok(Rules { otherwise, calls, newer: newer(profile.default_action, otherwise) })
}

/// Calls that are younger than the profile: "not there" lets programs fall back, where "not allowed" ends them.
fn newer(action: Action, otherwise: Answer) -> Answer {
    if matches!(action, Action::Errno) {
        Answer::errno(rustix::io::Errno::NOSYS.raw_os_error())
    } else {
        otherwise
    }
}

impl Action {
    fn answer(self, errno: Option<u16>) -> Answer {
        match self {
            Self::Allow => Answer::ALLOW,
            Self::Errno => {
                let errno = errno.unwrap_or(rustix::io::Errno::PERM.raw_os_error().unsigned_abs() as u16);
                Answer::errno(errno.min(Answer::ERRNO_MAX).into())
            }
            Self::KillThread => Answer::KILL_THREAD,
            Self::KillProcess => Answer::KILL,
            Self::Trap => Answer::TRAP,
            Self::Log => Answer::LOG,
        }
    }

    /// True when a call goes on.
    fn lets_through(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

impl Row {
    fn counts(&self, setting: Setting) -> bool {
        self.includes.all_hold(setting) && !self.excludes.any_holds(setting)
    }

    /// One clause; or one for each test where an argument is tested twice, as OCI runtimes do it.
    fn clauses(&self) -> Vec<Clause> {
        let answer = self.action.answer(self.errno_ret);
        let arguments = self.args.as_deref().unwrap_or_default();
        let tests: Vec<Test> = arguments.iter().map(|one| one.test(self.action)).collect();
        let clause = |tests: Vec<Test>| Clause { tests: tests.into(), answer };
        let twice = |(at, test): (usize, &Test)| tests[..at].iter().any(|one| one.argument == test.argument);
        match tests.iter().enumerate().any(twice) {
            true => tests.into_iter().map(|test| clause(vec![test])).collect(),
            false => vec![clause(tests)],
        }
    }
}

impl Argument {
    /// The kernel takes numbers, flags and families from the low half of a register. Where a profile compares with one
    /// that fits there, the high half is looked at only if that lets less through: no bit in it is a way around a row.
    fn test(self, action: Action) -> Test {
        let small = u32::try_from(self.value).ok();
        let relation = match self.op {
            Operation::Equal => Relation::Equal,
            Operation::NotEqual => Relation::NotEqual,
            Operation::Greater => Relation::Greater,
            Operation::AtLeast => Relation::AtLeast,
            Operation::Less => Relation::Less,
            Operation::AtMost => Relation::AtMost,
            Operation::Masked => {
                let compare = Compare::Masked { mask: self.value, value: self.value_two };
                return Test { argument: self.index, compare };
            }
        };
        let widened_by_high_half =
            matches!(relation, Relation::NotEqual | Relation::Greater | Relation::AtLeast);
        let compare = match small {
            Some(value) if widened_by_high_half == action.lets_through() => Compare::Low(relation, value),
            _ => Compare::Whole(relation, self.value),
        };
        Test { argument: self.index, compare }
    }
}

impl Condition {
    fn all_hold(&self, setting: Setting) -> bool {
        let arch = self.arches.is_empty() || self.names_our_arch();
        arch && self.caps.iter().all(|name| held(name, setting))
            && self.min_kernel.is_none_or(|least| setting.kernel >= least)
    }

    fn any_holds(&self, setting: Setting) -> bool {
        let kernel = self.min_kernel.is_some_and(|least| setting.kernel >= least);
        kernel || self.names_our_arch() || self.caps.iter().any(|name| held(name, setting))
    }

    fn names_our_arch(&self) -> bool {
        self.arches.iter().any(|arch| ARCHES.contains(&arch.as_str()))
    }
}

/// One that this build does not know is not held.
fn held(name: &str, setting: Setting) -> bool {
    let wanted = Capabilities::from_str(name).unwrap_or(Capabilities(1 << 63));
    wanted.without(setting.capabilities).is_empty()
}

fn index<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let index = u8::deserialize(from)?;
    let wrong = || serde::de::Error::custom("a system call has arguments 0 to 5");
    if index < ARGUMENTS { Ok(index) } else { Err(wrong()) }
}

/// `4.8`.
fn version<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<(u32, u32)>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = || serde::de::Error::custom(format!("`{text}` is no version of a kernel, such as 4.8"));
    numbers(&text).map(Some).ok_or_else(wrong)
}

/// The first two numbers of a kernel's release (`uname -r`).
pub fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|one: char| !one.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
