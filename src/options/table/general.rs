//! Pure. Options of every command line and every file.

use super::super::spec::{Kind, OptionSpec};

pub(super) const GENERAL: &[OptionSpec] = &[
    OptionSpec::new(
        "ini",
        Kind::Config,
        "Reads options from an ini file, section `uwsgi` or the one named; `:SECTION` alone reads another section of the last file; `-` is standard input.",
    )
    .repeats(),
    OptionSpec::new("xml", Kind::Config, "Reads options from an xml file.").aliases(&["xmlconfig"]).short('x').repeats(),
    OptionSpec::new("yaml", Kind::Config, "Reads options from a yaml file.").aliases(&["yml"]).short('y').repeats(),
    OptionSpec::new("json", Kind::Config, "Reads options from a json file.").aliases(&["js"]).short('j').repeats(),
    OptionSpec::new("toml", Kind::Config, "Reads options from a toml file.").repeats(),
    OptionSpec::new("config", Kind::Config, "Reads options from a file in the format of its suffix, ini where that is none.")
        .repeats(),
    OptionSpec::new("include", Kind::Config, "Reads options from a file as if they stood in this place.").repeats(),
    OptionSpec::new("inherit", Kind::Config, "Reads options from a file after all the others have been read.").repeats(),
    OptionSpec::new("set", Kind::Pair, "Sets an option, or a placeholder for `%(NAME)` when no option has that name.")
        .short('S')
        .repeats(),
    OptionSpec::new("set-placeholder", Kind::Pair, "Sets a placeholder for `%(NAME)`.").aliases(&["set-ph"]).repeats(),
    OptionSpec::new("strict", Kind::Flag, "Every name has to be that of an option: no placeholders of your own.").default("false"),
    OptionSpec::new(
        "declare-option",
        Kind::Pair,
        "Makes a name for several options: `NAME=key=value;key=value`, with `$1`, `$2` … for the words behind it.",
    )
    .repeats(),
    OptionSpec::new(
        "declare-option2",
        Kind::Pair,
        "As `declare-option`, but the words behind the name are expanded before they are used.",
    )
    .repeats(),
    OptionSpec::new(
        "blacklist",
        Kind::Text,
        "Options, separated by spaces, that no later line may use, in this file and in those that it includes.",
    ),
    OptionSpec::new("end-blacklist", Kind::Flag, "Ends the `blacklist` of the same file."),
    OptionSpec::new(
        "whitelist",
        Kind::Text,
        "Options, separated by spaces, that alone may be used by later lines, in this file and in those that it includes.",
    ),
    OptionSpec::new("end-whitelist", Kind::Flag, "Ends the `whitelist` of the same file."),
    OptionSpec::new("print", Kind::Text, "Writes a text to the log when the config has been read.").repeats(),
    OptionSpec::new("iprint", Kind::Text, "Writes a text to the log; it sees only what stands before it.").repeats(),
    OptionSpec::new("exit", Kind::Text, "Stops here and exits with this status, 0 by default."),
    OptionSpec::new(
        "fallback-config",
        Kind::Config,
        "Config to start again with when this one turns out to be of no use.",
    ),
    OptionSpec::new("help", Kind::Flag, "Prints this list.").aliases(&["usage"]).short('h'),
    OptionSpec::new("version", Kind::Flag, "Prints the version.").short('V'),
];

pub(super) const LOGIC: &[OptionSpec] = &[
    OptionSpec::new(
        "for",
        Kind::Text,
        "Repeats each line up to `endfor` for every word; `%(_)` is the word.",
    )
    .repeats(),
    OptionSpec::new("for-glob", Kind::Text, "Repeats each line for every path that fits a pattern.")
        .repeats(),
    OptionSpec::new("for-times", Kind::Int(""), "Repeats each line with 1, 2, 3 … up to this number.")
        .repeats(),
    OptionSpec::new("for-readline", Kind::Path, "Repeats each line for every line of a file.").repeats(),
    OptionSpec::new("endfor", Kind::Flag, "Ends the lines of a `for`.").aliases(&["end-for"]).repeats(),
    condition(
        "if-opt",
        "Counts lines only if an option or placeholder was given before: `name` or `name=value`.",
    ),
    condition("if-not-opt", "Counts lines only if it was not given before."),
    condition("if-env", "Counts lines only if a variable of the environment is set: `NAME` or `NAME=value`.")
        .aliases(&["ifenv"]),
    condition("if-not-env", "Counts lines only if it is not set."),
    condition("if-exists", "Counts lines only if a path exists and may be read.").aliases(&["ifexists"]),
    condition("if-not-exists", "Counts lines only if there is no such path."),
    condition("if-file", "Counts lines only if a path is a regular file."),
    condition("if-not-file", "Counts lines only if it is none."),
    condition("if-dir", "Counts lines only if a path is a directory.").aliases(&["ifdir", "if-directory"]),
    condition("if-not-dir", "Counts lines only if it is none.").aliases(&["if-not-directory"]),
    condition("if-hostname", "Counts lines only on the host of this name."),
    condition("if-not-hostname", "Counts lines only on hosts of other names."),
    condition("if-hostname-match", "Counts lines only if the host's name fits a regular expression."),
    condition("if-not-hostname-match", "Counts lines only if it does not fit."),
    condition("if-uid", "Counts lines only if the config is read by this user, given by number or name."),
    condition("if-not-uid", "Counts lines only if it is read by another user."),
    condition("if-gid", "Counts lines only if the config is read by this group, given by number or name."),
    condition("if-not-gid", "Counts lines only if it is read by another group."),
    condition("if-plugin", "Counts lines only if uWSGI has this plugin: never, as liege has none.")
        .aliases(&["ifplugin"]),
    condition("if-not-plugin", "Counts lines always, as liege has no plugins."),
    OptionSpec::new("if-reload", Kind::Flag, "Counts lines only when uWSGI has started itself again.")
        .repeats(),
    OptionSpec::new("if-not-reload", Kind::Flag, "Counts lines only at the first start.").repeats(),
    OptionSpec::new("else", Kind::Flag, "Counts the lines behind it only if those before it do not count.")
        .repeats(),
    OptionSpec::new("endif", Kind::Flag, "Ends the lines of an `if`.").aliases(&["end-if"]).repeats(),
    OptionSpec::new("end", Kind::Flag, "Ends the lines of a `for` or an `if`.").repeats(),
];

const fn condition(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec::new(name, Kind::Text, help).repeats()
}

pub(super) const IDENTITY: &[OptionSpec] = &[
    OptionSpec::new("uid", Kind::User, "User to become: of the Emperor process itself, or of the vassal once its root phases are over.")
        .default("unchanged"),
    OptionSpec::new("gid", Kind::Group, "Group to become together with `uid`.").default("the user's own group"),
    OptionSpec::new(
        "cap",
        Kind::Capabilities,
        "Capabilities kept: by the Emperor's spawner, or by the vassal over the change of user and over exec.",
    )
    .default("Emperor: what the options in use need; vassal: none"),
];
