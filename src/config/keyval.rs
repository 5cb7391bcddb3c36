//! Pure. `key=value,key=value` in one value, as in `attach-daemon2`.
//!
//! Items end at a comma, the first `=` splits. A backslash makes the character behind it an ordinary one, whatever
//! it is and in one pass: `\,` is a comma, `\\` a backslash, `\"` a quote for the shell. There are no quotes.

use super::place::{ConfigError, Entry, Place};
use super::show::quoted;
use super::values::Wrong;

/// Items of one value.
const ITEMS_MAX: usize = 64;

/// One `key=value`; without `=` the value is `true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The key, without blanks around it.
    pub key: String,
    /// The value, without its backslashes.
    pub value: String,
    /// Where the key begins, in bytes.
    pub key_offset: usize,
    /// Where the value begins; behind the key when there is none.
    pub value_offset: usize,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes before it.
    pub offset: usize,
    /// What and what to do.
    pub wrong: Wrong,
}

impl Fault {
    fn new(offset: usize, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { offset, wrong: Wrong { cause: cause.into(), cure: Some(cure.into()) } }
    }

    /// This fault in the value of an entry. The column is exact where the value stands as it was written.
    pub fn at(self, entry: &Entry) -> ConfigError {
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        let column = entry.value_place.column.saturating_add(offset);
        let place = Place { column, ..entry.value_place.clone() };
        let error = ConfigError::at(&place, format!("{}: {}", quoted(&entry.key), self.wrong.cause));
        ConfigError { cure: self.wrong.cure, ..error }
    }
}

/// Splits a value into its pairs, in order. Empty items are nothing.
///
/// # Errors
/// A key that is not among `known`, is given twice or is missing; a backslash at the end; too many items.
pub fn parse(text: &str, known: &[&str]) -> Result<Vec<Pair>, Fault> {
    let mut pairs: Vec<Pair> = Vec::new();
    for item in items(text)?.into_iter().filter(|item| !item.text.trim().is_empty()) {
        let pair = pair(&item)?;
        check_key(&pair, known)?;
        if pairs.iter().any(|earlier| earlier.key == pair.key) {
            let cause = format!("{} is given twice", quoted(&pair.key));
            return Err(Fault::new(pair.key_offset, cause, "leave out one of the two"));
        }
        if pairs.len() == ITEMS_MAX {
            let cause = format!("more than {ITEMS_MAX} keys");
            return Err(Fault::new(pair.key_offset, cause, "a comma within a value is written `\\,`"));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// One item, unescaped, with the place where each of its characters was written.
#[derive(Default)]
struct Item {
    text: String,
    /// For each byte of `text`, and one behind it, its offset in the value.
    offsets: Vec<usize>,
    /// Bytes of `text` that were behind a backslash: no `=` of theirs splits.
    escaped: Vec<usize>,
}

impl Item {
    fn push(&mut self, offset: usize, one: char) {
        self.text.push(one);
        self.offsets.extend(std::iter::repeat_n(offset, one.len_utf8()));
    }
}

fn items(text: &str) -> Result<Vec<Item>, Fault> {
    let mut items = vec![Item::default()];
    let mut chars = text.char_indices();
    while let Some((offset, one)) = chars.next() {
        let item = items.last_mut().expect("there is always an item");
        match one {
            ',' => {
                item.offsets.push(offset);
                items.push(Item::default());
            }
            '\\' => {
                let (_, literal) = chars.next().ok_or_else(|| {
                    Fault::new(offset, "nothing behind the backslash", "write `\\\\` for a backslash")
                })?;
                item.escaped.push(item.text.len());
                item.push(offset, literal);
            }
            _ => item.push(offset, one),
        }
    }
    items.last_mut().expect("there is always an item").offsets.push(text.len());
    Ok(items)
}

fn pair(item: &Item) -> Result<Pair, Fault> {
    let splits = |(at, _): &(usize, &str)| !item.escaped.contains(at);
    let split = item.text.match_indices('=').find(splits).map(|(at, _)| at);
    let name = &item.text[..split.unwrap_or(item.text.len())];
    let key = name.trim();
    let key_offset = item.offsets[name.len() - name.trim_start().len()];
    if key.is_empty() {
        return Err(Fault::new(key_offset, "no key before `=`", "write: KEY=VALUE, and `\\,` for a comma"));
    }
    let value = split.map_or("true", |at| &item.text[at + 1..]);
    let value_offset = item.offsets[split.map_or(item.text.len(), |at| at + 1)];
    Ok(Pair { key: key.to_owned(), value: value.to_owned(), key_offset, value_offset })
}

fn check_key(pair: &Pair, known: &[&str]) -> Result<(), Fault> {
    if known.contains(&pair.key.as_str()) {
        return Ok(());
    }
    let near = known.iter().map(|name| (strsim::damerau_levenshtein(&pair.key, name), name));
    let near = near.filter(|(edits, name)| *edits <= 2 && *edits < name.len()).min();
    let cure = near.map_or_else(
        || format!("known are: {}; a comma within a value is written `\\,`", known.join(", ")),
        |(_, name)| format!("did you mean `{name}`?"),
    );
    Err(Fault::new(pair.key_offset, format!("no key is called {}", quoted(&pair.key)), cure))
}
