//! What a file is called once it was put aside: nothing that was put aside before is lost for nothing.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::gzip;
use crate::config::rotation::Rotation;

/// What stands behind a number.
const ENDS: [&str; 2] = ["", ".gz"];

/// What it is called.
#[derive(Debug)]
pub enum Aside {
    /// `NAME.1`, `NAME.2` and so on.
    Numbered,
    /// This, in this directory, whatever was there before.
    Named(OwnedFd, String),
}

impl Aside {
    /// Gives the file its other name, if it has any text.
    ///
    /// # Errors
    /// It cannot be renamed, or one that makes room for it cannot.
    pub fn put(&self, directory: BorrowedFd<'_>, name: &str, rotation: Rotation) -> Result<(), Errno> {
        if !has_text(directory, name)? {
            return Ok(());
        }
        match self {
            Self::Numbered => number(directory, name, rotation),
            Self::Named(there, other) => renameat(directory, name, there, other),
        }
    }
}

/// Whether there is something to put aside. What is no file is: it stands in the way of one.
fn has_text(directory: BorrowedFd<'_>, name: &str) -> Result<bool, Errno> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile => Ok(found.st_size > 0),
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// `NAME` becomes `NAME.1`, that `NAME.2`, and so on to the first number that nobody has; only where all are taken the last one
/// goes.
fn number(directory: BorrowedFd<'_>, name: &str, rotation: Rotation) -> Result<(), Errno> {
    let names = gzip::NAMES.lock();
    if rotation.keep == 0 {
        return unlinkat(directory, name, AtFlags::empty());
    }
    let numbered = |number: u32, end: &str| format!("{name}.{number}{end}");
    let is_taken = |number: &u32| {
        let is_there = |end| statat(directory, numbered(*number, end), AtFlags::SYMLINK_NOFOLLOW).is_ok();
        ENDS.into_iter().any(is_there)
    };
    let free = (1..=rotation.keep).find(|number| !is_taken(number));
    for end in ENDS {
        if free.is_none() {
            unless_absent(unlinkat(directory, numbered(rotation.keep, end), AtFlags::empty()))?;
        }
        for number in (1..free.unwrap_or(rotation.keep)).rev() {
            unless_absent(renameat(directory, numbered(number, end), directory, numbered(number + 1, end)))?;
        }
    }
    let first = numbered(1, "");
    renameat(directory, name, directory, &first)?;
    drop(names);
    if rotation.compress {
        gzip::compress(directory, first);
    }
    Ok(())
}

/// A number is there as it is or compressed.
fn unless_absent(outcome: Result<(), Errno>) -> Result<(), Errno> {
    if outcome == Err(Errno::NOENT) { Ok(()) } else { outcome }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags};

    use super::*;

    const THREE: Rotation = Rotation { size: 0, age_s: 0, keep: 3, compress: false };

    fn put(place: &Path) -> Result<(), Errno> {
        let directory = rustix::fs::open(place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("one");
        Aside::Numbered.put(directory.as_fd(), "a", THREE)
    }

    /// The text of each file, by its name.
    fn all(place: &Path) -> Vec<(String, String)> {
        let names = fs::read_dir(place).expect("a directory").map(|one| one.expect("one").file_name());
        let text = |name| fs::read_to_string(place.join(name)).expect("a file");
        let all = names.map(|name| (name.to_string_lossy().into_owned(), text(name)));
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    }

    fn with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().expect("a directory");
        files.iter().for_each(|(name, text)| fs::write(place.path().join(name), text).expect("a file"));
        place
    }

    fn puts(before: &[(&str, &str)], after: &[(&str, &str)]) {
        let place = with(before);
        put(place.path()).expect("nothing is in the way");
        let after: Vec<_> =
            after.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        assert_eq!(all(place.path()), after, "{before:?}");
    }

    #[test]
    fn where_nothing_is_put_aside_nothing_is_renamed() {
        for current in [&[("a", "")][..], &[]] {
            let before = [current, &[("a.1", "1"), ("a.2.gz", "2"), ("a.3", "3")]].concat();
            puts(&before, &before);
        }
    }

    #[test]
    fn only_what_has_no_place_left_goes() {
        puts(&[("a", "0"), ("a.1", "1")], &[("a.1", "0"), ("a.2", "1")]);
        puts(
            &[("a", "0"), ("a.1", "1"), ("a.2.gz", "2"), ("a.3.gz", "3")],
            &[("a.1", "0"), ("a.2", "1"), ("a.3.gz", "2")],
        );
    }

    #[test]
    fn a_number_that_nobody_has_is_taken_before_anything_goes() {
        puts(&[("a", "0"), ("a.2.gz", "2"), ("a.3", "3")], &[("a.1", "0"), ("a.2.gz", "2"), ("a.3", "3")]);
        puts(&[("a", "0"), ("a.1.gz", "1"), ("a.3", "3")], &[("a.1", "0"), ("a.2.gz", "1"), ("a.3", "3")]);
    }

    #[test]
    fn what_cannot_make_room_is_not_replaced() {
        let place = with(&[("a", "0"), ("a.1", "1")]);
        fs::create_dir_all(place.path().join("a.2/x")).expect("a directory");
        fs::create_dir_all(place.path().join("a.3/x")).expect("a directory");
        assert!(put(place.path()).is_err());
        let text = |name| fs::read_to_string(place.path().join(name)).expect("a file");
        assert_eq!((text("a"), text("a.1")), ("0".into(), "1".into()));
    }
}
