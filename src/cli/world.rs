//! What the option language asks of the world: files, by name or already open, and facts of the host.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::FILE_MAX;
use crate::config::source::{Context, Host, Origin};
use crate::names::{Group, User};

/// Reads a config by its name. Never waits: only regular files are read, and never more than is parsed.
///
/// # Errors
/// It cannot be opened or read, or is no regular file.
pub fn read(name: &str) -> io::Result<Origin> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).expect("flags of open(2) fit into an int");
    let file = File::options().read(true).custom_flags(flags).open(name)?;
    read_open(&file, Some(absolute(Path::new(name))?))
}

/// Reads a config that is open already; `path` is what it is called in magic variables.
///
/// # Errors
/// It cannot be read, or is no regular file.
pub fn read_open(file: &File, path: Option<String>) -> io::Result<Origin> {
    let attributes = file.metadata()?;
    if !attributes.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = Vec::new();
    file.take(FILE_MAX as u64 + 1).read_to_end(&mut text)?;
    Ok(Origin { text, path, inode: Some(attributes.ino()) })
}

/// The real path; of a link, the link's own name in its directory, so that a skeleton knows for whom it is read.
fn absolute(name: &Path) -> io::Result<String> {
    let path = match name.symlink_metadata()?.is_symlink() {
        true => std::path::absolute(name)?,
        false => name.canonicalize()?,
    };
    Ok(path.to_string_lossy().into_owned())
}

/// Calls `work` with the files and the environment of this process, and facts of its host.
pub fn with_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let variable = |name: &str| std::env::var(name).ok();
    work(&Context { read: &read, variable: &variable, host: &named_host() })
}

fn named_host() -> Host {
    let host = host();
    let user = User::by_uid(host.uid).map_or(host.user, |user| user.name);
    let group = Group::by_gid(host.gid).map_or(host.group, |group| group.name);
    Host { user, group, ..host }
}

/// Facts of this process and host. Users and groups have their numbers for names: looking them up is not
/// this room's business.
pub fn host() -> Host {
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
