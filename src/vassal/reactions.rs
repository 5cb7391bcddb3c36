//! What a config wants done while its command runs: when the Emperor says something, when it is gone, when a file is touched.

use std::path::PathBuf;

use jail::Phase;

use super::control::Word;
use super::phases;
use super::state::Vassal;
use super::step::Step;
use super::touch::Touches;
use super::walk;
use super::watch::{Happening, now};
use crate::config::vassal::VassalConfig;
use crate::emperor::order::to_vassal;

/// The longest that one of them may take, in ms: meanwhile nothing else is minded.
const BOUND_MS: u64 = 300_000;

/// All of them, in the order in which they are done.
#[derive(Debug, Default)]
pub struct Reactions {
    reload: Vec<Step>,
    stop: Vec<Step>,
    lost: Vec<Step>,
    touched: Vec<(PathBuf, Step)>,
}

impl Reactions {
    /// Those of a config.
    pub fn of(config: &VassalConfig) -> Self {
        let step = |hook: &crate::config::hook::Hook| Step::Hook(Phase::Touch, hook.clone());
        Self {
            reload: phases::phase(config, Phase::EmperorReload),
            stop: phases::phase(config, Phase::EmperorStop),
            lost: phases::phase(config, Phase::EmperorLost),
            touched: config.touches.iter().map(|(path, hook)| (path.clone(), step(&hook.value))).collect(),
        }
    }

    /// Each with its occasion, for people.
    pub fn listed(&self) -> Vec<(String, &[Step])> {
        let said = [
            ("when the Emperor says reload", &self.reload),
            ("when the Emperor says stop", &self.stop),
            ("when the Emperor is gone", &self.lost),
        ];
        let said = said.into_iter().map(|(when, steps)| (when.to_owned(), steps.as_slice()));
        let touched = self.touched.iter();
        let touched = touched
            .map(|(path, step)| (format!("when {} is touched", path.display()), std::slice::from_ref(step)));
        said.chain(touched).filter(|(_, steps)| !steps.is_empty()).collect()
    }

    /// Watches the files; what cannot be watched is told.
    pub fn watch(&self, vassal: &Vassal) -> Option<Touches> {
        if self.touched.is_empty() {
            return None;
        }
        let paths = self.touched.iter().map(|(path, _)| path.clone()).collect();
        Touches::new(paths).map_err(|trouble| vassal.teller.trouble(&trouble)).ok()
    }

    /// Does what is to be done when this happens. A status ends the vassal with it.
    pub fn react(
        &self,
        vassal: &mut Vassal,
        happening: &Happening,
        touches: Option<&mut Touches>,
    ) -> Option<u8> {
        match happening {
            Happening::Emperor(Word::End) => react(vassal, self.lost.iter()),
            Happening::Emperor(Word::Byte(to_vassal::RELOAD, _)) => react(vassal, self.reload.iter()),
            Happening::Emperor(Word::Byte(to_vassal::STOP | to_vassal::STOP_GRACEFULLY, _)) => {
                react(vassal, self.stop.iter())
            }
            Happening::Other => {
                let changed = touches.map(Touches::changed).unwrap_or_default();
                react(vassal, changed.into_iter().map(|number| &self.touched[number].1))
            }
            Happening::Emperor(_) | Happening::Signal(_) | Happening::Child | Happening::Deadline => None,
        }
    }
}

/// A failing one is told and no more.
fn react<'a>(vassal: &mut Vassal, steps: impl Iterator<Item = &'a Step>) -> Option<u8> {
    vassal.end_by(Some(now().plus_ms(BOUND_MS)));
    let mut status = None;
    for step in steps {
        if vassal.interrupted.is_some() {
            break;
        }
        match walk::take(vassal, step) {
            Ok(None) => {}
            Ok(ends) => {
                status = ends;
                break;
            }
            Err(trouble) => vassal.teller.trouble(&trouble),
        }
    }
    vassal.end_by(None);
    status
}
