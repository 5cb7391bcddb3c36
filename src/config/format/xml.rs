//! Pure. The xml format: the elements in `<uwsgi>`, or in the one of several that has the `id` of the section.

use roxmltree::{Document, Error, Node, ParsingOptions};

use super::places::Places;
use super::{LINES_MAX, SECTION, Section, Written};
use crate::config::place::ConfigError;
use crate::config::show::printable;

/// Nodes of a document: elements, texts, comments. With the space between them an option makes three.
const NODES_MAX: u32 = LINES_MAX as u32 * 4;

/// Quotes between two `<`: attributes have two each, and the parser compares each attribute of an element with all others.
const QUOTES_MAX: usize = 2_000;

/// Reads one section. The text of an element is its value, spaces included; an empty element is `1`.
pub fn parse(places: &Places<'_>, wanted: Option<&str>) -> Section {
    let mut section = Section::default();
    if let Some(at) = crowded(places.text) {
        let cause = format!("more than {QUOTES_MAX} quotes in one element or text");
        section.fail(ConfigError::at(&places.at(at), cause).cure("an element needs no attributes but id"));
        return section;
    }
    // Without a document type there are no entities of the file's own, so nothing can multiply.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(places.text, options) {
        Ok(document) => document,
        Err(error) => {
            section.fail(failure(places, &error));
            return section;
        }
    };
    let names = candidates(&document).filter_map(|node| node.attribute("id")).map(str::to_owned);
    names.for_each(|name| section.saw(name));
    if let Some(root) = candidates(&document).find(|node| is_meant(*node, wanted)) {
        section.found = Some(places.at(root.range().start));
        let elements = root.children().filter(Node::is_element).filter(|node| has_id(*node, wanted));
        elements.for_each(|element| take(places, element, &mut section));
    }
    section
}

/// Where an element begins that has too many attributes.
fn crowded(text: &str) -> Option<usize> {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    let many = |part: &str| part.bytes().filter(is_quote).take(QUOTES_MAX + 1).count() > QUOTES_MAX;
    text.split('<').find(|part| many(part)).map(|part| part.as_ptr() as usize - text.as_ptr() as usize)
}

/// The root, if it is `<uwsgi>`; else those of its children that are.
fn candidates<'a, 't>(document: &'a Document<'t>) -> impl Iterator<Item = Node<'a, 't>> {
    let root = document.root_element();
    let alone = root.has_tag_name(SECTION);
    let below = root.children().filter(move |node| !alone && node.has_tag_name(SECTION));
    Some(root).filter(|_| alone).into_iter().chain(below)
}

/// A root is what its file is about, whatever its id.
fn is_meant(node: Node<'_, '_>, wanted: Option<&str>) -> bool {
    node.parent_element().is_none() || has_id(node, wanted)
}

/// An element without an id belongs to all.
fn has_id(node: Node<'_, '_>, wanted: Option<&str>) -> bool {
    wanted.is_none() || node.attribute("id").is_none_or(|id| Some(id) == wanted)
}

fn take(places: &Places<'_>, element: Node<'_, '_>, section: &mut Section) {
    let key = element.tag_name().name().to_owned();
    // Behind the `<`.
    let place = places.at(element.range().start + 1);
    let text = element.children().find(Node::is_text);
    let nested = element.children().any(|child| child.is_element());
    if nested {
        let cause = format!("<{}> has elements in it: they are not read", printable(&key));
        section
            .ignore(ConfigError::at(&place, cause).cure("write one element for each option, side by side"));
    }
    match text {
        Some(text) => {
            let (value, value_place) =
                (text.text().unwrap_or_default().to_owned(), places.at(text.range().start));
            section.push(Written { key, value, place, value_place });
        }
        None if nested => {}
        None => section.push(Written { key, value: "1".to_owned(), value_place: place.clone(), place }),
    }
}

fn failure(places: &Places<'_>, error: &Error) -> ConfigError {
    let position = error.pos();
    let place = places.of_character(position.row as usize, position.col.saturating_sub(1) as usize);
    match error {
        Error::DtdDetected => ConfigError::at(
            &places.at(places.text.find("<!DOCTYPE").unwrap_or(0)),
            "a document type (<!DOCTYPE>) is not read",
        )
        .cure("leave it out; entities of your own are placeholders here: %(name)"),
        Error::NodesLimitReached => {
            ConfigError::at(&places.at(0), format!("more than {NODES_MAX} elements and texts"))
                .cure("repeat less, or use a loop: <for-times>N</for-times>")
        }
        _ => {
            let sentence = error.to_string();
            let cause = sentence.rsplit_once(" at ").map_or(sentence.as_str(), |(cause, _)| cause);
            ConfigError::at(&place, format!("not valid XML: {}", printable(cause)))
                .cure("an option is <name>VALUE</name>, all of them in <uwsgi> … </uwsgi>; & is written &amp; and < is &lt;")
        }
    }
}
