//! Pure. From what was written on the command line to every option, in order, with all files read.

use std::sync::Arc;

use super::expand::Expander;
use super::ini;
use super::magic::{FileVariables, Magic};
use super::place::{ConfigError, ENVIRONMENT, Entry, Place, Texts};
use super::show;
use super::source::Context;
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
/// Section read when none is named.
const SECTION: &str = "uwsgi";
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
pub fn load(written: Vec<Entry>, texts: Texts, context: &Context<'_>) -> Loaded {
    let mut loader = Loader {
        context,
        items: Vec::new(),
        expander: Expander::new(context.variable),
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

struct Loader<'a> {
    context: &'a Context<'a>,
    items: Vec<Item>,
    expander: Expander<'a>,
    loaded: Loaded,
    /// Variables of the first file.
    first: Option<FileVariables>,
    /// Path of the file read last, for `ini = :section`.
    last: Option<String>,
    /// Files being read, outermost first, as (path, section).
    open: Vec<(String, String)>,
    files: usize,
    /// Of all files.
    bytes: usize,
    /// True once an option was one too many.
    full: bool,
}

struct Item {
    entry: Entry,
    use_: Use,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Option,
    Placeholder,
    /// A file still to be inherited.
    Inherit,
}

impl Loader<'_> {
    fn take(&mut self, entry: Entry) {
        match find(&entry.key).map(|(_, option)| option.name) {
            Some("ini" | "include") => self.include(&entry),
            Some("inherit") => self.push(entry, Use::Inherit),
            Some("set") => self.set(entry, false),
            Some("set-placeholder") => self.set(entry, true),
            _ => self.push(entry, Use::Option),
        }
    }

    fn push(&mut self, mut entry: Entry, use_: Use) {
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

    fn include(&mut self, entry: &Entry) {
        let named = self.expander.environment(&entry.value).and_then(|value| self.expander.options(&value));
        match named {
            Ok(named) => self.read_named(entry, &named),
            Err(cause) => self.fail(ConfigError::at(&entry.value_place, cause)),
        }
    }

    fn read_named(&mut self, entry: &Entry, named: &str) {
        let at = |cause: String| ConfigError::at(&entry.value_place, cause);
        let (path, section) = split_section(named);
        if path.contains("://") || path == "-" {
            return self
                .fail(at(format!("reading a config from {} is not supported yet", show::quoted(path))));
        }
        let last = self.last.clone().filter(|_| section.is_some());
        let path = if path.is_empty() { last.unwrap_or_default() } else { path.to_owned() };
        if path.is_empty() {
            return self.fail(at(format!("{} needs a file", show::quoted(&entry.key))));
        }
        if let Some(format) = foreign_format(&path) {
            let foreign = Entry { key: format.to_owned(), value: named.to_owned(), ..entry.clone() };
            return self.push(foreign, Use::Option);
        }
        if let Err(error) = self.read_file(entry, &path, section) {
            self.fail(error);
        }
    }

    fn read_file(&mut self, entry: &Entry, path: &str, section: Option<&str>) -> Result<(), ConfigError> {
        let here = (path.to_owned(), section.unwrap_or(SECTION).to_owned());
        self.check_limits(entry, &here)?;
        let origin = (self.context.read)(path).map_err(|error| {
            ConfigError::at(&entry.value_place, format!("cannot read {}: {error}", show::quoted(path)))
        })?;
        self.bytes += origin.text.len();
        if self.bytes > BYTES_MAX {
            return Err(ConfigError::at(
                &entry.value_place,
                format!("files of more than {BYTES_MAX} bytes together"),
            ));
        }
        let file: Arc<str> = path.into();
        let text = ini::decode(&file, &origin.text)?;
        self.loaded.texts.insert(&file, text);
        self.loaded.file.get_or_insert_with(|| Arc::clone(&file));
        let argument = section.map_or_else(|| path.to_owned(), |section| format!("{path}:{section}"));
        let variables = FileVariables::new(&argument, section, &origin);
        self.first.get_or_insert_with(|| variables.clone());
        self.last = Some(path.to_owned());
        let parsed = ini::parse(&file, text, &here.1);
        self.check_section(entry, &here, section.is_some(), &parsed)?;
        self.open.push(here);
        self.take_section(parsed, &variables);
        self.open.pop();
        Ok(())
    }

    fn check_limits(&mut self, entry: &Entry, here: &(String, String)) -> Result<(), ConfigError> {
        let at = |cause: String| Err(ConfigError::at(&entry.value_place, cause));
        self.files += 1;
        if self.open.contains(here) {
            return at(format!("{} includes itself", show::quoted(&here.0)));
        }
        if self.open.len() >= DEPTH_MAX {
            return at(format!("files include each other more than {DEPTH_MAX} deep"));
        }
        if self.files > FILES_MAX {
            return at(format!("more than {FILES_MAX} files"));
        }
        Ok(())
    }

    /// A section that was asked for must be there; that a file lacks the usual one is only told.
    fn check_section(
        &mut self,
        entry: &Entry,
        (path, section): &(String, String),
        asked: bool,
        parsed: &ini::Section,
    ) -> Result<(), ConfigError> {
        if parsed.sections.contains(section) {
            return Ok(());
        }
        let section = show::printable(section);
        let cure = sections_cure(&parsed.sections);
        if asked {
            let cause = format!("{} has no section [{section}]", show::quoted(path));
            return Err(ConfigError::at(&entry.value_place, cause).cure(cure));
        }
        let here = Place::whole(&path.as_str().into());
        self.loaded.warnings.push(ConfigError::at(&here, format!("no section [{section}]")).cure(cure));
        Ok(())
    }

    fn take_section(&mut self, section: ini::Section, variables: &FileVariables) {
        section.errors.into_iter().for_each(|error| self.fail(error));
        for line in section.lines {
            let magic = Magic { file: variables, first: self.first.as_ref(), host: self.context.host };
            let (key, value) = (magic.replace(&line.key), magic.replace(&line.value));
            self.take(Entry { key, value, place: line.place, value_place: line.value_place });
        }
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

    fn fail(&mut self, error: ConfigError) {
        if self.loaded.errors.len() < ERRORS_MAX {
            self.loaded.errors.push(error);
        }
    }
}

/// `path:section`; the colon of `scheme://` and one within a directory or before a suffix is no such colon.
fn split_section(named: &str) -> (&str, Option<&str>) {
    match named.rsplit_once(':') {
        Some((path, section))
            if !section.contains('/') && !is_config_name(section) && !section.is_empty() =>
        {
            (path, Some(section))
        }
        _ => (named, None),
    }
}

fn is_config_name(name: &str) -> bool {
    name.ends_with(".ini") || foreign_format(name).is_some()
}

/// The option of uWSGI that reads a file of this suffix, when it is not ini.
fn foreign_format(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "xml" => Some("xml"),
        "yml" | "yaml" => Some("yaml"),
        "js" | "json" => Some("json"),
        _ => None,
    }
}

fn sections_cure(sections: &[String]) -> String {
    let names: Vec<String> =
        sections.iter().take(8).map(|name| format!("[{}]", show::printable(name))).collect();
    match names.is_empty() {
        true => format!("begin the file with [{SECTION}]: lines before a section are not read"),
        false => format!("it has {}", names.join(", ")),
    }
}
