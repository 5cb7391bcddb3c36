//! The log: one line for each event on standard error, `key=value`; words for people on a terminal.
//!
//! A line is written with one call and never waited for: when nobody takes it, it is counted and dropped.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::journal::{self, Journal};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The Emperor cannot do its work.
    Error,
    /// A vassal misbehaves.
    Warn,
    /// Life and death.
    Info,
}

struct Sink {
    own: Option<OwnedFd>,
    socket: bool,
    form: Form,
    journal: Option<Journal>,
    since: Instant,
}

/// For whom a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Machines,
    /// The journal knows the time by itself. It could take a level from the front of a line (sd-daemon(3)), but then from
    /// those of tenants too, whose alarms would go to every terminal of the host.
    Journal,
    People,
}

/// By this variable systemd says which file is its journal's (systemd.exec(5)).
pub const JOURNAL: &str = "JOURNAL_STREAM";

static SINK: RwLock<Option<Arc<Sink>>> = RwLock::new(None);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Opens standard error once more for ourselves, so that our writes can refuse to wait without changing
/// how others write there. To be called before any privilege is given up.
pub fn open() {
    let _ = sink();
}

/// Holds nothing open any more, until there is something to say.
pub fn forget() {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Looks anew what standard error is: another file stands there now.
pub fn reopen() {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Sink::new()));
}

fn sink() -> Arc<Sink> {
    let known = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    known.unwrap_or_else(|| {
        let mut sink = SINK.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sink.get_or_insert_with(|| Arc::new(Sink::new())))
    })
}

impl Sink {
    fn new() -> Self {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let kind = kind();
        let open = || rustix::fs::open("/proc/self/fd/2", flags, Mode::empty()).ok();
        let own = may_block(kind).then(open).flatten();
        let form = form();
        let journal = (form == Form::Journal).then(Journal::new).and_then(Result::ok);
        Self { own, socket: kind == FileType::Socket, form, journal, since: Instant::now() }
    }
}

fn form() -> Form {
    let journal = std::env::var(JOURNAL).unwrap_or_default();
    let stat = rustix::fs::fstat(rustix::stdio::stderr());
    if stat.is_ok_and(|stat| journal == format!("{}:{}", stat.st_dev, stat.st_ino)) {
        Form::Journal
    } else if std::io::stderr().is_terminal() {
        Form::People
    } else {
        Form::Machines
    }
}

fn kind() -> FileType {
    let stat = rustix::fs::fstat(rustix::stdio::stderr());
    stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

/// Whether it is a file of a disk, which has a length.
pub fn is_file() -> bool {
    kind() == FileType::RegularFile
}

/// True for a pipe or a terminal. In a file we write at the same place as those who inherited it; a socket (a
/// journal's) cannot be opened again but is asked not to wait at each write.
fn may_block(kind: FileType) -> bool {
    matches!(kind, FileType::Fifo | FileType::CharacterDevice)
}

/// An error, `about` what or whom.
pub fn error(about: &str, message: &str) {
    line(Level::Error, &[("about", about)], message);
}

/// A warning, `about` what or whom.
pub fn warn(about: &str, message: &str) {
    line(Level::Warn, &[("about", about)], message);
}

/// News, `about` what or whom.
pub fn info(about: &str, message: &str) {
    line(Level::Info, &[("about", about)], message);
}

/// Writes one event.
pub fn line(level: Level, fields: &[(&str, &str)], message: &str) {
    let sink = sink();
    let text = match sink.form {
        Form::People => for_people(Some(sink.since.elapsed().as_secs_f64()), level, fields, message),
        Form::Machines => for_machines(level, fields, message),
        Form::Journal => event(level, fields, message),
    };
    // What the journal does not take by fields it gets as a line.
    if !sink.journal.as_ref().is_some_and(|journal| take(journal, level, fields, text.trim_end())) {
        write(&sink, &text);
    }
}

fn take(journal: &Journal, level: Level, fields: &[(&str, &str)], text: &str) -> bool {
    let priority = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
    };
    let safe: Vec<(&str, String)> = fields.iter().map(|(name, value)| (*name, plain(value))).collect();
    let safe: Vec<(&str, &str)> = safe.iter().map(|(name, value)| (*name, value.as_str())).collect();
    journal.take(&journal::entry(priority, &safe, text)).is_ok()
}

/// One event as `line` writes it, for a process that writes it by itself.
pub fn text(level: Level, fields: &[(&str, &str)], message: &str) -> String {
    match form() {
        Form::People => for_people(None, level, fields, message),
        Form::Machines => for_machines(level, fields, message),
        Form::Journal => event(level, fields, message),
    }
}

/// Writes text for people as it is, a table for example.
pub fn print(text: &str) {
    write(&sink(), text);
}

fn for_machines(level: Level, fields: &[(&str, &str)], message: &str) -> String {
    format!("{} {}", humantime::format_rfc3339_millis(SystemTime::now()), event(level, fields, message))
}

fn event(level: Level, fields: &[(&str, &str)], message: &str) -> String {
    let mut text = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
    }
    .to_owned();
    for (key, value) in fields {
        let _ = write!(text, " {key}={}", quoted(value));
    }
    let _ = writeln!(text, " msg={}", quoted(message));
    text
}

/// Seconds since the start stand before it, if they are known.
fn for_people(seconds: Option<f64>, level: Level, fields: &[(&str, &str)], message: &str) -> String {
    let colour = match level {
        Level::Error => "\x1b[1;31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "",
    };
    let about = fields.first().map_or("", |(_, value)| value);
    let seconds = seconds.map_or(String::new(), |seconds| format!("{seconds:.3}"));
    format!("\x1b[2m{seconds:>9}\x1b[0m {colour}{:<16}\x1b[0m {}\n", plain(about), plain(message))
}

/// A value as it stands after `key=`: in quotes when it would not read as one word.
fn quoted(value: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-./:@,+%".contains(c);
    if !value.is_empty() && value.chars().all(bare) {
        return value.to_owned();
    }
    format!("\"{}\"", plain(value).replace('"', "\\\""))
}

/// Without anything that could forge a line or move a cursor.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' {
            safe.push_str("; ");
        } else if c.is_control() || c == '\\' {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

fn write(sink: &Sink, text: &str) {
    let wrote = match &sink.own {
        Some(own) => rustix::io::write(own, text.as_bytes()),
        None if sink.socket => send_now(rustix::stdio::stderr(), text),
        None => rustix::io::write(rustix::stdio::stderr(), text.as_bytes()),
    };
    if wrote.is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

fn send_now(socket: impl AsFd, text: &str) -> Result<usize, Errno> {
    rustix::net::send(socket, text.as_bytes(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
}

/// Lines that nobody took.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_nobody_reads_is_not_waited_for() {
        let (here, _there) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let refused = (0..1_000_000).find_map(|_| send_now(&here, "a line of a log\n").err());
        assert_eq!(refused, Some(Errno::AGAIN));
    }

    #[test]
    fn a_value_cannot_forge_a_line_or_a_field() {
        assert_eq!(quoted("a.ini"), "a.ini");
        assert_eq!(quoted("a b=\"c\""), "\"a b=\\\"c\\\"\"");
        assert_eq!(quoted("x\n2026 info vassal=y"), "\"x; 2026 info vassal=y\"");
        assert_eq!(quoted("\x1b[2J"), "\"\\u{1b}[2J\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
