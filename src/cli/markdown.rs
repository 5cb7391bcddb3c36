//! Pure. `docs/options.md`.

use crate::options::{GROUPS, OptionSpec, later};

/// The reference of all options. `docs/options.md` is this text; a test compares them.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Options\n\nMade by `liege options` from the table in `src/options/table/`; edit that, not this page.\n\n\
         On the command line an option is written `--name value` or `--name=value`; in a file it is a line\n\
         `name = value` below `[uwsgi]`; in the environment it is `UWSGI_NAME=value`, with `_` for `-`.\n\
         A value `true`, `yes`, `on`, `1` or none at all turns a flag on; `false`, `no`, `off`, `0` turn it off.\n\n\
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
    out.push_str(
        "\n## Not supported yet\n\nThese options of uWSGI are refused with this reason, never ignored:\n\n",
    );
    out.push_str(&wrapped(later()));
    out.push_str(
        "\nEvery other option of uWSGI configures its application server. A vassal's config that has one is run by\n\
         the `uwsgi` binary, which reads it itself; in an Emperor's config it is an error.\n",
    );
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
