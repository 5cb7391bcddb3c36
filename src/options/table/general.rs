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
    OptionSpec::new("help", Kind::Flag, "Prints this list.").aliases(&["usage"]).short('h'),
    OptionSpec::new("version", Kind::Flag, "Prints the version.").short('V'),
];

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
