mod check;
mod declare;
mod early;
mod emperor;
mod expand;
mod format;
mod hazard;
mod hook;
mod jailed;
mod keyval;
mod lists;
mod load;
mod logic;
mod logs;
mod place;
mod real_uwsgi;
mod rootfs;
mod tuntap;
mod tuntap_device;
mod uwsgi;
mod uwsgi_formats;
mod values;
mod vassal;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use super::load::{Loaded, load};
use super::place::{COMMAND_LINE, ConfigError, Entry, Place, Texts};
use super::probe::{FileKind, Probes};
use super::source::{Host, NotRun, Origin, Unread, Variable, World};

/// Files by name, and a fixed environment and host.
pub struct Files {
    texts: BTreeMap<String, Vec<u8>>,
    host: Host,
}

impl World for Files {
    fn read(&self, name: &str) -> io::Result<Origin> {
        if name.starts_with("exec://") {
            return Err(NotRun.into());
        }
        let text = self.texts.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Origin { text: text.clone(), path: Some(format!("/srv/vassals/{name}")), inode: Some(42) })
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/shop".to_owned()),
            "LOOP" => Some("$(LOOP)".to_owned()),
            "a" => Some("%(b)$(a".to_owned()),
            _ => None,
        }
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        if directory.starts_with('.') {
            return Err(Unread::NotRun);
        }
        let text = self
            .texts
            .get(directory)
            .map_or(Cow::Borrowed("NAME=of a directory"), |text| String::from_utf8_lossy(text));
        let pair = |line: &str| match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (line.to_owned(), None),
        };
        Ok(text.lines().map(pair).collect())
    }

    fn host(&self) -> &Host {
        &self.host
    }

    fn probes(&self) -> &dyn Probes {
        self
    }
}

/// A name that ends in `.d` is a directory; one that begins with `.` may not be read.
impl Probes for Files {
    fn kind(&self, path: &str) -> Option<FileKind> {
        self.texts.get(path)?;
        Some(if path.ends_with(".d") { FileKind::Directory } else { FileKind::File })
    }

    fn is_readable(&self, path: &str) -> bool {
        self.texts.contains_key(path) && !path.starts_with('.')
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<String>> {
        let end = pattern.strip_prefix('*').ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.texts.keys().filter(|name| name.ends_with(end)).cloned().collect())
    }

    fn user(&self) -> Option<String> {
        Some(self.host.user.clone())
    }

    fn group(&self) -> Option<String> {
        Some(self.host.group.clone())
    }
}

impl Files {
    pub fn of(files: &[(&str, &str)]) -> Self {
        let texts = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        Self { texts, host: host() }
    }

    /// Loads what `--ini NAME` would.
    pub fn load(&self, name: &str) -> Loaded {
        self.load_entries(vec![typed(1, "ini", name)])
    }

    pub fn load_entries(&self, entries: Vec<Entry>) -> Loaded {
        load(entries, Texts::default(), self)
    }
}

/// `--key value` as the n-th argument.
pub fn typed(line: u32, key: &str, value: &str) -> Entry {
    let place = Place { file: COMMAND_LINE.into(), line, column: 1 };
    Entry { key: key.into(), value: value.into(), value_place: place.clone(), place }
}

pub fn load_text(text: &str) -> Loaded {
    Files::of(&[("a.ini", text)]).load("a.ini")
}

pub fn pairs(loaded: &Loaded) -> Vec<(&str, &str)> {
    loaded.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect()
}

pub fn sentences(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn host() -> Host {
    Host {
        cwd: "/srv/vassals".into(),
        version: "1.2.3".into(),
        hostname: "node7".into(),
        processors: 4,
        start_us: 1_700_000_000_123_456,
        uid: 1001,
        user: "shop".into(),
        gid: 1002,
        group: "shops".into(),
        binary: "/usr/bin/liege".into(),
    }
}
