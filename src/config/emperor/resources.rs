//! Pure. Limits of the cgroup of each vassal (`Documentation/admin-guide/cgroup-v2.rst`).

use jail::plan::Knob;

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry};
use crate::config::quantity::{milliseconds, size};
use crate::config::show::quoted;
use crate::config::values::{Wrong, flag, integer, wrong};

/// Takes an option that is one of these; false when it is none. A later one replaces an earlier one of the same file,
/// and of the same device where it has one.
///
/// # Errors
/// A value that is none.
pub fn apply(knobs: &mut Vec<Knob>, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    let (file, value) = match name {
        "memory-max" => ("memory.max", value(entry, bytes)?),
        "memory-high" => ("memory.high", value(entry, bytes)?),
        "swap-max" => ("memory.swap.max", value(entry, bytes)?),
        "oom-group" => ("memory.oom.group", value(entry, one)?),
        "cpu-max" => ("cpu.max", value(entry, bandwidth)?),
        "cpu-weight" => ("cpu.weight", value(entry, weight)?),
        "pids-max" => ("pids.max", value(entry, count)?),
        "io-max" => ("io.max", value(entry, io)?),
        "io-weight" => ("io.weight", value(entry, weight)?),
        _ => return Ok(false),
    };
    let knob = Knob { file: file.into(), value, option: format!("{name} = {}", entry.value) };
    knobs.retain(|old| {
        !(old.file == knob.file && (file != "io.max" || device(&old.value) == device(&knob.value)))
    });
    knobs.push(knob);
    Ok(true)
}

/// The options that `apply` takes.
pub const NAMES: [&str; 9] = [
    "memory-max",
    "memory-high",
    "swap-max",
    "oom-group",
    "cpu-max",
    "cpu-weight",
    "pids-max",
    "io-max",
    "io-weight",
];

/// The device of an `io.max` line.
pub fn device(value: &str) -> &str {
    value.split(' ').next().unwrap_or_default()
}

/// Without a limit.
const MAX: &str = "max";
/// Periods of the CPU controller, in ms (`cpu_cfs_period` of the kernel: 1 ms to 1 s).
const PERIOD_MS: std::ops::RangeInclusive<u64> = 1..=1000;
/// What a share of CPU time is counted in where the option names no period, in microseconds.
const PERIOD_US: u64 = 100_000;
/// The kernel takes no smaller quota, in microseconds.
const QUOTA_MIN_US: u64 = 1000;
/// Weights of the kernel.
const WEIGHTS: std::ops::RangeInclusive<u64> = 1..=10_000;
/// Keys of an `io.max` line.
const IO_KEYS: [&str; 4] = ["rbps", "wbps", "riops", "wiops"];

fn is_max(text: &str) -> bool {
    matches!(text, MAX | "unlimited" | "infinity")
}

fn bytes(text: &str) -> Result<String, Wrong> {
    if is_max(text) { Ok(MAX.into()) } else { size(text).map(|bytes| bytes.to_string()) }
}

fn count(text: &str) -> Result<String, Wrong> {
    if is_max(text) { Ok(MAX.into()) } else { integer(text).map(|count| count.to_string()) }
}

fn one(text: &str) -> Result<String, Wrong> {
    flag(text).map(|on| u8::from(on).to_string())
}

fn weight(text: &str) -> Result<String, Wrong> {
    match integer(text)? {
        weight if WEIGHTS.contains(&weight) => Ok(weight.to_string()),
        _ => wrong(format!("{} is no weight", quoted(text)), "use 1 to 10000; everybody has 100 by default"),
    }
}

/// `150%`, `1.5` (both: one and a half processors), `200ms/1s` (so much of each period).
fn bandwidth(text: &str) -> Result<String, Wrong> {
    let cure =
        "use a share of one processor (50%), a number of processors (1.5), or time in each period (200ms/1s)";
    if is_max(text) {
        return Ok(MAX.into());
    }
    let (quota, period) = match text.split_once('/') {
        Some((quota, period)) => {
            let period = milliseconds(period)?;
            if !PERIOD_MS.contains(&period) {
                return wrong(format!("{} has a period that is not between 1ms and 1s", quoted(text)), cure);
            }
            (milliseconds(quota)?.checked_mul(1000), period * 1000)
        }
        None => (share(text), PERIOD_US),
    };
    match quota.filter(|quota| *quota >= QUOTA_MIN_US) {
        Some(quota) => Ok(format!("{quota} {period}")),
        None => wrong(format!("{} is no share of CPU time that the kernel takes", quoted(text)), cure),
    }
}

/// Microseconds of each `PERIOD_US`.
fn share(text: &str) -> Option<u64> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1), |number| (number, 100));
    let (units, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(units) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths =
        units.parse::<u64>().ok()?.checked_mul(1000)? + format!("{fraction:0<3}").parse::<u64>().ok()?;
    Some(thousandths.checked_mul(PERIOD_US)? / 1000 / whole)
}

/// `DEVICE KEY=VALUE…`; a device is a path, found when the Emperor starts, or its two numbers.
fn io(text: &str) -> Result<String, Wrong> {
    let cure = "write a device and what it may take: /dev/sda rbps=10M wiops=100";
    let mut words = text.split_whitespace();
    let Some(device) = words.next().filter(|device| device.starts_with('/') || is_numbers(device)) else {
        return wrong("names no device", cure);
    };
    let mut line = device.to_owned();
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        if !IO_KEYS.contains(&key) {
            return wrong(format!("{} is none of rbps, wbps, riops, wiops", quoted(key)), cure);
        }
        let value = if key.ends_with("bps") { bytes(value) } else { count(value) }?;
        line.push_str(&format!(" {key}={value}"));
    }
    if line == device { wrong("limits nothing", cure) } else { Ok(line) }
}

fn is_numbers(device: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok();
    device.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_a_share_a_number_or_a_time_in_each_period() {
        for (text, written) in [
            ("50%", "50000 100000"),
            ("150%", "150000 100000"),
            ("1.5", "150000 100000"),
            ("2", "200000 100000"),
            ("200ms/1s", "200000 1000000"),
            ("max", "max"),
        ] {
            assert_eq!(bandwidth(text).ok().as_deref(), Some(written), "{text}");
        }
        for text in
            ["", "%", "0", "0.5%", "x", "-1", "1/", "200ms/2s", "1.2345", "1e3", "99999999999999999999"]
        {
            assert!(bandwidth(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_has_units_and_weights_have_bounds() {
        assert_eq!(
            (bytes("64M").ok(), bytes("unlimited").ok()),
            (Some("67108864".into()), Some("max".into()))
        );
        assert_eq!(
            (weight("10000").ok(), weight("0").ok(), weight("10001").ok()),
            (Some("10000".into()), None, None)
        );
        assert_eq!((count("20").ok(), count("20M").ok()), (Some("20".into()), None));
    }

    #[test]
    fn io_is_limited_for_a_device() {
        assert_eq!(io("8:0 rbps=1M wiops=max").ok(), Some("8:0 rbps=1048576 wiops=max".into()));
        assert_eq!(io("/dev/sda riops=5").ok(), Some("/dev/sda riops=5".into()));
        for text in ["", "sda rbps=1", "8:0", "8:0 rbps", "8:0 speed=1", "8: rbps=1", "8:0 riops=1M"] {
            assert!(io(text).is_err(), "{text}");
        }
    }
}
