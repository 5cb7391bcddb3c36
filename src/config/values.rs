//! Pure. One value: text to type, or what is wrong with it.

use core::net::{Ipv4Addr, SocketAddr};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jail::{Capabilities, Namespaces};

use super::emperor::Source;
use super::show::quoted;
use super::vassal::Address;

/// `sun_path` of `unix(7)` has 108 bytes, one of them for the end or the beginning.
const SOCKET_PATH_MAX: usize = 107;
/// `HOST_NAME_MAX` of `sethostname(2)`.
const HOSTNAME_MAX: usize = 64;
/// Suffixes by which a plain source is one config, not a directory of them.
const CONFIG_SUFFIXES: [&str; 6] = [".ini", ".xml", ".yml", ".yaml", ".js", ".json"];

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, without the option's name.
    pub cause: String,
    /// What to write instead.
    pub cure: Option<String>,
}

fn wrong<T>(cause: impl Into<String>, cure: &str) -> Result<T, Wrong> {
    Err(Wrong { cause: cause.into(), cure: Some(cure.to_owned()) })
}

/// `false no off 0` is false, whatever the case of its letters; everything else is true, also no value at all.
///
/// # Errors
/// None: what is odd (`odd_flag`) is only told.
pub fn flag(text: &str) -> Result<bool, Wrong> {
    Ok(!matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0"))
}

/// What is odd about the value of a flag: a word that turns it on, and does not look like it.
pub fn odd_flag(text: &str) -> Option<Wrong> {
    let word = text.to_ascii_lowercase();
    let usual = matches!(word.as_str(), "" | "true" | "yes" | "on" | "1" | "false" | "no" | "off" | "0");
    let cure = || "write true or false; without the line it is off".to_owned();
    (!usual).then(|| Wrong { cause: format!("{} turns it on", quoted(text)), cure: Some(cure()) })
}

/// Digits, nothing else.
///
/// # Errors
/// Empty, signs, letters, or more than fits.
pub fn integer(text: &str) -> Result<u64, Wrong> {
    if text.is_empty() {
        return wrong("needs a number", "write the number after `=`");
    }
    if text.starts_with('-') {
        return wrong(format!("{} is negative", quoted(text)), "use 0 or more");
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(format!("{} is not a whole number", quoted(text)), "use digits only, such as 30");
    }
    text.parse().or_else(|_| wrong(format!("{} is too large", quoted(text)), "use a smaller number"))
}

/// Like `integer`, for a count.
///
/// # Errors
/// As `integer`.
pub fn count(text: &str) -> Result<u32, Wrong> {
    let number = integer(text)?;
    u32::try_from(number).or_else(|_| wrong(format!("{} is too large", quoted(text)), "use a smaller number"))
}

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

/// Units of time, in milliseconds.
const TIMES: [(&str, u64); 6] =
    [("", 0), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Units of size, in bytes.
const SIZES: [(&str, u64); 5] = [("", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)];

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
#[cfg_attr(not(test), expect(dead_code, reason = "limits and buffers are read by later parts"))]
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

/// Three or four octal digits.
///
/// # Errors
/// Anything else.
pub fn mode(text: &str) -> Result<u32, Wrong> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let parsed = u32::from_str_radix(text, 8).ok().filter(|_| octal);
    parsed.map_or_else(
        || wrong(format!("{} is no mode", quoted(text)), "use three or four octal digits, such as 660"),
        Ok,
    )
}

/// Anything but nothing.
///
/// # Errors
/// No value.
pub fn text(text: &str) -> Result<String, Wrong> {
    match text {
        "" => wrong("needs a value", "write the value after `=`"),
        _ => Ok(text.to_owned()),
    }
}

/// A suffix of file names, with its dot.
///
/// # Errors
/// No dot, or nothing behind it.
pub fn suffix(value: &str) -> Result<String, Wrong> {
    match value.strip_prefix('.') {
        Some(rest) if !rest.is_empty() && !rest.contains('/') => Ok(value.to_owned()),
        _ => wrong(format!("{} is no suffix", quoted(value)), "write the suffix with its dot, such as .conf"),
    }
}

/// A path; a relative one stays relative.
///
/// # Errors
/// No value.
pub fn path(path: &str) -> Result<PathBuf, Wrong> {
    text(path).map(PathBuf::from)
}

/// A comma list of namespaces.
///
/// # Errors
/// No value, or a name that is none.
pub fn namespaces(value: &str) -> Result<Namespaces, Wrong> {
    let known = "fs,net,ipc,pid,uts,user,cgroup";
    list(value, known, "use some of: fs, net, ipc, pid, uts, user, cgroup")
}

/// A comma list of capabilities, by name or number.
///
/// # Errors
/// No value, or a name that is none.
pub fn capabilities(value: &str) -> Result<Capabilities, Wrong> {
    let known = Capabilities::all().to_string();
    list(value, &known, "use names of capabilities(7) without CAP_, such as: net_bind_service,kill")
}

/// A list that its type parses; `known` has the words that it understands.
fn list<T: FromStr<Err: fmt::Display>>(value: &str, known: &str, cure: &str) -> Result<T, Wrong> {
    let value = text(value)?;
    value.parse().map_err(|error: T::Err| {
        let mut items = value.split(',').map(str::trim);
        let odd = items.find(|item| item.parse::<T>().is_err()).unwrap_or_default();
        let cure =
            meant(odd, known).map_or_else(|| cure.to_owned(), |word| format!("did you mean `{word}`?"));
        Wrong { cause: error.to_string(), cure: Some(cure) }
    })
}

/// The word of a list that was probably meant.
fn meant<'a>(odd: &str, known: &'a str) -> Option<&'a str> {
    let odd = odd.to_ascii_lowercase();
    let near = known.split(',').map(|word| (strsim::damerau_levenshtein(&odd, word), word));
    near.filter(|(edits, word)| *edits <= 2 && *edits < word.len()).min().map(|(_, word)| word)
}

