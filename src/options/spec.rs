//! Pure. How one option is described.

/// One option: parser, help, completions, man page and `docs/options.md` all read this.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name, without dashes.
    pub name: &'static str,
    /// Further names that mean the same.
    pub aliases: &'static [&'static str],
    /// A letter for the command line.
    pub short: Option<char>,
    /// What its value looks like.
    pub kind: Kind,
    /// True when each occurrence adds to the earlier ones; otherwise the last one counts.
    pub repeats: bool,
    /// What holds when it is not given, as a person would write it.
    pub default: Option<&'static str>,
    /// One sentence, with units.
    pub help: &'static str,
}

/// The shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; no value means true.
    Flag,
    /// Any text.
    Text,
    /// `name=value`.
    Pair,
    /// A whole number; the second is its unit, empty for a count.
    Int(&'static str),
    /// Three or four octal digits.
    Mode,
    /// A comma list of namespaces.
    Namespaces,
    /// A comma list of capabilities.
    Capabilities,
    /// Where a socket listens.
    Address,
    /// A path.
    Path,
    /// A config file, with an optional `:section`.
    Config,
    /// A directory, a glob pattern or a URL.
    Source,
    /// Words of a command, split as a shell splits them, no shell involved.
    Words,
    /// A command line for `/bin/sh`.
    Shell,
    /// What a hook does.
    Hook,
    /// A mount.
    Mount,
    /// A mount less.
    Umount,
    /// A user, by name or number.
    User,
    /// A group, by name or number.
    Group,
    /// A directory and what it is to be.
    Root,
    /// A path outside, a path inside, flags.
    Bind,
    /// A path and a size.
    Memory,
    /// `minimal` or `host`.
    Device,
    /// `generate` or `host`.
    Hosts,
    /// `host`, or addresses.
    Resolvers,
    /// Two directories.
    Pivot,
    /// A directory and a host name.
    Namespace,
    /// A path outside, and a path inside if that is another.
    Keep,
    /// A value of a form of its own: what stands for it, and an example.
    Form(&'static str, &'static str),
}

impl Kind {
    /// True when the option needs a value.
    pub fn takes_value(self) -> bool {
        self != Self::Flag
    }

    /// What stands for the value in help texts.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Flag => "",
            Self::Text => "TEXT",
            Self::Pair => "NAME=VALUE",
            Self::Int("") => "NUMBER",
            Self::Int(unit) => unit,
            Self::Mode => "MODE",
            Self::Namespaces => "NAMESPACES",
            Self::Capabilities => "CAPABILITIES",
            Self::Address => "ADDRESS",
            Self::Path => "PATH",
            Self::Config => "FILE[:SECTION]",
            Self::Source => "SOURCE",
            Self::Words => "COMMAND",
            Self::Shell => "SHELL-COMMAND",
            Self::Hook => "HANDLER:ARGUMENTS",
            Self::Mount => "FS WHAT WHERE [FLAGS [DATA]]",
            Self::Umount => "WHERE [FLAGS]",
            Self::User => "USER",
            Self::Group => "GROUP",
            Self::Root => "DIRECTORY [ro|overlay] [idmap[=ID|FIRST-LAST@SEEN]]",
            Self::Bind => "SOURCE:PLACE[:FLAG,…]",
            Self::Memory => "PATH[:SIZE]",
            Self::Device => "minimal|host",
            Self::Hosts => "generate|host",
            Self::Resolvers => "host|ADDRESS,…",
            Self::Pivot => "NEW OLD",
            Self::Namespace => "DIRECTORY[:HOSTNAME]",
            Self::Keep => "SOURCE[:PLACE]",
            Self::Form(shown, _) => shown,
        }
    }
}

/// Whose option it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Of the Emperor.
    Emperor,
    /// Of a vassal's config.
    Vassal,
    /// Of either.
    Both,
    /// Of the option language itself.
    General,
}

impl Scope {
    /// True when an option of this scope may stand in a config of `reader`.
    pub fn admits(self, reader: Self) -> bool {
        self == reader || self == Self::Both
    }
}

/// Options under one heading.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The heading.
    pub heading: &'static str,
    /// Whose they are.
    pub scope: Scope,
    /// In the order of the help.
    pub options: &'static [OptionSpec],
}

impl OptionSpec {
    /// An option without aliases and without a default.
    pub(super) const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, aliases: &[], short: None, kind, repeats: false, default: None, help }
    }

    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn short(self, letter: char) -> Self {
        Self { short: Some(letter), ..self }
    }

    pub(super) const fn repeats(self) -> Self {
        Self { repeats: true, ..self }
    }

    pub(super) const fn default(self, text: &'static str) -> Self {
        Self { default: Some(text), ..self }
    }

    /// True for its name and for each alias.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}
