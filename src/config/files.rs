//! Pure. Files that a config names: read one by one, at the point of the option that names them.

use std::sync::Arc;

use super::format::{self, Format, SECTION, Section};
use super::load::{DEPTH_MAX, Loader};
use super::magic::{FileVariables, Magic};
use super::place::{ConfigError, Entry, Place};
use super::show;
use super::source::{self, NotRun, Origin};
use crate::options::find;

impl Loader<'_> {
    pub(super) fn include(&mut self, entry: &Entry) {
        if let Some(named) = self.immediate(entry) {
            self.read_named(entry, &named);
        }
    }

    fn read_named(&mut self, entry: &Entry, named: &str) {
        let (path, section) = split_section(named);
        let again = self.last.as_ref().filter(|_| path.is_empty() && section.is_some());
        let (path, origin) = match again {
            Some((path, origin)) => (path.clone(), Some(origin.clone())),
            None => (path.to_owned(), None),
        };
        if path.is_empty() {
            let cause = format!("{} needs a file", show::quoted(&entry.key));
            let cure = format!("write: {} = FILE", show::printable(&entry.key));
            return self.fail(ConfigError::at(&entry.value_place, cause).cure(cure));
        }
        let source = Source { path, section: section.map(str::to_owned), origin };
        if let Err(error) = self.read_source(entry, source) {
            self.fail(error);
        }
    }

    fn read_source(&mut self, entry: &Entry, source: Source) -> Result<(), ConfigError> {
        let format = format(&entry.key, &source.path).ok_or_else(|| unknown_format(entry, &source.path))?;
        let here = (source.path.clone(), source.section.clone().unwrap_or_else(|| SECTION.to_owned()));
        self.check_limits(entry, &here)?;
        let Some(origin) = self.origin(entry, &source)? else { return Ok(()) };
        let file: Arc<str> = source.path.as_str().into();
        self.loaded.file.get_or_insert_with(|| Arc::clone(&file));
        let text = format::decode(&file, &origin.text).inspect_err(|_| {
            // What it would have been shows where the fault is.
            let start = &origin.text[..origin.text.len().min(format::FILE_MAX)];
            self.loaded.texts.insert(&file, String::from_utf8_lossy(start));
        })?;
        self.loaded.texts.insert(&file, text);
        let variables = FileVariables::new(&source.argument(), source.section.as_deref(), &origin);
        self.first.get_or_insert_with(|| variables.clone());
        let parsed = format::parse(format, &file, text, source.section.as_deref());
        self.check_section(entry, &source, (format, &parsed))?;
        self.loaded.section = self.loaded.section.take().or_else(|| parsed.found.clone());
        self.last = Some((source.path, origin));
        self.open.push(here);
        self.take_section(parsed, &variables);
        self.open.pop();
        Ok(())
    }

    /// What the source holds; `None` when it is not for us to find out.
    fn origin(&mut self, entry: &Entry, named: &Source) -> Result<Option<Origin>, ConfigError> {
        let read = named.origin.clone().map_or_else(|| self.world.read(&named.path), Ok);
        let origin = match read {
            Err(error) if NotRun::is_in(&error) => {
                let told = format!("{}: {error}", show::quoted(&named.path));
                self.leave_unread(ConfigError::at(&entry.value_place, told));
                return Ok(None);
            }
            read => read.map_err(|error| source::unread(&named.path, &error).at(&entry.value_place))?,
        };
        self.count_bytes(origin.text.len()).map_err(|wrong| wrong.at(&entry.value_place))?;
        Ok(Some(origin))
    }

    fn check_limits(&mut self, entry: &Entry, here: &(String, String)) -> Result<(), ConfigError> {
        let refuse = |cause: String, cure: &str| Err(ConfigError::at(&entry.value_place, cause).cure(cure));
        if self.open.contains(here) {
            return refuse(format!("{} includes itself", show::quoted(&here.0)), "take this line out");
        }
        if self.open.len() >= DEPTH_MAX {
            let cause = format!("files include each other more than {DEPTH_MAX} deep");
            return refuse(cause, "name the files side by side in one of them");
        }
        self.count_file().map_err(|wrong| wrong.at(&entry.value_place))
    }

    /// A section that was asked for must be there; that a file lacks the usual one is only told. Where the file
    /// itself is broken nobody knows.
    fn check_section(
        &mut self,
        entry: &Entry,
        source: &Source,
        (format, parsed): (Format, &Section),
    ) -> Result<(), ConfigError> {
        let broken = format != Format::Ini && !parsed.errors.is_empty();
        if parsed.found.is_some() || broken {
            return Ok(());
        }
        let cure = sections_cure(format, &parsed.sections);
        if let Some(section) = &source.section {
            let cause =
                format!("{} has no section [{}]", show::quoted(&source.path), show::printable(section));
            return Err(ConfigError::at(&entry.value_place, cause).cure(cure));
        }
        let here = Place::whole(&source.path.as_str().into());
        let told = ConfigError::at(&here, format!("no section [{SECTION}]")).cure(cure.clone());
        self.loaded.lacking.get_or_insert(cure);
        self.loaded.warnings.push(told);
        Ok(())
    }

    fn take_section(&mut self, section: Section, variables: &FileVariables) {
        let outside = self.enter_file();
        section.errors.into_iter().for_each(|error| self.fail(error));
        self.loaded.warnings.extend(section.ignored);
        for line in section.lines {
            let magic = Magic {
                file: variables,
                first: self.first.as_ref(),
                host: self.world.host(),
                names: self.world.probes(),
            };
            let (key, value) = (magic.replace(&line.key), magic.replace(&line.value));
            self.take(Entry { key, value, place: line.place, value_place: line.value_place });
        }
        self.leave_file(outside);
    }
}

