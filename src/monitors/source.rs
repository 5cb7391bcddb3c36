//! The directory that a source begins with: found, lost, found again.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;

use super::pattern::{Shape, has_suffix, is_wild};
use super::scan::Depth;
use super::settle::Change;
use super::tree::{Node, Origin};
use super::watches::{NodeId, Use};
use super::{Monitors, SourceNews};
use crate::config::emperor::Source;
use crate::emperor::event::Moment;
use crate::trust::{AWAY, Kind, Mounts, Reach, Stat, open_path, stat, trouble};

/// Above a source, only what makes its path lead elsewhere matters, and who may write there.
const ABOVE: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What a bare `--emperor VALUE` means, as uWSGI decides it: a pattern with one match that is a directory is that
/// directory. What does not exist yet is a file if it is called like a vassal, else a directory.
pub fn resolve(value: &str, cwd: &Path) -> Source {
    if let Some(path) = value.strip_prefix("dir://") {
        return Source::Dir(path.into());
    }
    if let Some(pattern) = value.strip_prefix("glob://") {
        return Source::Glob(pattern.into());
    }
    if is_wild(value) {
        return only_directory(value, cwd).map_or_else(|| Source::Glob(value.into()), Source::Dir);
    }
    match kind(&cwd.join(value)) {
        Some(Kind::Directory) => Source::Dir(value.into()),
        None if !has_suffix(value, &[]) => Source::Dir(value.into()),
        _ => Source::Glob(value.into()),
    }
}

/// What a path leads to; nothing is waited for, so what is away is not there yet.
fn kind(path: &Path) -> Option<Kind> {
    let found = open_path(path.as_os_str().as_bytes(), Reach::Near(&Mounts::new())).ok()?;
    stat(found.as_fd(), c"").ok().map(|stat| stat.facts.kind)
}

/// A "pattern" without wild cards that is a directory is one. Wild cards are not looked up here: what they lead to may never
/// answer.
pub(super) fn settled(source: &Source, cwd: &Path) -> Source {
    match source {
        Source::Glob(value) if !is_wild(value) => resolve(value, cwd),
        source => source.clone(),
    }
}

fn only_directory(pattern: &str, cwd: &Path) -> Option<PathBuf> {
    let mut matches = glob::glob(cwd.join(pattern).to_str()?).ok()?.flatten();
    let first = matches.next()?;
    (matches.next().is_none() && first.is_dir()).then_some(first)
}

impl Monitors {
    pub(super) fn add_origin(&mut self, shape: Shape) {
        let root = self.add_node(Node { source: self.origins.len(), ..Node::default() });
        let (directory, place) = (None, None);
        self.origins.push(Origin {
            shape,
            root,
            directory,
            away: false,
            place,
            above: Vec::new(),
            lost: false,
            polling_told: false,
            crowded: false,
        });
    }

    /// Looks up the paths of the sources that are in doubt.
    pub(super) fn verify(&mut self) {
        while let Some(source) = self.doubted.pop_first() {
            self.verify_one(source);
        }
    }

    fn verify_one(&mut self, source: usize) {
        let found = self.eyes.open_directory(&self.origins[source].shape.base);
        let found = found.and_then(|directory| stat(directory.as_fd(), c"").map(|place| (directory, place)));
        let origin = &mut self.origins[source];
        match (found, origin.place) {
            (Err(AWAY), _) if origin.away => self.regain(source),
            (Err(AWAY), _) => {
                (origin.directory, origin.away) = (None, true);
                self.adopt(source);
            }
            (Err(errno), _) => self.lose(source, &lost_reason(errno)),
            (Ok((_, place)), Some(old)) if !origin.away && is_same(&place, &old) => self.regain(source),
            (Ok((_, place)), Some(old)) if old.mount_root && !place.mount_root => {
                self.lose(source, "nothing is mounted there any more");
            }
            (Ok((directory, place)), _) => {
                (origin.directory, origin.away) = (Some(directory), false);
                origin.place = Some(place);
                self.adopt(source);
            }
        }
    }

    /// Takes a directory that was not the source's before.
    fn adopt(&mut self, source: usize) {
        let root = self.origins[source].root;
        self.abandon_scan(root);
        if let Some(watch) = self.nodes.get_mut(&root).and_then(|node| node.watch.take()) {
            self.watches.release(watch, &Use::Directory(root));
        }
        self.watch_above(source);
        self.want_scan(root, Depth::Full);
    }

    /// It is where it was; what was away is tried again, and is back once it has been listed.
    fn regain(&mut self, source: usize) {
        if self.origins[source].lost {
            self.watch_above(source);
            self.want_scan(self.origins[source].root, Depth::Full);
        }
        let lost =
            self.lost_nodes.iter().filter(|id| self.nodes.get(id).is_some_and(|node| node.source == source));
        for id in lost.copied().collect::<Vec<_>>() {
            self.want_scan(id, Depth::Full);
        }
    }

    /// A source's directory was listed.
    pub(super) fn back(&mut self, source: usize) {
        if std::mem::take(&mut self.origins[source].lost) {
            let label = self.origins[source].shape.label.clone();
            self.tell(source, &label, SourceNews::Back);
        }
    }

