//! Pure. How the Emperor stands among the processes of the host.

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry};
use crate::config::values::{flag, text};

/// What uWSGI calls an Emperor that was given no name.
const UNNAMED: &str = "uWSGI Emperor";

/// What it is called, and whose orphans come to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// `emperor-procname`, `procname`, `procname-master`: the first of them that is given is its name.
    names: [Option<String>; 3],
    /// `procname-prefix`, `procname-prefix-spaced`: the last one counts.
    prefix: String,
    /// `procname-append`.
    suffix: String,
    /// `auto-procname`, and whatever says something of its name.
    is_named: bool,
    /// `emperor-subreaper`.
    pub subreaper: bool,
}

impl Presence {
    /// Its title, if it is to have one.
    pub fn title(&self) -> Option<String> {
        let name = self.names.iter().flatten().next().map_or(UNNAMED, String::as_str);
        self.is_named.then(|| format!("{}{name}{}", self.prefix, self.suffix))
    }
}

/// Takes what such an option says; false for any other option.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(config: &mut Presence, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "emperor-procname" => config.names[0] = Some(value(entry, text)?),
        "procname" => config.names[1] = Some(value(entry, text)?),
        "procname-master" => config.names[2] = Some(value(entry, text)?),
        "procname-prefix" => config.prefix = value(entry, text)?,
        "procname-prefix-spaced" => config.prefix = value(entry, text)? + " ",
        "procname-append" => config.suffix = value(entry, text)?,
        "auto-procname" => {
            config.is_named = value(entry, flag)?;
            return Ok(true);
        }
        "emperor-subreaper" => {
            config.subreaper = value(entry, flag)?;
            return Ok(true);
        }
        _ => return Ok(false),
    }
    config.is_named = true;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::config::tests::load_text;

    fn title(text: &str) -> Option<String> {
        let loaded = load_text(&format!("[uwsgi]\nemperor = /v\n{text}"));
        loaded.emperor().expect("a config").presence.title()
    }

    #[test]
    fn a_name_has_what_stands_before_and_behind_it() {
        for (text, named) in [
            ("", None),
            ("emperor-subreaper = true", None),
            ("auto-procname = true", Some("uWSGI Emperor")),
            ("procname-prefix = [shop]", Some("[shop]uWSGI Emperor")),
            ("procname-master = b\nprocname = a", Some("a")),
            ("procname-master = b", Some("b")),
            ("procname = a\nemperor-procname = c\nprocname-master = b", Some("c")),
            (
                "procname = a\nprocname-prefix = x\nprocname-prefix-spaced = y\nprocname-append = !",
                Some("y a!"),
            ),
        ] {
            assert_eq!(title(text).as_deref(), named, "{text}");
        }
    }
}
