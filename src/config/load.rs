//! Pure. From what was written on the command line to every option, in order, with all files read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::blocks::{Block, TURNS_MAX};
use super::declare::Declared;
use super::expand::Expander;
use super::lists::{self, Lists};
use super::logic;
use super::magic::FileVariables;
use super::place::{ConfigError, ENVIRONMENT, Entry, Place, Placed, Texts};
use super::show;
use super::source::World;
use super::values;
use crate::options::{Standing, find, nearest, standing};

/// Options of one config, all files together.
pub const ENTRIES_MAX: usize = 10_000;
/// A file may include one that includes one …, this deep.
pub const DEPTH_MAX: usize = 16;
/// Files read for one config.
pub const FILES_MAX: usize = 256;
/// Bytes of all these files.
pub const BYTES_MAX: usize = 4 << 20;
/// Errors told of one config.
pub const ERRORS_MAX: usize = 100;
/// An unknown option of this prefix is a placeholder by intention.
const PLACEHOLDER_PREFIX: &str = "x-";
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

/// Every option that was given, expanded, in the order in which they count.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The options.
    pub entries: Vec<Entry>,
    /// What could not be read or expanded.
    pub errors: Vec<ConfigError>,
    /// What is probably not meant, but harmless.
    pub warnings: Vec<ConfigError>,
    /// The texts behind the places.
    pub texts: Texts,
    /// The file that was read first, if any was.
    pub file: Option<Arc<str>>,
    /// What the config wants printed: `print`, `iprint`.
    pub said: Vec<Placed<String>>,
    /// `exit`: the status to leave with at once.
    pub exit: Option<u8>,
    /// `fallback-config`: the config to go on with when this one is of no use.
    pub fallback: Option<String>,
}

impl Loaded {
    /// What was read from the options, unless their files could not be read: then the errors of both, each
    /// with its line. What is said of the whole config is left out when a part of it is missing.
    pub(super) fn joined<T>(&self, read: Result<T, Vec<ConfigError>>) -> Result<T, Vec<ConfigError>> {
        if self.errors.is_empty() {
            return read.map_err(|errors| self.texts.explain(self.of_file(errors)));
        }
        let found = read.err().unwrap_or_default().into_iter().filter(|error| error.place.is_some());
        Err(self.texts.explain(self.errors.iter().cloned().chain(found).collect()))
    }

    /// What is said of the whole config is said of its first file.
    fn of_file(&self, errors: Vec<ConfigError>) -> Vec<ConfigError> {
        let whole = self.file.as_ref().map(Place::whole);
        let placed =
            |error: ConfigError| ConfigError { place: error.place.or_else(|| whole.clone()), ..error };
        errors.into_iter().map(placed).collect()
    }
}

/// Reads all files that these options name, and expands everything.
pub fn load(written: Vec<Entry>, texts: Texts, world: &dyn World) -> Loaded {
    let mut loader = Loader {
        world,
        items: Vec::new(),
        expander: Expander::new(world),
        loaded: Loaded { texts, ..Loaded::default() },
        first: None,
        last: None,
        open: Vec::new(),
        files: 0,
        bytes: 0,
        full: false,
        stopped: false,
        blocks: Vec::new(),
        turns_left: TURNS_MAX,
        lists: Lists::default(),
        strict: false,
        declared: BTreeMap::new(),
        deep: 0,
        is_late: false,
    };
    for entry in written {
        loader.take(entry);
    }
    loader.leave_file(Vec::new());
    loader.use_declared();
    loader.inherit();
    loader.finish()
}

pub(super) struct Loader<'a> {
    pub(super) world: &'a dyn World,
    items: Vec<Item>,
    pub(super) expander: Expander<'a>,
    pub(super) loaded: Loaded,
    /// Variables of the first file.
    pub(super) first: Option<FileVariables>,
    /// Path of the file read last, for `ini = :section`.
    pub(super) last: Option<String>,
    /// Files being read, outermost first, as (path, section).
    pub(super) open: Vec<(String, String)>,
    pub(super) files: usize,
    /// Of all files.
    pub(super) bytes: usize,
    /// True once an option was one too many.
    full: bool,
    /// True when nothing more is taken: the config asked for too much, or to exit.
    stopped: bool,
    /// Blocks of logic around the next line, in the file that is being read.
    pub(super) blocks: Vec<Block>,
    pub(super) turns_left: usize,
    lists: Lists,
    /// No name is a placeholder: `strict`.
    strict: bool,
    pub(super) declared: BTreeMap<String, Declared>,
    /// Declared options that are being carried out.
    pub(super) deep: usize,
    /// True when everything that was written has been read.
    pub(super) is_late: bool,
}

