//! `ssh = PORT` where no dropbear is: told where the jail's programs can be seen from here, as its start tells it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use jail::Namespaces;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::{Errors, ground};
use crate::config::place::ConfigError;
use crate::config::vassal::VassalConfig;
use crate::config::vassal::daemons::{INSTALL_DROPBEAR, NO_DROPBEAR};
use crate::spawner::birth::SEARCH;
use crate::vassal::phases::Facts;
use crate::vassal::ssh;
use crate::vassal::step::Step;

/// What is said of a server of root's.
const ROOTS: &str = "without `uid` this is an ssh server for root, on the addresses of the host";
/// What it should be instead.
const NOT_ROOTS: &str =
    "add `uid = NAME`: it is for that user then; or `jail = standard` and a `net` of its own";

/// What is searched for.
const SERVER: &str = "dropbear";

/// A warning for each `ssh` that would find none. What is named by a tenant is `open`ed by nothing else.
pub fn lacking(
    config: &VassalConfig,
    steps: &[Step],
    open: &dyn Fn(&Path) -> Result<OwnedFd, Errno>,
) -> Errors {
    let asked = config.daemons.list.iter().filter(|daemon| daemon.value.ssh);
    let asked: Vec<_> = asked.map(|daemon| &daemon.place).collect();
    if asked.is_empty() || !ground::is_untouched(steps) || !is_absent(config, open) {
        return Vec::new();
    }
    let told = |place| ConfigError::at(place, NO_DROPBEAR).cure(INSTALL_DROPBEAR);
    asked.into_iter().map(told).collect()
}

/// A warning for each `ssh` that is an ssh server of the host's root, on the host's network.
pub fn roots(config: &VassalConfig, facts: &Facts, steps: &[Step]) -> Errors {
    let is_hosts_root = facts.root && !facts.born.has(Namespaces::USER) && config.uid.is_none();
    let made = config.unshare.with(config.separation.later());
    let is_apart = [facts.born, made].iter().any(|all| all.has(Namespaces::NET) || all.has(Namespaces::USER))
        || steps.iter().any(|step| matches!(step, Step::Net(_) | Step::Join(_)));
    if !is_hosts_root || is_apart {
        return Vec::new();
    }
    let asked = config.daemons.list.iter().filter(|daemon| daemon.value.ssh && daemon.value.uid.is_none());
    let told = |place| ConfigError::at(place, ROOTS).cure(NOT_ROOTS);
    asked.map(|daemon| told(&daemon.place)).collect()
}

/// Whether there surely is none. Of a `PATH` of its own only directories of the host's are looked at.
fn is_absent(config: &VassalConfig, open: &dyn Fn(&Path) -> Result<OwnedFd, Errno>) -> bool {
    let own = config.env.iter().rev().find(|(name, _)| name == "PATH");
    let path: Vec<&str> = own.map_or_else(|| SEARCH.to_vec(), |(_, value)| value.split(':').collect());
    let places: Vec<_> = path.iter().map(|directory| Path::new(directory).join(SERVER)).collect();
    if !path.iter().all(|directory| SEARCH.contains(directory))
        || places.iter().any(|place| ground::covers(config, place))
    {
        return false;
    }
    let Some(root) = ground::root(config) else { return !places.iter().any(|place| place.exists()) };
    !ssh::is_on_host() && open(root).is_ok_and(|root| places.iter().all(|place| is_absent_in(&root, place)))
}

/// Links lead to where they lead in there; what lies on another file system is not looked at.
fn is_absent_in(root: &OwnedFd, place: &Path) -> bool {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let found = openat2(root.as_fd(), place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve);
    matches!(found, Err(Errno::NOENT | Errno::NOTDIR))
}
