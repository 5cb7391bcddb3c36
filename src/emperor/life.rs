//! Pure. What a vassal does whatever the reason: wait, start, reload, stop, be killed, end.

use super::event::{Exit, Moment};
use super::order::{News, Order, to_vassal};
use super::pacing::ran_long_enough;
use super::past::{Bidden, End};
use super::policy::Policy;
use super::state::{Process, Rest, State, Then};
use super::vassal::{Ending, Turn, Vassal};

/// Exit status by which a vassal asks not to be started again.
const EXILE: i32 = 26;
/// Exit status of a vassal whose config is of no use.
const USELESS: i32 = 1;
/// SIGKILL is repeated no sooner, however small the tolerance.
const KILL_AGAIN_MIN_MS: u64 = 1_000;

impl Vassal {
    /// To the start queue, unless something holds it back.
    pub fn start_now(&mut self, turn: &mut Turn<'_>) {
        if !self.is_held(turn) {
            self.line_up(turn);
        }
    }

    /// To the start queue as soon as its ration allows.
    pub fn start_rationed(&mut self, turn: &mut Turn<'_>) {
        if !self.is_held(turn) {
            let at = self.pacing.ration.take(turn.now);
            self.line_up_at(at, turn);
        }
    }

    /// Puts a vassal without a process where it has to stay, if it may not be started.
    fn is_held(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.gone {
            self.leave(turn);
        } else if turn.ending != Ending::No {
            self.state = State::Rested(Rest::Ending);
        } else if self.refusal().is_some() {
            self.refuse(turn);
        } else if self.is_barred() {
            self.suspend(turn);
        } else {
            return false;
        }
        true
    }

    /// Until a command comes: told once.
    fn suspend(&mut self, turn: &mut Turn<'_>) {
        let suspended = State::Rested(Rest::Suspended);
        if std::mem::replace(&mut self.state, suspended) != suspended {
            self.tell(News::Suspended, turn);
        }
    }

    /// The end of a vassal without a process.
    pub fn leave(&mut self, turn: &mut Turn<'_>) {
        self.state = State::Outside;
        self.tell(News::Removed, turn);
        turn.orders.push_back(Order::Forget(self.id));
    }

    /// A vassal without a process may not run: told once for each version of its config.
    pub fn refuse(&mut self, turn: &mut Turn<'_>) {
        self.state = State::Refused;
        self.tell_refusal(turn);
    }

    /// See above; not told again while the config is the same.
    pub fn tell_refusal(&mut self, turn: &mut Turn<'_>) {
        let Some(reason) = self.refusal().cloned() else { return };
        if self.told.replace(self.config.fingerprint) != Some(self.config.fingerprint) {
            self.tell(News::Refused { reason }, turn);
        }
    }

    /// Its owner has too many: told once until there is room.
    pub fn exclude(&mut self, turn: &mut Turn<'_>) {
        self.state = State::Excess;
        if !std::mem::replace(&mut self.told_excess, true) {
            let (owner, max) = (self.config.owner, turn.policy.tenant_max);
            self.tell(News::TooMany { owner, max }, turn);
        }
    }

