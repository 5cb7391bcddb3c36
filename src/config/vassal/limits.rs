//! Pure. Limits and priorities in a vassal's config.

use std::collections::BTreeMap;

use jail::plan::{IoPriority, Limit, Resource, SecureBits, Setting};

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry};
use crate::config::quantity::size;
use crate::config::show::quoted;
use crate::config::values::{Wrong, integer, mode, wrong};

/// What a vassal's config sets for itself and for all that it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    umask: Option<u32>,
    resources: BTreeMap<Resource, Limit>,
    nice: Option<i32>,
    io: Option<IoPriority>,
    oom_score: Option<i32>,
    processors: Option<Vec<u16>>,
    secure_bits: Option<SecureBits>,
}

/// Processors have lower numbers than this (`CPU_SETSIZE`).
const PROCESSORS_MAX: u16 = 1024;
/// Fewer descriptors would be used up by the vassal master itself, between its limits and its command.
const DESCRIPTORS_MIN: u64 = 32;
/// Before the name of a resource.
const RLIMIT: &str = "rlimit-";

impl Limits {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "limit-as" => self.limit(Resource::As, Limit::of(value(entry, mebibytes)?)),
            "limit-nproc" => self.limit(Resource::Nproc, Limit::of(value(entry, integer)?)),
            "core" => self.limit(Resource::Core, value(entry, core)?),
            "umask" => self.umask = Some(value(entry, mask)?),
            "nice" => self.nice = Some(value(entry, nice)?),
            "ionice" => self.io = Some(value(entry, io_priority)?),
            "oom-score-adj" => self.oom_score = Some(value(entry, oom_score)?),
            "securebits" => self.secure_bits = Some(value(entry, secure_bits)?),
            "cpus" => self.processors = Some(value(entry, processors)?),
            _ => return self.apply_rlimit(name, entry),
        }
        Ok(true)
    }

    fn apply_rlimit(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        let Some(resource) = name.strip_prefix(RLIMIT).and_then(Resource::named) else { return Ok(false) };
        self.limit(resource, value(entry, |text| limit(resource, text))?);
        Ok(true)
    }

    fn limit(&mut self, resource: Resource, limit: Limit) {
        self.resources.insert(resource, limit);
    }

    /// What counts from the first phase on.
    pub fn umask(&self) -> Option<Setting> {
        self.umask.map(Setting::Umask)
    }

    /// What counts from the change of ids on.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        let resources = self.resources.iter().map(|(resource, limit)| Setting::Limit(*resource, *limit));
        let rest = [
            self.nice.map(Setting::Nice),
            self.io.map(Setting::Io),
            self.oom_score.map(Setting::OomScore),
            self.processors.clone().map(Setting::Processors),
            self.secure_bits.map(Setting::SecureBits),
        ];
        rest.into_iter().flatten().chain(resources)
    }
}

/// `SOFT[:HARD]`; one number is both.
fn limit(resource: Resource, text: &str) -> Result<Limit, Wrong> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let limit = Limit { soft: amount(resource, soft)?, hard: amount(resource, hard)? };
    if resource == Resource::Nofile && limit.soft < DESCRIPTORS_MIN {
        let cause = format!("{} descriptors are too few for a start", quoted(soft));
        return wrong(cause, &format!("use {DESCRIPTORS_MIN} or more"));
    }
    if limit.soft > limit.hard {
        let cause = format!("the soft limit {} is above the hard limit {}", quoted(soft), quoted(hard));
        return wrong(cause, "write SOFT:HARD with a hard limit that is not lower, or one number for both");
    }
    Ok(limit)
}

fn amount(resource: Resource, text: &str) -> Result<u64, Wrong> {
    if matches!(text, "unlimited" | "infinity") {
        return Ok(Limit::NONE);
    }
    let amount = if resource.is_size() { size(text) } else { integer(text) }?;
    match amount {
        Limit::NONE => wrong(format!("{} is too large", quoted(text)), "write `unlimited`"),
        amount => Ok(amount),
    }
}

/// uWSGI counts in mebibytes; with a unit it is what the unit says.
fn mebibytes(text: &str) -> Result<u64, Wrong> {
    let bytes = match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => integer(text)?.checked_mul(1 << 20),
        false => Some(size(text)?),
    };
    bytes.map_or_else(|| wrong(format!("{} is too large", quoted(text)), "use a smaller size"), Ok)
}

fn core(text: &str) -> Result<Limit, Wrong> {
    match text {
        "off" | "no" | "false" => Ok(Limit::no_core(1)),
        _ => limit(Resource::Core, text),
    }
}

/// Permissions that new files do not get.
///
/// # Errors
/// No mode, or bits that are no permissions.
pub fn mask(text: &str) -> Result<u32, Wrong> {
    match mode(text)? {
        mask if mask <= 0o777 => Ok(mask),
        _ => wrong(
            format!("{} is no mask of permissions", quoted(text)),
            "use three octal digits, such as 027",
        ),
    }
}

fn nice(text: &str) -> Result<i32, Wrong> {
    signed(text, -20..=19, "use a number from -20 (first) to 19 (last)")
}

