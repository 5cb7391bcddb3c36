//! Pure. What a config asks of the world: files by name, the environment, facts of the host.

use std::io;

use super::probe::Probes;
use super::show::quoted;
use super::values::Wrong;

/// A config file that has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What is in it.
    pub text: Vec<u8>,
    /// Absolute path, for `%p %s %d %c %e %n %j %0`…; of a link, the link's own. `None`: it has no path.
    pub path: Option<String>,
    /// Inode, for `%i`.
    pub inode: Option<u64>,
}

/// Why nothing was read: this process only looks at somebody's config, so it runs no command of it and asks no
/// server. Wrapped in an `io::Error`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not run here: only the process that the config is for does that")]
pub struct NotRun;

impl NotRun {
    /// Whether this is why reading failed: then the config is not wrong, only not known in full.
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl From<NotRun> for io::Error {
    fn from(why: NotRun) -> Self {
        Self::other(why)
    }
}

/// A variable of the environment; without a value it is taken away.
pub type Variable = (String, Option<String>);

/// Why variables were not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Only the process that the config is for may read them.
    NotRun,
    /// Something is wrong with them.
    Wrong(Wrong),
}

/// That a source cannot be read, and what to do about that.
pub fn unread(name: &str, error: &io::Error) -> Wrong {
    let cure = match error.kind() {
        io::ErrorKind::NotFound => "is the name right? A relative one counts from the start directory (%v)",
        io::ErrorKind::PermissionDenied => "let the user who reads this config read it",
        io::ErrorKind::InvalidInput => "name a file; what a program prints is read with exec://COMMAND",
        io::ErrorKind::Unsupported => "name a file, or a scheme that is read: fd, exec, http, emperor",
        _ => "try it by hand: it has to be read, or to answer, within 20 s",
    };
    Wrong::new(format!("cannot read {}: {error}", quoted(name)), cure)
}

/// What a config may ask of the world.
pub trait World {
    /// Reads a file, named as written in the config; a relative name counts from the start directory. Or what a
    /// scheme stands for: `-`, `fd://N`, `exec://COMMAND`, `http://…`, `emperor://…`.
    ///
    /// # Errors
    /// A sentence: it cannot be opened or read, or is no regular file; `NotRun`.
    fn read(&self, name: &str) -> io::Result<Origin>;

    /// A variable of the environment, for `$(NAME)`.
    fn variable(&self, name: &str) -> Option<String>;

    /// The variables in a directory, named as written in the config, for `early-envdir`.
    ///
    /// # Errors
    /// Why there are none.
    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread>;

    /// Facts of this process and host.
    fn host(&self) -> &Host;

    /// What conditions and loops may look at.
    fn probes(&self) -> &dyn Probes;
}

/// Facts of this process and host that magic variables stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Working directory at the start: `%v`.
    pub cwd: String,
    /// Version of liege: `%V`.
    pub version: String,
    /// Host name: `%h`.
    pub hostname: String,
    /// Number of processors: `%k`.
    pub processors: u32,
    /// Unix time of the start in µs: `%t` (in s) and `%T`.
    pub start_us: u64,
    /// User: `%u` and, by name, `%U`.
    pub uid: u32,
    /// Its name, or its number where it has none.
    pub user: String,
    /// Group: `%g` and, by name, `%G`.
    pub gid: u32,
    /// Its name, or its number where it has none.
    pub group: String,
    /// Path of the running binary: `%b`.
    pub binary: String,
}
