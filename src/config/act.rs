//! Pure. What a line of a config does: most are options and wait for their reader, some count at once.

use super::lists::Kind;
use super::load::{Loader, Use};
use super::place::{ConfigError, Entry, Placed};
use super::show::quoted;
use super::values;
use crate::options::{Standing, find, standing};

/// Lines that a config may have printed.
pub const SAID_MAX: usize = 100;

/// Options of uWSGI that make no sense here, and what to do instead.
const REFUSED: [(&str, &str); 5] = [
    ("get", "the values of all options are shown by: liege show-config FILE"),
    ("dump-options", "all options are listed by: liege --help"),
    ("inject-before", "options of another file are read by: include = FILE"),
    ("inject-after", "options of another file are read by: include = FILE"),
    (
        "resolve",
        "write the address, or let a program find it: set-ph = NAME=@(exec://getent ahostsv4 HOST | head -n1 | cut -d' ' -f1)",
    ),
];

impl Loader<'_> {
    /// Takes a line that is no word of logic and stands in no block.
    pub(super) fn act(&mut self, entry: Entry) {
        if let Err(error) = self.lists.admit(&entry) {
            return self.fail(error);
        }
        if let Some(declared) = self.declared.get(&entry.key).cloned() {
            return self.take_declared(&declared, entry);
        }
        let Some((_, option)) = find(&entry.key) else { return self.push_unless_refused(entry) };
        let place = entry.place.clone();
        match option.name {
            "ini" | "xml" | "yaml" | "json" | "toml" | "config" | "include" => self.include(&entry),
            "inherit" => self.push(entry, Use::Inherit(self.lists.clone())),
            "set" => self.set(entry, false),
            "set-placeholder" => self.set(entry, true),
            "declare-option" => self.declare(&entry, false),
            "declare-option2" => self.declare(&entry, true),
            "blacklist" => self.lists.begin(Kind::Black, entry),
            "whitelist" => self.lists.begin(Kind::White, entry),
            "end-blacklist" => self.end_list(Kind::Black, &entry),
            "end-whitelist" => self.end_list(Kind::White, &entry),
            "strict" => self.set_strict(&entry),
            "print" => self.push(entry, Use::Print),
            "iprint" => self.say(&entry),
            "ienv" => return self.set_early(entry),
            "early-envdir" => return self.read_early(entry),
            "exit" => self.exit(&entry),
            "fallback-config" => self.loaded.fallback = self.immediate(&entry),
            _ => return self.push_unless_refused(entry),
        }
        self.consumed(option.name, place);
    }

    fn push_unless_refused(&mut self, entry: Entry) {
        match REFUSED.iter().find(|(name, _)| *name == entry.key) {
            Some((_, cure)) => {
                let cause = format!("liege has no {}", quoted(&entry.key));
                self.fail(ConfigError::at(&entry.place, cause).cure(*cure));
            }
            None => self.push(entry, Use::Option),
        }
    }

    fn end_list(&mut self, kind: Kind, entry: &Entry) {
        if let Err(error) = self.lists.end(kind, entry) {
            self.fail(error);
        }
    }

    fn set_strict(&mut self, entry: &Entry) {
        match values::flag(&entry.value) {
            Ok(strict) => self.strict = strict,
            Err(wrong) => self.fail(wrong.at(&entry.value_place)),
        }
    }

    fn say(&mut self, entry: &Entry) {
        if let Some(value) = self.immediate(entry) {
            self.print(Entry { value, ..entry.clone() });
        }
    }

    /// After an `exit`, only what was said before it is of interest.
    pub(super) fn print(&mut self, Entry { value, place, .. }: Entry) {
        if self.loaded.exit.is_none() && self.loaded.said.len() < SAID_MAX {
            self.loaded.said.push(Placed { value, place });
        }
    }

    /// What was read before is of no further interest, and what comes behind is not read.
    fn exit(&mut self, entry: &Entry) {
        let status = match entry.value.as_str() {
            "" => Ok(0),
            text => text.parse(),
        };
        match status {
            Ok(status) => self.loaded.exit = Some(status),
            Err(_) => {
                let cause = format!("{} is no exit status", quoted(&entry.value));
                self.fail(ConfigError::at(&entry.value_place, cause).cure("write a number from 0 to 255"));
            }
        }
        self.stopped = true;
    }

    /// The value of an option that counts at once: it sees what was given so far.
    pub(super) fn immediate(&mut self, entry: &Entry) -> Option<String> {
        self.expanded(entry, &entry.value).map_err(|error| self.fail(error)).ok()
    }

    /// `set = key=value`: an option where that is one, else a placeholder.
    fn set(&mut self, entry: Entry, only_placeholder: bool) {
        let Some((key, value)) = entry.value.split_once('=') else {
            let error = ConfigError::at(&entry.value_place, format!("{}: no `=`", quoted(&entry.key)));
            return self.fail(error.cure(format!("write: {} = NAME=VALUE", entry.key)));
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        let set = Entry { key, value, ..entry.clone() };
        let known = !matches!(standing(&set.key), Standing::Unknown);
        if known && only_placeholder {
            let cause = format!("{} is an option, it cannot be a placeholder", quoted(&set.key));
            return self.fail(ConfigError::at(&entry.value_place, cause).cure("use `set`, or another name"));
        }
        let known = known || self.declared.contains_key(&set.key);
        if known { self.take_set(set) } else { self.push(set, Use::Placeholder) }
    }

    /// An option that was set; one that would set another is kept from doing so without end.
    fn take_set(&mut self, entry: Entry) {
        let name = find(&entry.key).map(|(_, option)| option.name);
        if matches!(name, Some("set" | "set-placeholder")) {
            let error = ConfigError::at(&entry.value_place, "`set` cannot set itself");
            return self.fail(error.cure("write what it is to set: set = NAME=VALUE"));
        }
        self.act(entry);
    }
}
