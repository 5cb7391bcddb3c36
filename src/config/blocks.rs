//! Pure. Lines between `for` or `if` and their end: each is taken as often as its blocks say.
//!
//! As in uWSGI the blocks apply to every line by itself: a loop repeats its first line for every item, then its
//! second; a condition on options is asked again at each line. What a condition finds in the file system counts for
//! the whole block.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::load::Loader;
use super::logic::{self, About, Ends, Loop, Test, Word};
use super::place::{ConfigError, Entry};
use super::probe::FileKind;
use super::show::quoted;

/// Blocks within blocks.
pub const NESTED_MAX: usize = 16;
/// Items of one loop.
pub const ITEMS_MAX: usize = 10_000;
/// Lines and conditions of all blocks of a config, each as often as it is taken.
pub const TURNS_MAX: usize = 200_000;
/// Bytes of a compiled pattern of `if-hostname-match`.
const PATTERN_MAX: usize = 64 << 10;
/// What stands for the item of a loop, or for what a condition asked about.
const ITEM: &str = "%(_)";
/// Set by uWSGI when it has started itself again.
const RELOADS: &str = "UWSGI_RELOADS";

/// Lines from an opening word to its end.
pub(super) struct Block {
    word: Word,
    opening: Entry,
    in_else: bool,
    /// Whether the condition held, by its argument: `else` goes by the last time that it was asked.
    held: BTreeMap<String, bool>,
    /// What a loop goes over, by its argument.
    items: BTreeMap<String, Arc<[String]>>,
}

/// What a condition said, and what `%(_)` stands for behind it.
struct Answer {
    holds: bool,
    subject: Option<String>,
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
            return self.stop(ConfigError::at(&opening.place, cause));
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

    fn items(&mut self, kind: Loop, block: &mut Block, item: Option<&str>) -> Arc<[String]> {
        let Some(argument) = self.with_item(&block.opening, item) else { return Arc::new([]) };
        if let Some(items) = block.items.get(&argument) {
            return Arc::clone(items);
        }
        let opening = &block.opening;
        let found = self.find_items(kind, opening, &argument).unwrap_or_else(|error| {
            self.fail(error);
            Vec::new()
        });
        let items: Arc<[String]> = if self.spend(found.len(), opening) { found.into() } else { Arc::new([]) };
        block.items.insert(argument, Arc::clone(&items));
        items
    }

    fn find_items(
        &mut self,
        kind: Loop,
        opening: &Entry,
        argument: &str,
    ) -> Result<Vec<String>, ConfigError> {
        let at = |cause: String| ConfigError::at(&opening.value_place, cause);
        let many = || at(format!("more than {ITEMS_MAX} items")).cure("repeat less, or split the config");
        let items = match kind {
            // Its words are expanded where they are used, so one that holds spaces stays one.
            Loop::Words => argument.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            Loop::Times => {
                let times = self.expanded(argument).map_err(at)?;
                let times = times.trim();
                let count: usize = times
                    .parse()
                    .ok()
                    .or_else(|| times.bytes().all(|byte| byte.is_ascii_digit()).then_some(usize::MAX))
                    .filter(|_| !times.is_empty())
                    .ok_or_else(|| {
                        at(format!("{} is no number", quoted(times))).cure("write: for-times = 3")
                    })?;
                if count > ITEMS_MAX {
                    return Err(many());
                }
                (1..=count).map(|number| number.to_string()).collect()
            }
            Loop::Glob => {
                let pattern = self.expanded(argument).map_err(at)?;
                let cannot = |error| at(format!("cannot list {}: {error}", quoted(&pattern)));
                let found = self.world.probes().glob(&pattern).map_err(cannot)?;
                if found.is_empty() { vec![pattern] } else { found }
            }
            Loop::Lines => {
                let name = self.expanded(argument).map_err(at)?;
                self.lines(opening, &name)?
            }
        };
        if items.len() > ITEMS_MAX { Err(many()) } else { Ok(items) }
    }

