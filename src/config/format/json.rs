//! Pure. The json format: members of the object that is called like the section, in order, repeated ones kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::places::Places;
use super::{Section, Written};
use crate::config::place::{ConfigError, Place};
use crate::config::show::quoted;

/// Members of an object, each value still a slice of the text: that is how its place is known.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, { … }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Reads one section. Numbers stay as they are written, `true` is `1`, `false` and `null` are `0`, a list
/// repeats its key.
pub fn parse(places: &Places<'_>, wanted: &str) -> Section {
    let mut section = Section::default();
    let members = match members(places, places.text) {
        Ok(members) => members,
        Err(error) => {
            section.fail(error);
            return section;
        }
    };
    for (key, value) in members {
        if key == wanted && section.found.is_none() {
            section.found = Some(places.of(value.get()));
            take_object(places, value, &mut section);
        }
        section.saw(key);
    }
    section
}

fn take_object(places: &Places<'_>, object: &RawValue, section: &mut Section) {
    // Just behind its opening brace.
    let mut behind = places.offset(object.get()) + 1;
    match members(places, object.get()) {
        Ok(members) => {
            for (key, value) in members {
                let start = places.offset(value.get());
                let name = places.text[behind..start].find('"').map_or(start, |at| behind + at);
                behind = start + value.get().len();
                take(places, (key, places.at(name)), value, section);
            }
        }
        Err(error) => section.fail(error),
    }
}

fn members<'t>(places: &Places<'_>, part: &'t str) -> Result<Vec<(String, &'t RawValue)>, ConfigError> {
    serde_json::from_str::<Members<'t>>(part)
        .map(|members| members.0)
        .map_err(|error| failure(places, part, &error))
}

/// The parser counts lines and bytes from the start of the part that it was given.
fn failure(places: &Places<'_>, part: &str, error: &serde_json::Error) -> ConfigError {
    let before: usize = part.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (before + error.column().saturating_sub(1)).min(part.len());
    let sentence = error.to_string();
    let cause = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(cause, _)| cause);
    let cure = "names and texts stand in \"…\", commas between two of them, all of it in {\"uwsgi\": { … }}";
    ConfigError::at(&places.at(places.offset(part) + at), format!("not valid JSON: {cause}")).cure(cure)
}

fn take(places: &Places<'_>, (key, place): (String, Place), value: &RawValue, section: &mut Section) {
    if !value.get().starts_with('[') {
        return take_one(places, (&key, &place), value, section);
    }
    match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
        Ok(items) => items.into_iter().for_each(|item| take_one(places, (&key, &place), item, section)),
        Err(error) => section.fail(failure(places, value.get(), &error)),
    }
}

fn take_one(places: &Places<'_>, (key, place): (&str, &Place), value: &RawValue, section: &mut Section) {
    let text = value.get();
    let value_place = places.of(text);
    let value = match text.as_bytes().first() {
        Some(b'"') => match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return section.fail(failure(places, text, &error)),
        },
        Some(b't') => "1".to_owned(),
        Some(b'f' | b'n') => "0".to_owned(),
        Some(b'{' | b'[') => {
            let cause = format!("{} is given a list or an object: it is not read", quoted(key));
            let cure = "an option's value is a string, a number, true, false, or a list of these";
            return section.ignore(ConfigError::at(&value_place, cause).cure(cure));
        }
        _ => text.to_owned(),
    };
    section.push(Written { key: key.to_owned(), value, place: place.clone(), value_place });
}
