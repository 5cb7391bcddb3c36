//! Pure. Whether an option may stand in this config, and its value with its place.

use super::place::{ConfigError, Entry};
use super::show::quoted;
use super::values::Wrong;
use crate::options::{OptionSpec, Scope, Standing, nearest, standing};

/// The option that an entry of `reader`'s config names.
///
/// # Errors
/// Unknown, not supported yet, or somebody else's.
pub fn admit(entry: &Entry, reader: Scope) -> Result<&'static OptionSpec, ConfigError> {
    let refuse = |cause: String| ConfigError::at(&entry.place, cause);
    let key = quoted(&entry.key);
    match standing(&entry.key) {
        Standing::Ours(group, option) if group.scope.admits(reader) => Ok(option),
        // Those that read files have been carried out by `load`.
        Standing::Ours(group, _) if group.scope == Scope::General => {
            Err(refuse(format!("{key} works on the command line only")))
        }
        Standing::Ours(..) if reader == Scope::Emperor => {
            Err(refuse(format!("{key} is an option of a vassal, not of the Emperor"))
                .cure("move it to a vassal's config"))
        }
        Standing::Ours(_, option) if option.name == "emperor" => {
            Err(refuse("an Emperor in a vassal is not supported yet".to_owned()))
        }
        Standing::Ours(..) => Err(refuse(format!("{key} is an option of the Emperor, not of a vassal"))
            .cure("move it to the Emperor's config")),
        Standing::Later => Err(refuse(format!("{key} is not supported yet"))),
        Standing::AppServer => {
            let cause = format!("{key} configures uWSGI's application server, not the Emperor");
            Err(refuse(cause).cure("move it to a vassal's config: a vassal that has it is run by uwsgi"))
        }
        Standing::Unknown => Err(unknown(entry)),
    }
}

fn unknown(entry: &Entry) -> ConfigError {
    let error = ConfigError::at(&entry.place, format!("unknown option {}", quoted(&entry.key)));
    let placeholder = "a placeholder of your own is used as `%(name)`, or its name begins with `x-`";
    match nearest(&entry.key) {
        Some(name) => error.cure(format!("did you mean `{name}`?")),
        None => error.cure(placeholder),
    }
}

/// The value of an entry, typed.
///
/// # Errors
/// What is wrong with it, at the value's place.
pub fn value<T>(entry: &Entry, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Result<T, ConfigError> {
    parse(&entry.value).map_err(|Wrong { cause, cure }| {
        let error = ConfigError::at(&entry.value_place, format!("{}: {cause}", quoted(&entry.key)));
        ConfigError { cure, ..error }
    })
}
