//! What outlives an Emperor: which vassals are disabled, and which owners. A link for each, that leads nowhere and says it by its target: made and
//! removed whole, and nothing else is ever written.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
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

use crate::emperor::event::{Owner, Whose};
use crate::guarded::{Name, Others};
use crate::log;

/// Most vassals that are disabled.
const DISABLED_MAX: usize = 65_536;
/// Most of them by one user who is neither root nor ours.
const SHARE_MAX: usize = 1_024;
/// The directory of the links.
const DIRECTORY: &str = "disabled";
/// Before the uid of an owner, where a link says that.
const OWNER: &str = "owner ";
/// A link before it gets its name.
const FRESH: &str = ".new";

/// A source as it was written, and a name there.
type Place = (String, String);

/// What is remembered, if there is a place for it.
#[derive(Default)]
pub struct Remembrance {
    directory: Option<OwnedFd>,
    disabled: BTreeMap<Place, Entry>,
    /// Owners by their uids, and the link of each.
    owners: BTreeMap<u32, String>,
    /// No link has a higher number.
    last: u64,
}

/// Who has disabled a vassal, and the name of the link that says it.
#[derive(Debug)]
struct Entry {
    by: Whose,
    link: String,
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
        let (disabled, owners) = read(&directory)?;
        let links = disabled.values().map(|entry| &entry.link).chain(owners.values());
        let last = links.filter_map(|link| link.parse().ok()).max().unwrap_or(0);
        Ok(Self { directory: Some(directory), disabled, owners, last })
    }

    /// Names of this source that are disabled, and by whose word.
    pub fn disabled_in<'a>(&'a self, source: &'a str) -> impl Iterator<Item = (&'a str, Whose)> {
        let of_source = self.disabled.iter().filter(move |((of, _), _)| of == source);
        of_source.map(|((_, name), entry)| (name.as_str(), entry.by))
    }

    /// Who has disabled it.
    pub fn by(&self, source: &str, name: &str) -> Option<Whose> {
        self.disabled.get(&(source.to_owned(), name.to_owned())).map(|entry| entry.by)
    }

    /// From now on it is disabled, whoever is Emperor.
    ///
    /// # Errors
    /// There is no place or no room for it: a sentence.
    pub fn disable(&mut self, source: &str, name: &str, by: Whose) -> Result<(), String> {
        let of = self.disabled.values().filter(|one| one.by == by).count();
        if by != Whose::Master && (self.disabled.len() >= DISABLED_MAX || of >= SHARE_MAX) {
            return Err("too many are disabled: enable one".into());
        }
        let place = (source.to_owned(), name.to_owned());
        let known = self.disabled.get(&place).map(|entry| entry.link.clone());
        let link = self.write(&target(&place, by), known)?;
        self.disabled.insert(place, Entry { by, link });
        Ok(())
    }

    /// A link that leads there, in the place of the one that is known.
    fn write(&mut self, target: &OsStr, known: Option<String>) -> Result<String, String> {
        let directory = self.directory.as_ref().ok_or(
            "nothing would remember it: the Emperor has no emperor-state-directory (`liege stop` stops it until it is started)",
        )?;
        let cannot = |errno: Errno| format!("cannot remember it: {errno}");
        let _ = unlinkat(directory, FRESH, AtFlags::empty());
        symlinkat(target, directory, FRESH).map_err(cannot)?;
        // Of another name than any other: a name of a config may be longer than one of a file, and have any letter in it.
        let link = known.unwrap_or_else(|| (self.last + 1).to_string());
        renameat(directory, FRESH, directory, &link).map_err(cannot)?;
        self.last += 1;
        Ok(link)
    }

    /// From now on nothing of this user's is started, whoever is Emperor.
    ///
    /// # Errors
    /// There is no place for it: a sentence.
    pub fn disable_owner(&mut self, uid: u32) -> Result<(), String> {
        if !self.owners.contains_key(&uid) {
            let link = self.write(OsStr::new(&format!("{OWNER}{uid}")), None)?;
            self.owners.insert(uid, link);
        }
        Ok(())
    }

    /// It is again.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn enable_owner(&mut self, uid: u32) -> Result<(), String> {
        if let Some(link) = self.owners.get(&uid) {
            self.remove(link)?;
            self.owners.remove(&uid);
        }
        Ok(())
    }

    /// Owners that are disabled.
    pub fn owners(&self) -> impl Iterator<Item = u32> {
        self.owners.keys().copied()
    }

    fn remove(&self, link: &str) -> Result<(), String> {
        let Some(directory) = &self.directory else { return Ok(()) };
        match unlinkat(directory, link, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(format!("cannot forget that it is disabled: {errno}")),
        }
    }

    /// It is not disabled any more.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn enable(&mut self, source: &str, name: &str) -> Result<(), String> {
        let place = (source.to_owned(), name.to_owned());
        if let Some(entry) = self.disabled.get(&place) {
            self.remove(&entry.link)?;
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

fn read(directory: &OwnedFd) -> Result<(BTreeMap<Place, Entry>, BTreeMap<u32, String>)> {
    let (mut disabled, mut owners) = (BTreeMap::new(), BTreeMap::new());
    for entry in Dir::read_from(directory.as_fd())?.take(2 * DISABLED_MAX) {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || name.to_bytes() == FRESH.as_bytes() {
            continue;
        }
        let said = readlinkat(directory, name, Vec::new()).ok();
        let link = name.to_string_lossy().into_owned();
        match said.and_then(|said| parse(said.to_str().ok()?)) {
            Some(Said::Vassal(place, by)) => _ = disabled.insert(place, Entry { by, link }),
            Some(Said::Owner(uid)) => _ = owners.insert(uid, link),
            None => {
                log::warn("control", &format!("`{link}` in {DIRECTORY} says nothing, and is passed over"))
            }
        }
    }
    Ok((disabled, owners))
}

/// Where the link leads: who, how long the source is, the source, the name.
fn target((source, name): &Place, by: Whose) -> OsString {
    let by = match by {
        Whose::Master => "root".to_owned(),
        Whose::Owner(uid) => uid.to_string(),
    };
    OsStr::from_bytes(format!("{by} {} {source}{name}", source.len()).as_bytes()).to_owned()
}

/// What a link says is disabled.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Vassal(Place, Whose),
    Owner(u32),
}

fn parse(said: &str) -> Option<Said> {
    if let Some(uid) = said.strip_prefix(OWNER) {
        return uid.parse().ok().map(Said::Owner);
    }
    let mut parts = said.splitn(3, ' ');
    let by = match parts.next()? {
        "root" => Whose::Master,
        uid => Whose::Owner(uid.parse().ok()?),
    };
    let (length, rest) = (parts.next()?.parse().ok()?, parts.next()?);
    let (source, name) = rest.split_at_checked(length)?;
    Some(Said::Vassal((source.to_owned(), name.to_owned()), by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for (source, name, by) in [
            ("/srv", "shop.ini", Whose::Master),
            ("glob:/a b/*", "/a b/c 7 d", Whose::Owner(1_000)),
            ("", "", Whose::Master),
        ] {
            let place = (source.to_owned(), name.to_owned());
            assert_eq!(parse(target(&place, by).to_str().unwrap()), Some(Said::Vassal(place, by)));
        }
        assert_eq!(parse("owner 1001"), Some(Said::Owner(1_001)));
        for said in [
            "",
            "owner",
            "owner ",
            "owner -1",
            "owner x",
            "root",
            "root 4",
            "root x ab",
            "root 9 ab",
            "-1 1 ab",
            "root 1 é",
        ] {
            assert_eq!(parse(said), None, "{said}");
        }
    }
}