/// `NAME=value`.
///
/// # Errors
/// No `=`, or nothing before it.
pub fn pair(text: &str) -> Result<(String, String), Wrong> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim_end().to_owned(), value.to_owned())),
        _ => wrong(format!("{} is not NAME=VALUE", quoted(text)), "write: NAME=VALUE"),
    }
}

/// Words as a shell splits them.
///
/// # Errors
/// No word, or a quote that does not end.
pub fn words(line: &str) -> Result<Vec<String>, Wrong> {
    match shlex::split(line) {
        Some(words) if !words.is_empty() => Ok(words),
        Some(_) => wrong("needs a program", "write the program and its arguments after `=`"),
        None => wrong("a quote or backslash is not closed", "close it, or put a backslash before it"),
    }
}

/// A user or group: a name, or a number that is no reserved one. Names are looked up by whoever needs the number.
///
/// # Errors
/// Empty, blanks, signs, numbers beyond 4294967294 (4294967295 means "unchanged" to the kernel).
pub fn identity(text: &str) -> Result<String, Wrong> {
    let cure = "use a name or a number";
    if text.is_empty() {
        return wrong("needs a name or a number", cure);
    }
    if text.contains(|one: char| one.is_whitespace() || one.is_control() || matches!(one, ':' | '/'))
        || text.starts_with(['-', '+'])
    {
        return wrong(format!("{} is neither a name nor a number", quoted(text)), cure);
    }
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit());
    if numeric && text.parse::<u32>().map_or(true, |id| id == u32::MAX) {
        return wrong(
            format!("{} is no id that a process can have", quoted(text)),
            "use a number below 4294967295",
        );
    }
    Ok(text.to_owned())
}

