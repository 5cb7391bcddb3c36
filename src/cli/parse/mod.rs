//! Pure. Arguments and environment to an invocation.

mod environment;
mod refusals;
mod typed;

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use super::verb::{self, Verb};
use crate::config::place::{COMMAND_LINE, ConfigError, ENVIRONMENT, Entry, Place, Placed, Texts};

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
