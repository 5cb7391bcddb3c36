//! Sources of configs in the file system: directories and patterns, seen by inotify.
//!
//! One inotify instance serves all sources. What it says goes through `settle`, which says when a name is at rest; then
//! the name is examined, and told if anything about it differs. Nothing is told as gone that was merely unreadable: a
//! directory that is renamed away or unmounted stops nothing. One whose files are deleted does (`rm -r`): each was deleted.

mod addresses;
mod away;
mod catch_up;
mod compare;
mod directory;
mod eyes;
mod filesystem;
mod look;
mod pattern;
mod route;
mod scan;
mod settle;
mod source;
mod tree;
mod watches;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::event::epoll;
use rustix::io::Errno;

use crate::config::emperor::Source;
use crate::emperor::event::{Event, Key, Moment, MonitorId};
use crate::trust::{AWAY, Place, Stat, Task, TrustPolicy};

pub use away::NUMBER_MAX;
pub use eyes::{Eyes, OwnEyes};
pub use pattern::is_vassal;

use away::Errands;
use pattern::Shape;
use scan::{Depth, Scan};
use settle::Settle;
use tree::{Extra, Node, Origin};
use watches::{Entry, NodeId, Watches};

/// Looks at files between two returns to the loop, or as much other work: about a millisecond.
const WORK_MAX: usize = 64;
/// Most configs of all sources together.
const NAMES_MAX: usize = 200_000;
/// Poll interval where there has to be one and `emperor-freq` is 0.
const FREQ_DEFAULT_MS: u64 = 3_000;
/// At most so often are the sources' paths looked up because something else happened.
const VERIFY_MS: u64 = 1_000;

/// What all sources have in common.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `emperor-freq` in ms: how often to look where inotify sees nothing.
    pub freq_ms: u64,
    /// `emperor-poll`: look that often everywhere.
    pub force_poll: bool,
    /// `emperor-on-demand-extension`: of the files with the addresses of configs.
    pub address_extension: Option<String>,
    /// `emperor-extra-extension`: further suffixes, with their dot.
    pub extra_extensions: Vec<String>,
    /// What may run.
    pub trust: TrustPolicy,
}

/// What a monitor has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// For the Emperor: `Seen`, `Unseen` or `AddressWritten`.
    Event(Event),
    /// For the log.
    Note(Note),
    /// To be looked at by somebody whom it may keep for ever; what comes of it is for `handle_report`.
    Errand {
        /// Named by the report.
        number: u32,
        /// Where.
        place: Place,
        /// What for.
        task: Task,
    },
}

/// Something about a source itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which source.
    pub monitor: MonitorId,
    /// The directory meant, or the source as it was written.
    pub path: Arc<str>,
    /// What about it.
    pub what: SourceNews,
}

/// See `Note`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceNews {
    /// warn: it cannot be read any more. Its vassals go on.
    Lost(Arc<str>),
    /// warn: it cannot be read (yet) and has no vassals. It is waited for.
    Missing(Arc<str>),
    /// info: it is back.
    Back,
    /// info: it is polled, because of this.
    Polled(Arc<str>),
    /// warn: it has more configs than can be minded; the rest is ignored.
    TooMany,
}

