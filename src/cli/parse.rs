//! Pure. Arguments and environment to an invocation.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use super::verb::{self, Verb};
use crate::config::place::{COMMAND_LINE, ConfigError, ENVIRONMENT, Entry, Place, Placed, Texts};
use crate::config::quoted;
use crate::options::{Argument, OptionSpec, Standing, UwsgiOption, nearest, options, standing};

/// Variables that are no options: they are how an Emperor and its vassals talk.
const RESERVED: [&str; 10] = [
    "RELOADS",
    "VASSALS_DIR",
    "EMPEROR_FD",
    "BROODLORD_NUM",
    "EMPEROR_FD_CONFIG",
    "EMPEROR_PROXY",
    "JAIL_PID",
    "ORIGINAL_PROC_NAME",
    "HOOK_CONTEXT",
    "VASSAL_CONFIG",
];
/// Set for whoever is started by an Emperor.
const EMPEROR_FD: &str = "UWSGI_EMPEROR_FD";
/// Exit status for an error that was typed, and for one in a file.
const USAGE: u8 = 2;
const FAILED: u8 = 1;

/// What was asked for on the command line.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What to do.
    pub verb: Verb,
    /// Options of the environment, then of the command line; files are still to be read (`config::load`).
    pub entries: Vec<Entry>,
    /// Words that are neither options nor configs of an Emperor or vassal: the files of `check`, the
    /// address of `status` …
    pub operands: Vec<Placed<String>>,
    /// `--json`.
    pub json: bool,
    /// `--follow`.
    pub follow: bool,
    /// `--lines`.
    pub lines: Option<u32>,
    /// Flags of the verb's own.
    pub flags: Vec<&'static str>,
    /// The arguments and variables, one a line: errors show them.
    pub texts: Texts,
}

/// Exit status for these errors: 2 when all are on the command line, else 1.
pub fn exit_code(errors: &[ConfigError]) -> u8 {
    let typed = |error: &ConfigError| error.place.as_ref().is_none_or(|place| &*place.file == COMMAND_LINE);
    if errors.iter().all(typed) { USAGE } else { FAILED }
}

/// Reads the arguments (without the program's name) and the environment.
///
/// # Errors
/// Unknown verbs and options, missing values, text that is not UTF-8; each with the argument it is about.
pub fn parse(
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
) -> Result<Invocation, Vec<ConfigError>> {
    let mut parser = Parser::new(arguments);
    parser.take_verb(environment);
    if parser.verb.spec().takes_options {
        parser.take_environment(environment);
    }
    parser.take_arguments();
    parser.settle_verb(environment);
    parser.check_operands();
    parser.finish()
}

struct Parser {
    arguments: Vec<String>,
    next: usize,
    file: Arc<str>,
    /// False when `run` was not typed but assumed.
    named: bool,
    verb: Verb,
    entries: Vec<Entry>,
    operands: Vec<Placed<String>>,
    json: bool,
    follow: bool,
    lines: Option<u32>,
    flags: Vec<&'static str>,
    texts: Texts,
    errors: Vec<ConfigError>,
}

impl Parser {
    fn new(arguments: &[OsString]) -> Self {
        let file: Arc<str> = COMMAND_LINE.into();
        let mut texts = Texts::default();
        let shown: Vec<String> =
            arguments.iter().map(|one| one.to_string_lossy().replace('\n', " ")).collect();
        texts.insert(&file, shown.join("\n"));
        let mut parser = Self {
            arguments: Vec::new(),
            next: 0,
            file,
            named: false,
            verb: Verb::Run,
            entries: Vec::new(),
            operands: Vec::new(),
            json: false,
            follow: false,
            lines: None,
            flags: Vec::new(),
            texts,
            errors: Vec::new(),
        };
        parser.arguments =
            arguments.iter().enumerate().map(|(index, one)| parser.decode(index, one)).collect();
        parser
    }