    /// Likewise, but its process has just turned out to be this owner's.
    pub fn expel(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Running | State::Reloading { .. }) {
            self.stop(Then::Again, "its owner has too many vassals", turn);
        }
    }

    /// Its turn has come.
    pub fn start(&mut self, turn: &mut Turn<'_>) {
        let (fingerprint, owner) = (self.config.fingerprint, self.config.owner);
        let class = self.pacing.class;
        self.process = Process { fingerprint, owner, class, ..Process::default() };
        self.life.past.iter_mut().for_each(|past| past.begin());
        self.attempt += 1;
        self.state = State::Starting;
        self.told_excess = false;
        self.moved = false;
        // Without a listener this may only bind one.
        self.summoned &= self.listener.is_none();
        self.life.first_run.get_or_insert(turn.now);
        self.life.last_run = Some(turn.now);
        turn.orders.push_back(Order::Spawn(self.incarnation()));
    }

    /// Reloads now, or as soon as its ration and its program allow; what is asked for meanwhile is part of it.
    pub fn ask_reload(&mut self, turn: &mut Turn<'_>) {
        if self.needs_no_reload() {
            return;
        }
        let at = self.pacing.ration.take(turn.now);
        if at.max(self.reload_from(turn.policy).unwrap_or(at)) <= turn.now {
            self.reload(turn);
        } else {
            self.process.reload_at = Some(at);
        }
    }

    /// As soon as its program runs, by the deadline of such a one.
    pub fn put_off_reload(&mut self, turn: &mut Turn<'_>) {
        if !self.needs_no_reload() {
            self.process.reload_at = Some(self.pacing.ration.take(turn.now));
        }
    }

    /// A zerg ends when its vassal reloads.
    fn needs_no_reload(&self) -> bool {
        self.is_zerg || self.process.reload_at.is_some() || self.process.silent_at.is_some()
    }

    /// Sends the newest config. The first of several unanswered reloads sets the time for the answer.
    pub fn reload(&mut self, turn: &mut Turn<'_>) {
        let answer_by = turn.now.plus_ms(turn.policy.curse_tolerance_ms);
        if self.state == State::Running {
            self.state = State::Reloading { answer_by };
        }
        self.may_keep();
        self.process.fingerprint = self.config.fingerprint;
        self.process.reload_at = None;
        self.process.reloaded_at = Some(turn.now);
        self.process.beat_at = None;
        self.process.said.spawned = false;
        self.process.said.accepting = false;
        self.life.reloads = self.life.reloads.saturating_add(1);
        self.life.last_run = Some(turn.now);
        turn.orders.push_back(Order::Send(self.incarnation(), to_vassal::RELOAD));
        self.tell(News::Reloading { pid: self.pid() }, turn);
    }

    /// Asks a process to stop; nobody asks one that has closed its ears, or when there is no time left.
    pub fn stop(&mut self, then: Then, reason: &'static str, turn: &mut Turn<'_>) {
        if turn.ending == Ending::Kill {
            return self.kill(then, reason, turn);
        }
        if self.process.silent_at.is_none() {
            let byte =
                if turn.policy.graceful_shutdown { to_vassal::STOP_GRACEFULLY } else { to_vassal::STOP };
            turn.orders.push_back(Order::Send(self.incarnation(), byte));
        }
        self.life.past().bidden.stop.get_or_insert(reason);
        self.tell(News::Stopping { pid: self.pid(), reason }, turn);
        self.await_end(then, turn);
    }

    /// The process ends by itself now; if it does not, it is killed.
    pub fn await_end(&mut self, then: Then, turn: &Turn<'_>) {
        let since = self.process.silent_at.unwrap_or(turn.now);
        self.state = State::Stopping { then, kill_at: since.plus_ms(patience_ms(turn)) };
    }

    /// Kills it, again and again until it is reaped.
    pub fn kill(&mut self, then: Then, reason: &'static str, turn: &mut Turn<'_>) {
        let again_at = turn.now.plus_ms(patience_ms(turn).max(KILL_AGAIN_MIN_MS));
        self.state = State::Killed { then, again_at, owed: true };
        turn.orders.push_back(Order::Kill(self.incarnation()));
        self.life.past().bidden.kill.get_or_insert(reason);
        self.tell(News::Killing { pid: self.pid(), reason }, turn);
    }

    /// The spawner has done its part of it.
    pub fn kill_sent(&mut self, _: &mut Turn<'_>) {
        if let State::Killed { owed, .. } = &mut self.state {
            *owed = false;
        }
    }

    /// The process ended and nobody had told it to.
    pub fn ended_by_itself(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        let then = if self.is_reload_exit(turn) {
            Then::Reload
        } else if exit == Exit::Code(EXILE) && !self.process.said.failed {
            self.rest_or_again(Rest::Exiled)
        } else if self.found_its_config_useless(exit) {
            self.rest_or_again(Rest::Useless)
        } else if self.process.said.goodbye || self.has_done_its_work(exit) {
            self.rest_or_again(Rest::Goodbye)
        } else {
            Then::Death
        };
        self.ended(then, exit, turn);
    }

    /// It said so, has never been ready, and ended as such a one does. A zerg is not started again anyhow.
    fn found_its_config_useless(&self, exit: Exit) -> bool {
        let said_so = self.life.past.as_ref().is_some_and(|past| past.useless);
        said_so && !self.process.said.came_up() && exit == Exit::Code(USELESS) && !self.is_zerg
    }

    /// Who is on demand and ends well had nothing to do any more, as programs for socket activation do.
    fn has_done_its_work(&self, exit: Exit) -> bool {
        self.listener.is_some() && exit == Exit::Code(0) && self.process.ran_at.is_some()
    }

    /// A process speaks for the config that it has. If there is another one by now, that one is started.
    pub fn rest_or_again(&self, why: Rest) -> Then {
        let reloads = self.process.reload_at.is_some() || matches!(self.state, State::Reloading { .. });
        let same =
            self.config.fingerprint == self.process.fingerprint && self.config.owner == self.process.owner;
        if same && !reloads { Then::Rest(why) } else { Then::Again }
    }

    /// Whether it ended because it was told to reload: one end for each process, within its time.
    fn is_reload_exit(&self, turn: &Turn<'_>) -> bool {
        let in_time = |at| turn.now.ms_since(at) <= turn.policy.curse_tolerance_ms;
        matches!(self.state, State::Reloading { .. }) || self.process.reloaded_at.is_some_and(in_time)
    }

    /// The process was reaped.
    pub fn ended(&mut self, then: Then, exit: Exit, turn: &mut Turn<'_>) {
        turn.orders.push_back(Order::Bury(self.incarnation()));
        if !self.process.said.failed {
            let expected = then != Then::Death;
            self.tell(News::Exited { pid: self.pid(), exit, expected }, turn);
            self.failure = None;
        }
        let ran_ms = self.process.ran_at.map(|at| turn.now.ms_since(at));
        let past = self.life.past();
        let bidden = Bidden { reload: then == Then::Reload, ..past.bidden };
        let trouble = past.trouble.take();
        past.end = Some(End { at: turn.now, ran_ms, exit, bidden, trouble });
        self.follow(then, turn);
    }

    /// There is no process any more.
    pub fn follow(&mut self, then: Then, turn: &mut Turn<'_>) {
        let proven = has_proven_itself(&self.process, turn.now, turn.policy);
        self.process.pid = None;
        if self.is_zerg {
            // Not started again: whoever needs another one asks.
            self.pacing.deaths = u32::from(then == Then::Death && !proven);
            return self.leave(turn);
        }
        match then {
            Then::Again => self.start_rationed(turn),
            Then::Reload => self.start_now(turn),
            Then::Death => self.die(proven, turn),
            Then::Rest(why) => self.rest(why, turn),
        }
    }

    fn die(&mut self, proven: bool, turn: &mut Turn<'_>) {
        if self.is_held(turn) {
            return;
        }
        let until = self.pacing.died(self.id, proven, turn.now, turn.policy);
        self.line_up_at(until, turn);
        let (delay_ms, times) = (self.pacing.delay_ms, self.pacing.deaths);
        if delay_ms > 0 {
            self.tell(News::Throttled { until, delay_ms, times }, turn);
        }
    }

    fn rest(&mut self, why: Rest, turn: &mut Turn<'_>) {
        if why == Rest::Goodbye && self.listener.is_some() {
            // Rationed: one that is always called and never stays must not spin.
            self.start_rationed(turn);
            if matches!(self.state, State::Idle | State::Waiting { .. }) {
                self.tell(News::BackOnDemand, turn);
            }
            return;
        }
        if self.is_held(turn) {
            return;
        }
        self.state = State::Rested(why);
        let reason = match why {
            Rest::Goodbye => "it asked to be stopped",
            Rest::Exiled => "it ended with code 26",
            Rest::Useless => "its config is wrong, and rests until it changes",
            Rest::Suspended => "it waits for `liege start`, or the command `spawn`",
            Rest::Ending => "the Emperor ends",
        };
        self.tell(News::Resting { reason }, turn);
    }
}

/// How long a process may take to end.
pub fn patience_ms(turn: &Turn<'_>) -> u64 {
    match turn.ending {
        Ending::No => turn.policy.curse_tolerance_ms,
        Ending::Stop | Ending::Kill => turn.policy.curse_tolerance_ms.min(turn.policy.reload_mercy_ms),
    }
}

/// Loyal, or running for long: its death is its first one again.
fn has_proven_itself(process: &Process, now: Moment, policy: &Policy) -> bool {
    process.said.loyal || process.ran_at.is_some_and(|at| ran_long_enough(policy, now.ms_since(at)))
}
