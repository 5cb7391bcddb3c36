//! Pure. The file system of a vassal: from its config and what it was born as to what is mounted, in order.

use std::path::{Path, PathBuf};

use caps::Capability;
use jail::plan::standard::{self, OPEN_MODE, Strictness};
use jail::plan::{Attributes, Depth, HARMLESS, INERT, Mount, Old, Owners, Presence, Root, Rootfs, Source};
use jail::{Capabilities, Namespaces};

use super::confine::gains;
use super::net;
use super::phases::{Facts, refusal};
use super::step::Step;
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::rootfs::{DiskIds, HOSTS, MountWish, RESOLV_CONF, RootWish, Writes, lonely};

/// What root of the host keeps in a file system of its own: enough to be root there, nothing that reaches out of it.
const ROOT_KEEPS: [Capability; 11] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SETPCAP,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_AUDIT_WRITE,
];
/// What root of a user namespace does not keep: it could take away what hides or protects something.
const UNDOES: [Capability; 2] = [Capability::CAP_SYS_ADMIN, Capability::CAP_MKNOD];

/// The namespaces that are made after birth: those of `unshare`, and what `namespace` stands for where birth gave none.
pub fn unshared(config: &VassalConfig, facts: &Facts) -> Namespaces {
    // What birth gave is not made a second time.
    let jail = whole(config).map_or(Namespaces::NONE, |_| standard::standard_namespaces());
    let asked = config.unshare.with(net::unshared(config, facts)).with(jail.without(facts.born));
    let Some(RootWish::Namespace(_)) = wish(config) else { return asked };
    let meant = Namespaces::FS.with(Namespaces::PID).with(Namespaces::IPC).with(Namespaces::UTS);
    let named = if config.rootfs.namespace_net.is_some() { Namespaces::NET } else { Namespaces::NONE };
    asked.with(meant.with(named).without(facts.born))
}

/// True when `/` becomes another directory.
pub fn moves(config: &VassalConfig) -> bool {
    config.rootfs.root.is_some()
}

/// The step that builds it, if there is anything to build.
pub fn enter(config: &VassalConfig, facts: &Facts) -> Option<Step> {
    if let (Some(RootWish::Chroot(path)), false) = (wish(config), owns_mounts(config, facts)) {
        return Some(Step::Chroot(path.clone()));
    }
    (first_place(config).is_some() || furnishes(config, facts)).then(|| Step::Enter(rootfs(config, facts)))
}

/// The step that leaves the old root of `pivot-root`.
pub fn leave(config: &VassalConfig) -> Option<Step> {
    matches!(wish(config), Some(RootWish::Pivot(_, old)) if old != Path::new("/"))
        .then_some(Step::LeaveOldRoot)
}

/// Where it is first said that files are somebody else's on disk.
pub fn idmap(config: &VassalConfig) -> Option<&Place> {
    let owned = |one: &&Placed<MountWish>| matches!(one.value, MountWish::BindOwned(..));
    let root = config.rootfs.root_idmap.as_ref().map(|id| &id.place);
    root.or_else(|| config.rootfs.mounts.iter().find(owned).map(|one| &one.place))
}

/// The kernel gives it to root of the file system alone; and what is written there is another's.
fn refused_idmap(config: &VassalConfig, facts: &Facts) -> Option<ConfigError> {
    let place = idmap(config)?;
    let (cause, cure) = match () {
        // Before it is made the ids are other ones than inside, and after it nobody there has the right.
        () if config.unshare.with(config.separation.later()).has(Namespaces::USER) => (
            "`idmap` in a user namespace of its own: root of the host alone shows files as somebody else's",
            "leave out `user`, or take out `idmap` and give the namespace the ids on disk: `unshare-id-map`",
        ),
        () if !facts.root || in_user_namespace(config, facts) => (
            "only root of the host shows files as somebody else's",
            "let root own this config, or change their owner",
        ),
        () if config.uid.is_none() => {
            ("`idmap` shows files as those of the vassal's user, and there is none", "add `uid`")
        }
        // By the filter that goes with it, no file there gets a bit that makes whoever runs it its owner on disk.
        () if gains(&config.confine) => {
            ("`idmap` with programs that gain privileges", "leave out `no-new-privs = false`")
        }
        () => return None,
    };
    Some(refusal(Some(place), cause, cure))
}