    /// Tells once that a source is away. Its vassals go on, and so does what can be watched on the way to it.
    pub(super) fn lose(&mut self, source: usize, reason: &str) {
        self.watch_above(source);
        if !std::mem::replace(&mut self.origins[source].lost, true) {
            let label = self.origins[source].shape.label.clone();
            let news = self.news_of_loss(self.origins[source].root, reason);
            self.tell(source, &label, news);
        }
    }

    /// Only a directory with configs, at any depth, has vassals that go on.
    pub(super) fn news_of_loss(&self, id: NodeId, reason: &str) -> SourceNews {
        let reason = reason.into();
        if self.has_names(id) { SourceNews::Lost(reason) } else { SourceNews::Missing(reason) }
    }

    fn has_names(&self, id: NodeId) -> bool {
        let below = |node: &Node| node.children.values().any(|child| self.has_names(*child));
        self.nodes.get(&id).is_some_and(|node| !node.names.is_empty() || below(node))
    }

    /// Watches every directory above the base that can be reached.
    fn watch_above(&mut self, source: usize) {
        let steps = steps_to(&self.origins[source].shape.base);
        let mut above = Vec::new();
        for (directory, next) in steps {
            let by = Use::Above(source, next);
            let Ok(opened) = self.eyes.reach(&directory) else { break };
            if let Ok(watch) = self.watches.add(&*self.eyes, opened.as_fd(), ABOVE, by.clone()) {
                above.push((watch, by));
            }
        }
        let before = std::mem::replace(&mut self.origins[source].above, above);
        for (watch, by) in before {
            if !self.origins[source].above.contains(&(watch, by.clone())) {
                self.watches.release(watch, &by);
            }
        }
    }

    /// All directories of a source that is polled, and sources that are away, are looked at from time to time.
    pub(super) fn poll(&mut self, now: Moment) {
        if self.poll_at.is_none_or(|at| at > now) {
            return;
        }
        self.poll_at = None;
        let polled: Vec<NodeId> =
            self.nodes.iter().filter(|(_, node)| node.polled).map(|(id, _)| *id).collect();
        let away = self.origins.iter().enumerate().filter(|(_, origin)| origin.lost);
        self.doubted.extend(away.map(|(source, _)| source));
        self.doubted.extend(self.lost_nodes.iter().filter_map(|id| Some(self.nodes.get(id)?.source)));
        self.doubted.extend(polled.iter().map(|id| self.nodes[id].source));
        for id in polled {
            self.want_scan(id, Depth::Quick);
        }
        let away = self.errands.configs.iter().cloned();
        for entry in std::mem::take(&mut self.retries).into_iter().chain(away) {
            self.settle.handle(&entry, Change::Touched, now);
        }
    }

    /// Must run after everything that may have found something to be looked at again.
    pub(super) fn arm_poll(&mut self, now: Moment) {
        let freq_ms = if self.settings.freq_ms == 0 { super::FREQ_DEFAULT_MS } else { self.settings.freq_ms };
        let away = !self.lost_nodes.is_empty()
            || !self.retries.is_empty()
            || !self.errands.configs.is_empty()
            || self.origins.iter().any(|origin| origin.lost);
        if self.poll_at.is_none() && (self.polled > 0 || away) {
            self.poll_at = Some(now.plus_ms(freq_ms));
        }
    }
}

/// Modification times aside: an entry more or less makes no other directory.
fn is_same(one: &Stat, other: &Stat) -> bool {
    let inode = |stat: &Stat| (stat.identity.device, stat.identity.inode, stat.mount);
    inode(one) == inode(other)
}

fn lost_reason(errno: Errno) -> String {
    match errno {
        Errno::NOENT => "there is no such directory".into(),
        Errno::NOTDIR => "it is not a directory".into(),
        errno => trouble("cannot open the directory", errno),
    }
}

/// Each directory above `base`, from the root, with the name of the next one.
fn steps_to(base: &Path) -> Vec<(PathBuf, String)> {
    let mut steps: Vec<_> = base
        .ancestors()
        .filter_map(|path| Some((path.parent()?.to_owned(), path.file_name()?.to_str()?.to_owned())))
        .collect();
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_to_a_directory_begin_at_the_root() {
        let steps = steps_to(Path::new("/srv/x"));
        assert_eq!(steps, [("/".into(), "srv".to_owned()), ("/srv".into(), "x".to_owned())]);
        assert_eq!(steps_to(Path::new("/")), []);
    }

    #[test]
    fn a_bare_value_is_what_uwsgi_takes_it_for() {
        let room = tempfile::tempdir().expect("there is a temporary directory");
        std::fs::create_dir(room.path().join("vassals")).expect("is new");
        std::fs::write(room.path().join("app.ini"), "").expect("is ours");
        for (value, source) in [
            ("vassals", Source::Dir("vassals".into())),
            ("not-yet", Source::Dir("not-yet".into())),
            ("app.ini", Source::Glob("app.ini".into())),
            ("not-yet.ini", Source::Glob("not-yet.ini".into())),
            ("vass*", Source::Dir(room.path().join("vassals"))),
            ("*", Source::Glob("*".into())),
            ("*/x.ini", Source::Glob("*/x.ini".into())),
            ("dir://v*", Source::Dir("v*".into())),
            ("glob://vassals", Source::Glob("vassals".into())),
        ] {
            assert_eq!(resolve(value, room.path()), source, "{value}");
        }
    }
}
