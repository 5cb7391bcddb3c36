//! Pure. What a vassal says for people: what keeps it from going on, and which config it uses. Nothing is decided by it but which
//! text is held for its next process.

use std::sync::Arc;

use super::event::{Digest, Fingerprint};
use super::order::{News, Order};
use super::past::Past;
use super::policy::Policy;
use super::state::State;
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
        (past.held, past.unjudged) = (true, true);
    }

    /// Why it does not use this config, told once for each reload; or that it does.
    pub fn kept(&mut self, digest: Option<Digest>, reason: Option<Arc<str>>, turn: &mut Turn<'_>) {
        if !self.state.is_alive() {
            return;
        }
        self.has_judged(digest);
        let Some(reason) = reason else { return self.uses(digest) };
        let past = self.life.past();
        (past.kept, past.kept_of) = (Some(reason.clone()), digest);
        if past.given.is_empty() {
            // It was born with a wrong one, and goes on with what the one before it took.
            past.uses = past.accepted.map(|(_, fingerprint)| fingerprint).or(past.uses);
        }
        if !std::mem::replace(&mut past.told_kept, true) {
            self.tell(News::Kept { reason }, turn);
        }
    }

    /// It uses the config of this text; without one, or where nothing is known of texts, the newest one. What was given before may still
    /// be spoken of, and some of it never is, as the next one came before it was read.
    fn uses(&mut self, digest: Option<Digest>) {
        let known = self.life.past.as_mut().filter(|past| !past.given.is_empty());
        let (Some(digest), Some(past)) = (digest, known) else { return self.uses_newest() };
        let newest = past.given.last().map(|(text, _)| *text);
        if newest == Some(digest) || past.kept_of != newest {
            (past.kept, past.accepted) = (None, None);
        }
        let given = past.given.iter().find(|(text, _)| *text == digest);
        past.uses = given.map(|(_, fingerprint)| *fingerprint).or(past.uses);
    }

    /// It uses what it was given last.
    pub fn uses_newest(&mut self) {
        self.life.past.iter_mut().for_each(|past| {
            (past.kept, past.uses, past.accepted) = (None, None, None);
        });
    }

    /// It begins anew with the config of this text, one that it was given.
    pub fn takes(&mut self, digest: Digest, turn: &mut Turn<'_>) {
        let is_alive = self.state.is_alive();
        let held = self.life.past.as_mut().filter(|past| is_alive && past.held);
        let Some(past) = held else { return };
        let Some(given) = past.given.iter().find(|(text, _)| *text == digest) else { return };
        past.accepted = Some(*given);
        self.has_judged(Some(digest));
        turn.orders.push_back(Order::Hold(self.id, Some(digest)));
    }

    /// It has said what it makes of this text; without one, of the newest.
    fn has_judged(&mut self, digest: Option<Digest>) {
        let newest = |past: &Past| past.given.last().map(|(text, _)| *text);
        let past = self.life.past.iter_mut().filter(|past| digest.is_none() || digest == newest(past));
        past.for_each(|past| past.unjudged = false);
    }

    /// It is there, and has not said that its config is wrong: no other one is needed.
    pub fn needs_no_other(&mut self) {
        let is_new = self.process.reloaded_at.is_none();
        let past = self.life.past.iter_mut().filter(|past| is_new && past.kept.is_none());
        past.for_each(|past| past.accepted = None);
    }

    /// Nothing is held longer than its next process may need it.
    pub fn let_go_of_texts(&mut self, turn: &mut Turn<'_>) {
        let is_needed = self.may_need_a_text(turn.policy);
        let Some(past) = self.life.past.as_mut().filter(|past| past.held && !is_needed) else { return };
        (past.held, past.unjudged, past.accepted) = (false, false, None);
        turn.orders.push_back(Order::Hold(self.id, None));
    }

    fn may_need_a_text(&self, policy: &Policy) -> bool {
        let Some(past) = &self.life.past else { return false };
        let has_taken = past.accepted.is_some();
        // It may accept because of its start when it has been told to reload already; another program says nothing else.
        let may_take = past.unjudged && !self.is_foreign(policy);
        match self.state {
            State::Reloading { .. } => true,
            State::Queued { .. } | State::Waiting { .. } | State::Starting | State::Stepping { .. } => {
                has_taken
            }
            State::Running | State::Stopping { .. } | State::Killed { .. } => has_taken || may_take,
            // whoever rests has no last config: the one that there is counts
            State::Outside | State::Idle | State::Refused | State::Excess | State::Rested(_) => false,
        }
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
