//! Pure. The phases of a vassal: from its config and what it was born as to ordered steps.
//!
//! Each phase stands in the list once, whoever the vassal is: `liege plan` prints the list, the vassal walks
//! it, and a failure names the number of its step.

use std::ops::RangeInclusive;

use jail::plan::Filter;
use jail::{Capabilities, Namespaces, Phase};

use crate::config::hook::{Action, Hook};
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::vassal::phases::PHASES;
use crate::config::vassal::separation::Refork;
use crate::config::vassal::surroundings::Lock;
use crate::config::vassal::waits::Thing;
use crate::config::vassal::{Address, VassalConfig};

use super::confine::{self, Around};
use super::notify::Reach;
use super::step::{Socket, Step, Wanted};
use super::surroundings::FileStep;
use super::{daemons, logs, net, power, rootfs, separation, terminals, zerg};

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

fn all_hooks(config: &VassalConfig) -> impl Iterator<Item = (Phase, &Placed<Hook>)> {
    let touched = config.touches.iter().map(|(_, hook)| (Phase::Touch, hook));
    config.hooks.iter().map(|(when, hook)| (*when, hook)).chain(touched)
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
pub(super) fn wanted(config: &VassalConfig) -> Wanted {
    Wanted {
        uid: config.uid.as_ref().map(|uid| uid.value.clone()),
        gid: config.gid.as_ref().map(|gid| gid.value.clone()),
        add_gid: config.add_gid.iter().map(|gid| gid.value.clone()).collect(),
        no_initgroups: config.no_initgroups && config.uid.is_some(),
    }
}

fn identity(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
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
pub(super) fn after_root(config: &VassalConfig, facts: &Facts) -> (Capabilities, Option<Filter>) {
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
fn confinement(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
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
    steps.extend(daemons::wanted(config).map(|wanted| Step::Daemon(Box::new(wanted))));
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

fn refusals(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
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

pub(super) fn needs_root(option: &str, place: Option<&Place>) -> ConfigError {
    let cause = format!("{option} needs root of the vassal's own user namespace");
    refusal(place, &cause, "add \"user\" to emperor-use-clone")
}

pub(super) fn refusal(place: Option<&Place>, cause: &str, cure: &str) -> ConfigError {
    ConfigError { place: place.cloned(), line: None, cause: cause.into(), cure: Some(cure.into()) }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
