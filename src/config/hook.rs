//! Pure. What a hook does: `[!]HANDLER:ARGUMENTS`, judged as a whole when the config is read.

mod errand;
mod mount;
mod refused;

use std::fmt;
use std::path::PathBuf;

use jail::Phase;
use jail::plan::Need;

use super::show::quoted;
use super::values::{self, Wrong, count, hostname, integer, wrong};
use super::vassal::waits::{FileKind, Thing};

pub use errand::{Errand, Manner, Task};
pub use mount::{Depth, Mount, MountKind, Unmount, mount, unmount};
pub use refused::{refusal, unseen};

/// Longest name of an interface: `IFNAMSIZ` of `netdevice(7)` counts the byte behind it too.
const INTERFACE_MAX: usize = 15;
/// All handlers, for whoever writes another one.
const HANDLERS: &str = "cd,chdir,mkdir,putenv,chmod,chown,chown2,sticky,exec,safeexec,create,creat,write,writen,append,\
                        appendn,writefifo,spinningfifo,unlink,mount,umount,hostname,ifup,ifdown,wait_for_fs,\
                        wait_for_file,wait_for_dir,wait_for_socket,print,log,exit";

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What gave it.
    pub verb: Verb,
    /// What it does.
    pub action: Action,
    /// As written, for plan and log; `None` when `!` hides it.
    pub shown: Option<String>,
}

/// The family of options that a hook comes from, in the order in which they are done within a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// `hook-PHASE`.
    Hook,
    /// `mount-PHASE`.
    Mount,
    /// `umount-PHASE`.
    Umount,
}

/// What a hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Working directory of what follows.
    Enter(PathBuf),
    /// A new directory.
    MakeDirectory(PathBuf),
    /// A variable for what follows.
    PutEnv(String, String),
    /// Mode bits of a file.
    Mode(PathBuf, u32),
    /// `USER:GROUP` of a file, looked up when it is done.
    Owner(PathBuf, String),
    /// Only owners remove what is in this directory.
    Sticky(PathBuf),
    /// A shell command that must end well.
    Exec(String),
    /// A shell command that may fail.
    SafeExec(String),
    /// A file of this text.
    Write(PathBuf, String),
    /// A file with this text at its end.
    Append(PathBuf, String),
    /// A text for whoever reads a FIFO.
    Fifo(PathBuf, String, Reader),
    /// A file less.
    Unlink(PathBuf),
    /// A mount.
    Mount(Mount),
    /// A mount less.
    Unmount(Unmount),
    /// Host name.
    Hostname(String),
    /// A network interface up.
    InterfaceUp(String),
    /// A network interface down.
    InterfaceDown(String),
    /// Go on when this is there.
    WaitFor(Thing),
    /// A line of log.
    Print(String),
    /// The end, with this status.
    Exit(u8),
}

/// What becomes of a FIFO that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// It is left alone.
    Optional,
    /// It, and the FIFO itself, are waited for.
    Awaited,
}

impl Hook {
    /// A hook of this family from the value of its option.
    ///
    /// # Errors
    /// What is wrong with it; of a hidden one not even that repeats its text.
    pub fn parse(verb: Verb, text: &str) -> Result<Self, Wrong> {
        match verb {
            Verb::Hook => hook(text),
            Verb::Mount => mount(text).map(|mount| Self::plain(verb, Action::Mount(mount), text)),
            Verb::Umount => unmount(text).map(|mount| Self::plain(verb, Action::Unmount(mount), text)),
        }
    }

    fn plain(verb: Verb, action: Action, text: &str) -> Self {
        Self { verb, action, shown: Some(text.to_owned()) }
    }

    /// Its option and what it does.
    pub fn named(&self, phase: Phase) -> String {
        format!("{}-{} {self}", self.verb.name(), phase.name())
    }

    /// What it changes that a whole namespace has, which only root of that can do.
    pub fn need(&self) -> Option<Need> {
        match &self.action {
            Action::Mount(Mount { kind: MountKind::Bind(..) | MountKind::Move(_), .. }) => Some(Need::Trees),
            Action::Mount(_) | Action::Unmount(_) => Some(Need::Mounts),
            Action::Hostname(_) => Some(Need::Name),
            Action::InterfaceUp(_) | Action::InterfaceDown(_) => Some(Need::Interfaces),
            _ => None,
        }
    }

    /// True for what is seen in the whole mount namespace.
    pub fn changes_mounts(&self) -> bool {
        matches!(self.need(), Some(Need::Mounts | Need::Trees))
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Some(text) => write!(f, "`{text}`"),
            None => f.write_str("(hidden)"),
        }
    }
}

impl Verb {
    /// What the options of this family begin with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Mount => "mount",
            Self::Umount => "umount",
        }
    }
}

fn hook(text: &str) -> Result<Hook, Wrong> {
    match text.strip_prefix('!') {
        None => action(text).map(|action| Hook::plain(Verb::Hook, action, text)),
        Some(hidden) => match action(hidden) {
            Ok(action) => Ok(Hook { verb: Verb::Hook, action, shown: None }),
            Err(_) => wrong("this hidden hook is not understood", "take its `!` away to be told why"),
        },
    }
}

