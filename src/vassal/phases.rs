//! Pure. The phases of a vassal: from its config and what it was born as to ordered steps.
//!
//! Each phase stands in the list once, whoever the vassal is: `liege plan` prints the list, the vassal walks
//! it, and a failure names the number of its step.

mod identity;
mod refusals;

use std::ops::RangeInclusive;

use jail::{Capabilities, Namespaces, Phase};

use crate::config::hook::Hook;
use crate::config::place::{ConfigError, Placed};
use crate::config::vassal::phases::PHASES;
use crate::config::vassal::separation::Refork;
use crate::config::vassal::surroundings::Lock;
use crate::config::vassal::waits::Thing;
use crate::config::vassal::{Address, VassalConfig};

use super::confine::{self, Around};
use super::notify::Reach;
use super::step::{Socket, Step, Wanted};
use super::surroundings::FileStep;
use super::{daemons, logs, net, rootfs, separation, terminals, zerg};
use identity::{confinement, identity};
use refusals::refusals;

pub(super) use identity::after_root;
pub(super) use refusals::{needs_root, refusal};

/// What a vassal is born as, as far as its phases depend on that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Effective uid 0 in its own user namespace.
    pub root: bool,
    /// Born into namespaces of its own.
    pub jailed: bool,
    /// The mounts it sees are nobody else's.
    pub own_mounts: bool,
    /// The host name it sees is nobody else's.
    pub own_hostname: bool,
    /// Namespaces that it was born into.
    pub born: Namespaces,
    /// An Emperor waits for it.
    pub emperor: bool,
    /// Capabilities it holds.
    pub permitted: Capabilities,
    /// Who it is once its phases of root are over: root of a user namespace becomes its owner.
    pub owner: Option<(u32, u32)>,
    /// Its jail is the Emperor's `jail`.
    pub whole: bool,
    /// Born outside of the host's network, with a way to it.
    pub outside: bool,
    /// What the limits of its command depend on.
    pub around: Around,
}

impl Facts {
    /// Whether it still is all that it was born as.
    pub fn can_begin_anew(&self) -> bool {
        self.owner.is_none() && !self.outside
    }
}

/// Mode of a socket file when `chmod-socket` says nothing.
const SOCKET_MODE: u32 = 0o660;

/// Mode of the socket on which others may speak with the Emperor: nobody but the vassal's user even connects.
const PROXY_MODE: u32 = 0o600;

/// Phases once the command has been started. Workers of uWSGI accept, of which there are several; here it is one.
const STARTED: RangeInclusive<Phase> = Phase::PostApp..=Phase::Accepting1Once;

/// Puts the phases of `config` into order.
///
/// # Errors
/// Everything that the vassal, born as `facts` say, may not do.
pub fn plan(config: &VassalConfig, facts: &Facts) -> Result<Vec<Step>, Vec<ConfigError>> {
    let refusals = refusals(config, facts);
    if refusals.is_empty() { Ok(order(config, facts)) } else { Err(refusals) }
}

/// How many of its steps, at the end, start what it runs: what is before them is done once in the life of a process.
pub fn last_steps(config: &VassalConfig, facts: &Facts, steps: &[Step]) -> usize {
    command(config, confine::reach(steps), facts.emperor).len()
}

/// What comes after the command.
pub fn at_exit(config: &VassalConfig) -> Vec<Step> {
    phase(config, Phase::AsUserAtexit)
}

fn order(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    // First: it counts for every file that any phase makes.
    let mut steps: Vec<Step> = config.limits.umask().map(Step::Set).into_iter().collect();
    if !config.cgroups.paths.is_empty() {
        // Before anything is run: it counts for all phases.
        steps.push(Step::EnterCgroups(config.cgroups.clone()));
    }
    steps.extend(locks(&config.surroundings.locks));
    steps.extend(phase(config, Phase::Asap));
    let environments = config.surroundings.environments.iter().cloned();
    steps.extend(environments.map(FileStep::Variables).map(Step::File));
    steps.extend(locks(&config.surroundings.late_locks));
    steps.extend(separation::join(config));
    steps.extend(phase(config, Phase::PreJail));
    if let Some(patch) = &config.privileged_patch {
        steps.extend(config.limits.settings().map(Step::Set));
        // Nothing of ours is left to walk further.
        steps.push(Step::Become(patch.value.clone()));
        return steps;
    }
    steps.extend(phase(config, Phase::InJail));
    let files = config.surroundings.files.iter().cloned();
    steps.extend(files.map(|(path, text)| Step::File(FileStep::Write(path, text))));
    steps.extend(separation::first(config, facts));
    if facts.jailed || config.separation.post_jail || !rootfs::unshared(config, facts).is_empty() {
        steps.extend(phase(config, Phase::PostJail));
        steps.extend(separation::refork(config, Refork::PostJail));
    }
    steps.extend(separation::preopen(config));
    if config.uid.is_some() && (rootfs::moves(config) || rootfs::idmap(config).is_some()) {
        // By the names of the host: those inside may be written by whoever is jailed there.
        steps.push(Step::LookUp(wanted(config)));
    }
    if rootfs::moves(config) && config.daemons.list.iter().any(|daemon| daemon.value.ssh) {
        steps.push(Step::LendSsh);
    }
    steps.extend(rootfs::enter(config, facts));
    steps.extend(net::names(config, facts));
    steps.extend(separation::second(config));
    steps.extend(separation::refork(config, Refork::AsRoot));
    // A post-jail program, or somebody outside, may be about to bring them.
    steps.extend(config.waits.before_root().into_iter().map(waited));
    steps.extend(net::set(config));
    steps.extend(phase(config, Phase::AsRoot));
    steps.extend(rootfs::leave(config));
    // Ports below 1024 and directories of root are out of reach after the ids have changed.
    steps.extend(sockets(config));
    let mode = config.socket_mode.unwrap_or(SOCKET_MODE);
    steps.extend(zerg::serve(config, mode, |address, mode| socket(config, address, mode)));
    steps.extend(terminals::bind(config, |address, mode| socket(config, address, mode)));
    if let Some(proxy) = config.ties.proxy.as_ref().filter(|_| facts.emperor) {
        steps.push(Step::Proxy(socket(config, Address::Unix(proxy.value.clone()), PROXY_MODE)));
    }
    steps.extend(separation::serve(config, |address, mode| socket(config, address, mode)));
    // What raises a limit takes rights that go with the ids; root's own programs have been run without them.
    steps.extend(config.limits.settings().map(Step::Set));
    steps.extend(identity(config, facts));
    steps.extend(separation::refork(config, Refork::AsUser));
    // With the ids of the vassal: what others of its user serve is believed.
    steps.extend(zerg::fetch(config));
    steps.extend(phase(config, Phase::AsUser));
    steps.extend(config.waits.before_command().into_iter().map(waited));
    steps.extend(confinement(config, facts));
    let reach = confine::reach(&steps);
    steps.extend(command(config, reach, facts.emperor));
    steps
}

