//! Pure. From what was written on the command line to every option, in order, with all files read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::blocks::{Block, TURNS_MAX};
use super::declare::Declared;
use super::expand::Expander;
use super::lists::Lists;
use super::logic;
use super::magic::FileVariables;
use super::place::{ConfigError, ENVIRONMENT, Entry, Place, Placed, Texts};
use super::show;
use super::source::{Origin, Variable, World};
use super::values::Wrong;
use super::vassal::VassalKind;
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

/// Every option that was given, expanded, in the order in which they count.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The options.
    pub entries: Vec<Entry>,
    /// Options that were carried out while reading, each line once.
    pub consumed: Vec<Placed<&'static str>>,
    /// Names of the config's own, expanded, in order.
    pub placeholders: Vec<Entry>,
    /// What could not be read or expanded.
    pub errors: Vec<ConfigError>,
    /// What is probably not meant, but harmless.
    pub warnings: Vec<ConfigError>,
    /// What was left unread, because whoever reads here only looks at the config.
    pub unread: Vec<ConfigError>,
    /// The texts behind the places.
    pub texts: Texts,
    /// The file that was read first, if any was.
    pub file: Option<Arc<str>>,
    /// Where the first section that was read begins.
    pub(super) section: Option<Place>,
    /// A file has not the section that is read, and what it has, or how that begins.
    pub(super) lacking: Option<String>,
    /// `ienv`, `early-envdir`: what they came to, each name once.
    pub variables: Vec<Variable>,
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

    /// True when it hangs on no file but those that were read.
    pub fn is_by_itself(&self) -> bool {
        let looks = |one: &Placed<&str>| one.value.starts_with("if-") || one.value == "for-glob";
        self.unread.is_empty() && !self.consumed.iter().any(looks)
    }

    /// True when a line of this file is wrong: one of these errors is not of the config as a whole.
    pub fn is_wrong_in(&self, file: &str, errors: &[ConfigError]) -> bool {
        let mut places = errors.iter().filter_map(|error| error.place.as_ref());
        places.any(|place| &*place.file == file && place.line > 0 && Some(place) != self.section.as_ref())
    }

    /// True when nothing that is unread can change who runs this. What a condition said may hang on it.
    fn is_surely_uwsgis(&self) -> bool {
        let has_condition = self.consumed.iter().any(|one| one.value.starts_with("if-"));
        let is_emperors = self.entries.iter().any(|entry| entry.key == "emperor");
        !has_condition && !is_emperors && matches!(self.vassal(), Ok(VassalKind::Uwsgi(_)))
    }

    /// What is said of the whole config is said of its first section, else of its first file; where nothing was read because
    /// there is no such section, that is why.
    fn of_file(&self, errors: Vec<ConfigError>) -> Vec<ConfigError> {
        let whole = self.section.clone().or_else(|| self.file.as_ref().map(Place::whole));
        let lacking = self.lacking.as_ref().filter(|_| self.section.is_none());
        let placed = |error: ConfigError| {
            let (cause, cure) = match lacking.filter(|_| error.place.is_none()) {
                Some(instead) => (
                    format!("{}: no section [{}]", error.cause, super::format::SECTION),
                    Some(instead.clone()),
                ),
                None => (error.cause, error.cure),
            };
            ConfigError { place: error.place.or_else(|| whole.clone()), line: error.line, cause, cure }
        };
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

/// The same, where a source that is no file is asked once at most: first as `onlooker`, who asks none, then as the
/// one that the config is for, unless that is not needed. What uwsgi runs it reads itself, and asks for itself.
pub fn load_once<W: World>(
    written: Vec<Entry>,
    texts: Texts,
    onlooker: &W,
    owner: impl FnOnce() -> W,
) -> Loaded {
    let seen = load(written.clone(), texts.clone(), onlooker);
    if seen.unread.is_empty() || seen.is_surely_uwsgis() { seen } else { load(written, texts, &owner()) }
}

pub(super) struct Loader<'a> {
    pub(super) world: &'a dyn World,
    items: Vec<Item>,
    pub(super) expander: Expander<'a>,
    pub(super) loaded: Loaded,
    /// Variables of the first file.
    pub(super) first: Option<FileVariables>,
    /// The file read last, for `ini = :section`.
    pub(super) last: Option<(String, Origin)>,
    /// Files being read, outermost first, as (path, section).
    pub(super) open: Vec<(String, String)>,
    pub(super) files: usize,
    /// Of all files.
    pub(super) bytes: usize,
    /// True once an option was one too many.
    full: bool,
    /// True when nothing more is taken: the config asked for too much, or to exit.
    pub(super) stopped: bool,
    /// Blocks of logic around the next line, in the file that is being read.
    pub(super) blocks: Vec<Block>,
    pub(super) turns_left: usize,
    pub(super) lists: Lists,
    /// No name is a placeholder: `strict`.
    pub(super) strict: bool,
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
    /// An option of `declare-option2`, still to be carried out, likewise.
    Declared(Lists),
    Print,
}

