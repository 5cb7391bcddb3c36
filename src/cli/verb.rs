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
    /// One sentence.
    pub help: &'static str,
}

/// What follows a verb that is told to vassals.
const STEERED: &str = "[ADDRESS] NAME... [--json]";

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
        STEERED,
        Some((1, usize::MAX)),
        "Stops vassals until they are enabled, also under the next Emperor.",
    ),
    spec(Verb::Enable, "enable", STEERED, Some((1, usize::MAX)), "Starts vassals that are disabled."),
    spec(
        Verb::Tail,
        "tail",
        "[ADDRESS] NAME [-n LINES] [--follow]",
        Some((1, 2)),
        "Prints what a vassal wrote last; --follow (-f) goes on.",
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
    spec(Verb::Man, "man", "", Some((0, 0)), "Prints the manual page."),
    spec(Verb::Options, "options", "", Some((0, 0)), "Prints the reference of all options as Markdown."),
    spec(Verb::Help, "help", "", Some((0, 0)), "Prints the help."),
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
    VerbSpec { verb, name, operands, count, takes_options, has_json, help }
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

/// The verb that a word was probably meant to be.
pub fn nearest(word: &str) -> Option<&'static str> {
    let near = VERBS.iter().map(|one| (strsim::damerau_levenshtein(word, one.name), one.name));
    near.filter(|(edits, name)| *edits <= 2 && *edits < name.len() / 2).min().map(|(_, name)| name)
}
