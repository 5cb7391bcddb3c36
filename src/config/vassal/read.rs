//! Pure. Entries to a vassal's typed config, or everything that is wrong with them.

use jail::plan::standard::Strictness;

use super::{
    Patch, VassalConfig, VassalKind, daemons, logs, net, phases, rootfs, sub_emperor, terminals, ties,
    tuntap, zerg,
};
use crate::config::admit::{admit, value};
use crate::config::confine::Choice;
use crate::config::emperor::tuntap::credentials;
use crate::config::load::{ERRORS_MAX, Loaded};
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::show::quoted;
use crate::config::source::Variable;
use crate::config::values::{
    address, capabilities, flag, hostname, mode, namespaces, ownership, pair, path, text, vassal_identity,
    words,
};
use crate::config::{confine, hook, jailed};
use crate::options::{Scope, Standing, standing, uwsgi};

type Read = Result<(), ConfigError>;

/// Mode of sockets for a `chmod-socket` without a value.
const SOCKET_MODE_OPEN: u32 = 0o666;

/// Reads a vassal's options; `variables` were set by them while they were loaded.
///
/// # Errors
/// All that is wrong, in the order of the entries, without the lines themselves (`Texts::explain`).
pub fn read(entries: &[Entry], variables: &[Variable]) -> Result<VassalKind, Vec<ConfigError>> {
    let command = entries.iter().find(|entry| entry.key == "command");
    match (uwsgis(entries), command) {
        (Some(option), None) => Ok(VassalKind::Uwsgi(option.key.clone())),
        (Some(_), Some(command)) => Err(torn(entries, command)),
        (None, _) => read_own(entries, variables).map(|config| VassalKind::Own(Box::new(config))),
    }
}

impl Loaded {
    /// The vassal's typed config.
    ///
    /// # Errors
    /// All that is wrong, in files and in values, each with its line. A config for `uwsgi` is never wrong: it
    /// is read by the program that it is for.
    pub fn vassal(&self) -> Result<VassalKind, Vec<ConfigError>> {
        match read(&self.entries, &self.variables) {
            Ok(VassalKind::Uwsgi(option)) => Ok(VassalKind::Uwsgi(option)),
            read => self.joined(read),
        }
    }
}

/// The option because of which uwsgi has to run this config. One that can be done without, such as `master`,
/// counts only where there is no program of ours to run.
fn uwsgis(entries: &[Entry]) -> Option<&Entry> {
    let needed = entries.iter().find(|entry| is_uwsgis(entry));
    needed.or_else(|| {
        let idle = !entries.iter().any(is_program);
        entries.iter().find(|entry| idle && is_app_servers(entry))
    })
}

/// An option of the application server that cannot be done without.
fn is_uwsgis(entry: &Entry) -> bool {
    is_app_servers(entry) && !uwsgi(&entry.key).is_some_and(|option| option.is_ignored())
}

/// What the Emperor has as well means the application server in the config of a vassal.
fn is_app_servers(entry: &Entry) -> bool {
    let emperors = match standing(&entry.key) {
        Standing::Ours(group, _) => group.scope == Scope::Emperor,
        Standing::Uwsgi(_) => true,
        Standing::Unknown => false,
    };
    emperors && uwsgi(&entry.key).is_some_and(|option| option.is_app_servers())
}

fn is_program(entry: &Entry) -> bool {
    entry.key == "command"
        || entry.key.contains("privileged-binary-patch")
        || entry.key == "ssh"
        || entry.key.contains("attach-daemon")
        || entry.key.contains("attach-control-daemon")
        || sub_emperor::is_source(entry)
}

/// A program of its own and the application server: which one was meant?
fn torn(entries: &[Entry], command: &Entry) -> Vec<ConfigError> {
    let error = |entry: &Entry| {
        let cause = format!(
            "{} is for uwsgi, but `command` ({}) runs another program",
            quoted(&entry.key),
            command.place
        );
        ConfigError::at(&entry.place, cause).cure("leave out one of the two")
    };
    entries.iter().filter(|entry| is_uwsgis(entry)).map(error).take(ERRORS_MAX).collect()
}

