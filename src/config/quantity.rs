//! Pure. Numbers with a unit: times and sizes.

use super::show::quoted;
use super::values::{Wrong, integer, wrong};

/// Units of time, in milliseconds.
const TIMES: [(&str, u64); 6] =
    [("", 0), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Units of size, in bytes.
const SIZES: [(&str, u64); 5] = [("", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)];

/// A time in milliseconds: a plain number of them (up to 49 days), or one with a unit, such as `1.5s`.
///
/// # Errors
/// As `duration`.
pub fn milliseconds(text: &str) -> Result<u64, Wrong> {
    duration(text, 1)
}

/// A time in milliseconds: a plain number of seconds (up to 136 years), or one with a unit, such as `500ms`.
///
/// # Errors
/// As `duration`.
pub fn seconds(text: &str) -> Result<u64, Wrong> {
    duration(text, 1000)
}

/// A number with one of `ms s m h d` behind it, or none for `plain_ms`; a fraction may be as fine as a millisecond.
///
/// # Errors
/// Signs, blanks, other units, a fraction that is too fine, more than 32 bits of `plain_ms`.
fn duration(text: &str, plain_ms: u64) -> Result<u64, Wrong> {
    let cure = "write a number, or one with its unit: 500ms, 1.5s, 2m, 1h, 1d";
    let (number, unit) = split_unit(text, cure)?;
    let known = TIMES.iter().find(|(name, _)| *name == unit);
    let Some(unit_ms) = known.map(|(_, ms)| if *ms == 0 { plain_ms } else { *ms }) else {
        return wrong(format!("{} is no unit of time", quoted(unit)), cure);
    };
    let thousandths = thousandths(number, cure)?.checked_mul(unit_ms);
    let most = u64::from(u32::MAX) * plain_ms;
    match thousandths {
        Some(thousandths) if thousandths % 1000 != 0 => {
            wrong(format!("{} is finer than a millisecond", quoted(text)), "use whole milliseconds")
        }
        Some(thousandths) if thousandths / 1000 <= most => Ok(thousandths / 1000),
        _ => wrong(format!("{} is too long", quoted(text)), "use a shorter time"),
    }
}

/// Bytes: digits, and `K`, `M`, `G` or `T` for 1024 of the one before.
///
/// # Errors
/// Signs, fractions, blanks, other units, more than 64 bits.
pub fn size(text: &str) -> Result<u64, Wrong> {
    let cure = "write bytes, or a number with K, M, G or T: 64M";
    let (number, unit) = split_unit(text, cure)?;
    let unit = unit.to_ascii_lowercase();
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return wrong(format!("{} is no unit of size", quoted(&unit)), cure);
    };
    if number.contains('.') {
        return wrong(format!("{} is not a whole number", quoted(number)), cure);
    }
    match integer(number)?.checked_mul(*bytes) {
        Some(bytes) => Ok(bytes),
        None => wrong(format!("{} is too large", quoted(text)), "use a smaller size"),
    }
}

/// The digits that a value begins with, and what follows them.
fn split_unit<'a>(text: &'a str, cure: &str) -> Result<(&'a str, &'a str), Wrong> {
    let end = text.find(|one: char| !one.is_ascii_digit() && one != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if text.is_empty() {
        return wrong("needs a number", cure);
    }
    if text.starts_with('-') {
        return wrong(format!("{} is negative", quoted(text)), cure);
    }
    if number.is_empty() {
        return wrong(format!("{} does not begin with a digit", quoted(text)), cure);
    }
    if unit.starts_with(char::is_whitespace) {
        return wrong("a blank between the number and its unit", "write them together, such as 30s");
    }
    Ok((number, unit))
}

/// Thousandths of a number with at most three digits behind its point.
fn thousandths(number: &str, cure: &str) -> Result<u64, Wrong> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fine = !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.');
    if !fine {
        return wrong(format!("{} is no number", quoted(number)), cure);
    }
    if fraction.len() > 3 {
        return wrong(format!("{} has more than three digits behind the point", quoted(number)), cure);
    }
    let padded: u64 = format!("{fraction:0<3}").parse().expect("three digits");
    let thousandths = integer(whole)?.checked_mul(1000).and_then(|number| number.checked_add(padded));
    thousandths.map_or_else(|| wrong(format!("{} is too large", quoted(number)), cure), Ok)
}
