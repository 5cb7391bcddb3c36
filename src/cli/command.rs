//! Shell completions and the manual page, made from the table of options.

use std::io;
use std::str::FromStr as _;

use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;

use super::names;
use super::verb::VerbSpec;
use crate::options::{Group, Kind, OptionSpec, options};

/// Without the options one by one: there are too many to be taken in.
const SYNOPSIS: &[u8] = b".SH SYNOPSIS\n\\fBliege\\fR [\\fIVERB\\fR] [\\fIOPTION\\fR...] [\\fIFILE\\fR...]\n";

/// Writes the completions for a shell.
///
/// # Errors
/// The shell is not known, or `out` fails.
pub fn completions(shell: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let shell = Shell::from_str(shell).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "no completions for this shell: use bash, zsh or fish")
    })?;
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "liege", &mut text);
    out.write_all(names::completed(shell, String::from_utf8_lossy(&text).into_owned()).as_bytes())
}

/// Writes the manual page.
///
/// # Errors
/// `out` fails.
pub fn man(out: &mut dyn io::Write) -> io::Result<()> {
    let page = clap_mangen::Man::new(command());
    page.render_title(out)?;
    page.render_name_section(out)?;
    out.write_all(SYNOPSIS)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    page.render_subcommands_section(out)?;
    page.render_version_section(out)
}

/// The command line as clap describes it. It is parsed by `parse`: options of uWSGI take their values in
/// ways of their own.
fn command() -> Command {
    Command::new("liege")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .subcommands(VerbSpec::shown().map(verb))
        .args(options().map(|(group, option)| argument(group, option)))
        .arg(
            Arg::new("FILE")
                .num_args(0..)
                .value_hint(ValueHint::FilePath)
                .help("Config files, like those of --ini."),
        )
}

fn verb(spec: &'static VerbSpec) -> Command {
    let json =
        spec.has_json.then(|| Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON."));
    let lines = (spec.verb == super::Verb::Tail).then(|| {
        Arg::new("lines").long("lines").short('n').value_name("LINES").help("So many lines at most.")
    });
    let follow = spec
        .verb
        .follows()
        .then(|| Arg::new("follow").long("follow").short('f').action(ArgAction::SetTrue).help("Goes on."));
    let words = Arg::new("WORD").num_args(0..).value_hint(ValueHint::FilePath);
    let words = match spec.verb {
        super::Verb::Completions => words.value_parser(["bash", "zsh", "fish"]),
        _ if spec.names_vassals() => words.value_hint(names::HINT),
        _ => words,
    };
    let flag = |(name, help): &(&'static str, &'static str)| {
        Arg::new(*name).long(*name).action(ArgAction::SetTrue).help(*help)
    };
    let command =
        Command::new(spec.name).about(spec.help).disable_help_flag(true).args(json).args(lines).args(follow);
    let command = command.args(spec.verb.flags().iter().map(flag));
    if spec.count == Some((0, 0)) { command } else { command.arg(words) }
}

fn argument(group: &'static Group, option: &'static OptionSpec) -> Arg {
    let default = option.default.map_or(String::new(), |text| format!(" Default: {text}."));
    let described = Arg::new(option.name)
        .long(option.name)
        .visible_aliases(option.aliases.iter().copied())
        .help_heading(group.heading)
        .help(format!("{}{default}", option.help));
    let described = option.short.map_or(described.clone(), |letter| described.short(letter));
    if !option.kind.takes_value() {
        return described.action(ArgAction::SetTrue);
    }
    let action = if option.repeats { ArgAction::Append } else { ArgAction::Set };
    described.action(action).value_name(option.kind.placeholder()).value_hint(hint(option.kind))
}

fn hint(kind: Kind) -> ValueHint {
    match kind {
        Kind::Path | Kind::Address => ValueHint::AnyPath,
        Kind::Config => ValueHint::FilePath,
        Kind::Source => ValueHint::DirPath,
        Kind::Words | Kind::Shell => ValueHint::CommandString,
        Kind::User => ValueHint::Username,
        _ => ValueHint::Other,
    }
}
