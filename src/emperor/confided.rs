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
        self.life.past().trouble = Some(reason.clone());
        if !std::mem::replace(&mut self.process.said.troubled, true) {
            self.tell(News::Troubled { reason }, turn);
        }
    }

    /// Why it does not use the newest config, told once for each reload; or that it does.
    pub fn kept(&mut self, reason: Option<Arc<str>>, turn: &mut Turn<'_>) {
        if !self.state.is_alive() {
            return;
        }
        let Some(reason) = reason else { return self.uses_newest() };
        self.life.past().kept = Some(reason.clone());
        if !std::mem::replace(&mut self.process.said.kept, true) {
            self.tell(News::Kept { reason }, turn);
        }
    }

    /// It uses what it was given last.
    pub fn uses_newest(&mut self) {
        self.process.uses = self.process.fingerprint;
        self.life.past.iter_mut().for_each(|past| past.kept = None);
    }
}
