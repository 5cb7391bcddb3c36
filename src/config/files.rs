//! Pure. Files that a config names: read one by one, at the point of the option that names them.

use std::sync::Arc;

use super::ini;
use super::load::{BYTES_MAX, DEPTH_MAX, FILES_MAX, Loader, Use};
use super::magic::{FileVariables, Magic};
use super::place::{ConfigError, Entry, Place};
use super::show;

/// Section read when none is named.
const SECTION: &str = "uwsgi";

impl Loader<'_> {
    pub(super) fn include(&mut self, entry: &Entry) {
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
        let origin = self.world.read(path).map_err(|error| {
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
        let outside = self.enter_file();
        section.errors.into_iter().for_each(|error| self.fail(error));
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
