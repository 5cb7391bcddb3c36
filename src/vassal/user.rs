//! Pure. What a vassal that makes a user namespace of its own cannot do.

use jail::plan::Extent;
use jail::{Namespaces, Phase};

use super::phases::{Facts, refusal};
use super::rootfs;
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::rootfs::RootWish;

/// What the kernel would refuse, or what could never be as the config says.
pub fn refusals(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let later = config.separation.later.as_ref().filter(|later| later.value.has(Namespaces::USER));
    let first = config.unshare.has(Namespaces::USER);
    let place = config.unshare_at.as_ref().filter(|_| first).or(later.map(|later| &later.place));
    if !first && later.is_none() {
        return aimless(config).into_iter().collect();
    }
    let refusals = [
        (first && later.is_some()).then(|| {
            refusal(place, "two user namespaces, one in the other", "leave `user` out of `unshare2`")
        }),
        later.filter(|_| !first).and_then(|later| jailed_by_chroot(config, facts, &later.place)),
        rootless(config, place),
        unreachable(config),
    ];
    refusals.into_iter().flatten().chain(foreign(config, facts)).collect()
}

fn aimless(config: &VassalConfig) -> Option<ConfigError> {
    let ids = config.separation.ids.first()?;
    Some(refusal(Some(&ids.place), "these ids are of no namespace", "add `unshare = user`"))
}

/// `user_namespaces(7)`: a process whose root is not that of its mounts makes none.
fn jailed_by_chroot(config: &VassalConfig, facts: &Facts, place: &Place) -> Option<ConfigError> {
    let chroot = matches!(config.rootfs.root.as_ref()?.value, RootWish::Chroot(_));
    (chroot && !rootfs::owns_mounts(config, facts)).then(|| {
        let cause = "after `chroot` alone the kernel makes no user namespace";
        refusal(Some(place), cause, "use `unshare = user`, or `unshare = fs` so that nothing else is left")
    })
}

fn rootless(config: &VassalConfig, place: Option<&Place>) -> Option<ConfigError> {
    let has_root = config.separation.extents().iter().any(|one| one.inside == 0);
    (!has_root).then(|| {
        let place = config.separation.ids.first().map(|ids| &ids.place).or(place);
        refusal(place, "nobody would be root of the user namespace", "give id 0 inside a number outside")
    })
}

/// Ids that the namespace has no number for: those of a name show when it is looked up.
fn unreachable(config: &VassalConfig) -> Option<ConfigError> {
    let wanted = config.uid.iter().chain(&config.gid).chain(&config.add_gid);
    let missing: &Placed<String> = wanted.into_iter().find(|id| !may_have(config, &id.value))?;
    let cause = format!("`{}` has no number in the user namespace", missing.value);
    Some(refusal(Some(&missing.place), &cause, "give it one, such as `unshare-id-map = 0 100000 65536`"))
}

fn may_have(config: &VassalConfig, id: &str) -> bool {
    let has = |one: &Extent, id: u32| one.inside <= id && id - one.inside < one.count;
    match id.parse() {
        Ok(id) => config.separation.extents().iter().any(|one| has(one, id)),
        Err(_) => !config.separation.ids.is_empty(),
    }
}

/// What was there before the user namespace belongs to the one outside, which alone may change it.
fn foreign(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let made = rootfs::unshared(config, facts).with(config.separation.later());
    // Where birth gave none either, another refusal says so.
    let lacking = |place: Option<&Place>, (kind, born): (Namespaces, bool), cure: &str| {
        let cause = "this would be of the user namespace outside, which lets nobody inside change it";
        place.filter(|_| born && !made.has(kind)).map(|place| refusal(Some(place), cause, cure))
    };
    let outside = config.net.links.first().map(|link| {
        refusal(
            Some(&link.place),
            "no way to the network outside leads into it",
            "leave `user` out of `unshare`",
        )
    });
    let name = config.hostname.as_ref().map(|name| &name.place);
    let refusals = [
        lacking(mounts(config, facts), (Namespaces::FS, facts.own_mounts), "add `fs` where `user` is made"),
        lacking(name, (Namespaces::UTS, facts.own_hostname), "add `uts` where `user` is made"),
        outside.filter(|_| config.unshare.has(Namespaces::USER)),
    ];
    refusals.into_iter().flatten().collect()
}

/// The first mount that is made inside.
fn mounts<'a>(config: &'a VassalConfig, facts: &Facts) -> Option<&'a Place> {
    let first = config.unshare.has(Namespaces::USER);
    let inside = |when: Phase| when >= Phase::AsRoot || (first && when == Phase::PostJail);
    let hooked = config.hooks.iter().find(|(when, hook)| inside(*when) && hook.value.changes_mounts());
    let jail = config.jail.as_ref().filter(|_| rootfs::furnishes(config, facts)).map(|jail| &jail.place);
    // With `unshare2` the file system has been built before.
    let built = rootfs::first_place(config).or(jail).filter(|_| first);
    built.or(hooked.map(|(_, hook)| &hook.place))
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
