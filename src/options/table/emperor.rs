//! Pure. Options of the Emperor.

use super::super::spec::{Kind, OptionSpec};

pub(super) const SOURCES: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor",
        Kind::Source,
        "Runs a vassal for each config found here: a directory, a glob pattern, `dir://PATH` or `glob://PATTERN`.",
    )
    .repeats(),
    OptionSpec::new("emperor-nofollow", Kind::Flag, "A symbolic link is a vassal of its own: touching the link reloads it.")
        .default("false"),
    OptionSpec::new("emperor-extra-extension", Kind::Text, "A further suffix of vassal files, with its dot.")
        .aliases(&["emperor-extra-ext"])
        .repeats(),
    OptionSpec::new(
        "emperor-freq",
        Kind::Int("SECONDS"),
        "Seconds between two looks at a file system that sends no events; 0 looks only when an event comes.",
    )
    .default("3"),
    OptionSpec::new("emperor-poll", Kind::Flag, "Looks every `emperor-freq` seconds even where events work.").default("false"),
];

pub(super) const SPAWNING: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-use-clone",
        Kind::Namespaces,
        "Namespaces that each vassal is born in: fs, net, ipc, pid, uts, user, cgroup; repetitions add up.",
    )
    .repeats()
    .default("none"),
    OptionSpec::new(
        "emperor-id-range",
        Kind::Form("auto|none|UIDS FIRST COUNT", "none"),
        "Ids of a vassal in a user namespace, besides its owner's: `auto` gives those that /etc/subuid and /etc/subgid list for him, `none` none, UIDS (one, or MIN-MAX) FIRST COUNT each of these tenants COUNT ids from FIRST on, one behind the other.",
    )
    .repeats()
    .default("auto"),
    OptionSpec::new(
        "emperor-cap",
        Kind::Capabilities,
        "Most that a vassal may ever have (its bounding set), by name or number; a repetition replaces the list.",
    )
    .aliases(&["vassals-cap", "vassal-cap"])
    .default("not reduced"),
    OptionSpec::new("binary-path", Kind::Path, "Program run for each vassal instead of liege's own vassal master."),
    OptionSpec::new("emperor-wrapper", Kind::Path, "Program run instead of `binary-path`, with the same arguments."),
    OptionSpec::new(
        "emperor-wrapper-override",
        Kind::Path,
        "Program tried before all others, with the same arguments; of several the first one that can be run is.",
    )
    .repeats(),
    OptionSpec::new("emperor-wrapper-fallback", Kind::Path, "Program tried where none of the others can be run.").repeats(),
    OptionSpec::new(
        "emperor-magic-exec",
        Kind::Flag,
        "A config that its vassal may execute is run by the vassal, and what it prints is the config (`--ini exec://NAME`).",
    )
    .default("false"),
    OptionSpec::new(
        "emperor-config-pipe",
        Kind::Flag,
        "Hands each vassal its config on a descriptor (`--ini emperor://NAME`): it need not be able to open the file.",
    )
    .default("false"),
    OptionSpec::new("vassals-include-before", Kind::Config, "File that each vassal includes before its own config.").repeats(),
    OptionSpec::new("vassals-include", Kind::Config, "File that each vassal includes after its own config.").repeats(),
    OptionSpec::new("vassals-inherit-before", Kind::Config, "File that each vassal inherits, named before its own config.").repeats(),
    OptionSpec::new("vassals-inherit", Kind::Config, "File that each vassal inherits, named after its own config.").repeats(),
    OptionSpec::new("vassal-set", Kind::Pair, "Option or placeholder set in each vassal before its config is read.")
        .aliases(&["vassals-set"])
        .repeats(),
];

pub(super) const TYRANT: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-tyrant",
        Kind::Flag,
        "Each vassal runs as the owner and group of its config file.",
    )
    .default("false"),
    OptionSpec::new(
        "emperor-tyrant-nofollow",
        Kind::Flag,
        "The owner of a symbolic link counts, not that of its target.",
    )
    .default("false"),
    OptionSpec::new(
        "emperor-tyrant-initgroups",
        Kind::Flag,
        "A vassal gets the supplementary groups of its user instead of none.",
    )
    .default("false"),
    OptionSpec::new(
        "emperor-tenant-max",
        Kind::Int(""),
        "Most vassals of one owner other than root; further ones wait.",
    )
    .default("1000"),
];

pub(super) const PACE: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-broodlord",
        Kind::Int(""),
        "Most zergs of one vassal: further processes of its config's section [zerg], started when it asks for help (byte 30).",
    )
    .default("0"),
    OptionSpec::new(
        "emperor-throttle",
        Kind::Int("MILLISECONDS"),
        "Milliseconds that a vassal waits after it failed, more with each further failure.",
    )
    .default("1000"),
    OptionSpec::new(
        "emperor-max-throttle",
        Kind::Int("MILLISECONDS"),
        "Most milliseconds that a failing vassal ever waits.",
    )
    .default("180000"),
    OptionSpec::new(
        "emperor-graceful-shutdown",
        Kind::Flag,
        "Vassals are told to end when their work in hand is done (byte 2), not at once.",
    )
    .default("false"),
    OptionSpec::new("emperor-no-blacklist", Kind::Flag, "A failing vassal is started again at once.")
        .default("false"),
    OptionSpec::new(
        "emperor-curse-tolerance",
        Kind::Int("SECONDS"),
        "Seconds that a vassal may take to stop before everything in its jail is killed.",
    )
    .default("30"),
    OptionSpec::new(
        "emperor-required-heartbeat",
        Kind::Int("SECONDS"),
        "Seconds without a heartbeat, after the first one, until a vassal is told to stop (killed after `emperor-curse-tolerance`) and started again.",
    )
    .default("30"),
];

pub(super) const TELLING: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-stats",
        Kind::Address,
        "Serves the state of all vassals as JSON, one document for each connection.",
    )
    .aliases(&["emperor-stats-server"]),
    OptionSpec::new("stats", Kind::Address, "The same; beside `emperor-stats`, a second place for it.")
        .aliases(&["stats-server"]),
    OptionSpec::new(
        "stats-http",
        Kind::Flag,
        "Each of these documents follows a request of HTTP, behind a header.",
    )
    .default("false"),
    OptionSpec::new("stats-minified", Kind::Flag, "These documents are one line each.").default("false"),
    OptionSpec::new(
        "emperor-stats-for-tenants",
        Kind::Flag,
        "Lets every user of this host ask for stats and events: root and the Emperor's user see all vassals, others their own. The sockets have mode 0666, else 0660.",
    ),
    OptionSpec::new("emperor-pidfile", Kind::Path, "File that holds the Emperor's process id while it runs."),
    OptionSpec::new(
        "emperor-procname",
        Kind::Text,
        "Name of the Emperor's process, in the place of its command line, and as long as that at most.",
    ),
    OptionSpec::new(
        "emperor-subreaper",
        Kind::Flag,
        "Orphans of vassals become children of the Emperor (PR_SET_CHILD_SUBREAPER of prctl(2)).",
    )
    .default("false"),
];
