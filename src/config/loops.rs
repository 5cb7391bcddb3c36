//! Pure. What `for…` goes over.

use std::sync::Arc;

use super::blocks::Block;
use super::load::Loader;
use super::logic::Loop;
use super::place::{ConfigError, Entry};
use super::show::quoted;
use super::source::{self, NotRun};
use super::values::Wrong;

/// Items of one loop.
pub const ITEMS_MAX: usize = 10_000;

impl Loader<'_> {
    /// The items of a loop, found once for each argument.
    pub(super) fn items(&mut self, kind: Loop, block: &mut Block, item: Option<&str>) -> Arc<[String]> {
        let Some(argument) = self.with_item(&block.opening, item) else { return Arc::new([]) };
        if let Some(items) = block.items.get(&argument) {
            return Arc::clone(items);
        }
        let found = self.find_items(kind, &block.opening, &argument).and_then(|items| {
            // They are kept as long as the block: what they take is counted.
            let bytes = items.iter().map(String::len).sum();
            self.expander.charge(bytes).map_err(|wrong| wrong.at(&block.opening.value_place))?;
            Ok(items)
        });
        let found = found.unwrap_or_else(|error| {
            self.fail(error);
            Vec::new()
        });
        let items: Arc<[String]> =
            if self.spend(found.len(), &block.opening) { found.into() } else { Arc::new([]) };
        block.items.insert(argument, Arc::clone(&items));
        items
    }

    fn find_items(
        &mut self,
        kind: Loop,
        opening: &Entry,
        argument: &str,
    ) -> Result<Vec<String>, ConfigError> {
        // Its words are expanded where they are used, so one that holds spaces stays one.
        if kind == Loop::Words {
            return few(words(argument), opening);
        }
        let argument = self.expanded(opening, argument)?;
        let items = match kind {
            Loop::Words => words(&argument),
            Loop::Times => numbers(argument.trim(), opening)?,
            Loop::Glob => self.paths(opening, argument)?,
            Loop::Lines => self.lines(opening, &argument)?,
        };
        few(items, opening)
    }

    fn paths(&mut self, opening: &Entry, pattern: String) -> Result<Vec<String>, ConfigError> {
        // Each may look at as many names as a file may have lines.
        self.count_file().map_err(|wrong| wrong.at(&opening.value_place))?;
        let cannot = |error| {
            let error = at_value(opening, format!("cannot list {}: {error}", quoted(&pattern)));
            error.cure("a pattern has *, ? and [a-z]; name the directories before them in full")
        };
        let found = self.world.probes().glob(&pattern).map_err(cannot)?;
        Ok(if found.is_empty() { vec![pattern] } else { found })
    }

    /// The lines of a file. That there is none is told, and nothing is repeated: as in uWSGI.
    fn lines(&mut self, opening: &Entry, name: &str) -> Result<Vec<String>, ConfigError> {
        let placed = |wrong: Wrong| wrong.at(&opening.value_place);
        self.count_file().map_err(placed)?;
        let origin = match self.world.read(name) {
            Ok(origin) => origin,
            Err(error) if NotRun::is_in(&error) => {
                let told = format!("{}: {error}; nothing is repeated", quoted(name));
                self.leave_unread(at_value(opening, told));
                return Ok(Vec::new());
            }
            Err(error) => {
                let wrong = source::unread(name, &error);
                self.warn(placed(Wrong { cause: format!("{}; nothing is repeated", wrong.cause), ..wrong }));
                return Ok(Vec::new());
            }
        };
        self.count_bytes(origin.text.len()).map_err(placed)?;
        let text = std::str::from_utf8(&origin.text).map_err(|_| {
            at_value(opening, format!("{} is not valid UTF-8", quoted(name))).cure("name a text file")
        })?;
        Ok(text
            .strip_suffix('\n')
            .unwrap_or(text)
            .split('\n')
            .map(str::to_owned)
            .take(ITEMS_MAX + 1)
            .collect())
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// 1, 2, 3 … up to the number that is written.
fn numbers(text: &str, opening: &Entry) -> Result<Vec<String>, ConfigError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let error = at_value(opening, format!("{} is no number", quoted(text)));
        return Err(error.cure("write: for-times = 3"));
    }
    match text.parse() {
        Ok(count) if count <= ITEMS_MAX => Ok((1..=count).map(|number| number.to_string()).collect()),
        // It may have any number of digits.
        _ => Err(many(opening)),
    }
}

fn few(items: Vec<String>, opening: &Entry) -> Result<Vec<String>, ConfigError> {
    if items.len() > ITEMS_MAX { Err(many(opening)) } else { Ok(items) }
}

fn many(opening: &Entry) -> ConfigError {
    at_value(opening, format!("more than {ITEMS_MAX} items")).cure("repeat less, or split the config")
}

fn at_value(opening: &Entry, cause: String) -> ConfigError {
    ConfigError::at(&opening.value_place, cause)
}
