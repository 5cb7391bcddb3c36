//! `liege check` and `liege show-config`: what is said of the configs that were named. Nothing is started.

use std::path::Path;

use crate::cli::Invocation;
use crate::cli::world::Surroundings;
use crate::config::check::{Report, check, naming};
use crate::config::load;
use crate::config::place::{ConfigError, Placed};
use crate::monitors::is_vassal;
use crate::vassal::program;

/// What was found in every config that these names stand for.
pub fn inspect(names: &[String]) -> Report {
    let files: Vec<String> = names.iter().flat_map(|name| configs(name)).collect();
    check(&files, &Surroundings::onlooker(), &program)
}

/// A directory stands for each file in it that an Emperor would take for a vassal, sorted; one that cannot be read,
/// and anything else, for itself.
fn configs(name: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(name) else { return vec![name.to_owned()] };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_vassal(name.as_bytes())).collect();
    names.sort();
    names.iter().map(|file| Path::new(name).join(file).to_string_lossy().into_owned()).collect()
}

/// The options of one config as they count, after those of the command line.
///
/// # Errors
/// What could not be read or expanded.
pub fn effective(invocation: Invocation) -> Result<String, Vec<ConfigError>> {
    let Invocation { mut entries, operands, json, texts, .. } = invocation;
    entries.extend(operands.into_iter().map(|Placed { value, place }| naming(&value, place)));
    let loaded = load(entries, texts, &Surroundings::onlooker());
    let effective = loaded.effective()?;
    let warnings = loaded.texts.explain(loaded.unread.iter().chain(&loaded.warnings).cloned().collect());
    match json {
        true => Ok(format!("{:#}\n", effective.json(&warnings))),
        false => Ok(effective.to_string()),
    }
}
