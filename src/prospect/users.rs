//! Who the daemons of a config become. A name is judged where whoever starts the daemon looks it up in the same files as we.

use std::path::Path;

use super::runs::Judgement;
use super::{Errors, ground};
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::daemons::Daemon;
use crate::spawner::charter::Charter;
use crate::vassal::identity;
use crate::vassal::phases::{Facts, wanted};
use crate::vassal::step::{Step, Wanted};
use crate::vassal::trouble::Trouble;

/// Where users and groups have their names.
const NAMES: [&str; 3] = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];

/// A group of nobody's, by number.
const SOME_GROUP: &str = "1";

/// As whom daemons are started.
enum Starter {
    /// Root, who becomes anybody else.
    Root,
    /// Somebody else, who only can be these already; nobody knows who he is where there are none.
    User(Option<(u32, u32)>),
}

/// Daemons of a vassal that its master could not start because of whom they are to become.
pub fn unfit(config: &VassalConfig, facts: &Facts, steps: &[Step]) -> Errors {
    let are_hosts =
        ground::root(config).is_none() && !NAMES.iter().any(|path| ground::covers(config, Path::new(path)));
    if !are_hosts || !ground::is_untouched(steps) {
        return Vec::new();
    }
    refused(&config.daemons.list, &starter(config, facts))
}

/// Whom the vassal itself could not become, where the names are the host's: certain unless something before may make users.
pub fn unfit_vassal(config: &VassalConfig, steps: &[Step], is_brought: bool) -> Judgement {
    let become_it = |step: &Step| matches!(step, Step::Identity(..) | Step::Already(_));
    let look_up = |step: &Step| matches!(step, Step::LookUp(_));
    let are_hosts =
        steps.iter().any(look_up) || !NAMES.iter().any(|path| ground::covers(config, Path::new(path)));
    let joins = |step: &Step| matches!(step, Step::Join(_));
    if !are_hosts || steps.iter().take_while(|step| !look_up(step)).any(joins) {
        return Judgement::default();
    }
    let judge: fn(&Wanted) -> Result<(), Trouble> = match steps.iter().find(|step| become_it(step)) {
        Some(Step::Identity(..)) => |wanted| identity::resolve(wanted).map(drop),
        Some(_) => identity::check_names,
        None => return Judgement::default(),
    };
    let Some(trouble) = judge(&wanted(config)).err() else { return Judgement::default() };
    let Some(place) = blamed(config, judge) else { return Judgement::default() };
    let is_untouched = ground::is_untouched_until(steps, |step| look_up(step) || become_it(step));
    Judgement::of(place, trouble, !is_brought && is_untouched)
}

/// The option that it cannot be because of.
fn blamed(config: &VassalConfig, judge: fn(&Wanted) -> Result<(), Trouble>) -> Option<&Place> {
    let whole = wanted(config);
    let without_added = Wanted { add_gid: Vec::new(), ..whole.clone() };
    if judge(&without_added).is_ok() {
        let is_odd = |gid: &&Placed<String>| {
            judge(&Wanted { add_gid: vec![gid.value.clone()], ..without_added.clone() }).is_err()
        };
        return config.add_gid.iter().find(is_odd).map(|gid| &gid.place);
    }
    // Some group that is surely none of root's: what is left to blame is the user.
    let other = Wanted { gid: whole.gid.as_ref().map(|_| SOME_GROUP.to_owned()), ..without_added };
    match (judge(&other), &config.gid) {
        (Ok(()), Some(gid)) => Some(&gid.place),
        _ => config.uid.as_ref().map(|uid| &uid.place),
    }
}

/// The same of the Emperor's own.
pub fn unfit_of_emperor(list: &[Placed<Daemon>], charter: &Charter) -> Errors {
    if !charter.privileged || charter.of_phase(jail::Phase::EmperorStart).next().is_some() {
        return Vec::new();
    }
    let becomes = charter.household.as_ref().and_then(|household| household.owner);
    refused(list, &becomes.map_or(Starter::Root, |owner| Starter::User(Some((owner.uid, owner.gid)))))
}

fn starter(config: &VassalConfig, facts: &Facts) -> Starter {
    match (facts.root, &config.uid, facts.owner) {
        (true, Some(_), _) => {
            Starter::User(identity::resolve(&wanted(config)).ok().map(|own| (own.uid, own.gid)))
        }
        (true, None, Some(owner)) if config.cap.is_none() => Starter::User(Some(owner)),
        (true, None, _) => Starter::Root,
        (false, ..) => Starter::User(None),
    }
}

fn refused(list: &[Placed<Daemon>], starter: &Starter) -> Errors {
    let told = |one: &Placed<Daemon>| judge(&one.value, starter).err().map(|trouble| error(one, trouble));
    list.iter().filter_map(told).collect()
}

fn judge(daemon: &Daemon, starter: &Starter) -> Result<(), Trouble> {
    let Some(wanted) = Wanted::of_daemon(daemon) else { return Ok(()) };
    match starter {
        Starter::Root => identity::resolve(&wanted).map(drop),
        Starter::User(own) => identity::check_daemon(&wanted, *own),
    }
}

/// As it stands in the log of whoever starts it.
fn error(one: &Placed<Daemon>, Trouble { cause, advice }: Trouble) -> ConfigError {
    let error = ConfigError::at(&one.place, format!("daemon {}: {cause}", one.value.name));
    match advice {
        Some(advice) => error.cure(advice),
        None => error,
    }
}
