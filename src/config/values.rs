//! Pure. One value: text to type, or what is wrong with it.

use core::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::emperor::Source;
use super::show::quoted;
use super::vassal::Address;

/// `sun_path` of `unix(7)` has 108 bytes, one of them for the end or the beginning.
const SOCKET_PATH_MAX: usize = 107;
/// `HOST_NAME_MAX` of `sethostname(2)`.
const HOSTNAME_MAX: usize = 64;
/// Suffixes by which a plain source is one config, not a directory of them.
const CONFIG_SUFFIXES: [&str; 7] = [".ini", ".xml", ".yml", ".yaml", ".js", ".json", ".toml"];

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

/// `true yes on 1`, or no value at all, is true; `false no off 0` is false.
///
/// # Errors
/// Any other word.
pub fn flag(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "" | "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => wrong(format!("{} is neither true nor false", quoted(text)), "use true or false"),
    }
}

/// Digits, nothing else.
///
/// # Errors
/// Empty, signs, letters, or more than fits.
pub fn integer(text: &str) -> Result<u64, Wrong> {
    if text.is_empty() {
        return wrong("needs a number", "write the number after `=`");
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

/// Milliseconds as milliseconds: at most what fits into 32 bits (49 days).
///
/// # Errors
/// As `integer`.
pub fn milliseconds(text: &str) -> Result<u64, Wrong> {
    count(text).map(u64::from)
}

/// Seconds as milliseconds: at most what fits into 32 bits of seconds (136 years).
///
/// # Errors
/// As `integer`.
pub fn seconds(text: &str) -> Result<u64, Wrong> {
    count(text).map(|seconds| u64::from(seconds) * 1000)
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

/// A list that its type parses, such as namespaces or capabilities.
///
/// # Errors
/// No value, or what the type says.
pub fn list<T: std::str::FromStr<Err: std::fmt::Display>>(value: &str) -> Result<T, Wrong> {
    let value = text(value)?;
    value.parse().map_err(|error: T::Err| Wrong { cause: error.to_string(), cure: None })
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
    if value.contains("://") {
        return wrong(format!("{} is not supported yet", quoted(&value)), "use HOST:PORT, a path or @NAME");
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