/// `jail` of the config itself.
fn whole(config: &VassalConfig) -> Option<Strictness> {
    config.jail.as_ref()?.value
}

/// A jail that is there already and stays the root needs nothing more.
pub fn furnishes(config: &VassalConfig, facts: &Facts) -> bool {
    whole(config).is_some() && (moves(config) || !facts.whole)
}

/// Where the first of these options stands.
pub fn first_place(config: &VassalConfig) -> Option<&Place> {
    let mounts = config.rootfs.mounts.iter().map(|one| &one.place);
    config.rootfs.root.iter().map(|one| &one.place).chain(mounts).next()
}

/// What a root that stays root keeps where the config says nothing; `None` is everything. The options of uWSGI leave
/// root what it has, as they do there.
pub fn kept(config: &VassalConfig, facts: &Facts) -> Option<Capabilities> {
    let ours = |one: &Placed<MountWish>| !matches!(one.value, MountWish::Keep(..));
    let jailed = whole(config).is_some() || facts.whole;
    let is_ours =
        jailed || matches!(wish(config), Some(RootWish::Rootfs(..))) || config.rootfs.mounts.iter().any(ours);
    let beyond = match in_user_namespace(config, facts) {
        true => Capabilities::of(&UNDOES),
        false => facts.permitted.without(Capabilities::of(&ROOT_KEEPS)),
    };
    is_ours.then(|| facts.permitted.without(beyond))
}

/// What this vassal may not do.
pub fn refusals(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let mut refusals = lonely(&config.rootfs);
    refusals.extend(weaker(config, facts));
    let Some(first) = first_place(config) else { return refusals };
    let chroot = matches!(wish(config), Some(RootWish::Chroot(_))) && config.rootfs.mounts.is_empty();
    if !owns_mounts(config, facts) && facts.root {
        match chroot {
            false => refusals.push(refusal(
                Some(first),
                "mounts would be made for the whole host",
                "add \"fs\" to emperor-use-clone, or `unshare = fs`",
            )),
            true if config.uid.is_none() => refusals.push(refusal(
                Some(first),
                "root can leave a `chroot` again",
                "add `uid`, or `unshare = fs`: in an `fs` namespace nothing else is left",
            )),
            true => {}
        }
    }
    let proc = config.rootfs.mounts.iter().find(|one| one.value == MountWish::Proc);
    if let (Some(proc), false) = (proc, facts.born.with(unshared(config, facts)).has(Namespaces::PID)) {
        refusals.push(refusal(
            Some(&proc.place),
            "`proc` would show the processes of the host",
            "add \"pid\" to emperor-use-clone, or `unshare = pid`",
        ));
    }
    refusals.extend(refused_idmap(config, facts));
    refusals.extend(twice(config));
    refusals
}

/// A vassal's word adds to its Emperor's and takes nothing away.
fn weaker(config: &VassalConfig, facts: &Facts) -> Option<ConfigError> {
    let word = config.jail.as_ref().filter(|word| word.value.is_none() && facts.whole)?;
    let cause = "the jail of the Emperor holds for this vassal";
    Some(refusal(Some(&word.place), cause, "leave it out, or `jail = none` in the Emperor's config"))
}

/// Two things in one place: only the later one would be seen.
fn twice(config: &VassalConfig) -> Vec<ConfigError> {
    let mut seen: Vec<(PathBuf, &Place)> = Vec::new();
    let mut refusals = Vec::new();
    for one in &config.rootfs.mounts {
        let Some(target) = place_of(&one.value) else { continue };
        match seen.iter().find(|(place, _)| *place == target) {
            Some((_, first)) => refusals.push(refusal(
                Some(&one.place),
                &format!("something is mounted on {} already ({first})", target.display()),
                "leave out one of the two",
            )),
            None => seen.push((target, &one.place)),
        }
    }
    refusals
}

