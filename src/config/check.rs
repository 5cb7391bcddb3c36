//! Pure. `liege check`: what config files would do, or everything that is wrong with them.

mod json;
mod text;

pub(super) use json::{VERSION, complaints, place};

use std::path::PathBuf;
use std::sync::Arc;

use super::admit::meant;
use super::emperor::plugins;
use super::hazard::{self, Runner};
use super::load::{ERRORS_MAX, Loaded, load};
use super::place::{COMMAND_LINE, ConfigError, Entry, Place, Texts};
use super::show::quoted;
use super::source::World;
use super::vassal::{Patch, VassalConfig, VassalKind};
use crate::options::{Fate, PARTS, Standing, UwsgiOption, standing, uwsgi};

/// What programs begin with: an interpreter's name, or code for this machine.
const PROGRAMS: [&[u8]; 2] = [b"#!", b"\x7fELF"];

/// What was found in each file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub Vec<Finding>);

/// What was found in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, as named.
    pub file: String,
    /// What it is.
    pub verdict: Verdict,
    /// What is probably not meant, but harmless.
    pub warnings: Vec<ConfigError>,
    /// What becomes of each option of uWSGI in it, in the order written.
    pub options: Vec<Judged>,
    /// The config that is used when this one is of no use.
    pub fallback: Option<String>,
}

/// What a config file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A config of an Emperor.
    Emperor,
    /// A vassal run by liege, and the program that is then run, if it runs one.
    Own(Option<String>),
    /// A vassal run by uwsgi.
    Uwsgi {
        /// The option that only uwsgi can read.
        because: String,
        /// Where uwsgi is.
        found: Option<PathBuf>,
        /// Debian's packages that would run it.
        packages: String,
    },
    /// Nothing runs: it has the reader exit with this status.
    Exits(u8),
    /// Only a run would show what it says, and nothing is run here.
    Unseen(Unseen),
    /// Of no use before these errors are gone.
    Wrong(Vec<ConfigError>),
}

/// Why a config cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// It is a program (`emperor-magic-exec`).
    Program,
    /// A scheme stands for it, or for what it includes.
    Scheme,
}

/// What becomes of one option of uWSGI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Which.
    pub option: UwsgiOption,
    /// Where it stands.
    pub place: Place,
    /// What becomes of it; `Unsafe` also for a value that is.
    pub fate: Fate,
    /// What is different, missing or dangerous; empty where nothing is.
    pub reason: String,
    /// What to write instead of something unsafe.
    pub safe: Option<&'static str>,
}

/// Checks files, each by itself. One with an `emperor` option is an Emperor's, any other a vassal's. `find` says
/// where a program is.
pub fn check(files: &[String], world: &dyn World, find: &dyn Fn(&str) -> Option<PathBuf>) -> Report {
    Report(files.iter().map(|file| check_file(file, world, find)).collect())
}

/// The option that reads a file named on the command line.
pub fn naming(file: &str, place: Place) -> Entry {
    Entry { key: "include".into(), value: file.into(), value_place: place.clone(), place }
}

fn check_file(file: &str, world: &dyn World, find: &dyn Fn(&str) -> Option<PathBuf>) -> Finding {
    let mut texts = Texts::default();
    texts.insert(&Arc::from(COMMAND_LINE), file);
    let place = Place { file: COMMAND_LINE.into(), line: 1, column: 1 };
    let loaded = load(vec![naming(file, place)], texts, world);
    let runner = runner(&loaded);
    let verdict = match judge(&loaded, runner, find) {
        Verdict::Wrong(errors) => {
            unseen(file, &loaded, world).map_or(Verdict::Wrong(errors), Verdict::Unseen)
        }
        verdict => verdict,
    };
    let mut options = judged(&loaded, runner);
    options.retain(|judged| !verdict.blames(&judged.place));
    Finding {
        file: file.to_owned(),
        warnings: warnings(&loaded, runner),
        verdict,
        options,
        fallback: loaded.fallback,
    }
}

