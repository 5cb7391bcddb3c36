//! The file of `emperor-limits`, watched. The spawner reads it itself: no message of the Emperor can raise a limit.

use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jail::plan::Knob;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use crate::config::FILE_MAX;
use crate::config::emperor::limits_file::LimitsFile;
use crate::config::emperor::resources::device;
use crate::names;

/// Bytes of events read at once.
const EVENTS_MAX: usize = 4096;
/// Errors told of one file.
const TOLD_MAX: usize = 5;
/// Who may write besides the owner: then the limits are anybody's.
const OTHERS_WRITE: u32 = 0o022;

/// The last good content, and what is needed to see a new one.
#[derive(Debug)]
pub struct Allowance {
    path: PathBuf,
    inotify: OwnedFd,
    limits: LimitsFile,
    /// What was read last, good or not: an event that changes nothing is not told.
    last: Result<Vec<u8>, String>,
}

impl Allowance {
    /// Reads the file and watches it.
    ///
    /// # Errors
    /// All that is wrong with it: at the start there is no last good content.
    pub fn open(path: &Path) -> Result<Self, String> {
        let inotify = watch(path).map_err(|errno| format!("cannot watch {}: {errno}", path.display()))?;
        let bytes = read(path)?;
        let limits = parse(path, &bytes)?;
        Ok(Self { path: path.to_owned(), inotify, limits, last: Ok(bytes) })
    }

    /// Ready when something happened in the directory of the file.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What holds.
    pub fn limits(&self) -> &LimitsFile {
        &self.limits
    }

    /// The content that a new file has, where it is good and differs. Nothing holds before `take`.
    ///
    /// # Errors
    /// What is wrong with it, told once.
    pub fn hear(&mut self) -> Result<Option<LimitsFile>, String> {
        if !self.is_meant() {
            return Ok(None);
        }
        let now = read(&self.path);
        if now == self.last {
            return Ok(None);
        }
        self.last.clone_from(&now);
        parse(&self.path, &now?).map(Some)
    }

    /// From now on these hold.
    pub fn take(&mut self, limits: LimitsFile) {
        self.limits = limits;
    }

    /// Whether one of the events is about the file.
    fn is_meant(&self) -> bool {
        let mut space = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        let mut reader = Reader::new(&self.inotify, &mut space);
        let mut meant = false;
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(std::ffi::CStr::to_bytes);
            let ours = name == self.path.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes);
            meant |= ours || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            if reader.is_buffer_empty() {
                break;
            }
        }
        meant
    }
}

/// Devices by their numbers: the kernel knows no other names there.
///
/// # Errors
/// A path that is no block device.
pub fn numbered(knob: &Knob) -> Result<Knob, String> {
    let path = device(&knob.value);
    if !path.starts_with('/') {
        return Ok(knob.clone());
    }
    let stat =
        rustix::fs::stat(path).map_err(|errno| format!("{}: cannot look at {path}: {errno}", knob.option))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
        return Err(format!("{}: {path} is no block device", knob.option));
    }
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    Ok(Knob { value: knob.value.replacen(path, &format!("{major}:{minor}"), 1), ..knob.clone() })
}

/// The directory, for most editors make a new file; its content changes with each of these.
fn watch(path: &Path) -> Result<OwnedFd, Errno> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let events = WatchFlags::CLOSE_WRITE
        | WatchFlags::MOVED_TO
        | WatchFlags::MOVED_FROM
        | WatchFlags::DELETE
        | WatchFlags::ATTRIB
        | WatchFlags::ONLYDIR;
    inotify::add_watch(&inotify, path.parent().unwrap_or(Path::new("/")), events)?;
    Ok(inotify)
}

/// Must not: wait for a pipe, or read what a tenant could have written.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |what: &str| format!("{}: {what}", path.display());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = open(path, flags, Mode::empty())
        .map_err(|errno| cannot(&format!("cannot open the file of limits: {errno}")))?;
    let stat = fstat(&file).map_err(|errno| cannot(&errno.to_string()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(cannot("the limits are in no regular file"));
    }
    let ours = rustix::process::geteuid().as_raw();
    if ![0, ours].contains(&stat.st_uid) || stat.st_mode & OTHERS_WRITE != 0 {
        let cure = "let root own the file, and nobody else write to it: chown root, chmod 644";
        return Err(cannot(&format!("others than the administrator could change limits here; {cure}")));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::from(file).take(limit).read_to_end(&mut bytes).map_err(|error| cannot(&error.to_string()))?;
    Ok(bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<LimitsFile, String> {
    let name: Arc<str> = path.to_string_lossy().into();
    let uid_of = |user: &str| names::User::by_name(user).map(|user| user.uid);
    let mut limits = LimitsFile::parse(&name, bytes, &uid_of).map_err(|errors| {
        let told: Vec<String> = errors.iter().take(TOLD_MAX).map(ToString::to_string).collect();
        told.join("\n")
    })?;
    for knob in limits.knobs_mut() {
        *knob = numbered(knob)?;
    }
    Ok(limits)
}
