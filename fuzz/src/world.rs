//! Everything that a config may ask of the world, answered from the bytes that it is made of.

use std::io;

use crate::config::probe::{FileKind, Probes};
use crate::config::source::{Host, Origin, Unread, Variable, World};

/// Between two files; no file that people write has it.
const BORDER: u8 = 0;

/// The first file is what is read; the others are what it may name, as `1`, `2` and so on, in any format.
pub struct Bytes {
    files: Vec<Vec<u8>>,
    host: Host,
}

impl Bytes {
    /// A world of the files in these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            files: bytes.split(|byte| *byte == BORDER).map(<[u8]>::to_vec).collect(),
            host: Host::default(),
        }
    }

    fn file(&self, name: &str) -> Option<&Vec<u8>> {
        let number = name.split(['.', ':']).next()?.parse::<usize>().unwrap_or(0);
        self.files.get(number)
    }
}

impl World for Bytes {
    fn read(&self, name: &str) -> io::Result<Origin> {
        let text = self.file(name).ok_or(io::ErrorKind::NotFound)?.clone();
        Ok(Origin { text, path: Some(format!("/srv/vassals/{name}")), inode: Some(1) })
    }

    fn variable(&self, name: &str) -> Option<String> {
        let text = self.file(name)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        let text = String::from_utf8_lossy(self.file(directory).ok_or(Unread::NotRun)?);
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

impl Probes for Bytes {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let text = self.file(path)?;
        Some(if text.is_empty() { FileKind::Directory } else { FileKind::File })
    }

    fn is_readable(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<String>> {
        let every = (0..self.files.len()).map(|number| format!("{number}{pattern}"));
        Ok(every.collect())
    }

    fn user(&self) -> Option<String> {
        Some("shop".to_owned())
    }

    fn group(&self) -> Option<String> {
        None
    }
}