/// Those that were carried out while reading stand between the others, file by file.
fn judged(loaded: &Loaded, runner: Runner) -> Vec<Judged> {
    let consumed = loaded.consumed.iter().filter(|one| &*one.place.file != COMMAND_LINE);
    let consumed = consumed.filter_map(|one| judge_option((one.value, ""), &one.place, runner));
    let others = loaded.entries.iter();
    let others = others.filter_map(|entry| judge_option((&entry.key, &entry.value), &entry.place, runner));
    let mut judged: Vec<Judged> = others.chain(consumed).collect();
    let mut files: Vec<Arc<str>> = loaded.file.iter().cloned().collect();
    for one in &judged {
        if !files.contains(&one.place.file) {
            files.push(Arc::clone(&one.place.file));
        }
    }
    let number = |file: &Arc<str>| files.iter().position(|known| known == file);
    judged.sort_by_cached_key(|one| (number(&one.place.file), one.place.line, one.place.column));
    // A loop takes a line, and a file, as often as it likes.
    judged.dedup();
    judged
}

fn runner(loaded: &Loaded) -> Runner {
    if loaded.entries.iter().any(|entry| entry.key == "emperor") {
        return Runner::Emperor;
    }
    match loaded.vassal() {
        Ok(VassalKind::Uwsgi(_)) => Runner::Uwsgi,
        _ => Runner::Master,
    }
}

fn judge(loaded: &Loaded, runner: Runner, find: &dyn Fn(&str) -> Option<PathBuf>) -> Verdict {
    if let Some(status) = loaded.exit.filter(|_| loaded.errors.is_empty()) {
        return Verdict::Exits(status);
    }
    if runner == Runner::Emperor {
        let as_emperor = loaded.emperor();
        // With options of vassals too it is that of an Emperor in a vassal, and of nobody else.
        let is_vassals = as_emperor.is_err() && matches!(loaded.vassal(), Ok(VassalKind::Own(_)));
        return as_emperor.map_or_else(
            |errors| if is_vassals { Verdict::Emperor } else { Verdict::Wrong(errors) },
            |_| Verdict::Emperor,
        );
    }
    match loaded.vassal() {
        Ok(VassalKind::Own(config)) => Verdict::Own(program(&config)),
        Ok(VassalKind::Uwsgi(because)) => {
            let packages = packages(&loaded.entries);
            Verdict::Uwsgi { because, found: find("uwsgi"), packages }
        }
        Err(errors) => Verdict::Wrong(errors),
    }
}

/// Whether what is wrong with a config may only be that it is not run, or that not all of it is read.
fn unseen(file: &str, loaded: &Loaded, world: &dyn World) -> Option<Unseen> {
    if !loaded.unread.is_empty() && loaded.entries.is_empty() && loaded.errors.is_empty() {
        return Some(Unseen::Scheme);
    }
    let text = world.read(file).ok()?.text;
    PROGRAMS.iter().any(|start| text.starts_with(start)).then_some(Unseen::Program)
}

/// What runs in the end.
fn program(config: &VassalConfig) -> Option<String> {
    let patch = config.privileged_patch.as_ref().or(config.unprivileged_patch.as_ref());
    match (patch.map(|patch| &patch.value), &config.command) {
        (Some(Patch::Program(program)), _) => Some(program.clone()),
        (Some(Patch::Shell(line)), _) => Some(format!("/bin/sh -c {}", quoted(line))),
        (None, Some(command)) => Some(command.value.join(" ")),
        (None, None) => None,
    }
}

