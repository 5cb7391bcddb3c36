//! Pure. What the administrator decided, handed to the spawner once at its start: no later message can
//! change it, so an emperor that was taken over still cannot ask for more than this.

use caps::Capability;
use jail::plan::standard::Strictness;
use jail::plan::{Filter, Knob, Setting};
use jail::{Capabilities, Namespaces, Phase};
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::fork_server::ForkServers;
use super::wire::Wait;
use crate::config::emperor::id_range::IdRanges;
use crate::config::hook::Errand;
use crate::emperor::brood::ZERG;
use crate::emperor::event::Owner;
use crate::logfile::LogFile;
use crate::vassal::household::Papers;

/// The spawner's standing orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// Real root was there at the start: ids can be given.
    pub privileged: bool,
    /// Files of the Emperor that are taken away at the end: it may have given up the right to.
    pub leftovers: Vec<Leftover>,
    /// `logto` or `daemonize`, where that is a file.
    pub log: Option<LogFile>,
    /// `env` of the Emperor, `NAME=value`: for what is done as Emperor, before the environment of the vassals.
    pub own_environment: Vec<String>,
    /// Ids of the vassals of trusted configs, where the Emperor gives up root and is no tyrant.
    pub identity: Option<Owner>,
    /// `emperor-tyrant`.
    pub tyrant: bool,
    /// `emperor-tyrant-nofollow`.
    pub tyrant_nofollow: bool,
    /// `emperor-tyrant-initgroups`.
    pub tyrant_initgroups: bool,
    /// `emperor-nofollow`.
    pub nofollow: bool,
    /// `emperor-use-clone` and those of `jail`, with `user` added where that is the only way to the others;
    /// [`Charter::namespaces_of`] says what one vassal gets.
    pub namespaces: Namespaces,
    /// `emperor-id-range`: which ids a user namespace has besides those of its owner.
    pub id_ranges: IdRanges,
    /// `jail`.
    pub jail: Option<Strictness>,
    /// `emperor-config-pipe`.
    pub config_pipe: bool,
    /// `emperor-magic-exec`.
    pub magic_exec: bool,
    /// What is run for a vassal.
    pub program: VassalProgram,
    /// Vassals that are made by fork servers.
    pub fork_servers: ForkServers,
    /// What is read of a vassal in its config.
    pub attributes: Attributes,
    /// `vassal-set`, `vassals-include…`, `vassals-inherit…`.
    pub arguments: Arguments,
    /// Environment of the vassals, `NAME=value`, the control descriptor not among it.
    pub environment: Vec<String>,
    /// Vassals share the host's network, and this kernel can keep them from its abstract sockets.
    pub scoped: bool,
    /// `emperor-seccomp`.
    pub filtering: Filtering,
    /// Limits of the cgroup of each vassal.
    pub resources: Vec<Knob>,
    /// `emperor-limits`, absolute: the file with those of single vassals.
    pub limits_file: Option<String>,
    /// What vassals do not inherit from whoever started the Emperor.
    pub settings: Vec<Setting>,
    /// How many processes and threads a vassal in a user namespace may have.
    pub processes_max: Option<u64>,
    /// `emperor-cap`.
    pub vassal_capabilities: Option<Capabilities>,
    /// What the spawner keeps; `None` where it has nothing to give up.
    pub capabilities: Option<Capabilities>,
    /// Vassals that are started by their first connection.
    pub on_demand: Option<OnDemand>,
    /// What is done around each vassal, phase by phase in the order in which it is done.
    pub errands: Vec<Errand>,
    /// `vassals-stop-hook`.
    pub stop_hook: Option<Errand>,
    /// Absolute paths at or below which directories may be lent.
    pub roots: Vec<String>,
    /// Patterns of the names that configs have there.
    pub files: Vec<String>,
    /// Network namespaces kept ready.
    pub pool: u16,
    /// Routers of the Emperor's, each by its number.
    pub routers: Vec<Lodging>,
    /// Daemons of the Emperor's, if it has any.
    pub household: Option<Household>,
}

