//! `liege check` and `liege show-config`: what is said of the configs that were named. Nothing is started.

use std::path::Path;

use anyhow::Error;
use rustix::process::geteuid;

use crate::cli::Invocation;
use crate::cli::world::Surroundings;
use crate::config::check::{Finding, Report, Verdict, check, naming};
use crate::config::emperor::EmperorConfig;
use crate::config::place::{COMMAND_LINE, ConfigError, Place, Placed, Texts};
use crate::config::{Loaded, load};
use crate::monitors::is_vassal;
use crate::prospect::{foresee, unfit_daemons};
use crate::runtime::plan_for;
use crate::spawner::charter::Charter;
use crate::vassal::program;

/// What was found in every config that these names stand for. Vassals are judged as those of the Emperor whose config was named
/// before them, else as those of one without options: as `liege plan` does.
pub fn inspect(names: &[String]) -> Report {
    let files: Vec<String> = names.iter().flat_map(|name| configs(name)).collect();
    let mut report = check(&files, &Surroundings::onlooker(), &program);
    let mut rules = plan_for(&EmperorConfig::default()).ok();
    for finding in &mut report.0 {
        judge(finding, &mut rules);
    }
    report
}

/// Refuses what would not run.
fn judge(finding: &mut Finding, rules: &mut Option<Charter>) {
    let file = finding.file.clone();
    match emperors(&file) {
        Some(Ok((config, texts))) => match plan_for(&config) {
            Ok(charter) => {
                finding.refuse(texts.explain(unfit_daemons(&charter, &config.daemons.list)));
                *rules = Some(charter);
            }
            // What takes root is not wrong because somebody else looks at it.
            Err(_) if !geteuid().is_root() => *rules = None,
            Err(error) => finding.refuse(vec![of_whole(&file, error)]),
        },
        Some(Err(_)) if matches!(finding.verdict, Verdict::Wrong(_)) => {}
        // That of an Emperor in a vassal is both.
        Some(Err(_)) | None => judge_vassal(finding, rules.as_ref()),
    }
}

fn judge_vassal(finding: &mut Finding, rules: Option<&Charter>) {
    let file = Path::new(&finding.file);
    let runs = !matches!(finding.verdict, Verdict::Exits(_) | Verdict::Unseen(_)) && file.exists();
    let foreseen = rules.filter(|_| runs).map(|charter| foresee(charter, file));
    match foreseen {
        Some(Ok(prospect)) => finding.warnings.extend(prospect.doubts),
        Some(Err(errors)) => finding.refuse(errors),
        None => {}
    }
}

/// What an Emperor is told, or why it would not start; nothing where the file is no Emperor's.
fn emperors(file: &str) -> Option<Result<(EmperorConfig, Texts), Vec<ConfigError>>> {
    let place = Place { file: COMMAND_LINE.into(), line: 1, column: 1 };
    let loaded: Loaded = load(vec![naming(file, place)], Texts::default(), &Surroundings::onlooker());
    let governs = loaded.entries.iter().any(|entry| entry.key == "emperor");
    governs.then(|| loaded.emperor().map(|config| (config, loaded.texts)))
}

fn of_whole(file: &str, error: Error) -> ConfigError {
    let about = |error: Error| ConfigError::at(&Place::whole(&file.into()), format!("{error:#}"));
    error.downcast().unwrap_or_else(about)
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
