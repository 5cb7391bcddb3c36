//! Pure. What a file system is built on: paths that have to be there already, told before anything is built.

use std::path::{Path, PathBuf};

use crate::config::place::{ConfigError, Placed};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::rootfs::{HOSTS, MountWish, RESOLV_CONF, RootWish, Writes};
use crate::vassal::step::Step;

/// Where a jail of the Emperor has something of its own: a path of the host says nothing of these.
pub const COVERED: [&str; 5] = ["/tmp", "/dev", "/run", "/proc", "/sys"];

const MAKE: &str = "make it, or name what is there";
const EMPTY: &str = "make an empty directory or file there";

/// Whether nothing comes before the file system that could bring what it is built on.
pub fn is_certain(steps: &[Step]) -> bool {
    is_untouched_until(steps, |step| matches!(step, Step::Enter(_) | Step::Chroot(_)))
}

/// Whether nothing comes before the daemons that could bring what they are started by.
pub fn is_untouched(steps: &[Step]) -> bool {
    is_untouched_until(steps, |step| matches!(step, Step::Daemon(_)))
}

/// Whether nothing comes before this step that could bring what it needs.
pub fn is_untouched_until(steps: &[Step], is_it: impl Fn(&Step) -> bool) -> bool {
    let brings = |step: &Step| matches!(step, Step::Run(..) | Step::Hook(..) | Step::Join(_) | Step::File(_));
    !steps.iter().take_while(|step| !is_it(step)).any(brings)
}

/// The directory that becomes `/`, if another one does.
pub fn root(config: &VassalConfig) -> Option<&Path> {
    config.rootfs.root.as_ref().map(|root| directory(&root.value))
}

/// Each path that is `absent` and has to be there.
pub fn missing(config: &VassalConfig, absent: &dyn Fn(&Path) -> bool) -> Vec<ConfigError> {
    let root = config.rootfs.root.as_ref();
    let bare = root.filter(|root| absent(directory(&root.value)));
    let mut missing: Vec<ConfigError> =
        bare.map(|root| not_there(&root.place, directory(&root.value))).into_iter().collect();
    let sources = config.rootfs.mounts.iter().filter_map(|one| Some((&one.place, source(&one.value)?)));
    missing.extend(sources.filter(|(_, path)| absent(path)).map(|(place, path)| not_there(place, path)));
    if let (Some(Placed { value: RootWish::Rootfs(top, Writes::Through | Writes::Nowhere), .. }), None) =
        (root, bare)
    {
        missing.extend(config.rootfs.mounts.iter().filter_map(|one| unplaced(config, one, (top, absent))));
    }
    missing
}

fn not_there(place: &crate::config::place::Place, path: &Path) -> ConfigError {
    ConfigError::at(place, format!("{} is not there", path.display())).cure(MAKE)
}

/// A place in the root, unless something else that is mounted decides what is there.
fn unplaced(
    config: &VassalConfig,
    wish: &Placed<MountWish>,
    (top, absent): (&Path, &dyn Fn(&Path) -> bool),
) -> Option<ConfigError> {
    let target = target(&wish.value)?;
    let others = config.rootfs.mounts.iter().filter_map(|one| self::target(&one.value));
    let within = others.into_iter().any(|other| other != target && target.starts_with(&other));
    let inside = top.join(target.strip_prefix("/").ok()?);
    let error =
        || ConfigError::at(&wish.place, format!("{} is missing in the root file system", target.display()));
    (!within && absent(&inside)).then(|| error().cure(EMPTY))
}

/// Whether something else is to be seen at this path than what the root has there.
pub fn covers(config: &VassalConfig, path: &Path) -> bool {
    let masks = |wish: &MountWish| matches!(wish, MountWish::Mask(mask) if path.starts_with(mask));
    let mounts = config.rootfs.mounts.iter().map(|one| &one.value);
    mounts.into_iter().any(|wish| masks(wish) || target(wish).is_some_and(|target| path.starts_with(target)))
}

fn directory(wish: &RootWish) -> &Path {
    match wish {
        RootWish::Rootfs(path, _)
        | RootWish::Chroot(path)
        | RootWish::Namespace(path)
        | RootWish::Pivot(path, _) => path,
    }
}

fn source(wish: &MountWish) -> Option<&Path> {
    match wish {
        MountWish::Bind(source, ..) | MountWish::BindOwned(source, ..) | MountWish::Keep(source, _) => {
            Some(source)
        }
        MountWish::Copy(path) => Some(Path::new(path)),
        _ => None,
    }
}

fn target(wish: &MountWish) -> Option<PathBuf> {
    Some(match wish {
        MountWish::Bind(_, place, ..)
        | MountWish::BindOwned(_, place, ..)
        | MountWish::Keep(_, place)
        | MountWish::Memory(place, _) => place.clone(),
        MountWish::Proc => "/proc".into(),
        MountWish::DevMinimal | MountWish::DevHost => "/dev".into(),
        MountWish::HostsMade => HOSTS.into(),
        MountWish::Resolvers(_) => RESOLV_CONF.into(),
        MountWish::Copy(path) => path.into(),
        // Nothing is done where there is none; and what is to be read-only is looked for among all that is mounted.
        MountWish::Mask(_) | MountWish::Readonly(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::load_text;
    use crate::config::vassal::VassalKind;

    /// What is said where only these are there.
    fn told(text: &str, there: &[&str]) -> String {
        let loaded = load_text(&format!("[uwsgi]\ncommand = x\n{text}\n"));
        let Ok(VassalKind::Own(config)) = loaded.vassal() else { panic!("{text}") };
        let absent = |path: &Path| !there.iter().any(|one| path == Path::new(one));
        missing(&config, &absent).iter().map(|error| format!("{error}\n")).collect()
    }

    #[test]
    fn roots_sources_and_places_are_looked_for() {
        insta::assert_snapshot!(told("rootfs = /r\nbind = /a:/b\nbind = /c:/d\ntmpfs = /tmp", &["/c"]), @r"
        a.ini:3:10: /r is not there
          make it, or name what is there
        a.ini:4:8: /a is not there
          make it, or name what is there
        ");
        insta::assert_snapshot!(told("rootfs = /r\nbind = /a:/b\nproc\ntmpfs = /run\nbind = /a:/run/a", &["/r", "/a", "/r/proc"]), @r"
        a.ini:4:8: /b is missing in the root file system
          make an empty directory or file there
        a.ini:6:9: /run is missing in the root file system
          make an empty directory or file there
        ");
    }

    #[test]
    fn what_is_made_in_memory_need_not_be_there() {
        assert_eq!(told("rootfs = /r overlay\nbind = /a:/b\ntmpfs = /run", &["/r", "/a"]), "");
        assert_eq!(told("tmpfs = /run\nbind = /a:/run/a", &["/a"]), "");
    }

    #[test]
    fn a_program_before_it_may_bring_what_is_missing() {
        let before = [Step::PrivateMounts, Step::Run(jail::Phase::PostJail, "mount".into())];
        assert!(!is_certain(&before) && is_certain(&before[..1]));
        let after = [Step::Chroot("/r".into()), before[1].clone()];
        assert!(is_certain(&after));
    }
}
