//! Pure. Entries to the Emperor's typed config, or everything that is wrong with them.

use std::sync::Arc;

use super::{
    EmperorConfig, RELOAD_MERCY_MS, commands, fork_server, hooks, on_demand, plugins, presence, process,
    resources, stats, tuntap, vassals_log,
};
use crate::config::admit::{admit, value};
use crate::config::confine::choice;
use crate::config::hook;
use crate::config::jailed::word;
use crate::config::load::{ERRORS_MAX, Loaded};
use crate::config::place::{COMMAND_LINE, ConfigError, ENVIRONMENT, Entry};
use crate::config::quantity::{milliseconds, seconds};
use crate::config::values::{
    address, capabilities, count, flag, identity, integer, namespaces, pair, path, source, suffix, text,
};
use crate::config::vassal::Address;
use crate::options::Scope;

type Read = Result<(), ConfigError>;

/// Reads the Emperor's options.
///
/// # Errors
/// All that is wrong, in the order of the entries, without the lines themselves (`Texts::explain`).
pub fn read(entries: &[Entry]) -> Result<EmperorConfig, Vec<ConfigError>> {
    let config = read_settings(entries)?;
    if config.sources.is_empty() {
        let cure = "say where vassals come from: --emperor DIRECTORY";
        return Err(vec![ConfigError::whole("no `emperor` option").cure(cure)]);
    }
    Ok(config)
}

