//! What the spawner may do, and how it does it: from an admin's config.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use caps::Capability;
use jail::Namespaces;
use jail::plan::standard::standard_namespaces;

use super::ids::identity;
use super::rights::kept;
use super::{commissions, environment, filtering, household, jailing, limits, listeners};
use crate::config::emperor::EmperorConfig;
use crate::config::hook::Errand;
use crate::config::place::Placed;
use crate::emperor::event::Owner;
use crate::spawner::charter::{Arguments, Charter, Leftover, Lodging, VassalProgram};
use crate::spawner::fitness;

/// Network namespaces kept ready.
const POOL: u16 = 16;

/// The charter that `liege plan` shows the jail of: as `start` would make it.
///
/// # Errors
/// Names that cannot be resolved, capabilities that are not there.
pub fn plan_for(config: &EmperorConfig) -> Result<Charter> {
    let routers = config.tuntap.routers(config.tyrant).into_iter().map(|router| Lodging {
        device: router.device.clone(),
        // Nothing is opened, and nothing removed.
        socket: Leftover { path: router.socket.display().to_string(), device: 0, inode: 0, pid: None },
    });
    Ok(Charter { routers: routers.collect(), ..charter(config, &[], identity(config)?)? })
}

/// What is known before anything is opened.
///
/// # Errors
/// What the spawner could not do here, with its cure.
pub(super) fn charter(config: &EmperorConfig, roots: &[PathBuf], identity: Option<Owner>) -> Result<Charter> {
    let privileged = is_privileged();
    if config.tyrant && !privileged {
        bail!(
            "emperor-tyrant gives vassals the ids of their files, which only root can do: start liege as root"
        );
    }
    if !privileged && !config.id_ranges.rules().is_empty() {
        bail!(
            "emperor-id-range gives vassals ids of others than their owners, which only root can do: start liege as root"
        );
    }
    let jail = jailing::word(config, privileged);
    let mut namespaces = config.namespaces;
    if jail.is_some() {
        namespaces = namespaces.with(standard_namespaces());
    }
    if !privileged && !namespaces.is_empty() {
        namespaces = namespaces.with(Namespaces::USER);
    }
    let charter = Charter {
        privileged,
        leftovers: Vec::new(),
        identity: identity.filter(|_| privileged && !config.tyrant),
        tyrant: config.tyrant,
        tyrant_nofollow: config.tyrant_nofollow,
        tyrant_initgroups: config.tyrant_initgroups,
        nofollow: config.nofollow,
        namespaces,
        id_ranges: config.id_ranges.clone(),
        jail,
        config_pipe: config.config_pipe,
        magic_exec: config.magic_exec,
        program: program(config)?,
        fork_servers: commissions::fork_servers(&config.commissions)?,
        attributes: commissions::attributes(&config.commissions),
        arguments: arguments(config),
        environment: environment::of_vassals(&config.process),
        log: None,
        own_environment: environment::own(&config.process),
        scoped: filtering::is_scoped(namespaces, jail),
        filtering: filtering::of_config(config, (namespaces, jail))?,
        resources: limits::resources(config)?,
        limits_file: limits::file(config)?,
        settings: limits::settings_of_vassals(privileged),
        processes_max: limits::processes_max(config, jail.is_some()),
        vassal_capabilities: config.vassal_cap,
        capabilities: kept(config, privileged, namespaces)?,
        on_demand: listeners::of_config(&config.on_demand)?,
        errands: errands(config),
        stop_hook: config.stop_hook.as_ref().map(|hook| hook.value.clone()),
        roots: roots.iter().filter_map(|root| root.to_str()).map(str::to_owned).collect(),
        files: Vec::new(),
        pool: POOL,
        routers: Vec::new(),
        household: household::of_config(config, identity),
    };
    match fitness::refused(config, &charter) {
        Some(error) => Err(error.into()),
        None => Ok(charter),
    }
}

/// In the order in which they are done: within a phase hooks, then mounts, then what is unmounted, then programs.
fn errands(config: &EmperorConfig) -> Vec<Errand> {
    let placed =
        |errand: &Placed<Errand>| Errand { origin: errand.place.to_string(), ..errand.value.clone() };
    let mut errands: Vec<Errand> = config.errands.iter().map(placed).collect();
    errands.sort_by_key(|errand| (errand.phase, errand.manner));
    errands
}

/// True when ids can be given: real root, or root of a container.
pub(super) fn is_privileged() -> bool {
    let permitted = crate::permitted();
    rustix::process::geteuid().is_root()
        && [Capability::CAP_SETUID, Capability::CAP_SETGID].into_iter().all(|one| permitted.has(one))
}

/// Where nothing but wrappers is named, we are what stands between them: as a vassal of any other Emperor would be,
/// by our path.
fn program(config: &EmperorConfig) -> Result<VassalProgram> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let asked = config.wrapper.as_ref().or(config.binary_path.as_ref()).map(text);
    let (overriding, fallbacks) = (&config.wrapper_override, &config.wrapper_fallback);
    if overriding.is_empty() && fallbacks.is_empty() {
        return Ok(asked.map_or(VassalProgram::Own, VassalProgram::Path));
    }
    let main = match asked {
        Some(path) => path,
        None => text(&std::env::current_exe().context("cannot tell where this program is")?),
    };
    let others = |list: &[PathBuf]| list.iter().map(text).collect::<Vec<_>>();
    let programs = [others(overriding), vec![main], others(fallbacks)].concat();
    Ok(VassalProgram::First(programs, overriding.len()))
}

fn arguments(config: &EmperorConfig) -> Arguments {
    Arguments {
        inherit_before: config.inherit_before.clone(),
        include_before: config.include_before.clone(),
        set: config.vassal_set.clone(),
        inherit: config.inherit.clone(),
        include: config.include.clone(),
        extra_extensions: config.extra_extensions.clone(),
    }
}
