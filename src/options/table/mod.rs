//! Pure. The table of options.

mod commands;
mod confine;
mod daemons;
mod emperor;
mod errands;
mod fork_server;
mod general;
mod health;
mod hooks;
mod jail;
mod limits;
mod logs;
mod namespaces;
mod net;
mod on_demand;
mod process;
mod rootfs;
mod subscriptions;
mod surroundings;
mod terminals;
mod tuntap;
mod vassal;

use super::spec::{Group, OptionSpec, Scope};

/// Every option that liege knows, in the order of the help.
pub static GROUPS: &[Group] = &[
    Group { heading: "General", scope: Scope::General, options: general::GENERAL },
    Group { heading: "Lines that are repeated or left out", scope: Scope::General, options: general::LOGIC },
    Group {
        heading: "Terminals that somebody serves, on the command line",
        scope: Scope::General,
        options: terminals::CLIENTS,
    },
    Group { heading: "Emperor: where vassals come from", scope: Scope::Emperor, options: emperor::SOURCES },
    Group { heading: "Emperor: how vassals are started", scope: Scope::Emperor, options: emperor::SPAWNING },
    Group {
        heading: "Emperor: what is done around each vassal",
        scope: Scope::Emperor,
        options: errands::ERRANDS,
    },
    Group {
        heading: "Emperor: what vassals may ask of the kernel",
        scope: Scope::Emperor,
        options: confine::EMPERORS,
    },
    Group {
        heading: "Emperor: tenants who do not trust each other",
        scope: Scope::Emperor,
        options: emperor::TYRANT,
    },
    Group {
        heading: "Emperor: what each vassal may take (cgroup v2)",
        scope: Scope::Emperor,
        options: limits::CGROUP,
    },
    Group {
        heading: "Emperor: vassals that start when somebody connects",
        scope: Scope::Emperor,
        options: on_demand::ON_DEMAND,
    },
    Group {
        heading: "Emperor: what configs say of their vassals",
        scope: Scope::Emperor,
        options: fork_server::ATTRIBUTES,
    },
    Group {
        heading: "Emperor: vassals that a fork server makes",
        scope: Scope::Emperor,
        options: fork_server::FORK_SERVERS,
    },
    Group {
        heading: "Emperor: routers between jails and the world",
        scope: Scope::Emperor,
        options: tuntap::ROUTERS,
    },
    Group { heading: "Emperor: pace and health", scope: Scope::Emperor, options: emperor::PACE },
    Group { heading: "Emperor: what it tells", scope: Scope::Emperor, options: emperor::TELLING },
    Group { heading: "Emperor: what vassals write", scope: Scope::Emperor, options: logs::EMPERORS },
    Group { heading: "Emperor: its own process", scope: Scope::Emperor, options: process::PROCESS },
    Group { heading: "Emperor: what it is told", scope: Scope::Emperor, options: commands::COMMANDS },
    Group {
        heading: "Identity, of the Emperor or of a vassal",
        scope: Scope::Both,
        options: general::IDENTITY,
    },
    Group { heading: "Process, of the Emperor or of a vassal", scope: Scope::Both, options: process::BOTH },
    Group { heading: "Of all vassals or of one", scope: Scope::Both, options: health::BOTH },
    Group { heading: "Jail, of all vassals or of one", scope: Scope::Both, options: jail::JAIL },
    Group { heading: "Routers, of the Emperor or of a vassal", scope: Scope::Both, options: tuntap::BOTH },
    Group {
        heading: "Daemons, of the Emperor or of a vassal",
        scope: Scope::Both,
        options: daemons::DAEMONS,
    },
    Group { heading: "Vassal: what it runs", scope: Scope::Vassal, options: vassal::PROGRAM },
    Group {
        heading: "Vassal: jail and phases, in the order in which they happen",
        scope: Scope::Vassal,
        options: vassal::PHASES,
    },
    Group {
        heading: "Vassal: namespaces besides `unshare`",
        scope: Scope::Vassal,
        options: namespaces::NAMESPACES,
    },
    Group {
        heading: "Vassal: handlers, mounts and programs of the phases",
        scope: Scope::Vassal,
        options: hooks::HOOKS,
    },
    Group { heading: "Vassal: file system", scope: Scope::Vassal, options: rootfs::ROOTFS },
    Group { heading: "Vassal: network", scope: Scope::Vassal, options: net::NET },
    Group { heading: "Vassal: what is waited for", scope: Scope::Vassal, options: net::WAITS },
    Group {
        heading: "Vassal: what its command may ask of the kernel",
        scope: Scope::Vassal,
        options: confine::VASSALS,
    },
    Group {
        heading: "Vassal: limits and priorities, inherited by all that it runs",
        scope: Scope::Vassal,
        options: limits::PROCESS,
    },
    Group {
        heading: "Vassal: what is around its programs",
        scope: Scope::Vassal,
        options: surroundings::SURROUNDINGS,
    },
    Group {
        heading: "Vassal: readiness, heartbeat, reload and stop",
        scope: Scope::Vassal,
        options: health::HEALTH,
    },
    Group { heading: "Vassal: its own log", scope: Scope::Vassal, options: logs::VASSALS },
    Group { heading: "Vassal: sockets", scope: Scope::Vassal, options: vassal::SOCKETS },
    Group {
        heading: "Vassal: terminals for whoever connects",
        scope: Scope::Vassal,
        options: terminals::TERMINALS,
    },
    Group { heading: "Vassal: ssh in its jail", scope: Scope::Vassal, options: daemons::SSH },
    Group {
        heading: "Vassal: routers that it is announced to",
        scope: Scope::Vassal,
        options: subscriptions::SUBSCRIPTIONS,
    },
];

/// Every option, with its group.
pub fn options() -> impl Iterator<Item = (&'static Group, &'static OptionSpec)> {
    GROUPS.iter().flat_map(|group| group.options.iter().map(move |option| (group, option)))
}

/// The option of this name or alias.
pub fn find(name: &str) -> Option<(&'static Group, &'static OptionSpec)> {
    options().find(|(_, option)| option.is_called(name))
}
