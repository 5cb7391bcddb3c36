//! Pure. The ini format: lines to keys and values, each with its place.

use std::sync::Arc;

use super::place::{ConfigError, Place};

/// Bytes of one file.
pub const FILE_MAX: usize = 1 << 20;
/// Bytes of one line.
pub const LINE_MAX: usize = 64 << 10;
/// Errors told of one file.
const ERRORS_MAX: usize = 100;

/// One line `key = value` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Trimmed key.
    pub key: String,
    /// Trimmed value; empty when there is no `=`.
    pub value: String,
    /// Where the key stands.
    pub place: Place,
    /// Where the value stands.
    pub value_place: Place,
}

/// The asked section of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Its lines, in order; sections of equal name make one.
    pub lines: Vec<Written>,
    /// Names of all sections, in order.
    pub sections: Vec<String>,
    /// Lines that could not be read.
    pub errors: Vec<ConfigError>,
}

/// Checks that the bytes of a file are text of bearable size.
///
/// # Errors
/// Larger than `FILE_MAX`, a NUL byte, or not UTF-8; with the place where that begins.
pub fn decode<'a>(file: &Arc<str>, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    if bytes.len() > FILE_MAX {
        let start = place(file, 1, 0);
        return Err(ConfigError::at(&start, format!("larger than {FILE_MAX} bytes, the most that is read")));
    }
    if let Some(index) = bytes.iter().position(|byte| *byte == 0) {
        return Err(ConfigError::at(&place_of(file, bytes, index), "a NUL byte: this is no text file"));
    }
    let text = std::str::from_utf8(bytes);
    let text = text
        .map_err(|error| ConfigError::at(&place_of(file, bytes, error.valid_up_to()), "not valid UTF-8"))?;
    // Some editors begin a file with an invisible byte order mark.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn place_of(file: &Arc<str>, bytes: &[u8], index: usize) -> Place {
    let before = &bytes[..index];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    place(file, line, index - start)
}

/// Line from 1, offset from 0. Files are too small for either to overflow.
fn place(file: &Arc<str>, line: usize, offset: usize) -> Place {
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { file: Arc::clone(file), line: small(line), column: small(offset + 1) }
}

/// Reads one section of a file.
///
/// A comment is a line whose first character is `;` or `#`. The first `=` splits; there are no quotes,
/// no escapes and no continued lines. Lines that cannot be read are told and skipped.
pub fn parse(file: &Arc<str>, text: &str, wanted: &str) -> Section {
    let mut section = Section::default();
    let mut inside = false;
    for (index, line) in text.split('\n').enumerate() {
        let at = |offset: usize| place(file, index + 1, offset);
        match parse_line(line, at) {
            Ok(Parsed::Nothing) => {}
            Ok(Parsed::Header(name)) => {
                inside = name == wanted;
                section.sections.push(name);
            }
            Ok(Parsed::Line(written)) if inside => section.lines.push(written),
            Ok(Parsed::Line(_)) => {}
            Err(error) => section.errors.push(error),
        }
        if section.errors.len() >= ERRORS_MAX {
            break;
        }
    }
    section
}

enum Parsed {
    Nothing,
    Header(String),
    Line(Written),
}

fn parse_line(line: &str, at: impl Fn(usize) -> Place) -> Result<Parsed, ConfigError> {
    if line.len() > LINE_MAX {
        return Err(ConfigError::at(&at(0), format!("a line of more than {LINE_MAX} bytes")));
    }
    let (start, text) = trimmed(line, 0);
    match text.chars().next() {
        None | Some(';' | '#') => Ok(Parsed::Nothing),
        Some('[') => header(&text[1..], &at(start)).map(Parsed::Header),
        Some('=') => Err(ConfigError::at(&at(start), "no name before the `=`")),
        Some(_) => Ok(Parsed::Line(written(text, start, at))),
    }
}

fn written(text: &str, start: usize, at: impl Fn(usize) -> Place) -> Written {
    let (key, value, value_start) = match text.split_once('=') {
        Some((key, value)) => (key, value, start + key.len() + 1),
        None => (text, "", start + text.len()),
    };
    let key = trimmed(key, start).1.to_owned();
    let (value_start, value) = trimmed(value, value_start);
    Written { key, value: value.to_owned(), place: at(start), value_place: at(value_start) }
}

/// The name in `[name]`; behind it only a comment may stand.
fn header(rest: &str, place: &Place) -> Result<String, ConfigError> {
    let broken = || ConfigError::at(place, "a section header ends with `]`").cure("write: [uwsgi]");
    let (name, behind) = rest.split_once(']').ok_or_else(broken)?;
    match trimmed(behind, 0).1.chars().next() {
        None | Some(';' | '#') => Ok(trimmed(name, 0).1.to_owned()),
        Some(_) => Err(broken()),
    }
}

/// The text without space, tab and CR around it, and its offset, when the whole begins at `start`.
fn trimmed(text: &str, start: usize) -> (usize, &str) {
    let blank = |one: char| matches!(one, ' ' | '\t' | '\r');
    let left = text.trim_start_matches(blank);
    (start + text.len() - left.len(), left.trim_end_matches(blank))
}