/// Reads the Emperor's options where nothing is to be governed (`liege plan`): no source is needed.
///
/// # Errors
/// As `read`.
pub fn read_settings(entries: &[Entry]) -> Result<EmperorConfig, Vec<ConfigError>> {
    let mut config = EmperorConfig::default();
    let wrong = entries.iter().filter_map(|entry| apply(&mut config, entry).err());
    let mut errors: Vec<ConfigError> = wrong.take(ERRORS_MAX).collect();
    stats::join(&mut config);
    errors.extend(lonely_group(&config));
    errors.extend(root_again(&config));
    errors.extend(hooks::contradictions(&config));
    errors.extend(config.commands.contradiction());
    errors.extend(unknown_readers(&config));
    errors.extend(vassals_log::contradiction(&config.vassals_log));
    errors.extend(tuntap::contradictions(&config.tuntap));
    errors.extend(deaf_daemon(&config));
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

/// The kernel names who connects to a socket of this host's that we have made, and nobody else.
fn unknown_readers(config: &EmperorConfig) -> Option<ConfigError> {
    let asked = config.stats_for_tenants.as_ref().filter(|asked| asked.value)?;
    let known = |address: &Address| matches!(address, Address::Unix(_) | Address::Abstract(_));
    if config.stats.iter().chain(&config.more_stats).all(|stats| known(&stats.value)) {
        return None;
    }
    let error = ConfigError::at(&asked.place, "`emperor-stats-for-tenants` cannot tell who asks there");
    Some(error.cure("have `emperor-stats` at a path or @NAME"))
}

/// What an Emperor has there is for nobody below it.
fn deaf_daemon(config: &EmperorConfig) -> Option<ConfigError> {
    let keep_all = config.daemons.keep_input;
    let deaf = config.daemons.list.iter().find(|daemon| keep_all || daemon.value.stdin)?;
    let error = ConfigError::at(&deaf.place, "a daemon of the Emperor's has no standard input to keep");
    Some(error.cure("leave `stdin` and `daemons-honour-stdin` out: it reads from /dev/null"))
}

fn lonely_group(config: &EmperorConfig) -> Option<ConfigError> {
    let gid = config.gid.as_ref().filter(|_| config.uid.is_none())?;
    let error = ConfigError::at(&gid.place, "`gid` without `uid`");
    Some(error.cure("add `uid`: groups are changed together with the user"))
}

/// An Emperor that gives up root for root has not given it up.
fn root_again(config: &EmperorConfig) -> Option<ConfigError> {
    let ids = [config.uid.as_ref(), config.gid.as_ref()].into_iter().flatten();
    let root = ids.into_iter().find(|id| matches!(id.value.as_str(), "0" | "root"))?;
    let error = ConfigError::at(&root.place, "an Emperor that gives up root cannot become root");
    Some(error.cure("name another user, or leave `uid` and `gid` out"))
}

impl Loaded {
    /// The Emperor's typed config.
    ///
    /// # Errors
    /// All that is wrong, in files and in values, each with its line.
    pub fn emperor(&self) -> Result<EmperorConfig, Vec<ConfigError>> {
        self.joined(read(&self.entries)).map(|config| EmperorConfig { file: self.of_emperor(), ..config })
    }

    /// The Emperor's typed config, with or without a source.
    ///
    /// # Errors
    /// As above.
    pub fn emperor_settings(&self) -> Result<EmperorConfig, Vec<ConfigError>> {
        self.joined(read_settings(&self.entries))
    }

    fn of_emperor(&self) -> Option<Arc<str>> {
        let is_files = |entry: &Entry| ![COMMAND_LINE, ENVIRONMENT].contains(&&*entry.place.file);
        let says = self.entries.iter().any(|entry| entry.key == "emperor" && is_files(entry));
        self.file.clone().filter(|_| says)
    }
}

fn apply(config: &mut EmperorConfig, entry: &Entry) -> Read {
    if let Some(refusal) = hook::refusal(entry).or_else(|| plugins::missing(entry)) {
        return Err(refusal);
    }
    if plugins::is_idle(&entry.key) {
        return Ok(());
    }
    if hooks::as_root(config, entry)? {
        return Ok(());
    }
    let Some(option) = admit(entry, Scope::Emperor)? else { return Ok(()) };
    match option.name {
        "emperor" => config.sources.push(entry.placed(value(entry, source)?)),
        "emperor-nofollow" => config.nofollow = value(entry, flag)?,
        "emperor-extra-extension" => config.extra_extensions.push(value(entry, suffix)?),
        "emperor-freq" => config.freq_ms = value(entry, seconds)?,
        "emperor-poll" => config.poll = value(entry, flag)?,
        "emperor-tyrant" => config.tyrant = value(entry, flag)?,
        "emperor-tyrant-nofollow" => config.tyrant_nofollow = value(entry, flag)?,
        "emperor-tyrant-initgroups" => config.tyrant_initgroups = value(entry, flag)?,
        "emperor-tenant-max" => config.tenant_max = value(entry, count)?,
        "emperor-broodlord" => config.broodlord = value(entry, count)?,
        "emperor-throttle" => config.throttle_ms = value(entry, milliseconds)?,
        "emperor-max-throttle" => config.max_throttle_ms = value(entry, milliseconds)?,
        "emperor-graceful-shutdown" => config.graceful_shutdown = value(entry, flag)?,
        "emperor-no-blacklist" => config.no_blacklist = value(entry, flag)?,
        "limit-nproc" => config.processes_max = Some(value(entry, integer)?),
        "emperor-curse-tolerance" => config.curse_tolerance_ms = value(entry, seconds)?,
        "reload-mercy" => config.reload_mercy_ms = mercy_ms(value(entry, seconds)?),
        "emperor-required-heartbeat" => config.required_heartbeat_ms = value(entry, seconds)?,
        "emperor-stats" => config.stats = Some(entry.placed(value(entry, address)?)),
        "stats" => config.more_stats = Some(entry.placed(value(entry, address)?)),
        "stats-http" => config.stats_form.http = value(entry, flag)?,
        "stats-minified" => config.stats_form.minified = value(entry, flag)?,
        "emperor-stats-for-tenants" => {
            config.stats_for_tenants = Some(entry.placed(value(entry, flag)?));
        }
        "emperor-pidfile" => config.pidfile = Some(value(entry, path)?),
        "emperor-limits" => config.limits_file = Some(value(entry, path)?),
        name if resources::apply(&mut config.resources, name, entry)? => {}
        name if on_demand::apply(&mut config.on_demand, name, entry)? => {}
        name if process::apply(&mut config.process, name, entry)? => {}
        name if vassals_log::apply(&mut config.vassals_log, name, entry)? => {}
        name if presence::apply(&mut config.presence, name, entry)? => {}
        name if hooks::apply(config, name, entry)? => {}
        name if fork_server::apply(&mut config.commissions, name, entry)? => {}
        name if commands::apply(&mut config.commands, name, entry)? => {}
        name if tuntap::apply(&mut config.tuntap, name, entry)? => {}
        name if config.daemons.apply(name, entry)? => {}
        name => apply_spawning(config, name, entry)?,
    }
    Ok(())
}

/// As in uWSGI, none is the usual one.
fn mercy_ms(written: u64) -> u64 {
    if written == 0 { RELOAD_MERCY_MS } else { written }
}

fn apply_spawning(config: &mut EmperorConfig, name: &str, entry: &Entry) -> Read {
    match name {
        "emperor-use-clone" => config.namespaces = config.namespaces.with(value(entry, namespaces)?),
        "emperor-id-range" => value(entry, |text| config.id_ranges.read(text))?,
        "jail" => config.jail = Some(entry.placed(value(entry, word)?)),
        "emperor-cap" => config.vassal_cap = Some(value(entry, capabilities)?),
        "emperor-seccomp" => config.seccomp = Some(entry.placed(value(entry, choice)?)),
        "emperor-config-pipe" => config.config_pipe = value(entry, flag)?,
        "binary-path" => config.binary_path = Some(value(entry, path)?),
        "emperor-wrapper" => config.wrapper = Some(value(entry, path)?),
        "emperor-magic-exec" => config.magic_exec = value(entry, flag)?,
        "emperor-wrapper-override" => config.wrapper_override.push(value(entry, path)?),
        "emperor-wrapper-fallback" => config.wrapper_fallback.push(value(entry, path)?),
        "vassals-include-before" => config.include_before.push(value(entry, text)?),
        "vassals-include" => config.include.push(value(entry, text)?),
        "vassals-inherit-before" => config.inherit_before.push(value(entry, text)?),
        "vassals-inherit" => config.inherit.push(value(entry, text)?),
        "vassal-set" => {
            value(entry, pair)?;
            config.vassal_set.push(entry.value.clone());
        }
        "uid" => config.uid = Some(entry.placed(value(entry, identity)?)),
        "gid" => config.gid = Some(entry.placed(value(entry, identity)?)),
        "cap" => config.cap = Some(value(entry, capabilities)?),
        // A test gives every option of the table and looks for its effect.
        _ => {}
    }
    Ok(())
}
