//! Pure. What is asked about a file system that may not answer, and what is reported of it. Places are named, for to
//! open them is what may take for ever.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Examined;
use super::stat::Stat;
use crate::emperor::event::{Digest, Fingerprint, Owner, Sight};

/// Longest sentence in a message, in bytes; a longer one is cut.
pub const SENTENCE_MAX: usize = 2048;

/// A directory of configs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The base of its source, as the administrator wrote it.
    pub root: String,
    /// Its path below that; no link is followed there.
    pub below: String,
    /// Device and inode that it had, if it was seen before. Another one says nothing about the configs that were in it:
    /// it may be the bare point that a file system was mounted on.
    pub known: Option<((u32, u32), u64)>,
}

/// What is to be done there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// List it, or only this name in it.
    List(Option<String>),
    /// Examine the config of this name.
    Look(String),
    /// The same, and bring a copy of it if it may run.
    Lend(String),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// Some of the names of the directory, and the directory itself; after the last ones it is whole.
    Listed(Box<Stat>, Vec<Entry>, bool),
    /// The config, and what its name stands for.
    Seen(Box<Stat>, Seen),
    /// There is no such file.
    Missing,
    /// `errno(3)`; `ETIMEDOUT` where nobody answered.
    Failed(i32),
}

/// A name in a directory that was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// As it is.
    pub name: Vec<u8>,
    /// What it stands for (not where it leads), if it is still there.
    pub stat: Option<Stat>,
}

/// A `Sight` in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    fingerprint: u64,
    uid: u32,
    gid: u32,
    mtime_s: i64,
    refusal: Option<String>,
    /// Of its text, if it may run.
    pub digest: Option<Digest>,
    /// Where a followed link led: the name in each directory that comes along.
    pub targets: Vec<String>,
}

impl From<&Sight> for Seen {
    fn from(sight: &Sight) -> Self {
        Self {
            fingerprint: sight.fingerprint.0,
            uid: sight.owner.uid,
            gid: sight.owner.gid,
            mtime_s: sight.mtime_s,
            refusal: sight.refusal.as_deref().map(cut),
            digest: None,
            targets: Vec::new(),
        }
    }
}

impl Seen {
    /// A config that may run.
    pub fn of(config: &Examined) -> Self {
        Self { digest: Some(Digest::of(&config.content)), ..Self::from(&config.sight) }
    }

    /// What its bearer can read, by text and by what a change is judged by.
    pub fn text(&self) -> Option<(Digest, Fingerprint)> {
        self.digest.map(|digest| (digest, Fingerprint(self.fingerprint)))
    }
}

impl From<Seen> for Sight {
    fn from(seen: Seen) -> Self {
        Self {
            fingerprint: Fingerprint(seen.fingerprint),
            owner: Owner { uid: seen.uid, gid: seen.gid },
            mtime_s: seen.mtime_s,
            refusal: seen.refusal.map(Arc::from),
        }
    }
}

/// A sentence that fits into a message.
pub fn cut(sentence: &str) -> String {
    let end = (0..=sentence.len().min(SENTENCE_MAX)).rev().find(|end| sentence.is_char_boundary(*end));
    sentence[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_cut_between_characters() {
        let sentence = "é".repeat(SENTENCE_MAX);
        assert!(cut(&sentence).len() <= SENTENCE_MAX);
    }
}
