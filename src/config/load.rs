//! Pure. From what was written on the command line to every option, in order, with all files read.

use std::sync::Arc;

use super::expand::Expander;
use super::magic::FileVariables;
use super::place::{ConfigError, ENVIRONMENT, Entry, Place, Texts};
use super::show;
use super::source::{Origin, World};
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
    /// What could not be read or expanded.
    pub errors: Vec<ConfigError>,
    /// What is probably not meant, but harmless.
    pub warnings: Vec<ConfigError>,
    /// The texts behind the places.
    pub texts: Texts,
    /// The file that was read first, if any was.
    pub file: Option<Arc<str>>,
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
    };
    for entry in written {
        loader.take(entry);
    }
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
    /// The file read last, for `ini = :section`.
    pub(super) last: Option<(String, Origin)>,
    /// Files being read, outermost first, as (path, section).
    pub(super) open: Vec<(String, String)>,
    pub(super) files: usize,
    /// Of all files.
    pub(super) bytes: usize,
    /// True once an option was one too many.
    full: bool,
}

struct Item {
    entry: Entry,
    use_: Use,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Option,
    Placeholder,
    /// A file still to be inherited.
    Inherit,
}

impl Loader<'_> {
    pub(super) fn take(&mut self, entry: Entry) {
        match find(&entry.key).map(|(_, option)| option.name) {
            Some("ini" | "xml" | "yaml" | "json" | "toml" | "config" | "include") => self.include(&entry),
            Some("inherit") => self.push(entry, Use::Inherit),
            Some("set") => self.set(entry, false),
            Some("set-placeholder") => self.set(entry, true),
            _ => self.push(entry, Use::Option),
        }
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
        if known { self.take_set(set) } else { self.push(set, Use::Placeholder) }
    }

    /// An option that was set; one that would set another is kept from doing so without end.
    fn take_set(&mut self, entry: Entry) {
        let name = find(&entry.key).map(|(_, option)| option.name);
        if matches!(name, Some("set" | "set-placeholder")) {
            return self.fail(ConfigError::at(&entry.value_place, "`set` cannot set itself"));
        }
        self.take(entry);
    }

    /// Inherited files count after everything else; one may inherit another.
    fn inherit(&mut self) {
        let mut next = 0;
        while next < self.items.len() {
            if self.items[next].use_ == Use::Inherit {
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
        match self.expander.options(&item.entry.value) {
            Ok(value) => item.entry.value = value,
            Err(cause) => self.fail(ConfigError::at(&item.entry.value_place, cause)),
        }
        item
    }

    /// Drops what has done its work. An unknown name that nobody asks for is probably a typing error:
    /// it is kept, and whoever reads the options refuses it.
    fn keep(&mut self, Item { entry, use_ }: Item) {
        if use_ != Use::Option || entry.key.starts_with(PLACEHOLDER_PREFIX) {
            return;
        }
        let unknown = matches!(standing(&entry.key), Standing::Unknown);
        if unknown && self.expander.is_named(&entry.key) {
            return;
        }
        if unknown && &*entry.place.file == ENVIRONMENT {
            return self.warn_of_variable(&entry);
        }
        self.loaded.entries.push(entry);
    }

    fn warn_of_variable(&mut self, entry: &Entry) {
        let cause = format!("no option is called {}: this variable is ignored", show::quoted(&entry.key));
        let warning = ConfigError::at(&entry.place, cause);
        let cure = nearest(&entry.key).map(|name| format!("did you mean `{name}`?"));
        self.loaded.warnings.push(ConfigError { cure, ..warning });
    }

    pub(super) fn fail(&mut self, error: ConfigError) {
        if self.loaded.errors.len() < ERRORS_MAX {
            self.loaded.errors.push(error);
        }
    }
}
