//! Pure. What becomes of a vassal when it speaks, falls silent, or when everybody is spoken to.

use super::life::patience_ms;
use super::order::{News, from_vassal};
use super::state::{Rest, State, Then};
use super::vassal::{Ending, Turn, Vassal};

impl Vassal {
    /// A byte came. It may come before the spawner's answer, which takes another way.
    pub fn spoke(&mut self, byte: u8, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting | State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                // Whoever is about to become another program has not shown that it knows what a reload is.
                self.process.said.anything |= byte != from_vassal::BECOMES;
                self.hear(byte, turn);
            }
            // it ends already: nothing it says changes that
            State::Stopping { .. } | State::Killed { .. } => {}
            // it was reaped before its last bytes were read
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Idle => {}
            State::Refused | State::Excess | State::Rested(_) => {}
        }
    }

    /// It closed its control descriptor: it is ending, or it cannot be reached any more.
    pub fn fell_silent(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting | State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.process.silent_at.get_or_insert(turn.now);
                self.process.reload_at = None;
            }
            State::Stopping { .. } | State::Killed { .. } => {} // it ends already
            // it was reaped before
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Idle => {}
            State::Refused | State::Excess | State::Rested(_) => {}
        }
    }

    fn hear(&mut self, byte: u8, turn: &mut Turn<'_>) {
        match byte {
            from_vassal::SPAWNED => self.hear_spawned(turn),
            from_vassal::ACCEPTING => self.hear_accepting(turn),
            from_vassal::LOYAL => self.hear_loyal(turn),
            from_vassal::GOODBYE => self.hear_goodbye(turn),
            from_vassal::HEARTBEAT => self.hear_heartbeat(turn),
            from_vassal::BECOMES => {
                self.life.past().becomes = true;
                self.needs_no_other();
            }
            from_vassal::USELESS => self.hear_useless(),
            from_vassal::CONFIG => {} // its config is a file that it was given
            from_vassal::SOS => {}    // who is sent is a vassal of its own
            _ => {}                   // means nothing, and does nothing
        }
    }

    fn hear_spawned(&mut self, turn: &mut Turn<'_>) {
        self.answer();
        self.needs_no_other();
        if !std::mem::replace(&mut self.process.said.spawned, true) {
            self.life.last_ready = Some(turn.now);
            self.tell(News::Spawned { pid: self.pid() }, turn);
        }
    }

    fn hear_accepting(&mut self, turn: &mut Turn<'_>) {
        self.answer();
        self.needs_no_other();
        if !std::mem::replace(&mut self.process.said.accepting, true) {
            self.life.last_accepting = Some(turn.now);
            // A uWSGI that was reloaded says this alone.
            if !std::mem::replace(&mut self.process.said.spawned, true) {
                self.life.last_ready = Some(turn.now);
            }
            if self.is_foreign(turn.policy) {
                self.uses_newest();
            }
            self.tell(News::Accepting { pid: self.pid() }, turn);
        }
    }

    fn hear_loyal(&mut self, turn: &mut Turn<'_>) {
        self.pacing.forgive();
        self.life.past.iter_mut().for_each(|past| past.trouble = None);
        if !std::mem::replace(&mut self.process.said.loyal, true) {
            self.life.last_loyal = Some(turn.now);
            self.tell(News::Loyal { pid: self.pid() }, turn);
        }
    }

    fn hear_heartbeat(&mut self, turn: &mut Turn<'_>) {
        self.process.beat_at = Some(turn.now);
        self.life.last_heartbeat = Some(turn.now);
    }

    /// It wants to be stopped. As long as its birth is not known, that waits.
    fn hear_goodbye(&mut self, turn: &mut Turn<'_>) {
        self.process.said.goodbye = true;
        if self.state != State::Starting {
            self.stop(self.rest_or_again(Rest::Goodbye), "it asked to be stopped", turn);
        }
    }

    /// It finds its config of no use. Whoever has ever come further, or has a newer one by now, cannot say so.
    fn hear_useless(&mut self) {
        self.life.past().useless = !self.process.said.came_up() && self.process.reloaded_at.is_none();
    }

    /// It lives on after a reload.
    fn answer(&mut self) {
        if matches!(self.state, State::Reloading { .. }) {
            self.state = State::Running;
        }
    }

    /// Everything reloads.
    pub fn reload_asked(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Running | State::Reloading { .. } => self.ask_reload(turn),
            // of the latter a file that it includes may have been mended
            State::Rested(Rest::Goodbye | Rest::Useless) => self.start_rationed(turn),
            // only another config helps these
            State::Refused | State::Excess => {}
            State::Rested(Rest::Exiled | Rest::Suspended | Rest::Ending) => {}
            // these read their config later anyhow
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Idle => {}
            State::Stopping { .. } | State::Killed { .. } => {}
            // by now these may have read it
            State::Starting | State::Stepping { .. } => self.put_off_reload(turn),
        }
    }

    /// What was before is forgiven.
    pub fn pardoned(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            // its place in the queue follows from its class
            State::Outside | State::Queued { .. } | State::Refused | State::Excess | State::Rested(_) => {
                self.pacing.forgive();
            }
            State::Idle => self.pacing.forgive(),
            State::Waiting { .. } => {
                self.pacing.forgive();
                self.start_now(turn);
            }
            State::Starting | State::Stepping { .. } | State::Running => self.pacing.forgive(),
            State::Reloading { .. } | State::Stopping { .. } | State::Killed { .. } => self.pacing.forgive(),
        }
    }

    /// Everything stops, and nothing is started any more.
    pub fn stop_asked(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Outside | State::Queued { .. } | State::Waiting { .. } => {
                self.state = State::Rested(Rest::Ending)
            }
            State::Idle | State::Refused | State::Excess | State::Rested(_) => {
                self.state = State::Rested(Rest::Ending)
            }
            State::Starting => {} // stopped when it is born
            State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.stop(Then::Again, "the Emperor ends", turn);
            }
            State::Stopping { then, kill_at } if turn.ending == Ending::Stop => {
                let kill_at = kill_at.min(turn.now.plus_ms(patience_ms(turn)));
                self.state = State::Stopping { then, kill_at };
            }
            State::Stopping { then, .. } => self.kill(then, "the Emperor ends", turn),
            State::Killed { .. } => {} // it is killed already, again and again
        }
    }
}
