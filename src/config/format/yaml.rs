//! Pure. The yaml format: scalars in the mapping that is called like the section, as they are written.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::places::Places;
use super::{DEPTH_MAX, Section, Written};
use crate::config::place::{ConfigError, Place};
use crate::config::show::quoted;

/// A key and where it stands.
type Key = Option<(String, Place)>;

/// A mapping or a list that has been begun.
enum Open {
    /// With the key whose value comes next.
    Mapping(Key),
    /// With the key that each of its items gets.
    List(Key),
}

struct Reader<'p, 't> {
    places: &'p Places<'t>,
    wanted: &'p str,
    open: Vec<Open>,
    /// True within the section.
    inside: bool,
    section: Section,
}

/// Reads one section. A list repeats its key; of a mapping in a mapping the inner keys count. Reading ends with the section.
pub fn parse(places: &Places<'_>, wanted: &str) -> Section {
    let section = Section::default();
    let mut reader = Reader { places, wanted, open: Vec::new(), inside: false, section };
    let mut events = Parser::new_from_str(places.text);
    while let Some(event) = events.next() {
        let read = event.map_err(|error| reader.failure(&error));
        let read = read.and_then(|(event, span)| reader.take(event, span));
        if let Err(error) = read {
            reader.section.fail(error);
            break;
        }
        if reader.section.found.is_some() && !reader.inside {
            // A line that is indented less than the others would end the section unseen.
            let behind = events.next().and_then(Result::err).map(|error| reader.failure(&error));
            behind.into_iter().for_each(|error| reader.section.fail(error));
            break;
        }
    }
    reader.section
}

impl Reader<'_, '_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ConfigError> {
        let place = self.place(&span);
        match event {
            Event::Alias(_) => return Err(refused(&place, "an alias (*name)")),
            Event::Scalar(_, _, anchor, ref tag) if anchor != 0 || tag.is_some() => {
                return Err(refused(&place, "an anchor (&name) or a tag (!name)"));
            }
            Event::MappingStart(anchor, ref tag) | Event::SequenceStart(anchor, ref tag)
                if anchor != 0 || tag.is_some() =>
            {
                return Err(refused(&place, "an anchor (&name) or a tag (!name)"));
            }
            Event::Scalar(text, style, ..) => {
                let empty = text.is_empty() && style == ScalarStyle::Plain;
                self.scalar((&text, empty), &place)?;
            }
            Event::MappingStart(..) => self.begin(Open::Mapping(None), &place)?,
            Event::SequenceStart(..) => {
                let key = self.key().clone();
                self.begin(Open::List(key), &place)?;
            }
            Event::MappingEnd | Event::SequenceEnd => self.end(),
            _ => {}
        }
        Ok(())
    }

    /// The key that the next value gets, if one was given.
    fn key(&self) -> &Key {
        match self.open.last() {
            Some(Open::Mapping(key) | Open::List(key)) => key,
            None => &None,
        }
    }

    fn begin(&mut self, open: Open, place: &Place) -> Result<(), ConfigError> {
        if matches!(self.open.last(), Some(Open::Mapping(None))) {
            let error = ConfigError::at(place, "a key must be a word, not a mapping or a list");
            return Err(error.cure("write: name: value"));
        }
        if self.open.len() == DEPTH_MAX {
            let cause = format!("mappings and lists more than {DEPTH_MAX} deep");
            return Err(ConfigError::at(place, cause).cure("write the options right below `uwsgi:`"));
        }
        if self.open.len() == 1 {
            self.enter();
        }
        self.open.push(open);
        Ok(())
    }

    /// Something at the top of the file begins.
    fn enter(&mut self) {
        let Some((name, place)) = self.key().clone() else { return };
        self.inside = name == self.wanted;
        if self.inside {
            self.section.found.get_or_insert(place);
        }
        self.section.saw(name);
    }

    fn end(&mut self) {
        self.open.pop();
        if self.open.len() == 1 {
            self.inside = false;
        }
        self.value_done();
    }

    fn value_done(&mut self) {
        if let Some(Open::Mapping(key)) = self.open.last_mut() {
            *key = None;
        }
    }

    fn scalar(&mut self, (text, empty): (&str, bool), place: &Place) -> Result<(), ConfigError> {
        if let Some(Open::Mapping(key @ None)) = self.open.last_mut() {
            *key = Some((text.to_owned(), place.clone()));
            return Ok(());
        }
        let key = self.key().clone();
        // The name of a section belongs to no option: a list right below it has items without a key.
        let key = key.filter(|_| self.inside && !self.is_top_list());
        match key {
            Some((key, key_place)) if empty => self.section.ignore(no_value(&key, &key_place)),
            Some((key, key_place)) => self.section.push(Written {
                key,
                value: text.to_owned(),
                place: key_place,
                value_place: place.clone(),
            }),
            None if self.inside => {
                let cause = format!("{} has no name: it is not read", quoted(text));
                self.section.ignore(ConfigError::at(place, cause).cure("write: name: value"));
            }
            None => {}
        }
        self.value_done();
        Ok(())
    }

    fn is_top_list(&self) -> bool {
        self.open.len() == 2 && matches!(self.open.last(), Some(Open::List(_)))
    }

    fn place(&self, span: &Span) -> Place {
        self.places.of_character(span.start.line(), span.start.col())
    }

    fn failure(&self, error: &ScanError) -> ConfigError {
        let marker = error.marker();
        let place = self.places.of_character(marker.line(), marker.col());
        ConfigError::at(&place, format!("not valid YAML: {}", error.info())).cure(
            "a line is NAME: VALUE, indented with spaces below `uwsgi:`; a value with : or # stands in \"…\"",
        )
    }
}

fn refused(place: &Place, what: &str) -> ConfigError {
    ConfigError::at(place, format!("{what} is not read in a config"))
        .cure("write the value itself, or use a placeholder: %(name)")
}

fn no_value(key: &str, place: &Place) -> ConfigError {
    ConfigError::at(place, format!("{} has no value: it is not read", quoted(key)))
        .cure(format!("write: {}: true", super::super::show::printable(key)))
}
