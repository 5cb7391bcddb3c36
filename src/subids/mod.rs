//! Subordinate ids of users (`subuid(5)`, `subgid(5)`): read by whoever may write them into a user namespace, and never
//! by a vassal.

mod parse;
mod ruled;
mod table;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::OFlags;
use rustix::io::Errno;

pub use ruled::keep_apart;
pub use table::{Ranges, Table};

use crate::config::emperor::id_range::{IdRanges, Rule};
use crate::emperor::event::Owner;
use crate::names;
use table::People;

/// Most that is read of one of the files, in bytes.
const FILE_MAX: u64 = 16 << 20;
/// What the table is made of. Only what changed is read again.
const FILES: [&str; 4] = [SUBUID, SUBGID, "/etc/passwd", "/etc/group"];
const SUBUID: &str = "/etc/subuid";
const SUBGID: &str = "/etc/subgid";

/// A file as it was: which one, how long, and when it was changed.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// The table, as long as no file of it changes.
#[derive(Debug)]
pub struct Subids {
    rules: Vec<Rule>,
    stamps: [Stamp; 4],
    table: Result<Table, String>,
}

impl Subids {
    /// Reads all of it.
    pub fn look(ranges: &IdRanges) -> Self {
        // Before the files are read: what changes meanwhile is seen at the next look.
        let stamps = FILES.map(stamp);
        let rules = ranges.rules().to_vec();
        Self { stamps, table: read(!rules.is_empty()), rules }
    }

    /// What this owner has, by the files as they are now.
    ///
    /// # Errors
    /// Why he must not get it, as a sentence.
    pub fn of(&mut self, owner: Owner) -> Result<Ranges, String> {
        let stamps = FILES.map(stamp);
        if self.stamps != stamps {
            (self.stamps, self.table) = (stamps, read(!self.rules.is_empty()));
        }
        let table = self.table.as_ref().map_err(String::clone)?;
        if self.rules.is_empty() { table.of(owner) } else { table.ruled(&self.rules, owner) }
    }

    /// Whether anybody has a range.
    ///
    /// # Errors
    /// What is wrong with a file, as a sentence.
    pub fn gives_any(&self) -> Result<bool, String> {
        self.table.as_ref().map(Table::gives_any).map_err(String::clone)
    }
}

fn stamp(path: &str) -> Stamp {
    let seen = std::fs::metadata(path).ok()?;
    let times = ((seen.mtime(), seen.mtime_nsec()), (seen.ctime(), seen.ctime_nsec()));
    Some((seen.dev(), seen.ino(), seen.size(), times.0, times.1))
}

/// Where nobody is given anything, nobody needs to be known.
fn read(has_rules: bool) -> Result<Table, String> {
    let (subuid, subgid) = (text(SUBUID)?, text(SUBGID)?);
    let people = if subuid.is_empty() && subgid.is_empty() && !has_rules {
        People::default()
    } else {
        People {
            users: names::users().map(|user| (user.name, user.uid)).collect(),
            groups: names::groups().map(|group| (group.name, group.gid)).collect(),
        }
    };
    Ok(Table::new(&subuid, &subgid, &people))
}

/// The whole file; nothing where there is none.
fn text(path: &str) -> Result<String, String> {
    let cannot = |why: String| format!("cannot trust {path}: {why}");
    // Without waiting for anybody (a FIFO), and of no other place.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = match File::options().read(true).custom_flags(flags.cast_signed()).open(path) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => return Ok(String::new()),
        Err(error) => return Err(cannot(error.to_string())),
    };
    let seen = file.metadata().map_err(|error| cannot(error.to_string()))?;
    if !seen.is_file() || seen.uid() != 0 || seen.mode() & 0o022 != 0 {
        return Err(cannot("it must be a file that root alone may write: chown root, chmod 644".into()));
    }
    let mut text = String::new();
    let length =
        file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| cannot(error.to_string()))?;
    if length as u64 > FILE_MAX {
        Err(cannot(format!("it is longer than {FILE_MAX} bytes")))
    } else {
        Ok(text)
    }
}
