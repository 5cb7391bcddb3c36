//! Pure. Who a vassal becomes once its phases of root are over, and what holds its command.

use jail::plan::Filter;
use jail::{Capabilities, Namespaces, Phase};

use super::{Facts, wanted};
use crate::config::vassal::VassalConfig;
use crate::vassal::step::{Step, Wanted};
use crate::vassal::{confine, rootfs, separation};

/// Its ids and capabilities, once nothing is to be done as root any more.
pub(super) fn identity(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let mut steps = match (facts.root, config.uid.is_some()) {
        (true, true) => drop_root(config, facts),
        (true, false) if owner(config, facts).is_some() => become_owner(config, facts),
        (true, false) => stay_root(config, facts),
        (false, _) => stay_user(config, facts),
    };
    if facts.emperor {
        // Changing ids clears the death signal, so it is set after them.
        steps.push(Step::DieWithParent);
    }
    steps
}

fn drop_root(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let keep = cap(config).unwrap_or(Capabilities::NONE);
    // The bounding set first: reducing it takes CAP_SETPCAP, which goes with the ids.
    let mut steps = vec![Step::Bound(keep), Step::Identity(wanted(config), keep)];
    if !confine::gains(&config.confine) {
        steps.push(Step::NoNewPrivs);
        steps.extend(confine::of_master(&config.confine, &facts.around).map(Step::Filter));
    }
    steps
}

/// What the master of a vassal that was born as root holds when its phases of root are over, and by which filter of its own it
/// is held.
pub(in crate::vassal) fn after_root(config: &VassalConfig, facts: &Facts) -> (Capabilities, Option<Filter>) {
    if config.uid.is_some() {
        let filter = confine::of_master(&config.confine, &facts.around);
        return (
            cap(config).unwrap_or(Capabilities::NONE),
            filter.filter(|_| !confine::gains(&config.confine)),
        );
    }
    if owner(config, facts).is_some() {
        return (Capabilities::NONE, None);
    }
    (cap(config).or_else(|| rootfs::kept(config, facts)).unwrap_or(facts.permitted), None)
}

/// Who it becomes. A config that lists capabilities is of a program that is to be root in its jail.
fn owner(config: &VassalConfig, facts: &Facts) -> Option<(u32, u32)> {
    facts.owner.filter(|_| config.uid.is_none() && config.cap.is_none())
}

fn become_owner(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let owner = owner(config, facts).map(|(uid, gid)| Step::Owner(uid, gid));
    // The master needs what phases of root need no more either.
    let filters = confine::of_owner(&facts.around).into_iter().map(Step::Filter);
    owner.into_iter().chain([Step::NoNewPrivs]).chain(filters).collect()
}

fn stay_root(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    // Root regains by exec whatever its bounding set allows.
    match (cap(config), rootfs::kept(config, facts)) {
        (Some(asked), _) => vec![Step::Bound(asked), Step::Capabilities(asked)],
        (None, Some(left)) => vec![Step::Bound(left), Step::RootCapabilities(left)],
        (None, None) => Vec::new(),
    }
}

fn stay_user(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    let wanted = wanted(config);
    if wanted != Wanted::default() {
        steps.push(Step::Already(wanted));
    }
    steps.extend(cap(config).map(Step::Capabilities));
    steps.push(Step::NoNewPrivs);
    steps.extend(confine::of_master(&config.confine, &facts.around).map(Step::Filter));
    steps
}

/// On the command alone, after all that the master does before it.
pub(super) fn confinement(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let mut around = facts.around;
    around.shares_network &= !separation::owns(config, facts, Phase::PreApp, Namespaces::NET);
    let limits = match (facts.root, config.uid.is_some()) {
        (true, true) if confine::gains(&config.confine) => Vec::new(),
        (true, false) if owner(config, facts).is_none() => {
            confine::of_root(&config.confine, &around, cap(config).unwrap_or(facts.permitted))
        }
        _ => confine::of_user(&config.confine, &around, cap(config).unwrap_or(Capabilities::NONE)),
    };
    limits.into_iter().map(Step::Confine).collect()
}

fn cap(config: &VassalConfig) -> Option<Capabilities> {
    config.cap.as_ref().map(|cap| cap.value)
}
