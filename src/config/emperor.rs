//! Pure. What the Emperor's command line and config say, typed.

pub mod commands;
pub mod fork_server;
mod hooks;
pub mod id_range;
pub mod limits_file;
pub mod on_demand;
pub mod plugins;
pub mod presence;
pub mod process;
pub(super) mod read;
pub mod resources;
pub mod stats;
pub mod tuntap;
pub mod vassals_log;

use std::path::PathBuf;
use std::sync::Arc;

use jail::plan::Knob;
use jail::plan::standard::Strictness;
use jail::{Capabilities, Namespaces};

use super::confine::Choice;
use super::hook::Errand;
use super::place::Placed;
use super::vassal::daemons::Daemons;
use id_range::IdRanges;

/// `reload-mercy` where nothing is said, in ms.
const RELOAD_MERCY_MS: u64 = 30_000;

/// Everything that an Emperor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmperorConfig {
    /// The file that it was read from first, where a file says that it is an Emperor's: others can be judged by that.
    pub file: Option<Arc<str>>,
    /// `emperor`: the sources, in order.
    pub sources: Vec<Placed<Source>>,
    /// `emperor-use-clone`.
    pub namespaces: Namespaces,
    /// `emperor-id-range`, not known to uWSGI.
    pub id_ranges: IdRanges,
    /// `jail`.
    pub jail: Option<Placed<Option<Strictness>>>,
    /// `emperor-tyrant`.
    pub tyrant: bool,
    /// `emperor-tyrant-nofollow`: the owner of the link counts.
    pub tyrant_nofollow: bool,
    /// `emperor-tyrant-initgroups`: supplementary groups of the user, else none.
    pub tyrant_initgroups: bool,
    /// `emperor-nofollow`: a link is a vassal of its own.
    pub nofollow: bool,
    /// `emperor-freq` in ms (written in seconds), where a source has to be polled; 0: never.
    pub freq_ms: u64,
    /// Not known to uWSGI: `emperor-poll`; polls even where inotify works.
    pub poll: bool,
    /// `emperor-throttle` in ms: first and further steps of the back-off.
    pub throttle_ms: u64,
    /// `emperor-max-throttle` in ms.
    pub max_throttle_ms: u64,
    /// `emperor-graceful-shutdown`.
    pub graceful_shutdown: bool,
    /// `emperor-no-blacklist`: no back-off.
    pub no_blacklist: bool,
    /// `emperor-curse-tolerance` in ms (written in seconds): stop → SIGKILL.
    pub curse_tolerance_ms: u64,
    /// `limit-nproc`: how many processes and threads each vassal in a user namespace may have.
    pub processes_max: Option<u64>,
    /// `reload-mercy` in ms (written in seconds, 0 for the default): everybody stops → SIGKILL.
    pub reload_mercy_ms: u64,
    /// `emperor-required-heartbeat` in ms (written in seconds).
    pub required_heartbeat_ms: u64,
    /// `emperor-tenant-max`, not known to uWSGI: most vassals of one owner other than root.
    pub tenant_max: u32,
    /// `emperor-broodlord`: most zergs of one vassal.
    pub broodlord: u32,
    /// `emperor-stats`.
    pub stats: Option<Placed<super::vassal::Address>>,
    /// `stats`, where that is another address.
    pub more_stats: Option<Placed<super::vassal::Address>>,
    /// `stats-http`, `stats-minified`.
    pub stats_form: stats::Form,
    /// `emperor-procname` and its kin, `emperor-subreaper`.
    pub presence: presence::Presence,
    /// What vassals write.
    pub vassals_log: vassals_log::VassalsLog,
    /// `daemonize`, `logto`, `pidfile`, `chdir`, `env` and their kin.
    pub process: process::Process,
    /// `emperor-stats-for-tenants`, not known to uWSGI: everybody may ask, and is told of his own vassals.
    pub stats_for_tenants: Option<Placed<bool>>,
    /// `emperor-pidfile`.
    pub pidfile: Option<PathBuf>,
    /// `emperor-extra-extension`: further suffixes of vassal files, with their dot.
    pub extra_extensions: Vec<String>,
    /// `binary-path`: run instead of ourselves.
    pub binary_path: Option<PathBuf>,
    /// `emperor-wrapper`: run instead of the binary path.
    pub wrapper: Option<PathBuf>,
    /// `emperor-wrapper-override`: tried before that, in order.
    pub wrapper_override: Vec<PathBuf>,
    /// `emperor-wrapper-fallback`: tried after it.
    pub wrapper_fallback: Vec<PathBuf>,
    /// `emperor-magic-exec`: an executable config is run, and what it prints is the config.
    pub magic_exec: bool,
    /// `emperor-command-socket` and what belongs to it.
    pub commands: commands::Commands,
    /// `emperor-use-fork-server`, `emperor-collect-attr` and what belongs to them.
    pub commissions: fork_server::Commissions,
    /// `emperor-config-pipe`, not known to uWSGI: the vassals get their configs on a descriptor.
    pub config_pipe: bool,
    /// `vassal-set`: passed on as `--set k=v`.
    pub vassal_set: Vec<String>,
    /// `vassals-include-before`, `vassals-include`.
    pub include_before: Vec<String>,
    /// See above.
    pub include: Vec<String>,
    /// `vassals-inherit-before`, `vassals-inherit`.
    pub inherit_before: Vec<String>,
    /// See above.
    pub inherit: Vec<String>,
    /// `uid`, `gid` of the Emperor itself: names or numbers.
    pub uid: Option<Placed<String>>,
    /// See above.
    pub gid: Option<Placed<String>>,
    /// `cap`: what the spawner keeps; `None` is computed from what is in use.
    pub cap: Option<Capabilities>,
    /// `emperor-cap`: bounding set of the vassals.
    pub vassal_cap: Option<Capabilities>,
    /// `emperor-seccomp`.
    pub seccomp: Option<Placed<Choice>>,
    /// `memory-max` and its like: limits of the cgroup of each vassal.
    pub resources: Vec<Knob>,
    /// `emperor-limits`, not known to uWSGI: the file with the limits of single vassals.
    pub limits_file: Option<PathBuf>,
    /// Vassals that are started by their first connection.
    pub on_demand: on_demand::OnDemand,
    /// What is done around each vassal, in the order written.
    pub errands: Vec<Placed<Errand>>,
    /// `vassals-stop-hook`.
    pub stop_hook: Option<Placed<Errand>>,
    /// Routers between jails and the world.
    pub tuntap: tuntap::Tuntap,
    /// Daemons of its own.
    pub daemons: Daemons,
}