/// Daemons of the Emperor's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Household {
    /// Who they are, where that is not who we are.
    pub owner: Option<Owner>,
    /// What they are.
    pub papers: Papers,
}

/// A router, as vassals find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lodging {
    /// Name of its device.
    pub device: String,
    /// Its socket.
    pub socket: Leftover,
}

/// Which vassals are started by their first connection, and where their sockets are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDemand {
    /// Suffix of the files with their addresses.
    pub extension: Option<String>,
    /// A program and its first arguments, which is asked. With neither every vassal has a socket in `sockets`.
    pub program: Vec<String>,
    /// Absolute: the only directory in which a socket file is made.
    pub sockets: Option<String>,
    /// Permissions of those.
    pub mode: u32,
}

/// `emperor-seccomp`, for every vassal that gets other ids than ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filtering {
    /// The default filter.
    #[default]
    Standard,
    /// None but that against setuid files.
    Off,
    /// This one on top of the default.
    Strict(Filter),
    /// This one in its place, and that against setuid files.
    Chosen(Filter),
}

impl Charter {
    /// What is done in this phase.
    pub fn of_phase(&self, phase: Phase) -> impl Iterator<Item = &Errand> {
        self.errands.iter().filter(move |errand| errand.phase == phase)
    }

    /// Environment of what is done as Emperor: its own variables count for more than those of vassals.
    pub fn environment_as_emperor(&self) -> impl Iterator<Item = &String> {
        let name = |one: &str| one.split_once('=').map(|(name, _)| name.to_owned());
        let is_own = move |one: &str| self.own_environment.iter().any(|own| name(own) == name(one));
        self.environment.iter().filter(move |one| !is_own(one)).chain(&self.own_environment)
    }

    /// Whether something is done once the program of a vassal runs.
    pub fn follows_starts(&self) -> bool {
        self.errands.iter().any(|errand| matches!(errand.phase, Phase::AsEmperor | Phase::AsEmperorSetns))
    }

    /// Whether a program is asked where vassals listen.
    pub fn asks(&self) -> bool {
        self.on_demand.as_ref().is_some_and(|rules| !rules.program.is_empty())
    }

    /// What happens to a vassal that waits for a connection and has something done about it.
    pub fn asides(&self) -> Vec<Wait> {
        let wanted = |phase| self.of_phase(phase).next().is_some();
        let all = [(Phase::AsOnDemandVassal, Wait::Begun), (Phase::AsOnConfigVassal, Wait::Remembered)];
        all.into_iter().filter(|(phase, _)| wanted(*phase)).map(|(_, wait)| wait).collect()
    }

    /// Whether a file of this name is a config of a source: nothing else that lies there is anybody's business.
    pub fn names(&self, file: &str) -> bool {
        let fits = |pattern: &String| glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(file));
        self.arguments.config_option(file) != OTHER && self.files.iter().any(fits)
    }
}

/// How a file is named to a vassal's program when nothing is known of it.
const OTHER: &str = "--inherit";

/// A file that was made when the Emperor started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Absolute.
    pub path: String,
    /// Its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// The pid that it has to tell still.
    pub pid: Option<u32>,
}

/// What is run for a vassal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VassalProgram {
    /// Our own vassal master.
    #[default]
    Own,
    /// `binary-path` or `emperor-wrapper`.
    Path(String),
    /// These in turn, until one can be run: `emperor-wrapper-override`, one as above (at this place),
    /// `emperor-wrapper-fallback`.
    First(Vec<String>, usize),
}

/// What a vassal's command line has beside its config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arguments {
    /// `vassals-inherit-before`.
    pub inherit_before: Vec<String>,
    /// `vassals-include-before`.
    pub include_before: Vec<String>,
    /// `vassal-set`.
    pub set: Vec<String>,
    /// `vassals-inherit`.
    pub inherit: Vec<String>,
    /// `vassals-include`.
    pub include: Vec<String>,
    /// `emperor-extra-extension`.
    pub extra_extensions: Vec<String>,
}