/// A file, or what a scheme stands for.
struct Source {
    path: String,
    section: Option<String>,
    /// What is in it, when it has been read before.
    origin: Option<Origin>,
}

impl Source {
    /// As it is named in a config.
    fn argument(&self) -> String {
        match &self.section {
            Some(section) => format!("{}:{section}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Some options read one format; the others go by the suffix of the path. `config` is how an Emperor names files
/// of an extra suffix, which are ini.
fn format(key: &str, path: &str) -> Option<Format> {
    let name = find(key).map_or(key, |(_, option)| option.name);
    let by_path = || Format::of_path(path).or((name == "config").then_some(Format::Ini));
    Format::of_option(name).or_else(by_path)
}

fn unknown_format(entry: &Entry, path: &str) -> ConfigError {
    let cause = format!("cannot read {}: its suffix is that of no config", show::quoted(path));
    let cure = "suffixes are .ini .xml .yaml .yml .json .js .toml; or say what it is: ini = FILE";
    ConfigError::at(&entry.value_place, cause).cure(cure)
}

/// `path:section`; the colon of `scheme://`, that of a port, and one within a directory or before a suffix is no
/// such colon, nor one in the words of a command.
pub fn split_section(named: &str) -> (&str, Option<&str>) {
    let Some((path, section)) = named.rsplit_once(':') else { return (named, None) };
    let is_part = section.is_empty() || section.contains('/') || Format::of_path(section).is_some();
    let is_port = path
        .split_once("://")
        .is_some_and(|(scheme, host)| scheme.starts_with("http") && !host.contains('/'));
    let is_word = path.starts_with("exec://")
        && !section.bytes().all(|one| one.is_ascii_alphanumeric() || b"_.-".contains(&one));
    if is_part || is_port || is_word { (named, None) } else { (path, Some(section)) }
}

fn sections_cure(format: Format, sections: &[String]) -> String {
    let names: Vec<String> =
        sections.iter().take(8).map(|name| format!("[{}]", show::printable(name))).collect();
    match names.is_empty() {
        true => format.beginning().to_owned(),
        false => format!("it has {}", names.join(", ")),
    }
}
