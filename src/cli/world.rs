//! What the option language asks of the world: files, by name or already open, and facts of the host.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::probes::FileSystem;
use crate::config::probe::Probes;
use crate::config::source::{Host, NotRun, Origin, Unread, Variable, World};
use crate::config::{FILE_MAX, Wrong};

use crate::envdir::{self, Refusal};
use crate::fetch::{Scheme, fetch, run};
use crate::names::{Group, User};
use crate::vassal::trouble::Trouble;

/// Reads a config by its name. Never waits: only regular files are read, and never more than is parsed.
///
/// # Errors
/// It cannot be opened or read, or is no regular file.
pub fn read(name: &str) -> io::Result<Origin> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).expect("flags of open(2) fit into an int");
    let file = File::options().read(true).custom_flags(flags).open(name)?;
    let origin = read_open(&file, Some(absolute(Path::new(name))?))?;
    Ok(Origin { inode: inode(name).or(origin.inode), ..origin })
}

/// Reads a config that is open already, from its start; `path` is what it is called in magic variables.
fn read_open(file: &File, path: Option<String>) -> io::Result<Origin> {
    let attributes = file.metadata()?;
    if !attributes.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = vec![0; FILE_MAX + 1];
    let mut length = 0;
    while length < text.len() {
        match file.read_at(&mut text[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    text.truncate(length);
    Ok(Origin { text, path, inode: Some(attributes.ino()) })
}

/// Of a link, the link's own.
fn inode(name: &str) -> Option<u64> {
    Path::new(name).symlink_metadata().ok().map(|attributes| attributes.ino())
}

/// The real path; of a link, the link's own name in its directory, so that a skeleton knows for whom it is read.
fn absolute(name: &Path) -> io::Result<String> {
    let path = match name.symlink_metadata()?.is_symlink() {
        true => std::path::absolute(name)?,
        false => name.canonicalize()?,
    };
    Ok(path.to_string_lossy().into_owned())
}

/// A config from the Emperor has the name of its vassal in magic variables, in our directory; of other schemes there is
/// only the argument.
fn path_of(scheme: Scheme<'_>) -> io::Result<Option<String>> {
    let Scheme::Emperor(name) = scheme else { return Ok(None) };
    Ok(Some(std::path::absolute(name)?.to_string_lossy().into_owned()))
}

/// The files and the environment of this process, and facts of its host.
pub struct Surroundings {
    host: Host,
    probes: FileSystem,
    reach: Reach,
}

/// How far a config's words reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// This process is the one that the config is for.
    Own,
    /// It only looks at somebody's config: files alone are read.
    Look,
}

impl Surroundings {
    /// With the names of its user and group.
    pub fn named() -> Self {
        Self { host: named_host(), probes: FileSystem::default(), reach: Reach::Own }
    }

    /// For looking at somebody else's config: whatever it says, no command of it runs and no server is asked.
    pub fn onlooker() -> Self {
        Self { reach: Reach::Look, ..Self::named() }
    }

    /// The same with the numbers of its user and group.
    pub fn nameless_onlooker() -> Self {
        Self { reach: Reach::Look, ..Self::nameless() }
    }

    /// With their numbers, whose names are looked up only when a config asks for them.
    pub fn nameless() -> Self {
        Self { host: host(), probes: FileSystem::default(), reach: Reach::Own }
    }
}

impl Surroundings {
    /// A config of the Emperor's that is a program.
    fn run(&self, program: &str) -> io::Result<Origin> {
        match self.reach {
            Reach::Look => Err(NotRun.into()),
            Reach::Own => {
                Ok(Origin { text: run(program)?, path: Some(absolute(Path::new(program))?), inode: None })
            }
        }
    }
}

impl World for Surroundings {
    fn read(&self, name: &str) -> io::Result<Origin> {
        match Scheme::of(name) {
            None => read(name),
            Some(scheme) if self.reach == Reach::Look && !scheme.is_refused() => Err(NotRun.into()),
            Some(scheme) => Ok(Origin { text: fetch(scheme)?, path: path_of(scheme)?, inode: None }),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        match envdir::read(Path::new(directory)) {
            Ok(variables) => Ok(variables),
            // Root may not, but whoever the config is for may.
            Err(Refusal::Foreign(_)) if self.reach == Reach::Look => Err(Unread::NotRun),
            Err(refusal) => {
                let Trouble { cause, advice } = refusal.into();
                Err(Unread::Wrong(Wrong { cause, cure: advice }))
            }
        }
    }

    fn host(&self) -> &Host {
        &self.host
    }

    fn probes(&self) -> &dyn Probes {
        &self.probes
    }
}

/// These surroundings, and one config that is open already.
pub struct Opened<'f> {
    name: String,
    /// Only once: a config that includes itself would find itself again, not another file of that name.
    file: Cell<Option<&'f File>>,
    surroundings: Surroundings,
}

impl<'f> Opened<'f> {
    /// `file` is read instead of what the name leads to by now.
    pub fn new(surroundings: Surroundings, name: &str, file: Option<&'f File>) -> Self {
        Self { name: name.to_owned(), file: Cell::new(file), surroundings }
    }

    /// True when `name` is to be read from what is open.
    pub fn has(&self, name: &str) -> bool {
        self.name == name && self.file.get().is_some()
    }

    fn take(&self, name: &str) -> Option<&'f File> {
        if self.name == name { self.file.take() } else { None }
    }
}

impl World for Opened<'_> {
    fn read(&self, name: &str) -> io::Result<Origin> {
        match self.take(name) {
            Some(file) => {
                let absolute =
                    |path: &str| std::path::absolute(path).map(|path| path.to_string_lossy().into_owned());
                match Scheme::of(name) {
                    Some(Scheme::Command(program)) => self.surroundings.run(program),
                    Some(scheme) => {
                        Ok(Origin { path: path_of(scheme)?, inode: None, ..read_open(file, None)? })
                    }
                    None => {
                        let origin = read_open(file, Some(absolute(name)?))?;
                        Ok(Origin { inode: inode(name).or(origin.inode), ..origin })
                    }
                }
            }
            None => self.surroundings.read(name),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.surroundings.variable(name)
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        self.surroundings.variables(directory)
    }

    fn host(&self) -> &Host {
        self.surroundings.host()
    }

    fn probes(&self) -> &dyn Probes {
        self.surroundings.probes()
    }
}

fn named_host() -> Host {
    let host = host();
    let user = User::by_uid(host.uid).map_or(host.user, |user| user.name);
    let group = Group::by_gid(host.gid).map_or(host.group, |group| group.name);
    Host { user, group, ..host }
}

pub(super) fn host() -> Host {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let text = |path: io::Result<std::path::PathBuf>| path.map(|path| path.to_string_lossy().into_owned());
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Host {
        cwd: text(std::env::current_dir()).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        processors: std::thread::available_parallelism()
            .map_or(1, |number| u32::try_from(number.get()).unwrap_or(1)),
        start_us: u64::try_from(start.as_micros()).unwrap_or(u64::MAX),
        uid,
        user: uid.to_string(),
        gid,
        group: gid.to_string(),
        binary: text(std::env::current_exe()).unwrap_or_default(),
    }
}