/// The packages of the plugins that a config names, or whose options it has.
fn packages(entries: &[Entry]) -> String {
    let of_options = entries.iter().filter_map(|entry| uwsgi(&entry.key)?.part.package);
    let loading = entries.iter().filter(|entry| matches!(entry.key.as_str(), "plugin" | "plugins"));
    let names = loading.flat_map(|entry| entry.value.split(',')).map(str::trim);
    let of_names = names.filter_map(|name| PARTS.iter().find_map(|part| part.package_of(name)));
    let mut packages = vec!["uwsgi-core"];
    for package in of_names.chain(of_options) {
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages.join(" ")
}

/// What was not looked at, and what is probably not meant.
fn warnings(loaded: &Loaded, runner: Runner) -> Vec<ConfigError> {
    let unread = loaded.texts.explain(loaded.unread.clone());
    match runner {
        Runner::Uwsgi => [unread, taken_otherwise(loaded), loaded.misread()].concat(),
        _ => [unread, loaded.oddities()].concat(),
    }
}

/// What a uwsgi would make of its config is not ours to call wrong, but what it takes for a placeholder that
/// nobody uses is probably a typing error.
fn taken_otherwise(loaded: &Loaded) -> Vec<ConfigError> {
    let unknown = loaded.entries.iter().filter(|entry| matches!(standing(&entry.key), Standing::Unknown));
    let unused = unknown.map(|entry| {
        let cause = format!("uwsgi takes {} for a placeholder, and nothing uses it", quoted(&entry.key));
        ConfigError::at(&entry.place, cause).cure(meant(&entry.key))
    });
    let unused = unused.take(ERRORS_MAX);
    let said = loaded.warnings.iter().chain(&loaded.errors).cloned();
    loaded.texts.explain(said.chain(unused).collect())
}

/// `None` for what is no option of uWSGI, and for what is an error here.
fn judge_option((key, value): (&str, &str), place: &Place, runner: Runner) -> Option<Judged> {
    let option = uwsgi(key)?;
    let place = place.clone();
    if let Some(hazard) = hazard::judge(key, value, runner) {
        let (reason, safe) = (hazard.danger.to_owned(), Some(hazard.safe));
        return Some(Judged { option, place, fate: Fate::Unsafe, reason, safe });
    }
    if runner == Runner::Emperor && plugins::is_idle(key) {
        return Some(Judged {
            option,
            place,
            fate: Fate::Ignored,
            reason: plugins::IDLE.to_owned(),
            safe: None,
        });
    }
    let fate = match runner {
        Runner::Uwsgi => Fate::Same,
        // What is ignored of a vassal the Emperor may well have.
        Runner::Emperor if option.is_ignored() && is_ours(key) => Fate::Same,
        _ if is_ours(key) || !option.is_app_servers() || option.is_ignored() => option.fate,
        _ => return None,
    };
    let reason = if fate == Fate::Same { String::new() } else { option.why().to_owned() };
    Some(Judged { option, place, fate, reason, safe: None })
}

fn is_ours(key: &str) -> bool {
    matches!(standing(key), Standing::Ours(..))
}

impl Finding {
    /// Takes it for wrong, for these reasons besides those that are known.
    pub fn refuse(&mut self, errors: Vec<ConfigError>) {
        let mut known = match &mut self.verdict {
            Verdict::Wrong(known) => std::mem::take(known),
            _ if errors.is_empty() => return,
            _ => Vec::new(),
        };
        let is_news = |error: &ConfigError| {
            !known.iter().any(|one| (&one.place, &one.cause) == (&error.place, &error.cause))
        };
        let news: Vec<ConfigError> = errors.into_iter().filter(is_news).collect();
        known.extend(news);
        self.verdict = Verdict::Wrong(known);
        let verdict = &self.verdict;
        self.options.retain(|judged| !verdict.blames(&judged.place));
    }
}

impl Verdict {
    /// True when an error is about this line: nothing more is to be said of it.
    fn blames(&self, place: &Place) -> bool {
        let Self::Wrong(errors) = self else { return false };
        let mut blamed = errors.iter().filter_map(|error| error.place.as_ref());
        blamed.any(|blamed| (&blamed.file, blamed.line) == (&place.file, place.line))
    }
}

impl Report {
    /// 0 when every file can be used, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.0.iter().any(|finding| matches!(finding.verdict, Verdict::Wrong(_))))
    }
}
