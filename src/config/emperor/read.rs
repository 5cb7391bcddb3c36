//! Pure. Entries to the Emperor's typed config, or everything that is wrong with them.

use super::EmperorConfig;
use crate::config::admit::{admit, value};
use crate::config::load::Loaded;
use crate::config::place::{ConfigError, Entry};
use crate::config::values::{
    address, count, flag, identity, list, milliseconds, pair, path, seconds, source, suffix, text,
};
use crate::options::Scope;

type Read = Result<(), ConfigError>;

/// Reads the Emperor's options.
///
/// # Errors
/// All that is wrong, in the order of the entries, without the lines themselves (`Texts::explain`).
pub fn read(entries: &[Entry]) -> Result<EmperorConfig, Vec<ConfigError>> {
    let mut config = EmperorConfig::default();
    let mut errors: Vec<ConfigError> =
        entries.iter().filter_map(|entry| apply(&mut config, entry).err()).collect();
    if errors.is_empty() {
        errors.extend(contradictions(&config));
    }
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

impl Loaded {
    /// The Emperor's typed config.
    ///
    /// # Errors
    /// All that is wrong, in files and in values, each with its line.
    pub fn emperor(&self) -> Result<EmperorConfig, Vec<ConfigError>> {
        let read = read(&self.entries);
        if self.errors.is_empty() {
            return read.map_err(|errors| self.texts.explain(errors));
        }
        Err(self.all_errors(read.err().unwrap_or_default()))
    }
}

fn apply(config: &mut EmperorConfig, entry: &Entry) -> Read {
    let option = admit(entry, Scope::Emperor)?;
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
        "emperor-throttle" => config.throttle_ms = value(entry, milliseconds)?,
        "emperor-max-throttle" => config.max_throttle_ms = value(entry, milliseconds)?,
        "emperor-no-blacklist" => config.no_blacklist = value(entry, flag)?,
        "emperor-curse-tolerance" => config.curse_tolerance_ms = value(entry, seconds)?,
        "emperor-required-heartbeat" => config.required_heartbeat_ms = value(entry, seconds)?,
        "emperor-stats" => config.stats = Some(entry.placed(value(entry, address)?)),
        "emperor-pidfile" => config.pidfile = Some(value(entry, path)?),
        name => apply_spawning(config, name, entry)?,
    }
    Ok(())
}

fn apply_spawning(config: &mut EmperorConfig, name: &str, entry: &Entry) -> Read {
    match name {
        "emperor-use-clone" => config.namespaces = config.namespaces.with(value(entry, list)?),
        "emperor-cap" => config.vassal_cap = Some(value(entry, list)?),
        "binary-path" => config.binary_path = Some(value(entry, path)?),
        "emperor-wrapper" => config.wrapper = Some(value(entry, path)?),
        "vassals-include-before" => config.include_before.push(value(entry, text)?),
        "vassals-include" => config.include.push(value(entry, text)?),
        "vassals-inherit-before" => config.inherit_before.push(value(entry, text)?),
        "vassals-inherit" => config.inherit.push(value(entry, text)?),
        "vassal-set" => {
            value(entry, pair)?;
            config.vassal_set.push(entry.value.clone());
        }
        "exec-as-emperor" => config.exec_as_emperor.push(entry.placed(value(entry, text)?)),
        "exec-as-vassal" => config.exec_as_vassal.push(entry.placed(value(entry, text)?)),
        "uid" => config.uid = Some(entry.placed(value(entry, identity)?)),
        "gid" => config.gid = Some(entry.placed(value(entry, identity)?)),
        "cap" => config.cap = Some(value(entry, list)?),
        // What remains is of scope General: `load` and the command line have done its work.
        _ => {}
    }
    Ok(())
}

/// What no single option shows.
fn contradictions(config: &EmperorConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if config.sources.is_empty() {
        let cure = "say where vassals come from: --emperor DIRECTORY";
        errors.push(ConfigError::whole("no `emperor` option").cure(cure));
    }
    if let (None, Some(gid)) = (&config.uid, &config.gid) {
        errors.push(
            ConfigError::at(&gid.place, "`gid` without `uid`")
                .cure("add `uid`: groups are changed together with the user"),
        );
    }
    errors
}
