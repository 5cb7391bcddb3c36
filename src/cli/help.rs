//! Pure. `--help` and `--version`.

use std::fmt::Write as _;

use super::verb::VERBS;
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
    for verb in VERBS {
        let usage = format!("{} {}", verb.name, verb.operands);
        push(&mut out, &format!("  {usage:<30} {}\n", verb.help));
    }
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
