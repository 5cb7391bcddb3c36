//! Pure. The first word of the command line.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "VERBS says what each one does")]
pub enum Verb {
    Run,
    Vassal,
    Check,
    ShowConfig,
    Plan,
    Status,
    Why,
    Events,
    Start,
    Stop,
    Restart,
    Reload,
    Disable,
    Enable,
    Tail,
    Signal,
    Update,
    Shutdown,
    Control,
    Net,
    Attach,
    Exec,
    Doctor,
    Completions,
    Names,
    Man,
    Options,
    Help,
    Version,
}

/// A verb as people see it.
#[derive(Clone, Copy, Debug)]
pub struct VerbSpec {
    /// Which.
    pub verb: Verb,
    /// How it is typed.
    pub name: &'static str,
    /// What follows it.
    pub operands: &'static str,
    /// Least and most of these; `None` where files are configs like those of `--ini`.
    pub count: Option<(usize, usize)>,
    /// True when it reads options, from the command line and from the environment.
    pub takes_options: bool,
    /// True when it has `--json`.
    pub has_json: bool,
    /// True when people do not type it: no list of verbs has it.
    pub is_hidden: bool,
    /// One sentence.
    pub help: &'static str,
}

/// What follows a verb that is told to vassals.
const STEERED: &str = "[ADDRESS] NAME... [--json]";
const OF_OWNERS: &str = "[ADDRESS] NAME...|uid=N [--json]";

/// Every verb, in the order of the help.
pub static VERBS: &[VerbSpec] = &[
    spec(Verb::Run, "run", "[FILE.ini...]", None, "Runs the Emperor; this is what happens without a verb."),
    spec(Verb::Vassal, "vassal", "[FILE.ini...]", None, "Runs one vassal, as its Emperor would."),
    spec(
        Verb::Check,
        "check",
        "FILE|DIR... [--json]",
        Some((1, usize::MAX)),
        "Checks configs: every error, what would run, what differs from uWSGI.",
    ),
    spec(
        Verb::ShowConfig,
        "show-config",
        "FILE [--json]",
        Some((1, 1)),
        "Prints a config's options, expanded, and where each came from.",
    ),
    spec(
        Verb::Plan,
        "plan",
        "FILE",
        Some((1, 1)),
        "Prints the steps of a vassal's jail, in order; starts nothing.",
    ),
    spec(
        Verb::Status,
        "status",
        "[ADDRESS] [NAME...] [--json]",
        Some((0, usize::MAX)),
        "Prints the state of an Emperor and its vassals, or of some.",
    ),
    spec(
        Verb::Why,
        "why",
        "[ADDRESS] NAME...",
        Some((1, usize::MAX)),
        "Tells why a vassal is as it is, what comes next, what to do.",
    ),
    spec(
        Verb::Events,
        "events",
        "[ADDRESS] [NAME...] [--follow] [--json]",
        Some((0, usize::MAX)),
        "Prints what happened lately; --follow (-f) goes on.",
    ),
    spec(
        Verb::Start,
        "start",
        STEERED,
        Some((1, usize::MAX)),
        "Starts vassals; all is a name for all of them.",
    ),
    spec(Verb::Stop, "stop", STEERED, Some((1, usize::MAX)), "Stops vassals, until they are started."),
    spec(Verb::Restart, "restart", STEERED, Some((1, usize::MAX)), "Stops vassals and starts them."),
    spec(
        Verb::Reload,
        "reload",
        STEERED,
        Some((1, usize::MAX)),
        "Reloads vassals, as a change of their config does.",
    ),
    spec(
        Verb::Disable,
        "disable",
        OF_OWNERS,
        Some((1, usize::MAX)),
        "Stops them, or all of an owner, until `enable`.",
    ),
    spec(Verb::Enable, "enable", OF_OWNERS, Some((1, usize::MAX)), "Starts vassals that are disabled."),
    spec(
        Verb::Tail,
        "tail",
        "[ADDRESS] NAME [-n LINES] [--follow]",
        Some((1, 2)),
        "Prints what a vassal or a daemon wrote last; -f goes on.",
    ),
    spec(
        Verb::Signal,
        "signal",
        "[ADDRESS] SIGNAL NAME... [--json]",
        Some((2, usize::MAX)),
        "Sends vassals a signal, by its name or number.",
    ),
    spec(
        Verb::Update,
        "update",
        "[ADDRESS] [NAME...] [--json]",
        Some((0, usize::MAX)),
        "Has all configs read anew, and tells what has changed.",
    ),
    spec(Verb::Shutdown, "shutdown", "[ADDRESS]", Some((0, 1)), "Ends an Emperor and all its vassals."),
    spec(
        Verb::Control,
        "control",
        "[ADDRESS]",
        Some((0, 1)),
        "Takes such verbs one after the other, with completion and history.",
    ),
    spec(
        Verb::Net,
        "net",
        "[rules] [ROUTER] [CHANGE] [--json]",
        Some((0, usize::MAX)),
        "Prints who is at a tuntap router; its rules; changes these.",
    ),
    spec(
        Verb::Attach,
        "attach",
        "[ADDRESS] NAME [--again|--ssh] [-- COMMAND...]",
        Some((1, usize::MAX)),
        "Opens a terminal in the jail of a running vassal.",
    ),
    spec(
        Verb::Exec,
        "exec",
        "[ADDRESS] NAME -- COMMAND...",
        Some((2, usize::MAX)),
        "Runs a command in the jail of a running vassal.",
    ),
    spec(
        Verb::Doctor,
        "doctor",
        "[--json]",
        Some((0, 0)),
        "Tells what this host lacks, and the commands that mend it.",
    ),
    spec(
        Verb::Completions,
        "completions",
        "SHELL",
        Some((1, 1)),
        "Prints completions for bash, zsh or fish.",
    ),
    spec(
        Verb::Names,
        "names",
        "[ADDRESS]",
        Some((0, 1)),
        "Prints the names that a shell completes; nothing where there is nobody to ask.",
    ),
    spec(Verb::Man, "man", "", Some((0, 0)), "Prints the manual page."),
    spec(Verb::Options, "options", "", Some((0, 0)), "Prints the reference of all options as Markdown."),
    spec(Verb::Help, "help", "[VERB]", Some((0, 1)), "Prints the help, or that of a verb."),
    spec(Verb::Version, "version", "", Some((0, 0)), "Prints the version."),
];

