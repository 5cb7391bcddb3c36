//! What is disabled though no config of it is there: whoever has disabled it takes it back by its name.

use std::collections::BTreeSet;

use super::Runtime;
use super::subjects::Subjects;
use super::wishes::{Outcome, letters};
use crate::control::wish::{ALL, Deed, Meant};
use crate::emperor::Emperor;
use crate::emperor::event::Key;
use crate::emperor::sender::Sender;

impl Runtime {
    /// Forgotten here and under the next Emperor: a config of that name that comes is disabled no more.
    pub(super) fn take_back(&mut self, key: &Key) -> Outcome {
        let Some((source, name)) = self.place_in_source(key) else { return Ok(()) };
        self.remembrance.enable(&source, &name)?;
        self.emperor.take_back_mark(key);
        Ok(())
    }
}

/// Those that he may take back, where he wants to enable something. Of others he is told nothing.
pub(super) fn marks_for(emperor: &Emperor, sender: Sender, deed: Deed) -> Vec<&Key> {
    if deed != Deed::Enable {
        return Vec::new();
    }
    emperor.marks_for(|whose| sender.may_take_back(whose)).collect()
}

/// Letters that are compared with letters.
pub(super) fn work_of_marks(marks: &[&Key], words: &BTreeSet<&String>) -> usize {
    let asked = letters(words.iter().map(|word| word.as_str()));
    letters(marks.iter().map(|key| &*key.name)).saturating_mul(asked)
}

/// Those that are called so; whether there are any. `all` is all that are there: what nobody sees is not meant by it.
pub(super) fn mean_marks(marks: &[&Key], word: &str, meant: &mut Subjects) -> bool {
    if word == ALL {
        return false;
    }
    let by = Meant::by(word);
    let called = marks.iter().filter(|key| by.is(&key.name));
    called.map(|key| meant.add_mark(key)).count() > 0
}
