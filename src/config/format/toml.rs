//! Pure. The toml format: keys of the table that is called like the section, in the order of the text.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::places::Places;
use super::{Section, Written};
use crate::config::place::{ConfigError, Place};
use crate::config::show::quoted;

/// Reads one section. Values stay as they are written, a list repeats its key.
pub fn parse(places: &Places<'_>, wanted: &str) -> Section {
    let mut section = Section::default();
    match DeTable::parse(places.text) {
        Ok(table) => take_file(places, table.get_ref(), wanted, &mut section),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start.min(places.text.len()));
            let cause = format!("not valid TOML: {}", error.message().trim_end());
            let cure = "a line is NAME = \"TEXT\", NAME = NUMBER or NAME = [\"TEXT\", …], below [uwsgi]";
            section.fail(ConfigError::at(&places.at(at), cause).cure(cure));
        }
    }
    section
}

fn take_file(places: &Places<'_>, file: &DeTable<'_>, wanted: &str, section: &mut Section) {
    for (key, value) in in_order(file) {
        let DeValue::Table(table) = value.get_ref() else { continue };
        section.saw(key.get_ref().to_string());
        if key.get_ref() == wanted {
            section.found = Some(places.at(key.span().start));
            for (key, value) in in_order(table) {
                take(places, key, value, section);
            }
        }
    }
}

type Member<'a, 't> = (&'a Spanned<std::borrow::Cow<'t, str>>, &'a Spanned<DeValue<'t>>);

/// The table itself is sorted by name.
fn in_order<'a, 't>(table: &'a DeTable<'t>) -> Vec<Member<'a, 't>> {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    members
}

fn take<'t>(
    places: &Places<'_>,
    key: &Spanned<std::borrow::Cow<'t, str>>,
    value: &Spanned<DeValue<'t>>,
    section: &mut Section,
) {
    let named = (key.get_ref().as_ref(), &places.at(key.span().start));
    match value.get_ref() {
        DeValue::Array(items) => items.iter().for_each(|item| take_one(places, named, item, section)),
        _ => take_one(places, named, value, section),
    }
}

fn take_one(
    places: &Places<'_>,
    (key, place): (&str, &Place),
    value: &Spanned<DeValue<'_>>,
    section: &mut Section,
) {
    let value_place = places.at(value.span().start);
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        // `0o755` and `0x10` would be no numbers to the option.
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.to_string(),
            Err(_) => {
                let error = ConfigError::at(&value_place, "a number out of range");
                return section.fail(error.cure("write it as a text: \"…\""));
            }
        },
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            let kind = value.get_ref().type_str();
            let cause = format!("{} is given a value of type {kind}: it is not read", quoted(key));
            let cure = "an option's value is a string, a number, true, false, or an array of these";
            return section.ignore(ConfigError::at(&value_place, cause).cure(cure));
        }
    };
    section.push(Written { key: key.to_owned(), value: text, place: place.clone(), value_place });
}