    fn decode(&mut self, index: usize, argument: &OsStr) -> String {
        if let Some(text) = argument.to_str() {
            return text.to_owned();
        }
        self.errors.push(ConfigError::at(&self.place(index, 0), "not valid UTF-8"));
        argument.to_string_lossy().into_owned()
    }

    /// Index and offset count from 0.
    fn place(&self, index: usize, offset: usize) -> Place {
        let small = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
        Place { file: Arc::clone(&self.file), line: small(index), column: small(offset) }
    }

    fn take_verb(&mut self, environment: &[(OsString, OsString)]) {
        let first = self.arguments.first();
        if let Some(verb) = first.and_then(|word| Verb::named(word)) {
            (self.verb, self.named, self.next) = (verb, true, 1);
        } else if environment.iter().any(|(name, _)| name == EMPEROR_FD) {
            self.verb = Verb::Vassal;
        }
    }

    /// Somebody's vassal that names sources is an Emperor itself.
    fn settle_verb(&mut self, environment: &[(OsString, OsString)]) {
        let governs = self.entries.iter().any(|entry| entry.key == "emperor");
        if !self.named && self.verb == Verb::Vassal && governs {
            self.verb = Verb::Run;
            self.entries.retain(|entry| &*entry.place.file != ENVIRONMENT);
            self.take_environment(environment);
        }
    }

    fn take_environment(&mut self, environment: &[(OsString, OsString)]) {
        let file: Arc<str> = ENVIRONMENT.into();
        let mut lines = Vec::new();
        let mut entries = Vec::new();
        for (name, value) in environment {
            let Some(key) = option_of_variable(name, self.verb) else { continue };
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            lines.push(format!("{name}={value}").replace('\n', " "));
            let line = u32::try_from(lines.len()).unwrap_or(u32::MAX);
            let place = Place { file: Arc::clone(&file), line, column: 1 };
            let column = u32::try_from(name.len() + 2).unwrap_or(u32::MAX);
            entries.push(Entry {
                key,
                value: value.to_owned(),
                value_place: Place { column, ..place.clone() },
                place,
            });
        }
        self.texts.insert(&file, lines.join("\n"));
        self.entries.splice(0..0, entries);
    }

    fn take_arguments(&mut self) {
        let mut only_operands = false;
        while self.next < self.arguments.len() {
            let index = self.next;
            let argument = self.arguments[index].clone();
            self.next += 1;
            match argument.strip_prefix('-') {
                _ if only_operands => self.take_operand(index, argument),
                Some("-") => only_operands = true,
                Some(rest) if rest.starts_with('-') => self.take_long(index, &rest[1..]),
                Some(rest) if !rest.is_empty() => self.take_short(index, rest),
                _ => self.take_operand(index, argument),
            }
        }
    }

    /// A word that is no option: a config, or whatever the verb is about.
    fn take_operand(&mut self, index: usize, word: String) {
        let place = self.place(index, 0);
        if self.verb.spec().count.is_some() {
            return self.operands.push(Placed { value: word, place });
        }
        // A config has a suffix, so this is none.
        let like_a_verb = !self.named && index == 0 && is_like_a_verb(&word);
        if like_a_verb && (self.verb == Verb::Run || verb::nearest(&word).is_some()) {
            return self.refuse_verb(&place, &word);
        }
        self.entries.push(Entry { key: "include".into(), value: word, value_place: place.clone(), place });
    }

    /// What follows it is its own, and not looked at.
    fn refuse_verb(&mut self, place: &Place, word: &str) {
        let error = ConfigError::at(place, format!("unknown verb {}", quoted(word)));
        let cure = match (verb::instead(word), verb::nearest(word)) {
            (Some(instead), _) => instead.to_owned(),
            (None, Some(meant)) => {
                format!("did you mean `{meant}`? A file is written with its directory: ./{word}")
            }
            (None, None) => {
                format!("`liege help` lists them; a file is written with its directory: ./{word}")
            }
        };
        self.errors.push(error.cure(cure));
        self.next = self.arguments.len();
    }