struct Item {
    entry: Entry,
    use_: Use,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Use {
    Option,
    Placeholder,
    /// A file still to be inherited, under the lists in force where it was named.
    Inherit(Lists),
    /// An option of `declare-option2`, still to be carried out.
    Declared,
    Print,
}

impl Loader<'_> {
    pub(super) fn take(&mut self, entry: Entry) {
        if self.is_done() {
            return;
        }
        match logic::word(&entry.key) {
            Some(word) => self.turn(word, entry),
            None => self.repeat(entry),
        }
    }

    /// Takes a line that is no word of logic and stands in no block.
    pub(super) fn act(&mut self, entry: Entry) {
        if let Err(error) = self.lists.admit(&entry) {
            return self.fail(error);
        }
        if let Some(declared) = self.declared.get(&entry.key).cloned() {
            return self.take_declared(&declared, entry);
        }
        match find(&entry.key).map(|(_, option)| option.name) {
            Some("ini" | "include") => self.include(&entry),
            Some("inherit") => self.push(entry, Use::Inherit(self.lists.clone())),
            Some("set") => self.set(entry, false),
            Some("set-placeholder") => self.set(entry, true),
            Some("declare-option") => self.declare(&entry, false),
            Some("declare-option2") => self.declare(&entry, true),
            Some("blacklist") => self.lists.begin(lists::Kind::Black, entry),
            Some("whitelist") => self.lists.begin(lists::Kind::White, entry),
            Some("end-blacklist") => self.end_list(lists::Kind::Black, &entry),
            Some("end-whitelist") => self.end_list(lists::Kind::White, &entry),
            Some("strict") => self.set_strict(&entry),
            Some("print") => self.push(entry, Use::Print),
            Some("iprint") => self.say(&entry),
            Some("exit") => self.exit(&entry),
            Some("fallback-config") => self.loaded.fallback = self.immediate(&entry),
            _ => self.push_unless_refused(entry),
        }
    }

    fn push_unless_refused(&mut self, entry: Entry) {
        match REFUSED.iter().find(|(name, _)| *name == entry.key) {
            Some((_, cure)) => {
                let cause = format!("liege has no {}", show::quoted(&entry.key));
                self.fail(ConfigError::at(&entry.place, cause).cure(*cure));
            }
            None => self.push(entry, Use::Option),
        }
    }

    fn end_list(&mut self, kind: lists::Kind, entry: &Entry) {
        if let Err(error) = self.lists.end(kind, entry) {
            self.fail(error);
        }
    }

    fn set_strict(&mut self, entry: &Entry) {
        match values::flag(&entry.value) {
            Ok(strict) => self.strict = strict,
            Err(wrong) => self.fail(ConfigError::at(&entry.value_place, wrong.cause)),
        }
    }

