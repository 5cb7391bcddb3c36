//! The policy of an Emperor, from its config and from what it is.

use crate::config::emperor::EmperorConfig;
use crate::emperor::event::Owner;
use crate::emperor::policy::{Ids, Policy};
use crate::spawner::charter::{Charter, VassalProgram};

/// Whether vassals may be other programs than our vassal master from the beginning.
fn runs_others(config: &EmperorConfig, charter: &Charter) -> bool {
    let commissions = &config.commissions;
    charter.program != VassalProgram::Own
        || commissions.use_servers()
        || commissions.wrapper_attribute.is_some()
}

/// By which vassals are paced, stopped and told apart.
pub(super) fn of_config(config: &EmperorConfig, charter: &Charter) -> Policy {
    Policy {
        throttle_ms: config.throttle_ms,
        max_throttle_ms: config.max_throttle_ms,
        graceful_shutdown: config.graceful_shutdown,
        no_blacklist: config.no_blacklist,
        curse_tolerance_ms: config.curse_tolerance_ms,
        required_heartbeat_ms: config.required_heartbeat_ms,
        reload_mercy_ms: config.reload_mercy_ms,
        tenant_max: config.tenant_max,
        broodlord: config.broodlord,
        waiting: config.commands.waits().then(|| config.commands.except.iter().cloned().collect()),
        seed: u64::from(rustix::process::getpid().as_raw_nonzero().get().cast_unsigned()),
        ids: ids(charter),
        foreign: runs_others(config, charter),
        ..Policy::default()
    }
}

fn ids(charter: &Charter) -> Ids {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    match charter.identity {
        _ if !charter.privileged => Ids::All(Owner { uid, gid }),
        Some(identity) => Ids::InsteadOfRoot(identity),
        None => Ids::Owners,
    }
}