/// Why there are no monitors.
#[derive(Debug, thiserror::Error)]
pub enum MonitorsError {
    /// `/proc/sys/fs/inotify/max_user_instances` or descriptors are used up.
    #[error("cannot make an inotify instance: {0}")]
    Inotify(#[source] Errno),
    /// A pattern that is none.
    #[error("{0}")]
    Pattern(String),
}

/// A directory: kept open, or opened now.
#[derive(Debug)]
pub enum Directory<'a> {
    /// The base of a source.
    Kept(BorrowedFd<'a>),
    /// One below it.
    Opened(OwnedFd),
}

/// Where a config is.
#[derive(Debug)]
pub enum Whereabouts<'a> {
    /// In this open directory.
    Near(Directory<'a>),
    /// Where only somebody may go whom nobody waits for.
    Away(Place),
}

/// The directories at or below which everything of these sources lies; absolute.
///
/// # Errors
/// A pattern that is none.
pub fn bases(sources: &[Source], cwd: &Path) -> Result<Vec<PathBuf>, MonitorsError> {
    let base = |source: &Source| Shape::of(&source::settled(source, cwd), cwd).map(|shape| shape.base);
    sources.iter().map(base).collect::<Result<_, _>>().map_err(MonitorsError::Pattern)
}

/// A directory by its whole path, as uWSGI shows it; what a pattern finds is named as that is written.
pub fn absolute(source: &Source, cwd: &Path) -> Source {
    match source::settled(source, cwd) {
        Source::Dir(path) if path.is_relative() => Source::Dir(cwd.join(path).components().collect()),
        Source::Dir(_) | Source::Glob(_) => source.clone(),
    }
}

/// These sources without those that name the same files as an earlier one; what is left out comes second.
///
/// # Errors
/// A pattern that is none.
pub fn distinct(sources: Vec<Source>, cwd: &Path) -> Result<(Vec<Source>, Vec<Source>), MonitorsError> {
    let mut shapes: Vec<Shape> = Vec::new();
    let (mut once, mut again) = (Vec::new(), Vec::new());
    for source in sources {
        let shape = Shape::of(&source::settled(&source, cwd), cwd).map_err(MonitorsError::Pattern)?;
        if shapes.iter().any(|known| known.finds_the_same(&shape)) {
            again.push(source);
        } else {
            shapes.push(shape);
            once.push(source);
        }
    }
    Ok((once, again))
}

/// Patterns of the names that the configs of these sources have.
pub fn files(sources: &[Source], cwd: &Path) -> Vec<String> {
    let last = |source: &Source| match source::settled(source, cwd) {
        Source::Dir(_) => "*".to_owned(),
        Source::Glob(pattern) => pattern.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    sources.iter().map(last).collect()
}

/// All sources.
pub struct Monitors {
    settings: Settings,
    eyes: Box<dyn Eyes>,
    origins: Vec<Origin>,
    nodes: BTreeMap<NodeId, Node>,
    next_node: u32,
    extras: BTreeMap<Entry, Extra>,
    watches: Watches,
    ready: OwnedFd,
    /// Registered in `ready`: tells when something is mounted or unmounted.
    _mounts: Option<File>,
    settle: Settle<Entry>,
    /// Names that are polled and changed, as they were when that was seen.
    probes: BTreeMap<Entry, Stat>,
    /// Files with addresses, as they were when they were last listed.
    addresses: BTreeMap<Entry, Option<Stat>>,
    scan: Option<Scan>,
    /// Directories to be listed.
    scans: VecDeque<NodeId>,
    /// How, for each in `scans`.
    depths: BTreeMap<NodeId, Depth>,
    /// Sources whose path is to be looked up again.
    doubted: BTreeSet<usize>,
    verify_at: Option<Moment>,
    poll_at: Option<Moment>,
    names: usize,
    /// Directories below a base that could not be read.
    lost_nodes: BTreeSet<NodeId>,
    /// Configs that could not be read for reasons that may pass.
    retries: BTreeSet<Entry>,
    /// What others look at for us.
    errands: Errands,
    /// How many nodes are polled.
    polled: usize,
    told: VecDeque<Told>,
}

impl Monitors {
    /// Opens and watches all sources; relative ones begin at `cwd`. Their configs are told from `handle_deadline` on.
    pub fn new(
        sources: &[Source],
        settings: Settings,
        eyes: Box<dyn Eyes>,
        cwd: &Path,
        now: Moment,
    ) -> Result<Self, MonitorsError> {
        let mut monitors = Self::empty(settings, eyes).map_err(MonitorsError::Inotify)?;
        for source in sources {
            let shape = Shape::of(&source::settled(source, cwd), cwd).map_err(MonitorsError::Pattern)?;
            monitors.add_origin(shape);
        }
        monitors.doubted.extend(0..monitors.origins.len());
        monitors.verify();
        monitors.arm_poll(now);
        Ok(monitors)
    }

    /// Whether there is work left that needs no event.
    pub fn is_busy(&self) -> bool {
        self.next_deadline() == Some(Moment::default())
    }

    /// Whether all that was seen is told, also of names that change now and then.
    pub fn has_told_all(&self) -> bool {
        !self.is_busy() && self.settle.next_deadline().is_none()
    }

    /// Readable when `handle_readable` has something to do.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// Hears what happened: one bounded batch.
    pub fn handle_readable(&mut self, now: Moment) {
        let batch = self.watches.listen();
        if batch.is_empty() {
            // It was the mount table.
            self.doubted.extend(0..self.origins.len());
        } else if self.verify_at.is_none() {
            // Word of a mount may have come with it and is not repeated.
            self.verify_at = Some(now.plus_ms(VERIFY_MS));
        }
        for heard in batch {
            self.route(heard, now);
        }
        self.verify();
        self.work(now);
    }

    /// Does what is due, and a bounded piece of what is left to do.
    pub fn handle_deadline(&mut self, now: Moment) {
        if self.verify_at.is_some_and(|at| at <= now) {
            self.verify_at = None;
            self.doubted.extend(0..self.origins.len());
        }
        self.poll(now);
        self.verify();
        self.work(now);
    }

    /// When to call `handle_deadline`: long ago, if there is work left.
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.settle.has_finding() || self.has_to_scan() {
            return Some(Moment::default());
        }
        [self.settle.next_deadline(), self.verify_at, self.poll_at].into_iter().flatten().min()
    }

    /// What there is to say, in order.
    pub fn next_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Where the config of a vassal is: its directory and its name there.
    pub fn place_of<'k>(&self, key: &'k Key) -> Option<(Whereabouts<'_>, &'k str)> {
        let (node, name) = self.entry(key)?;
        let place = match self.open_node(node) {
            Ok(directory) => Whereabouts::Near(directory),
            Err(AWAY) => Whereabouts::Away(self.place(node)?),
            Err(_) => return None,
        };
        Some((place, name))
    }

