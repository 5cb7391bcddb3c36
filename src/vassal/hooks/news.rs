//! What the kernel tells of something that is waited for. It only says when to look again: what counts is the look.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jail::run::NetworkEnd;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

use crate::config::vassal::waits::Thing;

/// Between two looks where the kernel tells; it says nothing of network file systems and of links that are turned.
const SELDOM: Duration = Duration::from_secs(1);
/// Between two looks where it does not.
const OFTEN: Duration = Duration::from_millis(50);
/// Bytes of news read at once.
const NEWS_MAX: usize = 4096;

/// Where the kernel tells.
#[derive(Debug)]
pub enum News {
    /// Nowhere.
    None,
    /// Of names in a directory.
    Names(OwnedFd, PathBuf),
    /// Of mounts (`proc_pid_mountinfo(5)`: it has `POLLPRI` once they have changed).
    Mounts(File),
    /// Of interfaces.
    Interfaces(NetworkEnd),
}

impl News {
    /// For something that is waited for; none where the kernel gives us no way to hear.
    pub fn of(thing: &Thing) -> Self {
        let news = match thing {
            Thing::Interface(_) => NetworkEnd::listening().ok().map(Self::Interfaces),
            Thing::Path(path, _) => {
                let names = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
                names.map(|names| Self::Names(names, path.clone()))
            }
            Thing::Mountpoint(_) => File::open("/proc/self/mountinfo").ok().map(Self::Mounts),
            Thing::Socket(_) => None,
        };
        news.unwrap_or(Self::None)
    }

    /// Forgets what was told, and hears what comes.
    pub fn listen(&mut self) {
        match self {
            Self::None | Self::Mounts(_) => {}
            Self::Interfaces(network) => network.forget_news(),
            Self::Names(names, path) => {
                let mut space = [MaybeUninit::uninit(); NEWS_MAX];
                let mut told = Reader::new(&*names, &mut space);
                while told.next().is_ok() {}
                watch(names, path);
            }
        }
    }

    /// What is readable once there is news.
    pub fn poll(&self) -> Option<PollFd<'_>> {
        Some(match self {
            Self::None => return None,
            Self::Names(names, _) => PollFd::from_borrowed_fd(names.as_fd(), PollFlags::IN),
            Self::Interfaces(network) => PollFd::from_borrowed_fd(network.as_fd(), PollFlags::IN),
            Self::Mounts(table) => PollFd::from_borrowed_fd(table.as_fd(), PollFlags::PRI),
        })
    }

    /// The longest time until the next look.
    pub fn pause(&self) -> Duration {
        if matches!(self, Self::None) { OFTEN } else { SELDOM }
    }
}

/// The nearest directory on the way that is there already.
fn watch(names: &OwnedFd, path: &Path) {
    let change = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ATTRIB | WatchFlags::ONLYDIR;
    let above =
        path.ancestors().skip(1).map(|above| if above == Path::new("") { Path::new(".") } else { above });
    // None: then it is looked at seldom.
    let _ = above.into_iter().find(|above| add_watch(names, *above, change).is_ok());
}