fn read_own(entries: &[Entry], variables: &[Variable]) -> Result<VassalConfig, Vec<ConfigError>> {
    let (emperors, entries) = sub_emperor::split(entries);
    let mut config = VassalConfig { health: sub_emperor::health(&emperors), ..VassalConfig::default() };
    variables.iter().for_each(|variable| set_early(&mut config, variable));
    let wrong = entries.iter().filter_map(|entry| apply(&mut config, entry).err());
    let mut errors: Vec<ConfigError> = wrong.take(ERRORS_MAX).collect();
    let strict = config.jail.as_ref().filter(|jail| jail.value == Some(Strictness::Strict));
    let strict = strict.map(|jail| Placed { value: Choice::Strict, place: jail.place.clone() });
    config.confine.seccomp = config.confine.seccomp.take().or(strict);
    errors.extend(terminals::run(&mut config).err());
    errors.extend(sub_emperor::govern(&mut config, &emperors).err().into_iter().flatten());
    if errors.is_empty() {
        errors.extend(contradictions(&config));
    }
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

fn apply(config: &mut VassalConfig, entry: &Entry) -> Read {
    if let Some(refusal) = hook::refusal(entry) {
        return Err(refusal);
    }
    let Some(option) = admit(entry, Scope::Vassal)? else { return Ok(()) };
    match option.name {
        "command" => config.command = Some(entry.placed(value(entry, words)?)),
        "unprivileged-binary-patch" => patch(&mut config.unprivileged_patch, entry, Patch::Program)?,
        "unprivileged-binary-patch-arg" => patch(&mut config.unprivileged_patch, entry, Patch::Shell)?,
        "privileged-binary-patch" => patch(&mut config.privileged_patch, entry, Patch::Program)?,
        "privileged-binary-patch-arg" => patch(&mut config.privileged_patch, entry, Patch::Shell)?,
        "chdir" => config.chdir = Some(entry.placed(value(entry, path)?)),
        "env" => set(config, value(entry, pair)?),
        // Carried out by `load`, in `variables`.
        "ienv" | "early-envdir" => {}
        "socket" => config.sockets.push(entry.placed(value(entry, address)?)),
        "chmod-socket" if entry.value.is_empty() => config.socket_mode = Some(SOCKET_MODE_OPEN),
        "chmod-socket" => config.socket_mode = Some(value(entry, mode)?),
        "tuntap-use-credentials" => config.use_credentials = value(entry, credentials)?,
        "chown-socket" => config.socket_owner = Some(entry.placed(value(entry, ownership)?)),
        name if config.logs.apply(name, entry)? => {}
        name if config.limits.apply(name, entry)? => {}
        name if config.cgroups.apply(name, entry)? => {}
        name if config.net.apply(name, entry)? => {}
        name if config.tuntap.apply(name, entry)? => {}
        name if config.surroundings.apply(name, entry)? => {}
        name if config.waits.apply(name, entry)? => {}
        name if config.health.apply(name, entry)? => {}
        name if config.separation.apply(name, entry)? => {}
        name if config.subscriptions.apply(name, entry)? => {}
        name if config.zerg.apply(name, entry)? => {}
        name if config.terminals.apply(name, entry)? => {}
        name if config.daemons.apply(name, entry)? => {}
        name if config.ties.apply(name, entry)? => {}
        name => apply_jail(config, name, entry)?,
    }
    Ok(())
}

/// Before all that the other options say of variables.
fn set_early(config: &mut VassalConfig, (name, value): &Variable) {
    match value {
        Some(value) => config.env.push((name.clone(), value.clone())),
        None => config.surroundings.unset.push(name.clone()),
    }
}

/// What is set after `unenv` is there.
fn set(config: &mut VassalConfig, (name, value): (String, String)) {
    config.surroundings.unset.retain(|unset| *unset != name);
    config.env.push((name, value));
}

fn apply_jail(config: &mut VassalConfig, name: &str, entry: &Entry) -> Read {
    if phases::apply(config, name, entry)? {
        return Ok(());
    }
    match name {
        "uid" => config.uid = Some(entry.placed(value(entry, vassal_identity)?)),
        "gid" => config.gid = Some(entry.placed(value(entry, vassal_identity)?)),
        "add-gid" => config.add_gid.push(entry.placed(value(entry, vassal_identity)?)),
        "no-initgroups" => config.no_initgroups = value(entry, flag)?,
        "cap" => config.cap = Some(entry.placed(value(entry, capabilities)?)),
        "unshare" => {
            config.unshare = config.unshare.with(value(entry, namespaces)?);
            config.unshare_at = Some(entry.value_place.clone());
        }
        "jail" => config.jail = Some(entry.placed(value(entry, jailed::word)?)),
        "namespace" => rootfs::namespace(config, entry)?,
        "seccomp" | "no-new-privs" => confine::apply(&mut config.confine, name, entry)?,
        fence if fence.starts_with("landlock-") => confine::apply(&mut config.confine, fence, entry)?,
        "hostname" => config.hostname = Some(entry.placed(value(entry, hostname)?)),
        // A test gives every option of the table and looks for its effect.
        name => rootfs::read(&mut config.rootfs, name, entry)?,
    }
    Ok(())
}

/// One program can take our place, not two.
fn patch(slot: &mut Option<Placed<Patch>>, entry: &Entry, kind: fn(String) -> Patch) -> Read {
    let new = kind(value(entry, text)?);
    if let Some(old) =
        slot.as_ref().filter(|old| std::mem::discriminant(&old.value) != std::mem::discriminant(&new))
    {
        let cause = format!(
            "{}: another program takes the vassal's place already ({})",
            quoted(&entry.key),
            old.place
        );
        return Err(ConfigError::at(&entry.place, cause).cure("leave out one of the two"));
    }
    *slot = Some(entry.placed(new));
    Ok(())
}

/// What no single option shows.
fn contradictions(config: &VassalConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if config.uid.is_none() {
        let lonely = config
            .gid
            .iter()
            .map(|gid| ("gid", gid))
            .chain(config.add_gid.iter().map(|gid| ("add-gid", gid)));
        errors.extend(lonely.map(|(name, gid)| {
            let error = ConfigError::at(&gid.place, format!("`{name}` without `uid`"));
            error.cure("add `uid`: groups are changed together with the user")
        }));
    }
    errors.extend(rootfs::contradictions(&config.rootfs));
    errors.extend(net::contradictions(&config.net));
    errors.extend(tuntap::contradictions(&config.net, &config.tuntap));
    errors.extend(zerg::contradiction(config));
    errors.extend(logs::contradiction(&config.logs, &config.daemons));
    errors.extend(terminals::contradiction(config));
    errors.extend(daemons::contradiction(config));
    errors.extend(ties::contradiction(config));
    if does_nothing(config) {
        let cure = "say what runs: command = PROGRAM ARGUMENTS";
        errors.push(ConfigError::whole("this config runs nothing").cure(cure));
    }
    errors
}

fn does_nothing(config: &VassalConfig) -> bool {
    let program =
        config.command.is_some() || config.privileged_patch.is_some() || config.unprivileged_patch.is_some();
    let terminals = config.terminals.is_asked_for() || !config.terminals.shared.is_empty();
    let serves = !config.sockets.is_empty() || !config.zerg.pools.is_empty() || terminals;
    let serves = serves || config.daemons.is_any();
    !program && !serves && config.programs.is_empty() && config.hooks.is_empty()
}