    /// The lines of a file. That there is none is told, and nothing is repeated: as in uWSGI.
    fn lines(&mut self, opening: &Entry, name: &str) -> Result<Vec<String>, ConfigError> {
        let at = |cause: String| ConfigError::at(&opening.value_place, cause);
        self.count_file().map_err(at)?;
        let origin = match self.world.read(name) {
            Ok(origin) => origin,
            Err(error) => {
                let cause = format!("cannot read {}: {error}; nothing is repeated", quoted(name));
                self.warn(at(cause));
                return Ok(Vec::new());
            }
        };
        self.count_bytes(origin.text.len()).map_err(at)?;
        let text = std::str::from_utf8(&origin.text)
            .map_err(|_| at(format!("{} is not valid UTF-8", quoted(name))))?;
        Ok(text
            .strip_suffix('\n')
            .unwrap_or(text)
            .split('\n')
            .map(str::to_owned)
            .take(ITEMS_MAX + 1)
            .collect())
    }

    fn ask(&mut self, test: Test, block: &mut Block, item: Option<&str>) -> Option<Answer> {
        let argument = self.with_item(&block.opening, item)?;
        let known = block.held.get(&argument).copied();
        let known = known.filter(|_| block.in_else || !test.about.is_of_the_config());
        let opening = &block.opening;
        let subject = self.expanded(&argument).unwrap_or_else(|cause| {
            self.fail(ConfigError::at(&opening.value_place, cause));
            argument.clone()
        });
        let (found, value) =
            self.judge(test.about, opening, &subject, known.map(|held| held != test.negated));
        let held = known.unwrap_or(found != test.negated);
        block.held.insert(argument, held);
        let value = if test.about.names_its_subject() { Some(subject) } else { value };
        Some(Answer { holds: held != block.in_else, subject: value.filter(|_| !block.in_else) })
    }

    /// Whether it is so, and the value that was found. What is known already is not looked up again.
    fn judge(
        &mut self,
        about: About,
        opening: &Entry,
        subject: &str,
        known: Option<bool>,
    ) -> (bool, Option<String>) {
        match about {
            About::Option => logic::is_given(subject, |name| self.expander.defined(name)),
            About::Variable => logic::is_given(subject, |name| self.world.variable(name)),
            _ => (known.unwrap_or_else(|| self.look(about, opening, subject)), None),
        }
    }

    fn look(&mut self, about: About, opening: &Entry, subject: &str) -> bool {
        let (host, probes) = (self.world.host(), self.world.probes());
        match about {
            About::Reload => self.world.variable(RELOADS).is_some(),
            About::Hostname => host.hostname == subject,
            About::HostnameMatch => {
                let found = matches(subject, &host.hostname);
                found.unwrap_or_else(|cause| {
                    self.fail(ConfigError::at(&opening.value_place, cause));
                    false
                })
            }
            About::Exists => probes.is_readable(subject),
            About::File => probes.kind(subject) == Some(FileKind::File),
            About::Directory => probes.kind(subject) == Some(FileKind::Directory),
            About::User => logic::is_identity(subject, host.uid, || probes.user()),
            About::Group => logic::is_identity(subject, host.gid, || probes.group()),
            // liege loads none.
            About::Plugin | About::Option | About::Variable => false,
        }
    }

    /// An entry's value within a loop or condition.
    fn with_item(&mut self, entry: &Entry, item: Option<&str>) -> Option<String> {
        let Some(item) = item else { return Some(entry.value.clone()) };
        let value = self.expander.with(&entry.value, ITEM, item);
        value.map_err(|cause| self.fail(ConfigError::at(&entry.value_place, cause))).ok()
    }

    /// The argument of a word of logic: unlike in uWSGI it may use what was given so far.
    fn expanded(&mut self, argument: &str) -> Result<String, String> {
        self.expander.environment(argument).and_then(|value| self.expander.options(&value))
    }
}

fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    let built = regex_lite::RegexBuilder::new(pattern).size_limit(PATTERN_MAX).build();
    built
        .map(|regex| regex.is_match(text))
        .map_err(|error| format!("bad pattern {}: {error}", quoted(pattern)))
}

fn end_of(word: Word) -> &'static str {
    if matches!(word, Word::Loop(_)) { "endfor" } else { "endif" }
}
