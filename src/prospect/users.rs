//! Who the daemons of a config become. A name is judged where whoever starts the daemon looks it up in the same files as we.

use std::path::Path;

use super::{Errors, ground};
use crate::config::place::{ConfigError, Placed};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::daemons::Daemon;
use crate::spawner::charter::Charter;
use crate::vassal::identity;
use crate::vassal::phases::{Facts, wanted};
use crate::vassal::step::{Step, Wanted};
use crate::vassal::trouble::Trouble;

/// Where users and groups have their names.
const NAMES: [&str; 3] = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];

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
