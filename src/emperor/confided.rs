//! Pure. What a vassal says for people: what keeps it from going on, and which config it uses. Nothing is decided by it.

use std::sync::Arc;

use super::event::{Digest, Fingerprint};
use super::order::News;
use super::vassal::{Turn, Vassal};

/// So many texts that one process was given are remembered: more are not on their way to anybody who reads.
const GIVEN_MAX: usize = 16;

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

    /// With a reload it can read this config. Of equal texts the last one counts.
    pub fn given(&mut self, digest: Digest, fingerprint: Fingerprint) {
        let past = self.life.past();
        past.given.retain(|(text, _)| *text != digest);
        past.given.push((digest, fingerprint));
        let excess = past.given.len().saturating_sub(GIVEN_MAX);
        past.given.drain(..excess);
    }

    /// Why it does not use this config, told once for each reload; or that it does.
    pub fn kept(&mut self, digest: Option<Digest>, reason: Option<Arc<str>>, turn: &mut Turn<'_>) {
        if !self.state.is_alive() {
            return;
        }
        let Some(reason) = reason else { return self.uses(digest) };
        let past = self.life.past();
        (past.kept, past.kept_of) = (Some(reason.clone()), digest);
        if !std::mem::replace(&mut past.told_kept, true) {
            self.tell(News::Kept { reason }, turn);
        }
    }

    /// It uses the config of this text; without one, or where nothing is known of texts, the newest one. What was given before may still
    /// be spoken of, and some of it never is, as the next one came before it was read.
    fn uses(&mut self, digest: Option<Digest>) {
        let known = self.life.past.as_mut().filter(|past| !past.given.is_empty());
        let (Some(digest), Some(past)) = (digest, known) else { return self.uses_newest() };
        past.kept = None;
        let given = past.given.iter().find(|(text, _)| *text == digest);
        past.uses = given.map(|(_, fingerprint)| *fingerprint).or(past.uses);
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
