//! What outlives an Emperor: which vassals are disabled. A link for each, that leads nowhere and says it by its target: made and
//! removed whole, and nothing else is ever written.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{
    AtFlags, Dir, Gid, Mode, OFlags, Uid, fchown, fstat, mkdirat, openat, readlinkat, renameat, symlinkat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::emperor::event::Owner;
use crate::guarded::{Name, Others};
use crate::log;

/// Most vassals that are disabled.
const DISABLED_MAX: usize = 65_536;
/// Most of them by one user who is neither root nor ours.
const SHARE_MAX: usize = 1_024;
/// The directory of the links.
const DIRECTORY: &str = "disabled";
/// A link before it gets its name.
const FRESH: &str = ".new";

/// A source as it was written, and a name there.
type Place = (String, String);

/// What is remembered, if there is a place for it.
#[derive(Default)]
pub struct Remembrance {
    directory: Option<OwnedFd>,
    disabled: BTreeMap<Place, Entry>,
    /// No link has a higher number.
    last: u64,
}

/// Who has disabled a vassal, and the name of the link that says it.
#[derive(Debug)]
struct Entry {
    by: By,
    link: String,
}

/// Who has disabled a vassal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Root or the Emperor's user: nobody else enables it.
    Master,
    /// This owner of its config.
    Tenant(u32),
}

impl Remembrance {
    /// Remembers, in this directory. `owner`: whom we are about to become.
    ///
    /// # Errors
    /// It cannot be had, or others could write there.
    pub fn open(path: &Path, owner: Option<Owner>) -> Result<Self> {
        let others = Others { owner, group: false };
        let name = |path: &Path| Name::of(path, others).map_err(|why| anyhow!("{why}"));
        made(&name(path)?)?;
        let links = name(&path.join(DIRECTORY))?;
        made(&links)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(&links.directory, links.name(), flags, Mode::empty())?;
        let found = fstat(&directory)?.st_uid;
        let ours = [Some(0), Some(geteuid().as_raw()), owner.map(|owner| owner.uid)];
        if !ours.contains(&Some(found)) {
            bail!("{} belongs to uid {found}: only who starts liege may", links.path.display());
        }
        if let Some(Owner { uid, gid }) = owner.filter(|_| geteuid().is_root()) {
            fchown(&directory, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        let disabled = read(&directory)?;
        let last = disabled.values().filter_map(|entry| entry.link.parse().ok()).max().unwrap_or(0);
        Ok(Self { directory: Some(directory), disabled, last })
    }

    /// Names of this source that are disabled.
    pub fn disabled_in<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        self.disabled.keys().filter(move |(of, _)| of == source).map(|(_, name)| name.as_str())
    }

    /// Who has disabled it.
    pub fn by(&self, source: &str, name: &str) -> Option<By> {
        self.disabled.get(&(source.to_owned(), name.to_owned())).map(|entry| entry.by)
    }

    /// From now on it is disabled, whoever is Emperor.
    ///
    /// # Errors
    /// There is no place or no room for it: a sentence.
    pub fn disable(&mut self, source: &str, name: &str, by: By) -> Result<(), String> {
        let directory = self.directory.as_ref().ok_or(
            "nothing would remember it: the Emperor has no emperor-state-directory (`liege stop` stops it until it is started)",
        )?;
        let of = self.disabled.values().filter(|one| one.by == by).count();
        if by != By::Master && (self.disabled.len() >= DISABLED_MAX || of >= SHARE_MAX) {
            return Err("too many are disabled: enable one".into());
        }
        let place = (source.to_owned(), name.to_owned());
        let cannot = |errno: Errno| format!("cannot remember it: {errno}");
        let _ = unlinkat(directory, FRESH, AtFlags::empty());
        symlinkat(target(&place, by), directory, FRESH).map_err(cannot)?;
        // Of another name than any other: a name of a config may be longer than one of a file, and have any letter in it.
        let link = match self.disabled.get(&place) {
            Some(entry) => entry.link.clone(),
            None => (self.last + 1).to_string(),
        };
        renameat(directory, FRESH, directory, &link).map_err(cannot)?;
        self.last += 1;
        self.disabled.insert(place, Entry { by, link });
        Ok(())
    }

    /// It is not disabled any more.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn enable(&mut self, source: &str, name: &str) -> Result<(), String> {
        let place = (source.to_owned(), name.to_owned());
        if let (Some(entry), Some(directory)) = (self.disabled.get(&place), &self.directory) {
            match unlinkat(directory, &entry.link, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(format!("cannot forget that it is disabled: {errno}")),
            }
            self.disabled.remove(&place);
        }
        Ok(())
    }
}

fn made(name: &Name) -> Result<()> {
    match mkdirat(&name.directory, name.name(), Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("cannot make {}", name.path.display())),
    }
}

fn read(directory: &OwnedFd) -> Result<BTreeMap<Place, Entry>> {
    let mut disabled = BTreeMap::new();
    for entry in Dir::read_from(directory.as_fd())?.take(2 * DISABLED_MAX) {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || name.to_bytes() == FRESH.as_bytes() {
            continue;
        }
        let said = readlinkat(directory, name, Vec::new()).ok();
        match said.and_then(|said| parse(said.to_str().ok()?)) {
            Some((place, by)) => {
                let link = name.to_string_lossy().into_owned();
                _ = disabled.insert(place, Entry { by, link });
            }
            None => log::warn(
                "control",
                &format!("`{}` in {DIRECTORY} says nothing, and is passed over", name.to_string_lossy()),
            ),
        }
    }
    Ok(disabled)
}

/// Where the link leads: who, how long the source is, the source, the name.
fn target((source, name): &Place, by: By) -> std::ffi::OsString {
    let by = match by {
        By::Master => "root".to_owned(),
        By::Tenant(uid) => uid.to_string(),
    };
    std::ffi::OsStr::from_bytes(format!("{by} {} {source}{name}", source.len()).as_bytes()).to_owned()
}

fn parse(said: &str) -> Option<(Place, By)> {
    let mut parts = said.splitn(3, ' ');
    let by = match parts.next()? {
        "root" => By::Master,
        uid => By::Tenant(uid.parse().ok()?),
    };
    let (length, rest) = (parts.next()?.parse().ok()?, parts.next()?);
    let (source, name) = rest.split_at_checked(length)?;
    Some(((source.to_owned(), name.to_owned()), by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for (source, name, by) in [
            ("/srv", "shop.ini", By::Master),
            ("glob:/a b/*", "/a b/c 7 d", By::Tenant(1_000)),
            ("", "", By::Master),
        ] {
            let place = (source.to_owned(), name.to_owned());
            assert_eq!(parse(target(&place, by).to_str().unwrap()), Some((place, by)));
        }
        for said in ["", "root", "root 4", "root x ab", "root 9 ab", "-1 1 ab", "root 1 é"] {
            assert_eq!(parse(said), None, "{said}");
        }
    }
}
