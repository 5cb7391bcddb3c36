//! Pure. The formats of config files: text to keys and values in order, each with its place.

pub mod ini;
mod json;
mod places;
mod toml;
mod xml;
mod yaml;

use std::sync::Arc;

use super::place::{ConfigError, Place};
pub use ini::parse_all;
use places::Places;

/// Bytes of one file.
pub const FILE_MAX: usize = 1 << 20;
/// Bytes of one line of an ini file, and of one value in any format.
pub const LINE_MAX: usize = 64 << 10;
/// Lines taken of one file.
pub const LINES_MAX: usize = 20_000;
/// Names of sections remembered of one file.
pub const SECTIONS_MAX: usize = 1_000;
/// Values may lie this deep in lists and tables.
const DEPTH_MAX: usize = 32;
/// Errors told of one file.
const ERRORS_MAX: usize = 100;
/// Section read when none is named.
pub const SECTION: &str = "uwsgi";

/// How a config is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `key = value`.
    Ini,
    /// `<key>value</key>`.
    Xml,
    /// `key: value`.
    Yaml,
    /// `"key": "value"`.
    Json,
    /// `key = "value"`, new with liege.
    Toml,
}

impl Format {
    /// The format of a file, by the suffix of its path (which has no `:section` any more).
    pub fn of_path(path: &str) -> Option<Self> {
        Some(match path.rsplit_once('.')?.1 {
            "ini" => Self::Ini,
            "xml" => Self::Xml,
            "yaml" | "yml" => Self::Yaml,
            "json" | "js" => Self::Json,
            "toml" => Self::Toml,
            _ => return None,
        })
    }

    /// The format that an option of this name (not an alias of it) reads.
    pub fn of_option(name: &str) -> Option<Self> {
        Some(match name {
            "ini" => Self::Ini,
            "xml" => Self::Xml,
            "yaml" => Self::Yaml,
            "json" => Self::Json,
            "toml" => Self::Toml,
            _ => return None,
        })
    }

    /// How a file begins that has the usual section.
    pub fn beginning(self) -> &'static str {
        match self {
            Self::Ini | Self::Toml => "begin the file with [uwsgi]: what stands before a section is not read",
            Self::Xml => "put the options into <uwsgi> … </uwsgi>",
            Self::Yaml => "put the options, indented, below a line `uwsgi:`",
            Self::Json => "put the options into {\"uwsgi\": { … }}",
        }
    }
}

/// One option as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub key: String,
    /// Its value; empty when there is none.
    pub value: String,
    /// Where the key stands.
    pub place: Place,
    /// Where the value stands.
    pub value_place: Place,
}

/// The asked section of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Its options, in order.
    pub lines: Vec<Written>,
    /// Where the section begins; `None` when it is not there.
    pub found: Option<Place>,
    /// Names of the first sections that were seen, in order.
    pub sections: Vec<String>,
    /// What could not be read.
    pub errors: Vec<ConfigError>,
    /// What stands there without being an option.
    pub ignored: Vec<ConfigError>,
    /// True once an option was one too many.
    full: bool,
}

impl Section {
    fn saw(&mut self, name: String) {
        if self.sections.len() < SECTIONS_MAX {
            self.sections.push(name);
        }
    }

    fn push(&mut self, written: Written) {
        if written.value.len() > LINE_MAX {
            let cause = format!("a value of more than {LINE_MAX} bytes");
            return self.fail(ConfigError::at(&written.value_place, cause).cure("shorten it, or split it"));
        }
        match self.lines.len() {
            LINES_MAX if self.full => {}
            LINES_MAX => {
                self.full = true;
                let cause = format!("more than {LINES_MAX} options");
                self.fail(
                    ConfigError::at(&written.place, cause).cure("repeat less, or use a loop: for-times = N"),
                );
            }
            _ => self.lines.push(written),
        }
    }

    fn fail(&mut self, error: ConfigError) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }

    fn ignore(&mut self, warning: ConfigError) {
        if self.ignored.len() < ERRORS_MAX {
            self.ignored.push(warning);
        }
    }
}

/// Checks that the bytes of a file are text of bearable size.
///
/// # Errors
/// Larger than `FILE_MAX`, a NUL byte, or not UTF-8; with the place where that begins.
pub fn decode<'a>(file: &Arc<str>, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    let refuse = |index: usize, cause: String, cure: &str| {
        ConfigError::at(&places::place_of(file, bytes, index), cause).cure(cure)
    };
    if bytes.len() > FILE_MAX {
        let cause = format!("larger than {FILE_MAX} bytes, the most that is read");
        return Err(refuse(0, cause, "is it a config? If so, split it: include = FILE"));
    }
    if let Some(index) = bytes.iter().position(|byte| *byte == 0) {
        let cause = "a NUL byte: this is no text file".to_owned();
        return Err(refuse(index, cause, "is it a config? Save it as plain text (UTF-8, not UTF-16)"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        refuse(error.valid_up_to(), "not valid UTF-8".to_owned(), "save the file as UTF-8")
    })?;
    // Some editors begin a file with an invisible byte order mark.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads one section of a file: the one named, else `uwsgi`.
///
/// What cannot be read is told, and skipped where the format allows that.
pub fn parse(format: Format, file: &Arc<str>, text: &str, wanted: Option<&str>) -> Section {
    let name = wanted.unwrap_or(SECTION);
    match format {
        Format::Ini => ini::parse(file, text, name),
        Format::Xml => xml::parse(&Places::new(file, text), wanted),
        Format::Yaml => yaml::parse(&Places::new(file, text), name),
        Format::Json => json::parse(&Places::new(file, text), name),
        Format::Toml => toml::parse(&Places::new(file, text), name),
    }
}