/// Whether mounts made from then on are nobody else's.
pub fn owns_mounts(config: &VassalConfig, facts: &Facts) -> bool {
    facts.born.with(unshared(config, facts)).has(Namespaces::FS)
}

/// Whether the config says itself whom to ask for names.
pub fn names_resolvers(config: &VassalConfig) -> bool {
    config
        .rootfs
        .mounts
        .iter()
        .any(|one| place_of(&one.value).is_some_and(|place| place == Path::new(RESOLV_CONF)))
}

fn in_user_namespace(config: &VassalConfig, facts: &Facts) -> bool {
    facts.born.with(config.unshare).has(Namespaces::USER)
}

fn wish(config: &VassalConfig) -> Option<&RootWish> {
    config.rootfs.root.as_ref().map(|root| &root.value)
}

/// All of it, in order: what lies above something comes before it, what hides or protects comes last.
fn rootfs(config: &VassalConfig, facts: &Facts) -> Rootfs {
    let mut mounts: Vec<Mount> = Vec::new();
    if let Some(RootWish::Namespace(_)) = wish(config) {
        mounts.extend(proc(config, facts));
    }
    let taken: Vec<PathBuf> = config.rootfs.mounts.iter().filter_map(|one| place_of(&one.value)).collect();
    if let Some(strictness) = whole(config).filter(|_| furnishes(config, facts)) {
        let own = standard::own(strictness, in_user_namespace(config, facts));
        mounts.extend(standard::dev(in_user_namespace(config, facts)));
        mounts.extend(own.into_iter().filter(|mount| !is_of_dev(mount) && !is_of_proc(mount)));
        mounts.extend(proc(config, facts));
        // What the config names itself takes the place of ours.
        mounts.retain(|mount| !taken.iter().any(|place| mount.target.starts_with(place)));
    }
    config.rootfs.mounts.iter().for_each(|one| mounts.extend(expanded(&one.value, config, facts)));
    // Stable: what is at the same depth stays in the order in which it was written.
    mounts.sort_by_key(|mount| (is_seal(mount), is_cover(mount), mount.target.components().count()));
    let (root, old) = root(config, facts);
    let root = match (root, &config.rootfs.root_idmap) {
        (Root::Directory(path, attributes), Some(id)) => Root::Owned(path, attributes, owners(id.value)),
        (root, _) => root,
    };
    Rootfs { root, mounts, old }
}

/// Who the vassal is, is looked up when it is done.
fn owners(ids: DiskIds) -> Owners {
    Owners { disk: ids.first, count: ids.count, seen: ids.seen.map(|id| (id, id)) }
}

fn is_of_dev(mount: &Mount) -> bool {
    mount.target.starts_with("/dev")
}

fn is_of_proc(mount: &Mount) -> bool {
    mount.target.starts_with("/proc")
}

fn is_cover(mount: &Mount) -> bool {
    matches!(mount.source, Source::Nothing | Source::Itself(_))
}

fn is_seal(mount: &Mount) -> bool {
    matches!(mount.source, Source::Sealed(..))
}

