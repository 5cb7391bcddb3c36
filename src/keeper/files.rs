//! Files that are written to their end, put aside once they are long or old, and of which so many are kept.
//!
//! Nothing is reached but by its last name in an open directory; no link is followed.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, StatxFlags, fstat, openat, statx};
use rustix::io::{Errno, write};

use super::aside::Aside;
use crate::config::rotation::Rotation;

/// Most characters of a name that are kept as they are.
const NAME_MAX: usize = 180;

/// One of them.
#[derive(Debug)]
pub struct LogFile {
    name: String,
    mode: RawMode,
    aside: Aside,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: OwnedFd,
    length: u64,
    /// In seconds since 1970.
    begun_s: u64,
    /// What was written last is a whole line.
    is_whole: bool,
}

impl LogFile {
    /// One of this name, made with this mode once there is something to write.
    pub fn new(name: String, mode: RawMode) -> Self {
        Self { name, mode, aside: Aside::Numbered, open: None }
    }

    /// The same, called otherwise once it is put aside.
    #[must_use]
    pub fn put_aside_as(self, aside: Aside) -> Self {
        Self { aside, ..self }
    }

    /// Writes to its end; puts it aside before, if that is due and a line has ended there. One that has no lines is cut.
    ///
    /// # Errors
    /// It cannot be opened or written; `EMLINK` for one that has a second name, `EINVAL` for what is no file.
    pub fn write(
        &mut self,
        directory: BorrowedFd<'_>,
        bytes: &[u8],
        (rotation, now_s): (Rotation, u64),
    ) -> Result<(), Errno> {
        let Some(last) = bytes.last() else { return Ok(()) };
        let open = self.opened(directory, now_s)?;
        let is_cut = rotation.is_due(open.length / 2, 0);
        let is_due = rotation.is_due(open.length, now_s.saturating_sub(open.begun_s));
        // One that cannot be put aside grows: that loses nothing.
        let aside =
            if (open.is_whole || is_cut) && is_due { self.put_aside(directory, rotation) } else { Ok(()) };
        let open = self.opened(directory, now_s)?;
        open.is_whole = *last == b'\n';
        let mut rest = bytes;
        while !rest.is_empty() {
            match write(&open.file, rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        open.length += bytes.len() as u64;
        aside
    }

    /// Puts it aside now. One that is empty, or is not there, stays, and so does all that was put aside before.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn put_aside(&mut self, directory: BorrowedFd<'_>, rotation: Rotation) -> Result<(), Errno> {
        // Whoever moved it away, or cut it, has it opened anew.
        self.open = None;
        self.aside.put(directory, &self.name, rotation)
    }

    /// Whether what was written last is a whole line.
    pub fn is_whole(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.is_whole)
    }

    /// Whatever has its name is opened before more is written.
    pub fn reopen(&mut self) {
        self.open = None;
    }

    fn opened(&mut self, directory: BorrowedFd<'_>, now_s: u64) -> Result<&mut Open, Errno> {
        let open = match self.open.take() {
            Some(open) => open,
            None => open(directory, &self.name, self.mode, now_s)?,
        };
        Ok(self.open.insert(open))
    }
}

fn open(directory: BorrowedFd<'_>, name: &str, mode: RawMode, now_s: u64) -> Result<Open, Errno> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
    let flags = flags | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::from_raw_mode(mode))?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    if found.st_nlink != 1 {
        return Err(Errno::MLINK);
    }
    let born = statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME).ok();
    let born = born.filter(|found| found.stx_mask & StatxFlags::BTIME.bits() != 0);
    let begun_s = born.map_or(now_s, |found| found.stx_btime.tv_sec.unsigned_abs());
    Ok(Open { file, length: found.st_size.unsigned_abs(), begun_s, is_whole: true })
}

/// The name of a vassal's file: it lies in no other directory, and no two vassals of different names have one.
pub fn file_name(vassal: &str) -> String {
    let mut name = String::new();
    for one in vassal.chars() {
        match one {
            '/' | '%' | '\0' => name.push_str(&format!("%{:02X}", u32::from(one))),
            one if one.is_control() => name.push_str(&format!("%{:02X}", u32::from(one))),
            '.' if name.is_empty() => name.push_str("%2E"),
            one => name.push(one),
        }
    }
    if name.len() > NAME_MAX {
        let mut end = NAME_MAX;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name = format!("{}%{:016x}", &name[..end], fingerprint(vassal));
    }
    name + ".log"
}