impl Loader<'_> {
    pub(super) fn take(&mut self, entry: Entry) {
        if self.is_done() {
            return;
        }
        match logic::word(&entry.key) {
            Some(word) => {
                self.consumed(&entry.key, entry.place.clone());
                self.turn(word, entry);
            }
            None => self.repeat(entry),
        }
    }

    /// Remembers an option that has been carried out; a loop repeats one line after the other.
    pub(super) fn consumed(&mut self, key: &str, place: Place) {
        let consumed = &mut self.loaded.consumed;
        let is_again = consumed.last().is_some_and(|last| last.place == place);
        if let Some((_, option)) = find(key).filter(|_| !is_again && consumed.len() < ENTRIES_MAX) {
            consumed.push(Placed { value: option.name, place });
        }
    }

    pub(super) fn push(&mut self, mut entry: Entry, use_: Use) {
        // Not one more is worth its work.
        if !self.full {
            match self.expander.environment(&entry.value) {
                Ok(value) => entry.value = value,
                Err(wrong) => self.fail(wrong.at(&entry.value_place)),
            }
            self.tell_unread(&entry.value_place);
        }
        self.add(entry, use_);
    }

    /// Takes one whose value is expanded as far as it can be by now.
    pub(super) fn add(&mut self, entry: Entry, use_: Use) {
        if self.items.len() == ENTRIES_MAX {
            if !std::mem::replace(&mut self.full, true) {
                let cause = format!("more than {ENTRIES_MAX} options");
                self.fail(ConfigError::at(&entry.place, cause).cure("repeat less, or split the config"));
            }
            return;
        }
        self.expander.define(&entry.key, &entry.value);
        self.items.push(Item { entry, use_ });
    }

    /// Options of `declare-option2` are carried out where they stand, once everything is known.
    fn use_declared(&mut self) {
        self.is_late = true;
        for item in std::mem::take(&mut self.items) {
            match (self.declared.get(&item.entry.key).cloned(), &item.use_) {
                (Some(declared), Use::Declared(lists)) => {
                    self.lists = lists.clone();
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
        self.loaded.variables = self.expander.into_variables();
        self.loaded
    }

    fn expand(&mut self, mut item: Item) -> Item {
        // Told already, and at every further value it would be told again.
        if self.expander.is_exhausted() {
            return item;
        }
        match self.expander.options(&item.entry.value) {
            Ok(value) => item.entry.value = value,
            Err(wrong) => self.fail(wrong.at(&item.entry.value_place)),
        }
        item
    }

    /// Drops what has done its work. An unknown name that nobody asks for is probably a typing error:
    /// it is kept, and whoever reads the options refuses it.
    fn keep(&mut self, Item { entry, use_ }: Item) {
        if use_ == Use::Print {
            return self.print(entry);
        }
        let is_unknown = matches!(standing(&entry.key), Standing::Unknown);
        let is_of_environment = &*entry.place.file == ENVIRONMENT;
        let is_mine = is_unknown && matches!(use_, Use::Option | Use::Placeholder);
        if is_mine && self.strict && !is_of_environment {
            return self.fail(unknown_in_strict(&entry));
        }
        let is_named = is_unknown && self.expander.is_named(&entry.key);
        if use_ == Use::Placeholder || entry.key.starts_with(PLACEHOLDER_PREFIX) || is_named {
            return self.loaded.placeholders.push(entry);
        }
        if use_ != Use::Option {
            return;
        }
        if is_unknown && is_of_environment {
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

    /// Tells what was left as it stands in a value at `place`.
    pub(super) fn tell_unread(&mut self, place: &Place) {
        for note in self.expander.take_notes() {
            self.leave_unread(ConfigError::at(place, note));
        }
    }

    pub(super) fn leave_unread(&mut self, note: ConfigError) {
        if self.loaded.unread.len() < ERRORS_MAX {
            self.loaded.unread.push(note);
        }
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
    pub(super) fn count_file(&mut self) -> Result<(), Wrong> {
        self.files += 1;
        let many = || Wrong::new(format!("more than {FILES_MAX} files"), "put several of them into one");
        if self.files > FILES_MAX { Err(many()) } else { Ok(()) }
    }

    /// Counts what was read of it.
    pub(super) fn count_bytes(&mut self, bytes: usize) -> Result<(), Wrong> {
        self.bytes += bytes;
        let many =
            || Wrong::new(format!("files of more than {BYTES_MAX} bytes together"), "read fewer of them");
        if self.bytes > BYTES_MAX { Err(many()) } else { Ok(()) }
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
    ConfigError::at(&entry.place, cause)
        .cure(cure.unwrap_or_else(|| "leave it out, or leave out `strict`".to_owned()))
}