    fn take_long(&mut self, index: usize, rest: &str) {
        let (name, value) = match rest.split_once('=') {
            Some((name, value)) => (name, Some((value.to_owned(), self.place(index, name.len() + 3)))),
            None => (rest, None),
        };
        if name == "json" && self.verb.spec().has_json {
            self.json = true;
            return;
        }
        if name == "lines" && self.verb == Verb::Tail {
            return self.take_lines(index, value);
        }
        if name == "follow" && self.verb.follows() {
            self.follow = true;
            return;
        }
        if let Some((flag, _)) = self.verb.flags().iter().find(|(flag, _)| *flag == name) {
            self.flags.push(flag);
            return;
        }
        match standing(name) {
            Standing::Ours(_, option) => self.take_ours(index, option, value),
            Standing::Unknown => self.refuse(index, name),
            Standing::Uwsgi(option) => self.take_uwsgis(index, option, value),
        }
    }

    fn take_short(&mut self, index: usize, rest: &str) {
        if rest == "f" && self.verb.follows() {
            self.follow = true;
            return;
        }
        if let Some(attached) = rest.strip_prefix('n').filter(|_| self.verb == Verb::Tail) {
            let value = (!attached.is_empty()).then(|| (attached.to_owned(), self.place(index, 2)));
            return self.take_lines(index, value);
        }
        let letter = rest.chars().next();
        let found = options()
            .map(|(_, option)| option)
            .find(|option| option.short.is_some() && option.short == letter);
        let Some(option) = found else { return self.refuse_short(index, rest) };
        let attached = &rest[1..];
        let value = (!attached.is_empty()).then(|| (attached.to_owned(), self.place(index, 2)));
        self.take_ours(index, option, value);
    }

    fn take_lines(&mut self, index: usize, value: Option<(String, Place)>) {
        let value = value.or_else(|| self.value_ahead(is_option));
        match value.as_ref().and_then(|(text, _)| text.parse().ok()) {
            Some(lines) => self.lines = Some(lines),
            None => {
                let place = value.map_or_else(|| self.place(index, 0), |(_, place)| place);
                let error = ConfigError::at(&place, "no number of lines");
                self.errors.push(error.cure("write: -n LINES, for example -n 20"));
            }
        }
    }

    fn take_ours(&mut self, index: usize, option: &'static OptionSpec, value: Option<(String, Place)>) {
        match option.name {
            "help" => return self.turn_to(Verb::Help),
            "version" => return self.turn_to(Verb::Version),
            _ if self.verb.spec().takes_options => {}
            _ => return self.refuse_here(index),
        }
        match option.kind.takes_value() {
            true => self.enter_with_value(index, option.name, value, option.kind.placeholder()),
            false => self.enter(index, option.name, value),
        }
    }

    /// Judged later, with the reason; until then its value must not be taken for a config.
    fn take_uwsgis(&mut self, index: usize, option: UwsgiOption, value: Option<(String, Place)>) {
        if !self.verb.spec().takes_options {
            return self.refuse_here(index);
        }
        match option.argument {
            Argument::Required => self.enter_with_value(index, option.name, value, "VALUE"),
            Argument::Optional | Argument::None => self.enter(index, option.name, value),
        }
    }

    fn enter_with_value(
        &mut self,
        index: usize,
        name: &str,
        value: Option<(String, Place)>,
        placeholder: &str,
    ) {
        let value = value.or_else(|| self.value_ahead(is_option));
        if value.is_some() {
            return self.enter(index, name, value);
        }
        let error = ConfigError::at(&self.place(index, 0), format!("`--{name}` needs a value"));
        self.errors.push(error.cure(format!("write: --{name} {placeholder}")));
    }

    /// Help and version need nothing else to be right.
    fn turn_to(&mut self, verb: Verb) {
        let has_its_own =
            self.named && !matches!(self.verb, Verb::Run | Verb::Vassal | Verb::Help | Verb::Version);
        let about = (verb == Verb::Help && has_its_own).then(|| self.verb.spec().name);
        if !matches!(self.verb, Verb::Help | Verb::Version) {
            self.verb = verb;
        }
        self.errors.clear();
        let place = self.place(0, 0);
        self.operands =
            about.into_iter().map(|name| Placed { value: name.to_owned(), place: place.clone() }).collect();
        self.next = self.arguments.len();
    }

