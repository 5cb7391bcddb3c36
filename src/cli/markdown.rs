//! Pure. `docs/options.md`.

use crate::options::{Fate, GROUPS, OptionSpec, PARTS, Part, Standing, UwsgiOption, all, standing};

/// The reference of all options. `docs/options.md` is this text; a test compares them.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Options\n\nMade by `liege options` from the table in `src/options/table/`; edit that, not this page.\n\n\
         On the command line an option is written `--name value` or `--name=value`; in a file it is a line\n\
         `name = value` below `[uwsgi]`; in the environment it is `UWSGI_NAME=value`, with `_` for `-`.\n\
         A value `true`, `yes`, `on`, `1` or none at all turns a flag on; `false`, `no`, `off`, `0` turn it off;\n\
         any other word turns it on and is warned of. A time may have a unit: `500ms`, `1.5s`, `2m`, `1h`, `1d`.\n\n\
         A name that is no option may stand in a file as a placeholder, if some value uses it as `%(name)` or if\n\
         it begins with `x-`. Any other unknown name is an error.\n",
    );
    for group in GROUPS {
        out.push_str(&format!(
            "\n## {}\n\n| option | value | default | meaning |\n|---|---|---|---|\n",
            group.heading
        ));
        group.options.iter().for_each(|option| out.push_str(&row(option)));
    }
    out.push_str(&differing());
    out.push_str(&refused());
    out.push_str(&list_of(
        "Not supported yet",
        "These options of uWSGI are refused with this reason, never skipped:",
        |option| option.fate == Fate::Later,
    ));
    out.push_str(&list_of(
        "Ignored",
        "These options of uWSGI may stand in an Emperor's config, or in a vassal's that runs a program of its own. \
         They do\nnothing there, and `liege check` says why. Where the `uwsgi` binary reads a config they work as ever:",
        |option| option.is_ignored(),
    ));
    out.push_str(&application_server());
    out
}

fn row(option: &OptionSpec) -> String {
    let names: Vec<String> =
        std::iter::once(&option.name).chain(option.aliases).map(|name| format!("`{name}`")).collect();
    let value = option.kind.placeholder();
    let value = if value.is_empty() { "flag" } else { value };
    let repeats = if option.repeats { " May be repeated." } else { "" };
    let default = option.default.unwrap_or("–");
    format!("| {} | {value} | {default} | {}{repeats} |\n", names.join(", "), option.help)
}

/// Options that do something else than in uWSGI.
fn differing() -> String {
    let mut out = String::from("\n## Not as in uWSGI\n\n| option | | what is different |\n|---|---|---|\n");
    for option in all().filter(|option| matches!(option.fate, Fate::Changed | Fate::Unsafe)) {
        out.push_str(&format!("| `{}` | {} | {} |\n", option.name, option.fate, option.why()));
    }
    out
}

/// Options that are refused, and what to do instead.
fn refused() -> String {
    let mut out = String::from("\n## Refused\n\n| option | what to do instead |\n|---|---|\n");
    for option in all().filter(|option| option.fate == Fate::Refused) {
        out.push_str(&format!("| `{}` | {} |\n", option.name, option.why()));
    }
    out
}

fn list_of(heading: &str, text: &str, belongs: fn(&UwsgiOption) -> bool) -> String {
    let names = all().filter(|option| uwsgi_only(option) && belongs(option)).map(|option| option.name);
    format!("\n## {heading}\n\n{text}\n\n{}", wrapped(names))
}

/// Every option by which a vassal is run by `uwsgi`.
fn application_server() -> String {
    let mut out = String::from(
        "\n## uWSGI's application server\n\nA vassal's config that has one of these is run by the `uwsgi` binary, \
         which reads it itself. In an Emperor's config\nthey are errors.\n",
    );
    for part in PARTS.iter().filter(|part| all().any(|option| runs_uwsgi(&option, part))) {
        let names = all().filter(|option| runs_uwsgi(option, part)).map(|option| option.name);
        let about = part.about;
        out.push_str(&format!("\n**{}**: {about}\n\n{}", part.word, wrapped(names)));
    }
    out
}

fn runs_uwsgi(option: &UwsgiOption, part: &Part) -> bool {
    option.part == part && option.is_app_servers() && uwsgi_only(option) && !option.is_ignored()
}

fn uwsgi_only(option: &UwsgiOption) -> bool {
    matches!(standing(option.name), Standing::Uwsgi(_))
}

/// Names in backticks, as many on a line as fit.
fn wrapped(names: impl Iterator<Item = &'static str>) -> String {
    let mut lines = vec![String::new()];
    for name in names {
        let last = lines.last_mut().expect("there is always a line");
        if last.len() + name.len() > 100 {
            lines.push(format!("`{name}` "));
        } else {
            last.push_str(&format!("`{name}` "));
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}
