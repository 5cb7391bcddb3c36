//! Pure. Options as they are typed: long ones, letters, with their values behind `=`, attached, or ahead.

use super::super::verb::Verb;
use super::Parser;
use crate::config::place::{ConfigError, Entry, Place, Placed};
use crate::options::{Argument, OptionSpec, Standing, UwsgiOption, options, standing};

impl Parser {
    pub(super) fn take_long(&mut self, index: usize, rest: &str) {
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

    pub(super) fn take_short(&mut self, index: usize, rest: &str) {
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
}

/// True for a long option that is known: a value before it was forgotten. Other words with dashes can be values.
fn is_option(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("--") else { return false };
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    !matches!(standing(name), Standing::Unknown)
}