impl Charter {
    /// Whether the bounding set of somebody can be made smaller.
    pub fn may_bound(&self) -> bool {
        self.capabilities.is_none_or(|kept| kept.has(Capability::CAP_SETPCAP))
    }

    /// Whether any vassal has limits of its cgroup, or may get some.
    pub fn is_limited(&self) -> bool {
        !self.resources.is_empty() || self.limits_file.is_some()
    }

    /// Whether each vassal needs a cgroup of its own: for its limits, or to be killed as a whole. With a pid namespace the death of its first process is the
    /// death of all, if only we may kill that.
    pub fn needs_leaf(&self) -> bool {
        let may_kill = self.capabilities.is_none_or(|kept| kept.has(Capability::CAP_KILL));
        let limited = self.is_limited() || self.jail.is_some();
        limited || !self.namespaces.has(Namespaces::PID) || !may_kill
    }
}

impl Arguments {
    /// The command line of a vassal, `argv[0]` first, in the order that uWSGI gives it.
    pub fn argv(&self, program: &str, file: &str) -> Vec<String> {
        let pairs = |option: &str, values: &[String]| -> Vec<String> {
            values.iter().flat_map(|value| [option.to_owned(), value.clone()]).collect()
        };
        let mut argv = vec![program.to_owned()];
        argv.extend(pairs("--inherit", &self.inherit_before));
        argv.extend(pairs("--include", &self.include_before));
        argv.extend(pairs("--set", &self.set));
        // A zerg reads another section of the same file.
        let option = self.config_option(file.strip_suffix(ZERG).unwrap_or(file));
        argv.extend([option.to_owned(), file.to_owned()]);
        argv.extend(pairs("--inherit", &self.inherit));
        argv.extend(pairs("--include", &self.include));
        argv
    }

    fn config_option(&self, file: &str) -> &'static str {
        if self.extra_extensions.iter().any(|extension| file.ends_with(extension.as_str())) {
            return "--config";
        }
        match file.rsplit_once('.').map(|(_, extension)| extension) {
            Some("xml") => "--xml",
            Some("ini") => "--ini",
            Some("yml" | "yaml") => "--yaml",
            Some("js" | "json") => "--json",
            // Not known to uWSGI.
            Some("toml") => "--toml",
            _ => OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn a_vassals_command_line_has_the_order_of_uwsgi() {
        let arguments = Arguments {
            inherit_before: strings(&["a.ini"]),
            include_before: strings(&["b.ini"]),
            set: strings(&["k=v"]),
            inherit: strings(&["c.ini"]),
            include: strings(&["d.ini"]),
            extra_extensions: Vec::new(),
        };
        let argv = arguments.argv("liege", "x.ini").join(" ");
        assert_eq!(
            argv,
            "liege --inherit a.ini --include b.ini --set k=v --ini x.ini --inherit c.ini --include d.ini"
        );
    }

    #[test]
    fn only_configs_of_a_source_are_named() {
        let charter = Charter { files: strings(&["liege.ini", "*.yml"]), ..Charter::default() };
        let named = ["liege.ini", "a.yml", "a.ini", "secret.json", "liege.ini.key", ".ssh"]
            .map(|file| charter.names(file));
        assert_eq!(named, [true, true, false, false, false, false]);
        let all = Charter { files: strings(&["*"]), ..Charter::default() };
        assert_eq!(["a.ini", "id_rsa"].map(|file| all.names(file)), [true, false]);
    }

    #[test]
    fn the_suffix_chooses_the_option() {
        let arguments = Arguments { extra_extensions: strings(&[".conf"]), ..Arguments::default() };
        for (file, option) in [
            ("a.xml", "--xml"),
            ("a.yml", "--yaml"),
            ("a.yaml", "--yaml"),
            ("a.js", "--json"),
            ("a.json", "--json"),
            ("a.toml", "--toml"),
            ("a.conf", "--config"),
            ("a.what", "--inherit"),
            ("a.yml:zerg", "--yaml"),
        ] {
            assert_eq!(arguments.argv("u", file)[1], option, "{file}");
        }
    }
}
