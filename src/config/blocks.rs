//! Pure. Lines between `for` or `if` and their end: each is taken as often as its blocks say.
//!
//! As in uWSGI the blocks apply to every line by itself: a loop repeats its first line for every item, then its
//! second; a condition on options is asked again at each line. What a condition finds in the file system counts for
//! the whole block.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conditions::Held;
use super::load::Loader;
use super::logic::{Ends, Loop, Word};
use super::place::{ConfigError, Entry};
use super::show::quoted;

/// Blocks within blocks.
pub const NESTED_MAX: usize = 16;
/// Lines and conditions of all blocks of a config, each as often as it is taken.
pub const TURNS_MAX: usize = 200_000;
/// What stands for the item of a loop, or for what a condition asked about.
const ITEM: &str = "%(_)";
/// Lines from an opening word to its end.
pub(super) struct Block {
    word: Word,
    pub(super) opening: Entry,
    pub(super) in_else: bool,
    /// What the condition said, by its argument: `else` goes by the last time that it was asked.
    pub(super) held: BTreeMap<String, Held>,
    /// What a loop goes over, by its argument.
    pub(super) items: BTreeMap<String, Arc<[String]>>,
}

impl Loader<'_> {
    /// Takes a word of logic.
    pub(super) fn turn(&mut self, word: Word, entry: Entry) {
        match word {
            Word::Loop(_) | Word::If(_) => self.open_block(word, entry),
            Word::Else => self.turn_to_else(&entry),
            Word::End(ends) => self.close_block(ends, &entry),
        }
    }

    fn open_block(&mut self, word: Word, opening: Entry) {
        if self.blocks.len() == NESTED_MAX {
            let cause = format!("blocks within blocks, more than {NESTED_MAX} deep");
            return self.stop(ConfigError::at(&opening.place, cause).cure("end some of them before"));
        }
        let (held, items) = (BTreeMap::new(), BTreeMap::new());
        self.blocks.push(Block { word, opening, in_else: false, held, items });
    }

    fn turn_to_else(&mut self, entry: &Entry) {
        let cause = match self.blocks.last_mut() {
            Some(block) if matches!(block.word, Word::If(_)) => {
                if !std::mem::replace(&mut block.in_else, true) {
                    return;
                }
                format!("a second `else` for the {} of {}", quoted(&block.opening.key), block.opening.place)
            }
            Some(block) => {
                format!("`else` within the {} of {}", quoted(&block.opening.key), block.opening.place)
            }
            None => "`else` without an `if` before it in this file".to_owned(),
        };
        self.fail(
            ConfigError::at(&entry.place, cause).cure("`else` stands once between an `if-…` and its `endif`"),
        );
    }

    fn close_block(&mut self, ends: Ends, entry: &Entry) {
        let Some(block) = self.blocks.pop() else {
            let cause = format!("{} ends nothing: no `for` or `if` is open in this file", quoted(&entry.key));
            return self.fail(ConfigError::at(&entry.place, cause).cure("take it out"));
        };
        if ends.fits(block.word) {
            return;
        }
        let (key, opening) = (quoted(&entry.key), quoted(&block.opening.key));
        let cause = format!("{key} cannot end the {opening} of {}", block.opening.place);
        self.fail(ConfigError::at(&entry.place, cause).cure(format!("write: {} =", end_of(block.word))));
    }

    /// Sets the blocks of a file aside while another one is read.
    pub(super) fn enter_file(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.blocks)
    }

    /// A block ends in the file in which it began.
    pub(super) fn leave_file(&mut self, outside: Vec<Block>) {
        let open = std::mem::replace(&mut self.blocks, outside);
        // Where reading stopped, the ends are not missing but unread.
        if self.is_done() {
            return;
        }
        for block in open {
            let opening = &block.opening;
            let cause = format!("{} has no end in this file", quoted(&opening.key));
            let cure = format!("write behind its last line: {} =", end_of(block.word));
            self.fail(ConfigError::at(&opening.place, cause).cure(cure));
        }
    }

    /// Takes a line as often as the blocks around it say.
    pub(super) fn repeat(&mut self, entry: Entry) {
        if self.blocks.is_empty() {
            return self.act(entry);
        }
        // A file that the line includes has blocks of its own.
        let mut blocks = std::mem::take(&mut self.blocks);
        self.walk(&mut blocks, &entry, None);
        self.blocks = blocks;
    }

    /// `item` is what `%(_)` stands for.
    fn walk(&mut self, blocks: &mut [Block], entry: &Entry, item: Option<&str>) {
        if !self.spend(1, entry) {
            return;
        }
        let Some((block, inner)) = blocks.split_first_mut() else {
            let Some(value) = self.with_item(entry, item) else { return };
            return self.act(Entry { value, ..entry.clone() });
        };
        match block.word {
            Word::Loop(kind) => self.go_over(kind, (block, inner), entry, item),
            Word::If(test) => {
                let Some(answer) = self.ask(test, block, item) else { return };
                if answer.holds {
                    self.walk(inner, entry, answer.subject.as_deref().or(item));
                }
            }
            Word::Else | Word::End(_) => {}
        }
    }

    fn go_over(
        &mut self,
        kind: Loop,
        (block, inner): (&mut Block, &mut [Block]),
        entry: &Entry,
        item: Option<&str>,
    ) {
        for one in self.items(kind, block, item).iter() {
            if self.is_done() {
                return;
            }
            self.walk(inner, entry, Some(one));
        }
    }

    /// False once the config has asked for too much.
    pub(super) fn spend(&mut self, turns: usize, entry: &Entry) -> bool {
        if self.turns_left >= turns {
            self.turns_left -= turns;
            return true;
        }
        if self.turns_left > 0 || turns == 1 {
            self.turns_left = 0;
            let cause = format!("loops and conditions of more than {TURNS_MAX} turns together");
            self.stop(ConfigError::at(&entry.place, cause).cure("repeat less, or split the config"));
        }
        false
    }

    /// An entry's value within a loop or condition.
    pub(super) fn with_item(&mut self, entry: &Entry, item: Option<&str>) -> Option<String> {
        let Some(item) = item else { return Some(entry.value.clone()) };
        let value = self.expander.with(&entry.value, ITEM, item);
        value.map_err(|wrong| self.fail(wrong.at(&entry.value_place))).ok()
    }

    /// The argument of a word of logic: unlike in uWSGI it may use what was given so far.
    pub(super) fn expanded(&mut self, opening: &Entry, argument: &str) -> Result<String, ConfigError> {
        let value = self.expander.environment(argument).and_then(|value| self.expander.options(&value));
        self.tell_unread(&opening.value_place);
        value.map_err(|wrong| wrong.at(&opening.value_place))
    }
}

fn end_of(word: Word) -> &'static str {
    if matches!(word, Word::Loop(_)) { "endfor" } else { "endif" }
}
