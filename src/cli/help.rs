//! Pure. `--help` and `--version`.

use std::fmt::Write as _;

use super::verb::{Verb, VerbSpec};
use crate::options::{GROUPS, OptionSpec};

/// Columns of a line.
const WIDTH: usize = 92;
/// Columns before a description.
const INDENT: usize = 8;

/// The help, for people.
pub fn help() -> String {
    let mut out = format!(
        "{}\n\nUsage: liege [VERB] [OPTION...] [FILE.ini...]\n\nVerbs:\n",
        env!("CARGO_PKG_DESCRIPTION")
    );
    for verb in VerbSpec::shown() {
        let usage = format!("{} {}", verb.name, verb.operands);
        push(&mut out, &format!("  {usage:<30} {}\n", verb.help));
    }
    out.push_str("\n`liege help VERB` tells more of one: its options, its exit status, an example.\n");
    for group in GROUPS {
        push(&mut out, &format!("\n{}:\n", group.heading));
        group.options.iter().for_each(|option| push_option(&mut out, option));
    }
    out.push_str(
        "\nAn option is written `--name value`, `--name=value`, or `name = value` below [uwsgi] in a file.\n",
    );
    out.push_str(
        "The environment variable UWSGI_NAME sets it too. Exit status: 0 done, 1 failed, 2 usage.\n",
    );
    out
}

/// That of one verb.
pub fn help_of(spec: &VerbSpec) -> String {
    let usage = format!("liege {} {}", spec.name, spec.operands);
    let mut out = format!("{}\n\nUsage: {}\n", spec.help, usage.trim_end());
    let flags = flags(spec);
    if !flags.is_empty() {
        out.push('\n');
    }
    flags.iter().for_each(|(flag, help)| push(&mut out, &format!("  {flag:<20}{help}\n")));
    if spec.takes_options {
        out.push_str("\nIt takes the options that `liege --help` lists.\n");
    }
    if spec.operands.contains("ADDRESS") {
        out.push_str("\nADDRESS: where the stats or the control socket of an Emperor are, if not at the usual place.\n");
    }
    if spec.names_vassals() {
        out.push_str("NAME: a vassal with or without its suffix, a pattern, `all`, or vassal/daemon, where several are meant.\n");
    }
    push(&mut out, &format!("\nExit status: {}, 2 usage.\n", spec.verb.exits()));
    push(&mut out, &format!("Example: {}\n", spec.verb.example()));
    out
}

/// Its own flags, with what each does.
fn flags(spec: &VerbSpec) -> Vec<(String, &'static str)> {
    let json = spec.has_json.then(|| ("--json".to_owned(), "Prints JSON."));
    let follow = spec.verb.follows().then(|| ("-f, --follow".to_owned(), "Goes on with what comes."));
    let lines =
        (spec.verb == Verb::Tail).then(|| ("-n, --lines LINES".to_owned(), "So many lines at most; 10."));
    let own = spec.verb.flags().iter().map(|(flag, help)| (format!("--{flag}"), *help));
    json.into_iter().chain(follow).chain(lines).chain(own).collect()
}

/// Name and version.
pub fn version() -> String {
    format!("liege {}\n", env!("CARGO_PKG_VERSION"))
}

fn push_option(out: &mut String, option: &OptionSpec) {
    let short = option.short.map_or(String::new(), |letter| format!("-{letter}, "));
    let aliases: String = option.aliases.iter().map(|alias| format!(", --{alias}")).collect();
    let value = option.kind.placeholder();
    push(out, format!("  {short}--{}{aliases} {value}", option.name).trim_end());
    out.push('\n');
    let default = option.default.map_or(String::new(), |text| format!(" Default: {text}."));
    let repeats = if option.repeats { " May be repeated." } else { "" };
    push_wrapped(out, &format!("{}{default}{repeats}", option.help));
}

/// Words on as many lines as they need.
fn push_wrapped(out: &mut String, text: &str) {
    let mut line = String::new();
    for word in text.split(' ') {
        if INDENT + line.chars().count() + 1 + word.chars().count() > WIDTH {
            push(out, &format!("{:INDENT$}{}\n", "", line.trim_start()));
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    push(out, &format!("{:INDENT$}{}\n", "", line.trim_start()));
}

fn push(out: &mut String, text: &str) {
    write!(out, "{text}").expect("a String takes every text");
}