/// FNV-1a: it tells long names apart.
fn fingerprint(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Files of all vassals, in one directory.
#[derive(Debug)]
pub struct Files {
    directory: OwnedFd,
    rotation: Rotation,
    known: BTreeMap<u32, (LogFile, Vec<u8>)>,
}

/// For its owner, and his group to read.
const MODE: RawMode = 0o640;

impl Files {
    /// Those in this directory.
    pub fn new(directory: OwnedFd, rotation: Rotation) -> Self {
        Self { directory, rotation, known: BTreeMap::new() }
    }

    /// Takes a line.
    pub fn take(&mut self, (vassal, name): (u32, &str), line: &[u8]) {
        let known = self.known.entry(vassal);
        let (_, text) = known.or_insert_with(|| (LogFile::new(file_name(name), MODE), Vec::new()));
        text.extend_from_slice(line);
        text.push(b'\n');
    }

    /// Writes what was taken of this vassal.
    ///
    /// # Errors
    /// As [`LogFile::write`]; what could not be written is lost.
    pub fn flush(&mut self, vassal: u32, now_s: u64) -> Result<(), Errno> {
        let Some((file, text)) = self.known.get_mut(&vassal) else { return Ok(()) };
        let text = std::mem::take(text);
        if text.is_empty() {
            return Ok(());
        }
        file.write(self.directory.as_fd(), &text, (self.rotation, now_s))
    }

    /// Opens all of them anew.
    pub fn reopen(&mut self) {
        self.known.values_mut().for_each(|(file, _)| file.reopen());
    }

    /// This one is written no more.
    pub fn forget(&mut self, vassal: u32) {
        self.known.remove(&vassal);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn directory(place: &tempfile::TempDir) -> OwnedFd {
        rustix::fs::open(place.path(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("a directory")
    }

    const SMALL: Rotation = Rotation { size: 4, age_s: 0, keep: 2, compress: false };

    #[test]
    fn a_file_is_put_aside_once_it_is_long_and_so_many_are_kept() {
        let place = tempfile::tempdir().expect("a directory");
        let (directory, mut file) = (directory(&place), LogFile::new("a.log".into(), 0o640));
        for text in ["one\n", "two\n", "three\n", "four\n"] {
            file.write(directory.as_fd(), text.as_bytes(), (SMALL, 5)).expect("room");
        }
        let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap_or_default();
        assert_eq!(
            (read("a.log"), read("a.log.1"), read("a.log.2")),
            ("four\n".into(), "three\n".into(), "two\n".into())
        );
        assert_eq!(fs::read_dir(place.path()).expect("a directory").count(), 3);
    }

    #[test]
    fn what_was_put_aside_is_compressed_and_can_be_read() {
        let place = tempfile::tempdir().expect("a directory");
        let (directory, mut file) = (directory(&place), LogFile::new("a.log".into(), 0o640));
        let packed = Rotation { compress: true, ..SMALL };
        ["one\n", "two\n"].iter().for_each(|text| {
            file.write(directory.as_fd(), text.as_bytes(), (packed, 5)).expect("room");
        });
        let (plain, small) = (place.path().join("a.log.1"), place.path().join("a.log.1.gz"));
        while plain.exists() {
            std::thread::yield_now();
        }
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(fs::File::open(small).expect("it is there"));
        std::io::Read::read_to_string(&mut reader, &mut text).expect("whole");
        assert_eq!(text, "one\n");
    }

    #[test]
    fn whoever_moves_a_file_away_has_it_opened_anew() {
        let place = tempfile::tempdir().expect("a directory");
        let mut files = Files::new(directory(&place), Rotation::default());
        let write = |files: &mut Files, text: &str| {
            files.take((1, "a"), text.as_bytes());
            files.flush(1, 5).expect("room");
        };
        write(&mut files, "one");
        fs::rename(place.path().join("a.log"), place.path().join("old")).expect("it is there");
        write(&mut files, "two");
        files.reopen();
        write(&mut files, "three");
        assert_eq!(fs::read_to_string(place.path().join("old")).expect("a file"), "one\ntwo\n");
        assert_eq!(fs::read_to_string(place.path().join("a.log")).expect("a file"), "three\n");
    }

    /// Row L3.
    #[test]
    fn neither_a_link_nor_a_second_name_is_written_to() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = directory(&place);
        let target = place.path().join("target");
        fs::write(&target, "").expect("a file");
        std::os::unix::fs::symlink(&target, place.path().join("a.log")).expect("a link");
        fs::hard_link(&target, place.path().join("b.log")).expect("a name");
        for name in ["a.log", "b.log"] {
            let mut file = LogFile::new(name.into(), 0o640);
            assert!(file.write(directory.as_fd(), b"x", (SMALL, 5)).is_err(), "{name}");
        }
        assert_eq!(fs::read(&target).expect("a file"), b"");
    }

    /// Row L3.
    #[test]
    fn a_name_leads_nowhere_and_is_nobody_elses() {
        assert_eq!(file_name("shop.ini"), "shop.ini.log");
        assert_eq!(file_name("../../etc/passwd"), "%2E.%2F..%2Fetc%2Fpasswd.log");
        assert_ne!(file_name("a/b"), file_name("a%2Fb"));
        let (one, two) = (file_name(&("x".repeat(300) + "1")), file_name(&("x".repeat(300) + "2")));
        assert!(one != two && one.len() < 220);
    }
}
