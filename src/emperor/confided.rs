//! Pure. What a vassal says for people: what keeps it from going on, and which config it uses. Nothing is decided by it.

use std::sync::Arc;

use super::order::News;
use super::vassal::{Turn, Vassal};

impl Vassal {
    /// What keeps it from going on; told once for each process, and the last of it is remembered.
    pub fn troubled(&mut self, reason: Arc<str>, turn: &mut Turn<'_>) {
        if !self.state.is_alive() {
            return; // it was reaped before its last words were read
        }
        let past = self.life.past();
        past.trouble = Some(reason.clone());
        if !std::mem::replace(&mut past.told_trouble, true) {
            self.tell(News::Troubled { reason }, turn);
        }
    }

    /// Why it does not use the newest config, told once for each reload; or that it does.
    pub fn kept(&mut self, reason: Option<Arc<str>>, turn: &mut Turn<'_>) {
        if !self.state.is_alive() {
            return;
        }
        let Some(reason) = reason else { return self.uses_newest() };
        let past = self.life.past();
        past.kept = Some(reason.clone());
        if !std::mem::replace(&mut past.told_kept, true) {
            self.tell(News::Kept { reason }, turn);
        }
    }

    /// It uses what it was given last.
    pub fn uses_newest(&mut self) {
        self.life.past.iter_mut().for_each(|past| (past.kept, past.uses) = (None, None));
    }

    /// It is told to reload: until it has answered, it uses what it has.
    pub fn may_keep(&mut self) {
        let has = self.process.fingerprint;
        let past = self.life.past();
        past.uses.get_or_insert(has);
        past.told_kept = false;
        // That was another config.
        past.useless = false;
    }
}