    fn say(&mut self, entry: &Entry) {
        let Some(text) = self.immediate(entry) else { return };
        if self.loaded.said.len() < SAID_MAX {
            self.loaded.said.push(Placed { value: text, place: entry.place.clone() });
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
                let cause = format!("{} is no exit status", show::quoted(&entry.value));
                self.fail(ConfigError::at(&entry.value_place, cause).cure("write a number from 0 to 255"));
            }
        }
        self.stopped = true;
    }

    /// The value of an option that counts at once: it sees what was given so far.
    fn immediate(&mut self, entry: &Entry) -> Option<String> {
        let value = self.expander.environment(&entry.value).and_then(|value| self.expander.options(&value));
        value.map_err(|cause| self.fail(ConfigError::at(&entry.value_place, cause))).ok()
    }

    pub(super) fn push(&mut self, mut entry: Entry, use_: Use) {
        if self.items.len() == ENTRIES_MAX {
            if !std::mem::replace(&mut self.full, true) {
                self.fail(ConfigError::at(&entry.place, format!("more than {ENTRIES_MAX} options")));
            }
            return;
        }
        match self.expander.environment(&entry.value) {
            Ok(value) => entry.value = value,
            Err(cause) => self.fail(ConfigError::at(&entry.value_place, cause)),
        }
        self.expander.define(&entry.key, &entry.value);
        self.items.push(Item { entry, use_ });
    }

    /// `set = key=value`: an option where that is one, else a placeholder.
    fn set(&mut self, entry: Entry, only_placeholder: bool) {
        let Some((key, value)) = entry.value.split_once('=') else {
            let error = ConfigError::at(&entry.value_place, format!("{}: no `=`", show::quoted(&entry.key)));
            return self.fail(error.cure(format!("write: {} = NAME=VALUE", entry.key)));
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        let set = Entry { key, value, ..entry.clone() };
        let known = !matches!(standing(&set.key), Standing::Unknown);
        if known && only_placeholder {
            let cause = format!("{} is an option, it cannot be a placeholder", show::quoted(&set.key));
            return self.fail(ConfigError::at(&entry.value_place, cause).cure("use `set`, or another name"));
        }
        let known = known || self.declared.contains_key(&set.key);
        if known { self.take_set(set) } else { self.push(set, Use::Placeholder) }
    }

    /// An option that was set; one that would set another is kept from doing so without end.
    fn take_set(&mut self, entry: Entry) {
        let name = find(&entry.key).map(|(_, option)| option.name);
        if matches!(name, Some("set" | "set-placeholder")) {
            return self.fail(ConfigError::at(&entry.value_place, "`set` cannot set itself"));
        }
        self.act(entry);
    }

    /// Options of `declare-option2` are carried out where they stand, once everything is known.
    fn use_declared(&mut self) {
        self.is_late = true;
        for item in std::mem::take(&mut self.items) {
            match self.declared.get(&item.entry.key).cloned() {
                Some(declared) if item.use_ == Use::Declared => {
                    let entry = self.expand(item).entry;
                    self.take_declared(&declared, entry);
                }
                _ => self.items.push(item),
            }
        }
    }

    /// Inherited files count after everything else; one may inherit another.
    fn inherit(&mut self) {
        let mut next = 0;
        while next < self.items.len() {
            if let Use::Inherit(lists) = &self.items[next].use_ {
                self.lists = lists.clone();
                let entry = self.items[next].entry.clone();
                self.include(&entry);
            }
            next += 1;
        }
    }

    fn finish(mut self) -> Loaded {
        let items = std::mem::take(&mut self.items);
        let expanded: Vec<Item> = items.into_iter().map(|item| self.expand(item)).collect();
        for item in expanded {
            self.keep(item);
        }
        self.loaded
    }

    fn expand(&mut self, mut item: Item) -> Item {
        // Told already, and at every further value it would be told again.
        if self.expander.is_exhausted() {
            return item;
        }
        match self.expander.options(&item.entry.value) {
            Ok(value) => item.entry.value = value,
            Err(cause) => self.fail(ConfigError::at(&item.entry.value_place, cause)),
        }
        item
    }

    /// Drops what has done its work. An unknown name that nobody asks for is probably a typing error:
    /// it is kept, and whoever reads the options refuses it.
    fn keep(&mut self, Item { entry, use_ }: Item) {
        if use_ == Use::Print && self.loaded.exit.is_none() && self.loaded.said.len() < SAID_MAX {
            self.loaded.said.push(Placed { value: entry.value, place: entry.place });
            return;
        }
        let is_unknown = matches!(standing(&entry.key), Standing::Unknown);
        if self.strict && is_unknown && matches!(use_, Use::Option | Use::Placeholder) {
            return self.fail(unknown_in_strict(&entry));
        }
        if use_ != Use::Option || entry.key.starts_with(PLACEHOLDER_PREFIX) {
            return;
        }
        if is_unknown && self.expander.is_named(&entry.key) {
            return;
        }
        if is_unknown && &*entry.place.file == ENVIRONMENT {
            return self.warn_of_variable(&entry);
        }
        self.loaded.entries.push(entry);
    }

    fn warn_of_variable(&mut self, entry: &Entry) {
        let cause = format!("no option is called {}: this variable is ignored", show::quoted(&entry.key));
        let warning = ConfigError::at(&entry.place, cause);
        let cure = nearest(&entry.key).map(|name| format!("did you mean `{name}`?"));
        self.warn(ConfigError { cure, ..warning });
    }

    pub(super) fn warn(&mut self, warning: ConfigError) {
        if self.loaded.warnings.len() < ERRORS_MAX {
            self.loaded.warnings.push(warning);
        }
    }

    /// Tells an error behind which nothing more is read.
    pub(super) fn stop(&mut self, error: ConfigError) {
        self.fail(error);
        self.stopped = true;
    }

    /// True when nothing more is taken.
    pub(super) fn is_done(&self) -> bool {
        self.stopped || self.full || self.expander.is_exhausted()
    }

    /// Counts a file that is to be read.
    pub(super) fn count_file(&mut self) -> Result<(), String> {
        self.files += 1;
        if self.files > FILES_MAX { Err(format!("more than {FILES_MAX} files")) } else { Ok(()) }
    }

    /// Counts what was read of it.
    pub(super) fn count_bytes(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        let many = self.bytes > BYTES_MAX;
        if many { Err(format!("files of more than {BYTES_MAX} bytes together")) } else { Ok(()) }
    }

    pub(super) fn fail(&mut self, error: ConfigError) {
        if self.loaded.errors.len() < ERRORS_MAX {
            self.loaded.errors.push(error);
        }
    }
}

fn unknown_in_strict(entry: &Entry) -> ConfigError {
    let cause =
        format!("no option is called {}, and `strict` admits no placeholders", show::quoted(&entry.key));
    let cure = nearest(&entry.key).map(|name| format!("did you mean `{name}`?"));
    ConfigError { cure, ..ConfigError::at(&entry.place, cause) }
}