fn root(config: &VassalConfig, facts: &Facts) -> (Root, Old) {
    let as_is = |path: &PathBuf| Root::Directory(path.clone(), Attributes::NONE);
    match wish(config) {
        None if whole(config) == Some(Strictness::Strict) && !facts.whole => {
            (Root::Directory("/".into(), HARMLESS.with(Attributes::RO)), Old::Left)
        }
        None => (Root::Present, Old::Left),
        Some(RootWish::Rootfs(path, Writes::Through)) if whole(config) == Some(Strictness::Strict) => {
            (Root::Directory(path.clone(), HARMLESS.with(Attributes::RO)), Old::Left)
        }
        Some(RootWish::Rootfs(path, Writes::Through)) => (Root::Directory(path.clone(), HARMLESS), Old::Left),
        Some(RootWish::Rootfs(path, Writes::Nowhere)) => {
            (Root::Directory(path.clone(), HARMLESS.with(Attributes::RO)), Old::Left)
        }
        Some(RootWish::Rootfs(path, Writes::Memory)) => (Root::Overlay(path.clone(), HARMLESS), Old::Left),
        Some(RootWish::Chroot(path) | RootWish::Namespace(path)) => (as_is(path), Old::Left),
        Some(RootWish::Pivot(new, old)) if old == Path::new("/") => (as_is(new), Old::Left),
        Some(RootWish::Pivot(new, old)) => (as_is(new), Old::Kept(old.clone())),
    }
}

fn place_of(wish: &MountWish) -> Option<PathBuf> {
    match wish {
        MountWish::Bind(_, place, ..)
        | MountWish::BindOwned(_, place, ..)
        | MountWish::Keep(_, place)
        | MountWish::Memory(place, _) => Some(place.clone()),
        MountWish::Proc => Some("/proc".into()),
        MountWish::DevMinimal | MountWish::DevHost => Some("/dev".into()),
        MountWish::HostsMade => Some(HOSTS.into()),
        MountWish::Resolvers(_) => Some(RESOLV_CONF.into()),
        MountWish::Copy(path) => Some(path.into()),
        // These go on what is there.
        MountWish::Mask(_) | MountWish::Readonly(_) => None,
    }
}

fn expanded(wish: &MountWish, config: &VassalConfig, facts: &Facts) -> Vec<Mount> {
    let depth = if in_user_namespace(config, facts) { Depth::All } else { Depth::One };
    let (target, source, attributes) = match wish {
        MountWish::Bind(source, place, attributes, depth) => {
            (place.clone(), Source::Tree(source.clone(), *depth), *attributes)
        }
        MountWish::BindOwned(source, place, (attributes, depth), id) => {
            (place.clone(), Source::Owned(source.clone(), *depth, owners(*id)), *attributes)
        }
        // Root of a user namespace may not take a directory out from under its mounts.
        MountWish::Keep(source, place) => {
            (place.clone(), Source::Tree(source.clone(), depth), Attributes::NONE)
        }
        MountWish::Memory(place, size) => (place.clone(), Source::Memory(*size, OPEN_MODE), HARMLESS),
        MountWish::Proc => return proc(config, facts),
        MountWish::DevMinimal => return standard::dev(in_user_namespace(config, facts)),
        MountWish::DevHost => return standard::hosts_dev().into(),
        MountWish::Mask(path) => (path.clone(), Source::Nothing, INERT.with(Attributes::RO)),
        MountWish::Readonly(path) => (path.clone(), Source::Itself(Presence::Needed), Attributes::RO),
        MountWish::HostsMade => (HOSTS.into(), Source::Text(hosts(config)), INERT.with(Attributes::RO)),
        MountWish::Copy(path) => (path.into(), Source::Copy(path.into()), INERT.with(Attributes::RO)),
        MountWish::Resolvers(list) => {
            let text = list.iter().map(|address| format!("nameserver {address}\n")).collect();
            (RESOLV_CONF.into(), Source::Text(text), INERT.with(Attributes::RO))
        }
    };
    vec![Mount { target, source, attributes }]
}

fn hosts(config: &VassalConfig) -> String {
    let own = config.hostname.as_ref().map_or_else(String::new, |name| format!("127.0.1.1 {}\n", name.value));
    format!("127.0.0.1 localhost\n::1 localhost\n{own}")
}

fn proc(config: &VassalConfig, facts: &Facts) -> Vec<Mount> {
    standard::proc(config.uid.is_none() && !in_user_namespace(config, facts))
}

#[cfg(test)]
#[path = "rootfs_tests.rs"]
mod tests;