/// Hooks, then mounts, then what is unmounted, then programs: as in uWSGI.
pub(super) fn phase(config: &VassalConfig, phase: Phase) -> Vec<Step> {
    let mut hooks: Vec<&Hook> = hooks_of(config, phase).map(|hook| &hook.value).collect();
    hooks.sort_by_key(|hook| hook.verb);
    let programs = config.programs.iter().filter(|(when, _)| *when == phase);
    let programs = programs.map(|(_, program)| Step::Run(phase, program.value.clone()));
    hooks.into_iter().map(|hook| Step::Hook(phase, hook.clone())).chain(programs).collect()
}

fn hooks_of(config: &VassalConfig, phase: Phase) -> impl Iterator<Item = &Placed<Hook>> {
    config.hooks.iter().filter(move |(when, _)| *when == phase).map(|(_, hook)| hook)
}

fn locks(list: &[Lock]) -> impl Iterator<Item = Step> {
    list.iter().cloned().map(|lock| Step::File(FileStep::Lock(lock)))
}

fn waited((thing, seconds): (Thing, u32)) -> Step {
    Step::Wait(thing, seconds)
}

fn sockets(config: &VassalConfig) -> Vec<Step> {
    let mode = config.socket_mode.unwrap_or(SOCKET_MODE);
    let owner = config.socket_owner.as_ref().map(|owner| owner.value.clone());
    let bind = |address: &Placed<Address>| {
        Step::Bind(Socket { owner: owner.clone(), ..socket(config, address.value.clone(), mode) })
    };
    config.sockets.iter().map(bind).collect()
}

/// A socket of the vassal's own user.
fn socket(config: &VassalConfig, address: Address, mode: u32) -> Socket {
    Socket { address, mode, owner: None, vassal: wanted(config) }
}

/// Who the config wants to be.
pub fn wanted(config: &VassalConfig) -> Wanted {
    Wanted {
        uid: config.uid.as_ref().map(|uid| uid.value.clone()),
        gid: config.gid.as_ref().map(|gid| gid.value.clone()),
        add_gid: config.add_gid.iter().map(|gid| gid.value.clone()).collect(),
        no_initgroups: config.no_initgroups && config.uid.is_some(),
    }
}

fn command(config: &VassalConfig, reach: Reach, emperor: bool) -> Vec<Step> {
    if let Some(patch) = &config.unprivileged_patch {
        return vec![Step::Become(patch.value.clone())];
    }
    let mut steps = Vec::new();
    steps.extend(config.chdir.iter().map(|directory| Step::Directory(directory.value.clone())));
    steps.extend(logs::step(config));
    steps.extend(phase(config, Phase::PreApp));
    steps.extend(config.surroundings.last_directory.iter().cloned().map(Step::Directory));
    // Before the command, which may need them.
    steps.extend(daemons::wanted(config, reach).map(|wanted| Step::Daemon(Box::new(wanted))));
    if config.command.is_some() && config.health.listens() {
        // In the network that the command has, so that the name means the same there.
        steps.push(Step::Listen(reach, config.health.heartbeat_s));
    }
    if config.command.is_some() && !config.subscriptions.list.is_empty() {
        steps.push(Step::Subscribe(config.subscriptions.clone()));
    }
    if emperor && config.command.is_some() && config.ties.sos_backlog > 0 {
        steps.push(Step::CountWaiting(config.ties.sos_backlog));
    }
    steps.extend(terminals::served(config));
    steps.extend(terminals::shared(config));
    steps.extend(config.command.iter().map(|command| Step::Start(command.value.clone())));
    for started in PHASES.into_iter().filter(|phase| STARTED.contains(phase)) {
        steps.extend(phase(config, started));
    }
    steps
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
