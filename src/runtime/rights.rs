//! Which capabilities the spawner keeps.

use anyhow::{Result, bail};
use caps::Capability;
use jail::{Capabilities, Namespaces, Phase};

use super::jailing;
use crate::config::emperor::EmperorConfig;
use crate::log;

/// What the spawner keeps: what is listed, else what the features in use need.
///
/// A vassal of a trusted config starts as root, as under uWSGI, and what is done as Emperor is done with the
/// administrator's rights: there nothing can be given up beforehand.
///
/// # Errors
/// A list of what is not there.
pub(super) fn kept(
    config: &EmperorConfig,
    privileged: bool,
    namespaces: Namespaces,
) -> Result<Option<Capabilities>> {
    if !privileged {
        return Ok(None);
    }
    if let Some(listed) = config.cap {
        return listed_is_there(listed, needed(config, namespaces)).map(Some);
    }
    // So are its daemons, where it stays root.
    let roots = (!config.tyrant || config.daemons.is_any()) && config.uid.is_none();
    let hooks = config.errands.iter().any(|errand| errand.value.phase != Phase::AsVassal);
    if roots || hooks || config.stop_hook.is_some() {
        return Ok(None);
    }
    Ok(Some(needed(config, namespaces).with(to_enter(config, namespaces))))
}

/// To join the jail of a vassal whose master nobody may look into (`setns(2)`): sessions need it.
fn to_enter(config: &EmperorConfig, namespaces: Namespaces) -> Capabilities {
    let is_off = config.commands.control.as_ref().is_some_and(|asked| asked.value.is_none());
    if is_off || namespaces.is_empty() {
        return Capabilities::NONE;
    }
    // The other one for those that are no users': to have a root directory is to change it.
    Capabilities::of(&[Capability::CAP_SYS_CHROOT, Capability::CAP_SYS_PTRACE])
}

/// What it takes to give vassals their ids and their jails.
fn needed(config: &EmperorConfig, namespaces: Namespaces) -> Capabilities {
    let mut list = vec![
        // The directory above our cgroup is writable by nobody, not even its owner.
        Capability::CAP_DAC_OVERRIDE,
        Capability::CAP_DAC_READ_SEARCH,
        Capability::CAP_KILL,
        Capability::CAP_SETGID,
        Capability::CAP_SETPCAP,
        Capability::CAP_SETUID,
    ];
    if config.on_demand.is_used() || config.process.gives_log {
        // Sockets belong to the users of the vassals, and the log that is opened anew to the user that we are then.
        list.push(Capability::CAP_CHOWN);
    }
    if !namespaces.is_empty() || config.tuntap.has_routers() {
        // A router has namespaces of its own.
        list.push(Capability::CAP_SYS_ADMIN);
    }
    if jailing::word(config, true).is_some() {
        // To stand before the backdrop of the jails for a moment.
        list.push(Capability::CAP_SYS_CHROOT);
    }
    if namespaces.has(Namespaces::NET) || config.tuntap.has_routers() {
        list.push(Capability::CAP_NET_ADMIN);
    }
    let own = config.vassal_cap.unwrap_or_default();
    Capabilities::of(&list).with(own)
}

/// A list that lacks something is the admin's choice; what it lacks is told once.
fn listed_is_there(listed: Capabilities, needed: Capabilities) -> Result<Capabilities> {
    let lacks = needed.without(listed);
    if !lacks.is_empty() {
        log::warn("emperor", &format!("cap = {listed} lacks {lacks}, which the options in use may need"));
    }
    let missing = listed.without(crate::permitted());
    if missing.is_empty() {
        return Ok(listed);
    }
    bail!("cap = {listed}: this process does not have {missing} itself");
}
