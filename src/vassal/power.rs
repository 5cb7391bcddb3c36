//! Pure. Whether the master of a vassal that was born as root can still do in a phase what its config wants done there.

use jail::plan::{Filter, Need};
use jail::{Capabilities, Namespaces, Phase};

use super::phases::{self, Facts, refusal};
use super::separation;
use crate::config::hook::Hook;
use crate::config::place::{ConfigError, Placed};
use crate::config::vassal::VassalConfig;

const OUTSIDE: &str =
    "this would change the network of the host, over which nobody in a user namespace has a right";
const ADD_NET: &str = "add \"net\" to emperor-use-clone, or `unshare = net` and use a later phase";
const EARLIER: &str = "use hook-as-root or mount-as-root: these come before rights are given up";
const LIST: &str = "let the administrator list it in `emperor-cap`, or do it by hook-as-vassal-before-drop";
const BEFORE_DROP: &str =
    "let the administrator do it by hook-as-vassal-before-drop, or choose another `emperor-seccomp`";

/// Why a hook can never do what it is there for, if that is so.
///
/// Whether it would change the host is judged elsewhere, and whoever was not born as root has no such hook at all.
pub fn refused(
    config: &VassalConfig,
    facts: &Facts,
    (when, hook): (Phase, &Placed<Hook>),
) -> Option<ConfigError> {
    let need = hook.value.need().filter(|_| facts.root)?;
    let told = |cause: String, cure| Some(refusal(Some(&hook.place), &cause, cure));
    if need == Need::Interfaces && !may_have_network(config, facts, when) {
        return told(OUTSIDE.into(), ADD_NET);
    }
    let (capabilities, filter) = power(config, facts, when);
    let named = hook.value.named(when);
    if !need.is_held(capabilities) {
        let lacks = need.capability().to_string().trim_start_matches("CAP_").to_ascii_lowercase();
        return match is_late(when) {
            true => told(format!("{named} comes when the vassal has given `{lacks}` up"), EARLIER),
            false => told(format!("{named} needs `{lacks}`, which this vassal is born without"), LIST),
        };
    }
    if facts.around.refused.has(need) {
        return told(
            format!("{named} is refused by the filter of system calls that the vassal is born with"),
            BEFORE_DROP,
        );
    }
    let is_let = filter.is_none_or(|filter| need.is_let(&filter));
    if is_let { None } else { told(format!("{named} comes when the filter of system calls is on"), EARLIER) }
}

/// After the ids have changed, and whatever goes with them.
fn is_late(when: Phase) -> bool {
    when > Phase::AsRoot
}

fn power(config: &VassalConfig, facts: &Facts, when: Phase) -> (Capabilities, Option<Filter>) {
    if is_late(when) {
        return phases::after_root(config, facts);
    }
    // Whoever makes a user namespace has everything in it.
    let made = separation::owns(config, facts, when, Namespaces::USER);
    (if made { Capabilities::all() } else { facts.permitted }, None)
}

/// A network is changed by root of the user namespace that it was made in.
fn may_have_network(config: &VassalConfig, facts: &Facts, when: Phase) -> bool {
    let made = |kind| separation::owns(config, facts, when, kind);
    let within = facts.born.has(Namespaces::USER);
    made(Namespaces::NET) || (!made(Namespaces::USER) && (!within || facts.born.has(Namespaces::NET)))
}

#[cfg(test)]
#[path = "power_tests.rs"]
mod tests;