/// Like `identity`, but never 0: a vassal's program does not become root by its own config.
///
/// # Errors
/// As `identity`, and every spelling of 0.
pub fn vassal_identity(text: &str) -> Result<String, Wrong> {
    match text.parse::<u32>() {
        Ok(0) => {
            wrong(format!("{} is root", quoted(text)), "use an id other than 0, or leave the option out")
        }
        _ => identity(text),
    }
}

/// `user[:group]`.
///
/// # Errors
/// As `identity`, for each of them.
pub fn ownership(text: &str) -> Result<String, Wrong> {
    text.splitn(2, ':').try_for_each(|part| identity(part).map(drop))?;
    Ok(text.to_owned())
}

/// A host name by `sethostname(2)`, without what no host name has.
///
/// # Errors
/// Empty, longer than 64 bytes, or with characters other than letters, digits, `.`, `-` and `_`.
pub fn hostname(name: &str) -> Result<String, Wrong> {
    let name = text(name)?;
    if name.len() > HOSTNAME_MAX {
        return wrong(format!("longer than {HOSTNAME_MAX} bytes"), "use a shorter name");
    }
    let fine = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_');
    match name.chars().all(fine) {
        true => Ok(name),
        false => wrong(format!("{} is no host name", quoted(&name)), "use letters, digits, `.` and `-`"),
    }
}

/// Where a socket listens: `:3031`, `127.0.0.1:3031`, `[::1]:3031`, `/path`, `path`, `@abstract`.
///
/// # Errors
/// Host names, ports that are none, names too long for the kernel.
pub fn address(value: &str) -> Result<Address, Wrong> {
    let value = text(value)?;
    if let Some(name) = value.strip_prefix('@') {
        return socket_name(name).map(|name| Address::Abstract(name.to_owned()));
    }
    if value.starts_with("fd://") {
        let cause = format!("{}: no descriptor is passed on to whoever reads this", quoted(&value));
        return wrong(cause, "use HOST:PORT, a path or @NAME");
    }
    if value.contains("://") {
        return wrong(format!("{} is no address", quoted(&value)), "use HOST:PORT, a path or @NAME");
    }
    if value.contains(':') && !value.starts_with(['/', '.']) {
        return tcp(&value).map(Address::Tcp);
    }
    socket_name(&value).map(|path| Address::Unix(path.into()))
}

fn socket_name(name: &str) -> Result<&str, Wrong> {
    match name.len() {
        0 => wrong("a socket needs a name", "write a name after `@`"),
        1..=SOCKET_PATH_MAX => Ok(name),
        _ => wrong(format!("a socket's name has at most {SOCKET_PATH_MAX} bytes"), "use a shorter path"),
    }
}

fn tcp(value: &str) -> Result<SocketAddr, Wrong> {
    let port = value.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let any = port.and_then(|port| port.parse().ok()).map(|port| (Ipv4Addr::UNSPECIFIED, port).into());
    let parsed = any.or_else(|| value.parse().ok());
    let cure = "use :PORT, 127.0.0.1:PORT, [::1]:PORT, a path or @NAME; names of hosts are not looked up";
    parsed.map_or_else(|| wrong(format!("{} is no address", quoted(value)), cure), Ok)
}

/// A value of `emperor`. A plain one is a glob if it has `*`, `?` or `[` or names one config, else a directory.
///
/// # Errors
/// A scheme that is not known.
pub fn source(value: &str) -> Result<Source, Wrong> {
    let value = text(value)?;
    match value.split_once("://") {
        Some(("dir", path)) => self::path(path).map(Source::Dir),
        Some(("glob", pattern)) => text(pattern).map(Source::Glob),
        Some((scheme, _)) => wrong(
            format!("vassals from {} are not supported yet", quoted(&format!("{scheme}://"))),
            "use a directory or a glob pattern",
        ),
        None if is_glob(&value) => Ok(Source::Glob(value)),
        None => Ok(Source::Dir(value.into())),
    }
}

fn is_glob(value: &str) -> bool {
    value.contains(['*', '?', '[']) || CONFIG_SUFFIXES.iter().any(|suffix| value.ends_with(suffix))
}