    /// The next argument, unless it is to be spared.
    fn value_ahead(&mut self, spared: fn(&str) -> bool) -> Option<(String, Place)> {
        let index = self.next;
        let value = self.arguments.get(index).filter(|value| !spared(value))?.clone();
        self.next += 1;
        Some((value, self.place(index, 0)))
    }

    fn enter(&mut self, index: usize, name: &str, value: Option<(String, Place)>) {
        let place = self.place(index, 0);
        let (value, value_place) = value.unwrap_or_else(|| (String::new(), place.clone()));
        self.entries.push(Entry { key: name.to_owned(), value, place, value_place });
    }

    fn refuse(&mut self, index: usize, name: &str) {
        let error = ConfigError::at(
            &self.place(index, 0),
            format!("unknown option {}", quoted(&format!("--{name}"))),
        );
        let cure =
            nearest(name).map_or("see `liege --help`".to_owned(), |name| format!("did you mean `--{name}`?"));
        self.errors.push(error.cure(cure));
    }

    fn refuse_short(&mut self, index: usize, rest: &str) {
        let error =
            ConfigError::at(&self.place(index, 0), format!("unknown option {}", quoted(&format!("-{rest}"))));
        self.errors.push(error.cure("see `liege --help`"));
    }

    fn refuse_here(&mut self, index: usize) {
        let verb = self.verb.spec().name;
        let error = ConfigError::at(&self.place(index, 0), format!("`{verb}` does not take this option"));
        let is_json = self.arguments[index].starts_with("--json");
        self.errors.push(error.cure(match self.verb {
            Verb::Why if is_json => {
                "`liege status NAME --json` has these sentences: reason, next, advice".to_owned()
            }
            _ => format!("`liege help {verb}` lists those that it takes"),
        }));
    }

    fn check_operands(&mut self) {
        let spec = self.verb.spec();
        let Some((least, most)) = spec.count else { return };
        let unknown = self.operands.first().filter(|one| Verb::named(&one.value).is_none());
        if let Some(unknown) = unknown.filter(|_| self.verb == Verb::Help).cloned() {
            return self.refuse_verb(&unknown.place, &unknown.value);
        }
        if self.operands.len() < least {
            let error = ConfigError::whole(format!("`{}` needs more words", spec.name));
            self.errors.push(error.cure(format!("write: liege {} {}", spec.name, spec.operands)));
        }
        if let Some(extra) = self.operands.get(most) {
            let cause = format!("`{}` does not take {}", spec.name, quoted(&extra.value));
            self.errors.push(ConfigError::at(&extra.place, cause));
        }
    }

    fn finish(self) -> Result<Invocation, Vec<ConfigError>> {
        if !self.errors.is_empty() {
            return Err(self.texts.explain(self.errors));
        }
        let Self { verb, entries, operands, json, follow, lines, flags, texts, .. } = self;
        Ok(Invocation { verb, entries, operands, json, follow, lines, flags, texts })
    }
}

/// A word of letters alone.
fn is_like_a_verb(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

/// True for a long option that is known: a value before it was forgotten. Other words with dashes can be values.
fn is_option(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("--") else { return false };
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    !matches!(standing(name), Standing::Unknown)
}

/// `UWSGI_FOO_BAR` is `foo-bar`. What begins with `UWSGI_VASSAL_` is for the vassals of an Emperor.
fn option_of_variable(name: &OsStr, verb: Verb) -> Option<String> {
    let name = name.to_str()?.strip_prefix("UWSGI_")?;
    let for_vassals = verb == Verb::Run && name.starts_with("VASSAL_");
    let is_option = !name.is_empty() && !for_vassals && !RESERVED.contains(&name);
    is_option.then(|| name.to_ascii_lowercase().replace('_', "-"))
}
