//! Pure. The ini format: lines to keys and values, each with its place.

use std::sync::Arc;

use super::places::place;
use super::{ERRORS_MAX, LINE_MAX, LINES_MAX, Section, Written};
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::show::quoted;

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
                if inside {
                    section.found.get_or_insert_with(|| at(trimmed(line, 0).0));
                }
                section.saw(name);
            }
            Ok(Parsed::Line(written)) if inside => section.push(written),
            Ok(Parsed::Line(_)) => {}
            Err(error) => section.fail(error),
        }
        if section.errors.len() >= ERRORS_MAX {
            break;
        }
    }
    section
}

/// A section with its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titled {
    /// What stands between the brackets.
    pub title: Placed<String>,
    /// Its lines, in order.
    pub lines: Vec<Written>,
}

/// Reads all sections of a file in which each title means something, in order, and what is wrong with it.
///
/// As `parse` does; and what stands before the first section is told: nobody would be meant by it.
pub fn parse_all(file: &Arc<str>, text: &str) -> (Vec<Titled>, Vec<ConfigError>) {
    let (mut sections, mut errors) = (Vec::<Titled>::new(), Vec::new());
    for (index, line) in text.split('\n').enumerate().take(LINES_MAX + 1) {
        let at = |offset: usize| place(file, index + 1, offset);
        if index == LINES_MAX {
            errors.push(ConfigError::at(&at(0), format!("more than {LINES_MAX} lines")).cure("repeat less"));
        }
        match (parse_line(line, at), sections.last_mut()) {
            (Ok(Parsed::Nothing), _) => {}
            (Ok(Parsed::Header(name)), _) => {
                let title = Placed { value: name, place: at(trimmed(line, 0).0) };
                sections.push(Titled { title, lines: Vec::new() });
            }
            (Ok(Parsed::Line(written)), Some(section)) => section.lines.push(written),
            (Ok(Parsed::Line(written)), None) => {
                let cause = format!("{} stands before the first section", quoted(&written.key));
                errors.push(ConfigError::at(&written.place, cause).cure("say whom it is for: [*]"));
            }
            (Err(error), _) => errors.push(error),
        }
        if errors.len() >= ERRORS_MAX {
            break;
        }
    }
    (sections, errors)
}

enum Parsed {
    Nothing,
    Header(String),
    Line(Written),
}

fn parse_line(line: &str, at: impl Fn(usize) -> Place) -> Result<Parsed, ConfigError> {
    if line.len() > LINE_MAX {
        let cause = format!("a line of more than {LINE_MAX} bytes");
        return Err(ConfigError::at(&at(0), cause).cure("shorten it, or split it"));
    }
    let (start, text) = trimmed(line, 0);
    match text.chars().next() {
        None | Some(';' | '#') => Ok(Parsed::Nothing),
        Some('[') => header(&text[1..], &at(start)).map(Parsed::Header),
        Some('=') => Err(ConfigError::at(&at(start), "no name before the `=`").cure("write: NAME = VALUE")),
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