    /// The same without opening anything.
    pub fn named_place_of<'k>(&self, key: &'k Key) -> Option<(Place, &'k str)> {
        let (node, name) = self.entry(key)?;
        Some((self.place(node)?, name))
    }

    /// Looks at everything again.
    pub fn rescan(&mut self, now: Moment) {
        self.doubted.extend(0..self.origins.len());
        self.verify();
        self.arm_poll(now);
        for root in self.origins.iter().map(|origin| origin.root).collect::<Vec<_>>() {
            self.want_scan(root, Depth::Full);
        }
    }

    /// The sources as they were written, by their `MonitorId`.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().map(|origin| origin.shape.label.as_str())
    }

    fn empty(settings: Settings, eyes: Box<dyn Eyes>) -> Result<Self, Errno> {
        let watches = Watches::new()?;
        let (ready, mounts) = gather(watches.descriptor())?;
        Ok(Self {
            settings,
            eyes,
            origins: Vec::new(),
            nodes: BTreeMap::new(),
            next_node: 0,
            extras: BTreeMap::new(),
            watches,
            ready,
            _mounts: mounts,
            settle: Settle::new(),
            probes: BTreeMap::new(),
            addresses: BTreeMap::new(),
            scan: None,
            scans: VecDeque::new(),
            depths: BTreeMap::new(),
            doubted: BTreeSet::new(),
            verify_at: None,
            poll_at: None,
            names: 0,
            lost_nodes: BTreeSet::new(),
            retries: BTreeSet::new(),
            errands: Errands::default(),
            polled: 0,
            told: VecDeque::new(),
        })
    }

    /// Names at rest come before directories to be listed: a stop must not wait for a crowd.
    fn work(&mut self, now: Moment) {
        self.settle.handle_deadline(now);
        let mut cost = 0;
        while cost < WORK_MAX {
            if let Some((entry, finding)) = self.settle.next_finding() {
                self.find(&entry, finding, now);
                cost += 1;
            } else if let Some(more) = self.scan_one(now) {
                cost += more;
            } else {
                break;
            }
        }
        self.arm_poll(now);
    }

    fn tell(&mut self, source: usize, path: &str, what: SourceNews) {
        let monitor = MonitorId(u16::try_from(source).unwrap_or(u16::MAX));
        self.told.push_back(Told::Note(Note { monitor, path: path.into(), what }));
    }
}

/// One descriptor that is readable when inotify or the mount table has news.
fn gather(inotify: BorrowedFd<'_>) -> Result<(OwnedFd, Option<File>), Errno> {
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&ready, inotify, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    // Without /proc mounts are seen when something else happens.
    let mounts = File::open("/proc/thread-self/mountinfo").ok();
    if let Some(mounts) = &mounts {
        epoll::add(&ready, mounts, epoll::EventData::new_u64(1), epoll::EventFlags::PRI)?;
    }
    Ok((ready, mounts))
}

#[cfg(test)]
mod tests;
