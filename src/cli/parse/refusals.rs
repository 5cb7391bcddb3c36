//! Pure. What cannot be meant, and what may have been.

use super::super::verb::{self, Verb};
use super::Parser;
use crate::config::place::{ConfigError, Place};
use crate::config::quoted;
use crate::options::nearest;

impl Parser {
    /// What follows it is its own, and not looked at.
    pub(super) fn refuse_verb(&mut self, place: &Place, word: &str) {
        let error = ConfigError::at(place, format!("unknown verb {}", quoted(word)));
        let cure = match (verb::instead(word), verb::nearest(word)) {
            (Some(instead), _) => instead.to_owned(),
            (None, Some(meant)) => {
                format!("did you mean `{meant}`? A file is written with its directory: ./{word}")
            }
            (None, None) => {
                format!("`liege help` lists them; a file is written with its directory: ./{word}")
            }
        };
        self.errors.push(error.cure(cure));
        self.next = self.arguments.len();
    }

    pub(super) fn refuse(&mut self, index: usize, name: &str) {
        let error = ConfigError::at(
            &self.place(index, 0),
            format!("unknown option {}", quoted(&format!("--{name}"))),
        );
        let cure =
            nearest(name).map_or("see `liege --help`".to_owned(), |name| format!("did you mean `--{name}`?"));
        self.errors.push(error.cure(cure));
    }

    pub(super) fn refuse_short(&mut self, index: usize, rest: &str) {
        let error =
            ConfigError::at(&self.place(index, 0), format!("unknown option {}", quoted(&format!("-{rest}"))));
        self.errors.push(error.cure("see `liege --help`"));
    }

    pub(super) fn refuse_here(&mut self, index: usize) {
        let verb = self.verb.spec().name;
        let error = ConfigError::at(&self.place(index, 0), format!("`{verb}` does not take this option"));
        let is_json = self.arguments[index].starts_with("--json");
        self.errors.push(error.cure(match self.verb {
            Verb::Why if is_json => {
                "`liege status NAME --json` has these sentences: reason, next, advice".to_owned()
            }
            _ => format!("`liege help {verb}` lists those that it takes"),
        }));
    }

    pub(super) fn check_operands(&mut self) {
        let spec = self.verb.spec();
        let Some((least, most)) = spec.count else { return };
        let unknown = self.operands.first().filter(|one| Verb::named(&one.value).is_none());
        if let Some(unknown) = unknown.filter(|_| self.verb == Verb::Help).cloned() {
            return self.refuse_verb(&unknown.place, &unknown.value);
        }
        if self.operands.len() < least {
            let error = ConfigError::whole(format!("`{}` needs more words", spec.name));
            self.errors.push(error.cure(format!("write: liege {} {}", spec.name, spec.operands)));
        }
        if let Some(extra) = self.operands.get(most) {
            let cause = format!("`{}` does not take {}", spec.name, quoted(&extra.value));
            self.errors.push(ConfigError::at(&extra.place, cause));
        }
    }
}