const fn spec(
    verb: Verb,
    name: &'static str,
    operands: &'static str,
    count: Option<(usize, usize)>,
    help: &'static str,
) -> VerbSpec {
    let takes_options = matches!(verb, Verb::Run | Verb::Vassal | Verb::Plan | Verb::ShowConfig);
    let has_json = matches!(
        verb,
        Verb::Status
            | Verb::Events
            | Verb::Start
            | Verb::Stop
            | Verb::Restart
            | Verb::Reload
            | Verb::Disable
            | Verb::Enable
            | Verb::Signal
            | Verb::Update
            | Verb::Net
            | Verb::Doctor
            | Verb::Check
            | Verb::ShowConfig
    );
    let is_hidden = matches!(verb, Verb::Names);
    VerbSpec { verb, name, operands, count, takes_options, has_json, is_hidden, help }
}

impl VerbSpec {
    /// Those that people are told of.
    pub fn shown() -> impl Iterator<Item = &'static Self> {
        VERBS.iter().filter(|one| !one.is_hidden)
    }

    /// Whether names of vassals follow it.
    pub fn names_vassals(&self) -> bool {
        self.operands.starts_with("[ADDRESS]") && self.operands.contains("NAME")
    }
}

impl Verb {
    /// Flags of its own besides `--json` and `--follow`, with what each does.
    pub fn flags(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Attach => &[
                ("again", "Takes up a session that was detached."),
                ("ssh", "For sshd's ForceCommand: does what its client wants."),
                ("no-escape", "Every key goes to the program, a tilde too."),
            ],
            Self::Start | Self::Stop | Self::Restart | Self::Reload | Self::Disable | Self::Enable => {
                &[("no-wait", "Does not wait for what comes of it.")]
            }
            _ => &[],
        }
    }

    /// Its exit status, for people.
    pub fn exits(self) -> &'static str {
        match self {
            Self::Start | Self::Restart | Self::Reload | Self::Enable => {
                "0 all is as it was to be, 1 refused, not done, no such vassal or no Emperor, 7 one was to run and does not"
            }
            Self::Stop | Self::Disable | Self::Signal | Self::Update | Self::Shutdown => {
                "0 all is as it was to be, 1 refused, not done, no such vassal or no Emperor"
            }
            Self::Status => "0 done, 3 one that is named is not up, 4 no such vassal or no Emperor",
            Self::Control => "without a terminal the highest of those of its lines",
            Self::Attach | Self::Exec => "that of the command; 1 where it was not run",
            _ => "0 done, 1 failed",
        }
    }

    /// How it may be typed.
    pub fn example(self) -> &'static str {
        match self {
            Self::Run => "liege --emperor /etc/liege/vassals",
            Self::Vassal => "liege vassal shop.ini",
            Self::Check => "liege check /etc/liege/emperor.ini /etc/liege/vassals",
            Self::ShowConfig => "liege show-config shop.ini",
            Self::Plan => "liege plan shop.ini",
            Self::Status => "liege status shop 'blog*'",
            Self::Why => "liege why shop",
            Self::Events => "liege events -f shop",
            Self::Start => "liege start shop 'blog*'",
            Self::Stop => "liege stop shop/redis",
            Self::Restart => "liege restart all",
            Self::Reload => "liege reload shop",
            Self::Disable => "liege disable uid=1001",
            Self::Enable => "liege enable shop",
            Self::Tail => "liege tail -n 50 -f shop/redis",
            Self::Signal => "liege signal HUP shop",
            Self::Update => "liege update",
            Self::Shutdown => "liege shutdown /run/liege/stats.sock",
            Self::Control => "liege control",
            Self::Net => "liege net rules emperor0",
            Self::Attach => "liege attach shop",
            Self::Exec => "liege exec shop -- ls -l",
            Self::Doctor => "liege doctor",
            Self::Completions => "eval \"$(liege completions bash)\"",
            Self::Names => "liege names",
            Self::Man => "liege man | man -l -",
            Self::Options => "liege options",
            Self::Help => "liege help stop",
            Self::Version => "liege version",
        }
    }

    /// Whether it can go on for ever (`--follow`).
    pub fn follows(self) -> bool {
        matches!(self, Self::Events | Self::Tail)
    }

    /// The verb of this name.
    pub fn named(name: &str) -> Option<Self> {
        VERBS.iter().find(|one| one.name == name).map(|one| one.verb)
    }

    /// How it is described.
    pub fn spec(self) -> &'static VerbSpec {
        VERBS.iter().find(|one| one.verb == self).expect("VERBS has every verb")
    }
}

/// What does here what this verb of another program does.
pub fn instead(word: &str) -> Option<&'static str> {
    Some(match word {
        "pid" | "ps" | "list" => "`liege status NAME` shows it",
        "add" | "remove" | "reread" | "avail" => {
            "a config counts as soon as it is there, changes or is gone; `liege status` shows all"
        }
        "fg" => "`liege tail -f NAME` shows what it writes, `liege attach NAME` opens a terminal in its jail",
        "log" | "logs" | "maintail" => {
            "`liege tail NAME` prints what a vassal wrote, `liege events` what happened"
        }
        "clear" => "what is remembered of logs has its bounds by itself",
        "exit" | "quit" => "that leaves `liege control`",
        _ => return None,
    })
}

/// The verb that a word was probably meant to be.
pub fn nearest(word: &str) -> Option<&'static str> {
    let near = VerbSpec::shown().map(|one| (strsim::damerau_levenshtein(word, one.name), one.name));
    near.filter(|(edits, name)| *edits <= 2 && *edits < name.len() / 2).min().map(|(_, name)| name)
}