impl EmperorConfig {
    /// Whether its vassals get a jail by one word: the one that is asked for, or the one that a tyrant's tenants get.
    pub fn is_jailed(&self) -> bool {
        self.jail.as_ref().map_or(self.is_jailed_unasked(), |word| word.value.is_some())
    }

    /// Whether they get one though nothing was said of it, where the Emperor is root.
    pub fn is_jailed_unasked(&self) -> bool {
        self.jail.is_none() && self.tyrant && self.namespaces.is_empty()
    }

    /// Whether tenants may ask how their vassals are.
    pub fn shows_tenants(&self) -> bool {
        self.stats_for_tenants.as_ref().is_some_and(|asked| asked.value)
    }
}

/// One `--emperor` argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory.
    Dir(PathBuf),
    /// A glob pattern.
    Glob(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dir(path) => path.display().fmt(f),
            Self::Glob(pattern) => f.write_str(pattern),
        }
    }
}

impl Default for EmperorConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            namespaces: Namespaces::NONE,
            id_ranges: IdRanges::default(),
            jail: None,
            tyrant: false,
            tyrant_nofollow: false,
            tyrant_initgroups: false,
            nofollow: false,
            freq_ms: 3_000,
            poll: false,
            throttle_ms: 1_000,
            max_throttle_ms: 180_000,
            graceful_shutdown: false,
            no_blacklist: false,
            curse_tolerance_ms: 30_000,
            processes_max: None,
            reload_mercy_ms: RELOAD_MERCY_MS,
            required_heartbeat_ms: 30_000,
            tenant_max: 1_000,
            broodlord: 0,
            stats: None,
            more_stats: None,
            stats_form: stats::Form::default(),
            presence: presence::Presence::default(),
            vassals_log: vassals_log::VassalsLog::default(),
            process: process::Process::default(),
            stats_for_tenants: None,
            pidfile: None,
            extra_extensions: Vec::new(),
            binary_path: None,
            wrapper: None,
            wrapper_override: Vec::new(),
            wrapper_fallback: Vec::new(),
            magic_exec: false,
            commands: commands::Commands::default(),
            commissions: fork_server::Commissions::default(),
            config_pipe: false,
            vassal_set: Vec::new(),
            include_before: Vec::new(),
            include: Vec::new(),
            inherit_before: Vec::new(),
            inherit: Vec::new(),
            uid: None,
            gid: None,
            cap: None,
            vassal_cap: None,
            seccomp: None,
            resources: Vec::new(),
            limits_file: None,
            on_demand: on_demand::OnDemand::default(),
            errands: Vec::new(),
            stop_hook: None,
            tuntap: tuntap::Tuntap::default(),
            daemons: Daemons::default(),
            file: None,
        }
    }
}