fn oom_score(text: &str) -> Result<i32, Wrong> {
    signed(text, -1000..=1000, "use a number from -1000 (never killed) to 1000 (killed first)")
}

fn signed(text: &str, range: std::ops::RangeInclusive<i32>, cure: &str) -> Result<i32, Wrong> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match number.filter(|number| range.contains(number)) {
        Some(number) => Ok(number),
        None => {
            wrong(format!("{} is not a number from {} to {}", quoted(text), range.start(), range.end()), cure)
        }
    }
}

fn io_priority(text: &str) -> Result<IoPriority, Wrong> {
    let (class, level) = text.split_once(':').unwrap_or((text, "4"));
    let level = level.parse::<u8>().ok().filter(|level| *level < 8);
    match (class, level) {
        ("idle", _) if text == class => Ok(IoPriority::Idle),
        ("best-effort", Some(level)) => Ok(IoPriority::BestEffort(level)),
        ("realtime", Some(level)) => Ok(IoPriority::Realtime(level)),
        _ => wrong(
            format!("{} is no I/O priority", quoted(text)),
            "use idle, best-effort:LEVEL or realtime:LEVEL, with a level from 0 (first) to 7 (last)",
        ),
    }
}

fn secure_bits(text: &str) -> Result<SecureBits, Wrong> {
    let mut set = SecureBits::default();
    for name in text.split(',').map(str::trim) {
        let Some(bit) = SecureBits::named(name) else {
            let names: Vec<&str> = SecureBits::names().collect();
            return wrong(format!("{} is no secure bit", quoted(name)), &format!("use {}", names.join(", ")));
        };
        set.0 |= bit.0;
    }
    Ok(set)
}

/// Numbers and ranges, as `taskset -c` has them: `0,2-3`.
fn processors(text: &str) -> Result<Vec<u16>, Wrong> {
    let mut list = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (processor(first), processor(last)) {
            (Some(first), Some(last)) if first <= last => list.extend(first..=last),
            _ => {
                return wrong(
                    format!("{} is no list of cpus", quoted(text)),
                    "use numbers from 0 to 1023 and ranges of them: 0,2-3",
                );
            }
        }
    }
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

fn processor(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < PROCESSORS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_number_or_two() {
        let limit = |text| limit(Resource::Stack, text);
        assert_eq!(limit("8M"), Ok(Limit::of(8 << 20)));
        assert_eq!(limit("1K:unlimited"), Ok(Limit { soft: 1024, hard: Limit::NONE }));
        for wrong in ["", ":", "2:1", "unlimited:1", "-1", "1:", "8X", "18446744073709551615", "1:2:3"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_sizes_have_units_of_size() {
        assert_eq!(limit(Resource::Nofile, "64"), Ok(Limit::of(64)));
        assert!(limit(Resource::Nofile, "31:64").is_err());
        assert!(amount(Resource::Nofile, "64K").is_err());
        assert_eq!(amount(Resource::Msgqueue, "64K"), Ok(65536));
    }

    #[test]
    fn address_space_is_counted_as_uwsgi_does() {
        assert_eq!((mebibytes("256"), mebibytes("1G")), (Ok(256 << 20), Ok(1 << 30)));
        for wrong in ["", "17592186044416", "-1", "x"] {
            assert!(mebibytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn processors_are_listed_as_for_taskset() {
        assert_eq!(processors("3,0-1,1"), Ok(vec![0, 1, 3]));
        for wrong in ["", ",", "1-", "-1", "2-1", "1024", "a", "0,", "+1", "0-99999999"] {
            assert!(processors(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secure_bits_are_those_that_outlive_a_start() {
        assert_eq!(secure_bits("noroot, noroot-locked"), Ok(SecureBits(3)));
        assert_eq!(SecureBits(13).to_string(), "noroot,no-setuid-fixup,no-setuid-fixup-locked");
        for wrong in ["", "keep-caps", "noroot,", "NOROOT", "1", "no-cap-ambient-raise"] {
            assert!(secure_bits(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn signs_and_ranges_are_checked() {
        assert_eq!((nice("-20"), nice("19"), oom_score("-1000")), (Ok(-20), Ok(19), Ok(-1000)));
        for wrong in ["-21", "20", "+1", "--1", "", "-", "1.5", "9999999999"] {
            assert!(nice(wrong).is_err(), "{wrong}");
        }
        assert_eq!(mask("027"), Ok(0o27));
        assert!(mask("1777").is_err());
    }

    #[test]
    fn io_has_a_class_and_most_classes_a_level() {
        assert_eq!(io_priority("idle"), Ok(IoPriority::Idle));
        assert_eq!(io_priority("best-effort"), Ok(IoPriority::BestEffort(4)));
        assert_eq!(io_priority("realtime:0"), Ok(IoPriority::Realtime(0)));
        for wrong in ["idle:1", "best-effort:8", "best-effort:", "none", ""] {
            assert!(io_priority(wrong).is_err(), "{wrong}");
        }
    }
}
