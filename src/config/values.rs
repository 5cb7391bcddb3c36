//! Pure. One value: text to type, or what is wrong with it.

use core::net::{Ipv4Addr, SocketAddr};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jail::{Capabilities, Namespaces};

use super::emperor::Source;
use super::place::{ConfigError, Place};
use super::show::quoted;
use super::vassal::Address;

/// `sun_path` of `unix(7)` has 108 bytes, one of them for the end or the beginning.
const SOCKET_PATH_MAX: usize = 107;
/// `HOST_NAME_MAX` of `sethostname(2)`.
const HOSTNAME_MAX: usize = 64;
/// Suffixes by which a plain source is one config, not a directory of them.
const CONFIG_SUFFIXES: [&str; 7] = [".ini", ".xml", ".yml", ".yaml", ".js", ".json", ".toml"];

/// First number behind the standard descriptors, and the highest one that a socket is looked for under.
const DESCRIPTOR_MIN: i32 = 3;
/// See above.
pub const DESCRIPTOR_MAX: i32 = 255;

/// Of sources, ours and uWSGI's.
const SCHEMES: &str = "dir,glob,pg,sqlite,mongodb,amqp,zmq,zoo,ldap,etcd,http,https";

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, without the option's name.
    pub cause: String,
    /// What to write instead.
    pub cure: Option<String>,
}

impl Wrong {
    /// Something wrong, and what to do instead.
    pub fn new(cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cause: cause.into(), cure: Some(cure.into()) }
    }

    /// The same as an error at a place.
    pub fn at(self, place: &Place) -> ConfigError {
        ConfigError { cure: self.cure, ..ConfigError::at(place, self.cause) }
    }
}

/// Says so.
///
/// # Errors
/// Always.
pub fn wrong<T>(cause: impl Into<String>, cure: &str) -> Result<T, Wrong> {
    Err(Wrong::new(cause, cure))
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
    let known = "fs,net,ipc,pid,uts,user,cgroup,time";
    list(value, known, "use some of: fs, net, ipc, pid, uts, user, cgroup, time")
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
pub(super) fn meant<'a>(odd: &str, known: &'a str) -> Option<&'a str> {
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

/// Where a socket listens: `:3031`, `127.0.0.1:3031`, `[::1]:3031`, `/path`, `path`, `@abstract`, `fd://3`.
///
/// # Errors
/// Host names, ports that are none, names too long for the kernel.
pub fn address(value: &str) -> Result<Address, Wrong> {
    let value = text(value)?;
    if let Some(name) = value.strip_prefix('@') {
        return socket_name(name).map(|name| Address::Abstract(name.to_owned()));
    }
    if let Some(number) = value.strip_prefix("fd://") {
        return descriptor(number).map(Address::Inherited);
    }
    if value.contains("://") {
        return wrong(format!("{} is no address", quoted(&value)), "use HOST:PORT, a path or @NAME");
    }
    if value.contains(':') && !value.starts_with(['/', '.']) {
        return tcp(&value).map(Address::Tcp);
    }
    socket_name(&value).map(|path| Address::Unix(path.into()))
}

/// The number of a descriptor that is not one of the standard ones.
fn descriptor(number: &str) -> Result<i32, Wrong> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let parsed =
        number.parse().ok().filter(|number| digits && (DESCRIPTOR_MIN..=DESCRIPTOR_MAX).contains(number));
    let cure = "the first descriptor that a program can be left is fd://3, the last one fd://255";
    parsed.map_or_else(|| wrong(format!("{} is no descriptor of a socket", quoted(number)), cure), Ok)
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
        Some((scheme, _)) => Err(no_scheme(scheme)),
        None if is_glob(&value) => Ok(Source::Glob(value)),
        None => Ok(Source::Dir(value.into())),
    }
}

/// One of uWSGI's schemes, or one that was meant to be, or none at all.
fn no_scheme(scheme: &str) -> Wrong {
    let shown = quoted(&format!("{scheme}://"));
    if SCHEMES.split(',').any(|known| known == scheme) {
        let cause = format!("vassals from {shown} are not supported yet");
        return Wrong { cause, cure: Some("use a directory or a glob pattern".to_owned()) };
    }
    let meant = meant(scheme, SCHEMES).map(|known| format!("did you mean `{known}://`?"));
    let cure = meant.unwrap_or_else(|| "use dir://PATH, glob://PATTERN, or a plain path".to_owned());
    Wrong { cause: format!("no source of vassals is called {shown}"), cure: Some(cure) }
}

fn is_glob(value: &str) -> bool {
    value.contains(['*', '?', '[']) || CONFIG_SUFFIXES.iter().any(|suffix| value.ends_with(suffix))
}