fn action(text: &str) -> Result<Action, Wrong> {
    let Some((handler, arguments)) = text.split_once(':') else {
        let cure = "write HANDLER:ARGUMENTS, such as mkdir:/run/app";
        return wrong(format!("{} has no colon", quoted(text)), cure);
    };
    of_files(handler, arguments)
        .or_else(|| of_surroundings(handler, arguments))
        .unwrap_or_else(|| Err(refused::handler(handler, HANDLERS)))
}

fn of_files(handler: &str, arguments: &str) -> Option<Result<Action, Wrong>> {
    Some(match handler {
        "cd" | "chdir" => path(arguments).map(Action::Enter),
        "mkdir" => path(arguments).map(Action::MakeDirectory),
        "chmod" => mode(arguments),
        "chown" => owner(arguments, values::identity),
        "chown2" => owner(arguments, number),
        "sticky" => path(arguments).map(Action::Sticky),
        "create" | "creat" => path(arguments).map(|path| Action::Write(path, String::new())),
        "write" => text_of(arguments).map(|(path, text)| Action::Write(path, text)),
        "writen" => line_of(arguments).map(|(path, text)| Action::Write(path, text)),
        "append" => text_of(arguments).map(|(path, text)| Action::Append(path, text)),
        "appendn" => line_of(arguments).map(|(path, text)| Action::Append(path, text)),
        "writefifo" => text_of(arguments).map(|(path, text)| Action::Fifo(path, text, Reader::Optional)),
        "spinningfifo" => text_of(arguments).map(|(path, text)| Action::Fifo(path, text, Reader::Awaited)),
        "unlink" => path(arguments).map(Action::Unlink),
        "wait_for_fs" => waited(arguments, FileKind::Any),
        "wait_for_file" => waited(arguments, FileKind::Regular),
        "wait_for_dir" => waited(arguments, FileKind::Directory),
        _ => return None,
    })
}

fn of_surroundings(handler: &str, arguments: &str) -> Option<Result<Action, Wrong>> {
    Some(match handler {
        "putenv" => values::pair(arguments).map(|(name, value)| Action::PutEnv(name, value)),
        "exec" => values::text(arguments).map(Action::Exec),
        "safeexec" => values::text(arguments).map(Action::SafeExec),
        "mount" => mount(arguments).map(Action::Mount),
        "umount" => unmount(arguments).map(Action::Unmount),
        "hostname" => hostname(arguments).map(Action::Hostname),
        "ifup" => interface(arguments).map(Action::InterfaceUp),
        "ifdown" => interface(arguments).map(Action::InterfaceDown),
        "wait_for_socket" => {
            values::address(arguments).map(|address| Action::WaitFor(Thing::Socket(address)))
        }
        "print" | "log" => Ok(Action::Print(arguments.to_owned())),
        "exit" => status(arguments).map(Action::Exit),
        _ => return None,
    })
}

fn waited(text: &str, kind: FileKind) -> Result<Action, Wrong> {
    path(text).map(|path| Action::WaitFor(Thing::Path(path, kind)))
}

/// A path that the kernel takes; it ends where the text does.
pub(super) fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.contains('\0') {
        return wrong("a path has no zero byte", "remove it");
    }
    values::path(text)
}

/// The path before the first blank, and all behind that blank.
fn text_of(arguments: &str) -> Result<(PathBuf, String), Wrong> {
    let (file, text) = arguments.split_once(' ').unwrap_or((arguments, ""));
    path(file).map(|file| (file, text.to_owned()))
}

fn line_of(arguments: &str) -> Result<(PathBuf, String), Wrong> {
    text_of(arguments).map(|(path, text)| (path, text + "\n"))
}

fn mode(arguments: &str) -> Result<Action, Wrong> {
    match words(arguments)[..] {
        [file, mode] => Ok(Action::Mode(path(file)?, values::mode(mode)?)),
        _ => wrong("chmod takes a path and a mode", "write chmod:PATH MODE, such as chmod:/run/app 0750"),
    }
}

fn owner(arguments: &str, parse: fn(&str) -> Result<String, Wrong>) -> Result<Action, Wrong> {
    match words(arguments)[..] {
        [file, user, group] => {
            let (user, group) = (parse(user)?, parse(group)?);
            Ok(Action::Owner(path(file)?, format!("{user}:{group}")))
        }
        _ => wrong("it takes a path, a user and a group", "write chown:PATH USER GROUP"),
    }
}

fn number(text: &str) -> Result<String, Wrong> {
    count(text).and_then(|_| values::identity(text))
}

/// uWSGI reads a code of one digit as 0.
fn status(text: &str) -> Result<u8, Wrong> {
    match text {
        "" => Ok(0),
        digits => u8::try_from(integer(digits)?)
            .or_else(|_| wrong(format!("{} is no exit status", quoted(digits)), "use 0 to 255")),
    }
}

/// The name of a network interface (`dev_valid_name` of the kernel).
///
/// # Errors
/// No such name can be.
pub fn interface(text: &str) -> Result<String, Wrong> {
    let name = values::text(text)?;
    let odd = |one: char| one.is_whitespace() || matches!(one, '/' | ':' | '\0');
    if name.len() <= INTERFACE_MAX && !name.contains(odd) && !matches!(&*name, "." | "..") {
        return Ok(name);
    }
    wrong(format!("{} is no interface", quoted(&name)), "use a name of at most 15 bytes, such as lo")
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}
