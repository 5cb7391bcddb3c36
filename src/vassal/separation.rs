//! Pure. Where a vassal is separated: its own namespaces, before and after its root is another one, those of others, and
//! forks on the way.

use jail::{Namespaces, Phase};

use super::phases::{Facts, needs_root, refusal};
use super::step::{Socket, Step};
use super::{net, rootfs, user};
use crate::config::place::{ConfigError, Placed};
use crate::config::vassal::separation::Refork;
use crate::config::vassal::{Address, VassalConfig};

/// The mode of the socket that serves namespaces: nobody but the owner may even connect.
const SERVED_MODE: u32 = 0o600;

/// Into the namespaces of somebody else.
pub fn join(config: &VassalConfig) -> Option<Step> {
    config.separation.join.as_ref().map(|socket| Step::Join(socket.value.clone()))
}

/// The namespaces of `unshare`, and the host name that one of them may have made ours.
pub fn first(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let unshare = rootfs::unshared(config, facts);
    let mut steps: Vec<Step> = net::before(config, facts).into_iter().collect();
    steps.extend(made(config, unshare, net::made(config, unshare)));
    steps.extend(net::joined(config, facts));
    if !config.separation.later().has(Namespaces::UTS) {
        // After `unshare`, or the name would be set where others see it.
        steps.extend(hostname(config));
    }
    steps
}

/// The namespaces of `unshare2`.
pub fn second(config: &VassalConfig) -> Vec<Step> {
    let later = config.separation.later();
    let lo = later.has(Namespaces::NET).then_some(Step::LoopbackUp);
    let mut steps = made(config, later, lo.into_iter().collect());
    if later.has(Namespaces::UTS) {
        steps.extend(hostname(config));
    }
    steps
}

fn hostname(config: &VassalConfig) -> Option<Step> {
    config.hostname.as_ref().map(|name| Step::Hostname(name.value.clone()))
}

/// Namespaces made, and made fit for use; `network` is what makes one of the network so.
fn made(config: &VassalConfig, namespaces: Namespaces, network: Vec<Step>) -> Vec<Step> {
    let plain = namespaces.without(Namespaces::TIME).without(Namespaces::USER);
    let steps = [
        // First: what is made after it belongs to it.
        (namespaces.has(Namespaces::USER)).then(|| Step::NewUser(config.separation.extents())),
        (namespaces.has(Namespaces::TIME)).then(|| Step::NewTime(config.separation.offsets())),
        (!plain.is_empty()).then_some(Step::Unshare(plain)),
        // A new mount namespace still passes its mounts on to the old one.
        namespaces.has(Namespaces::FS).then_some(Step::PrivateMounts),
    ];
    // A new pid namespace begins with the next child, not with the caller.
    let fork = namespaces.has(Namespaces::PID).then_some(Step::Fork);
    steps.into_iter().flatten().chain(network).chain(fork).collect()
}

/// A child goes on from here, where the config asks for it.
pub fn refork(config: &VassalConfig, at: Refork) -> Option<Step> {
    config.separation.reforks.contains(&at).then_some(Step::Refork(at))
}

/// What is served is taken before the root is another one, where `/proc` still is.
pub fn preopen(config: &VassalConfig) -> Option<Step> {
    serves(config, true).then(|| Step::OpenNamespaces(config.separation.skip.clone()))
}

/// Serves them, bound while there are rights to.
pub fn serve(config: &VassalConfig, socket: impl FnOnce(Address, u32) -> Socket) -> Vec<Step> {
    let Some(path) = &config.separation.serve else { return Vec::new() };
    let open = serves(config, false).then(|| Step::OpenNamespaces(config.separation.skip.clone()));
    let socket = socket(Address::Unix(path.value.clone()), SERVED_MODE);
    open.into_iter().chain([Step::Serve(socket)]).collect()
}

fn serves(config: &VassalConfig, early: bool) -> bool {
    config.separation.serve.is_some() && config.separation.preopen == early
}

/// Whether a namespace of this kind is the vassal's own in a phase.
pub fn owns(config: &VassalConfig, facts: &Facts, when: Phase, kind: Namespaces) -> bool {
    let separated = !matches!(when, Phase::Asap | Phase::PreJail | Phase::InJail);
    let later = when >= Phase::AsRoot;
    (separated && rootfs::unshared(config, facts).has(kind)) || (later && config.separation.later().has(kind))
}

/// What this vassal may not do.
pub fn refusals(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let later = config.separation.later.as_ref();
    let has = |kind: Namespaces| later.filter(|later| later.value.has(kind));
    let mut refusals = user::refusals(config, facts);
    let owns_mounts = rootfs::owns_mounts(config, facts);
    refusals.extend(has(Namespaces::FS).filter(|_| rootfs::moves(config) && !owns_mounts).map(|later| {
        let cause = "after `chroot` alone, mounts cannot be kept from the host";
        refusal(Some(&later.place), cause, "use `unshare = fs`")
    }));
    let there = config.net.is_own() || !config.tuntap.devices.is_empty();
    refusals.extend(has(Namespaces::NET).filter(|_| there).map(|later| {
        let cause = "this would leave the network of `net` or `tuntap-device` again";
        refusal(Some(&later.place), cause, "take `net` out of it")
    }));
    refusals.extend(aimless_clock(config));
    if !facts.root {
        refusals.extend(later.map(|later| needs_root("unshare2", Some(&later.place))));
        let join = config.separation.join.as_ref();
        refusals.extend(join.map(|socket| needs_root("setns", Some(&socket.place))));
    }
    refusals
}

/// Clocks are set before anybody is in their namespace: never those of one that we were born into.
fn aimless_clock(config: &VassalConfig) -> Option<ConfigError> {
    let made = config.unshare.with(config.separation.later());
    let first: &Placed<_> = config.separation.clocks.first().filter(|_| !made.has(Namespaces::TIME))?;
    let cause = "`time-offset` would set no clock";
    Some(refusal(Some(&first.place), cause, "add `unshare = time`"))
}

#[cfg(test)]
#[path = "separation_tests.rs"]
mod tests;
