//! Pure. Whether what the administrator has done in a vassal can be done there at all: judged before anybody is born.

use jail::plan::{Filter, Need};
use jail::{Capabilities, Namespaces, Phase};

use super::birth;
use super::charter::Charter;
use super::jailing::{self, Inside};
use crate::config::emperor::EmperorConfig;
use crate::config::hook::{Errand, Task};
use crate::config::place::ConfigError;
use crate::emperor::event::Owner;
use crate::trust::Trust;

/// Something that would fail in every vassal of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit<'a> {
    /// What it is.
    pub errand: &'a Errand,
    /// Why, one sentence.
    pub cause: String,
    /// What to do about it.
    pub cure: &'static str,
}

/// With which rights something is done.
struct Power {
    capabilities: Capabilities,
    filters: Vec<Filter>,
    namespaces: Namespaces,
    inside: Inside,
}

/// Whose vassals this Emperor may have.
pub fn kinds(charter: &Charter) -> Vec<Trust> {
    let somebody = Trust::Tenant(Owner { uid: u32::MAX, gid: u32::MAX });
    match (charter.privileged, charter.tyrant) {
        (true, true) => vec![somebody],
        (true, false) => vec![Trust::Trusted, somebody],
        // They are all ours.
        (false, _) => vec![Trust::Trusted],
    }
}

/// What can be done in no vassal of this trust.
pub fn unfit(charter: &Charter, trust: Trust) -> Option<Unfit<'_>> {
    charter.errands.iter().find_map(|errand| {
        let (cause, cure) = judge(charter, trust, errand)?;
        Some(Unfit { errand, cause: format!("{} {cause}", errand.named()), cure })
    })
}

/// The error of an Emperor's config that has something done in each vassal which can be done in none.
pub fn refused(config: &EmperorConfig, charter: &Charter) -> Option<ConfigError> {
    let unfit = unfit_for_all(charter)?;
    let at = config.errands.iter().find(|errand| errand.place.to_string() == unfit.errand.origin)?;
    Some(ConfigError::at(&at.place, unfit.cause).cure(unfit.cure))
}

/// What can be done in no vassal at all.
fn unfit_for_all(charter: &Charter) -> Option<Unfit<'_>> {
    let kinds = kinds(charter);
    let (first, rest) = kinds.split_first()?;
    charter.errands.iter().find_map(|errand| {
        let (cause, cure) = judge(charter, *first, errand)?;
        let all = rest.iter().all(|trust| judge(charter, *trust, errand).is_some());
        all.then(|| Unfit { errand, cause: format!("{} {cause}", errand.named()), cure })
    })
}

impl Unfit<'_> {
    /// Where it stands, and why it cannot be done.
    pub fn told(&self) -> String {
        format!("{}: {}", self.errand.origin, self.cause)
    }

    /// The same with its cure in one line, for the log.
    pub fn sentence(&self) -> String {
        format!("{}; {}", self.told(), self.cure)
    }
}

const NOT_ROOT: &str = "is for root of the vassal's own user namespace, and this vassal is none";
const ADD_USER: &str =
    "add \"user\" to emperor-use-clone, leave the default jail on, or use hook-as-vassal-before-drop";
const BEFORE_DROP: &str = "use hook-as-vassal-before-drop, which has the administrator's rights";
const NO_ROOT_THERE: &str =
    "is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this";
const WITHOUT_USER: &str = "leave out `user`: then it is done with the administrator's rights";
const FILTERED: &str = "is refused by the filter of system calls that the vassal is born with";
const OUTSIDE: &str =
    "would change the network of the host, over which nobody in a user namespace has a right";
const ADD_NET: &str = "add \"net\" to emperor-use-clone, or use a hook as-emperor";

fn judge(charter: &Charter, trust: Trust, errand: &Errand) -> Option<(String, &'static str)> {
    let Ok(Task::Hook(joined, hook)) = errand.task() else { return None };
    let need = hook.need()?;
    let power = power(charter, trust, (errand.phase, joined))?;
    let told = |(cause, cure): (&str, &'static str)| Some((cause.to_owned(), cure));
    if power.inside != Inside::Host && !power.namespaces.has(need.namespace()) {
        // Of mounts and names the config itself says so.
        return if need == Need::Interfaces { told((OUTSIDE, ADD_NET)) } else { None };
    }
    if !need.is_held(power.capabilities) {
        return without(&power, (errand.phase, joined), need);
    }
    let is_let = power.filters.iter().all(|filter| need.is_let(filter));
    if is_let { None } else { told((FILTERED, BEFORE_DROP)) }
}

/// Why the capability is not there.
fn without(
    power: &Power,
    (phase, joined): (Phase, Namespaces),
    need: Need,
) -> Option<(String, &'static str)> {
    let lacks = need.capability().to_string().trim_start_matches("CAP_").to_ascii_lowercase();
    let cure = match (phase, power.capabilities.is_empty(), power.inside) {
        (Phase::AsVassal, true, Inside::Host) => return Some((NOT_ROOT.into(), ADD_USER)),
        (Phase::AsVassal, true, Inside::Owner) => return Some((NO_ROOT_THERE.into(), BEFORE_DROP)),
        (Phase::AsEmperorSetns, true, _) if joined.has(Namespaces::FS) => {
            return Some((NO_ROOT_THERE.into(), BEFORE_DROP));
        }
        (Phase::AsEmperorSetns, true, _) => return Some((NO_ROOT_THERE.into(), WITHOUT_USER)),
        (Phase::AsVassalBeforeDrop, ..) => "list it in `cap` of the Emperor",
        _ => "list it in `emperor-cap`, or use hook-as-vassal-before-drop",
    };
    Some((format!("needs `{lacks}`, which is in no list"), cure))
}

/// The rights in a phase; `None` where what is done is no matter of the vassal.
fn power(charter: &Charter, trust: Trust, (phase, joined): (Phase, Namespaces)) -> Option<Power> {
    let inside = charter.inside(trust);
    let namespaces = charter.namespaces_of(trust);
    let listed = charter.vassal_capabilities.unwrap_or(Capabilities::all());
    let (capabilities, filters) = match phase {
        Phase::AsVassalBeforeDrop => (before_drop(charter, inside), Vec::new()),
        Phase::AsVassal if birth::is_restrained(charter, trust) => {
            (jailing::kept(charter, inside), birth::filters(charter, inside))
        }
        Phase::AsVassal if charter.privileged => (listed, Vec::new()),
        Phase::AsVassal => (Capabilities::NONE, Vec::new()),
        // Where its phases of root end, a config with `cap` may say that they do not.
        Phase::AsEmperorSetns if joined.has(Namespaces::USER) => {
            (jailing::kept(charter, inside), birth::filters(charter, inside))
        }
        _ => return None,
    };
    Some(Power { capabilities, filters, namespaces, inside })
}

/// The spawner's own, or those of whoever made a user namespace.
fn before_drop(charter: &Charter, inside: Inside) -> Capabilities {
    match (charter.privileged, inside) {
        (true, _) => charter.capabilities.unwrap_or(Capabilities::all()),
        (false, Inside::Host) => Capabilities::NONE,
        (false, Inside::Root(_) | Inside::Owner) => Capabilities::all(),
    }
}

#[cfg(test)]
#[path = "fitness_tests.rs"]
mod tests;
