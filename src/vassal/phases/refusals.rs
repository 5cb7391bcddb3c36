//! Pure. What a vassal may not do, born as it was.

use jail::{Capabilities, Namespaces, Phase};

use super::Facts;
use crate::config::hook::{Action, Hook};
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::vassal::VassalConfig;
use crate::vassal::{confine, net, power, rootfs, separation};

/// Everything that is wrong with it, in the order in which people read a config.
pub(super) fn refusals(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let mut refusals = Vec::new();
    refusals.extend(rootfs::refusals(config, facts));
    refusals.extend(net::refusals(config, facts));
    refusals.extend(separation::refusals(config, facts));
    if let (Some(name), false) = (&config.hostname, owns_hostname(config, facts)) {
        let cause = "`hostname` would rename the whole host";
        refusals.push(refusal(
            Some(&name.place),
            cause,
            "add \"uts\" to emperor-use-clone, or `unshare = uts`",
        ));
    }
    refusals.extend(all_hooks(config).filter_map(|(when, hook)| {
        hosts(config, facts, (when, hook)).or_else(|| power::refused(config, facts, (when, hook)))
    }));
    if facts.root && config.uid.is_none() {
        let groups = config.gid.iter().chain(&config.add_gid);
        let refused = |gid: &Placed<String>| refusal(Some(&gid.place), "a group without a user", "add `uid`");
        refusals.extend(groups.map(refused));
    }
    refusals.extend(confine::refusals(&config.confine, &facts.around, facts.root));
    if !facts.root {
        refusals.extend(rootless(config, facts));
    }
    refusals
}

fn all_hooks(config: &VassalConfig) -> impl Iterator<Item = (Phase, &Placed<Hook>)> {
    let touched = config.touches.iter().map(|(_, hook)| (Phase::Touch, hook));
    config.hooks.iter().map(|(when, hook)| (*when, hook)).chain(touched)
}

/// A hook that would change what the whole host has, and stay there.
fn hosts(config: &VassalConfig, facts: &Facts, (when, hook): (Phase, &Placed<Hook>)) -> Option<ConfigError> {
    let own = |born: bool, kind| born || separation::owns(config, facts, when, kind);
    if hook.value.changes_mounts() && !own(facts.own_mounts, Namespaces::FS) {
        let cure = "add \"fs\" to emperor-use-clone, or `unshare = fs` and use a later phase";
        return Some(refusal(Some(&hook.place), "this would change the mounts of the whole host", cure));
    }
    let renames = matches!(hook.value.action, Action::Hostname(_));
    (renames && !own(facts.own_hostname, Namespaces::UTS)).then(|| {
        let cure = "add \"uts\" to emperor-use-clone, or `unshare = uts` and use a later phase";
        refusal(Some(&hook.place), "this would rename the whole host", cure)
    })
}

fn owns_hostname(config: &VassalConfig, facts: &Facts) -> bool {
    let made = rootfs::unshared(config, facts).with(config.separation.later());
    facts.own_hostname || made.has(Namespaces::UTS)
}

/// What only root of the vassal's own user namespace (or of the host) can do.
fn rootless(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let as_root = config.programs.iter().filter(|(phase, _)| *phase == Phase::AsRoot);
    let mut refusals: Vec<ConfigError> =
        as_root.map(|(_, one)| needs_root("exec-as-root", Some(&one.place))).collect();
    let hooks =
        all_hooks(config).filter(|(phase, hook)| *phase == Phase::AsRoot || hook.value.need().is_some());
    refusals.extend(hooks.map(|(phase, hook)| needs_root(&hook.value.named(phase), Some(&hook.place))));
    refusals.extend(config.hostname.iter().map(|name| needs_root("hostname", Some(&name.place))));
    refusals
        .extend(rootfs::first_place(config).map(|place| needs_root("a file system of its own", Some(place))));
    let unmade = rootfs::furnishes(config, facts).then_some(config.jail.as_ref()).flatten();
    refusals.extend(unmade.map(|jail| needs_root("jail", Some(&jail.place))));
    if !config.cgroups.paths.is_empty() {
        let cure = "the administrator limits vassals: memory-max, cpu-max, pids-max of the Emperor";
        refusals.push(refusal(None, "`cgroup` is for root alone", cure));
    }
    if !config.unshare.is_empty() {
        refusals.push(needs_root("unshare", config.unshare_at.as_ref()));
    }
    let beyond = |cap: &&Placed<Capabilities>| facts.permitted.with(cap.value) != facts.permitted;
    refusals.extend(config.cap.iter().filter(beyond).map(|cap| needs_root("cap", Some(&cap.place))));
    refusals
}

pub(in crate::vassal) fn needs_root(option: &str, place: Option<&Place>) -> ConfigError {
    let cause = format!("{option} needs root of the vassal's own user namespace");
    refusal(place, &cause, "add \"user\" to emperor-use-clone")
}

pub(in crate::vassal) fn refusal(place: Option<&Place>, cause: &str, cure: &str) -> ConfigError {
    ConfigError { place: place.cloned(), line: None, cause: cause.into(), cure: Some(cure.into()) }
}
