//! Pure. How the spawner, the kernel and the processes answer to orders.

use super::dice::Dice;
use super::nature::{Fate, OnReload};
use super::world::{Body, Happening, Stage, World};
use crate::emperor::event::{Digest, Event, Exit, Incarnation, Moment};
use crate::emperor::order::{Order, from_vassal, to_vassal};
use crate::vassal::quiet::Quiet;

impl World {
    pub fn carry_out(&mut self, order: Order) {
        match order {
            Order::Spawn(_) | Order::Kill(_) | Order::Bury(_) if self.mute => {}
            Order::Spawn(which) => self.spawn(which),
            Order::Send(which, to_vassal::RELOAD) => self.reload(which),
            Order::Send(which, _) => self.stop(which),
            Order::Kill(which) => {
                self.answer(which, Event::Killing(which));
                let kill_ms = self.bodies[&which].nature.kill_ms;
                self.after_ms(kill_ms, Happening::Die(which, Exit::Signal(9)));
            }
            Order::Bury(which) => drop(self.bodies.remove(&which)),
            Order::Await(id) => self.await_call(id),
            Order::Readdress(id) => self.ask_again(id),
            Order::Unlisten(id) => self.unlisten(id),
            Order::Forget(id) => self.forget_listener(id),
            Order::Tell(_) | Order::Report(_) | Order::Enabled(_) | Order::Hold(..) => {}
            Order::Finish | Order::Abandon => {}
        }
    }

    fn spawn(&mut self, which: Incarnation) {
        self.start_follows_a_call(which.id);
        self.starts_for_no_outlaw(which.id);
        let key = self.emperor.key(which.id).expect("only known vassals are spawned").clone();
        self.oath.may_speak(&key);
        let mut dice = Dice::new(self.seed, &format!("{}/{}", key.name, which.attempt));
        let nature = (self.nurture)(self, &key, &mut dice);
        let (fork_ms, now) = (nature.fork_ms, self.now);
        // Whoever asked for it may be gone by now; nobody reads a config that is not there.
        let reads = self.emperor.config_of(which.id).map_or_else(|| key.clone(), |(key, _)| key.clone());
        let body = Body {
            key,
            reads,
            nature,
            life: Stage::Ordered,
            config: None,
            offered: None,
            stop_waits: false,
            deaf: false,
            spawner_at: now,
            control_at: now,
            has_spoken: false,
            quiet: None,
            leaves: false,
        };
        self.bodies.insert(which, body);
        self.after_ms(fork_ms, Happening::Fork(which));
    }

    /// The spawner opens the config as it is now, and makes the process.
    pub fn fork(&mut self, which: Incarnation) {
        let Some(body) = self.bodies.get_mut(&which).filter(|_| !self.mute) else { return };
        body.config = self.configs.get(&body.reads).cloned();
        body.offered = body.config.clone();
        let (fate, step_ms) = (body.nature.fate, body.nature.step_ms);
        if body.config.is_none() || fate == Fate::NoProcess {
            return self.decline(which, Event::SpawnFailed(which, "no process".into()));
        }
        if fate == Fate::RefusedBefore {
            self.oath.refused(which);
            return self.decline(which, Event::Refused(which, "not this config".into()));
        }
        if self.wants_listener(which) {
            return self.listen(which);
        }
        let body = self.bodies.get_mut(&which).expect("it is ordered");
        body.life = Stage::Stepping;
        self.oath.born(which, &self.bodies, &self.policy);
        self.answer(which, Event::Born(which, 1_000 + which.attempt as i32));
        self.after_ms(step_ms, Happening::Run(which));
    }

    /// There will be no process.
    pub fn decline(&mut self, which: Incarnation, event: Event) {
        self.answer(which, event);
        self.bodies.remove(&which);
    }

    /// The steps are over, one way or another.
    pub fn run(&mut self, which: Incarnation) {
        let Some(body) = self.bodies.get_mut(&which).filter(|body| body.life == Stage::Stepping) else {
            return;
        };
        match body.nature.fate {
            Fate::StepFails => {
                self.answer(which, Event::SpawnFailed(which, "a step failed".into()));
                self.die(which, Exit::Code(1));
            }
            Fate::RefusedBorn => {
                self.oath.refused(which);
                self.answer(which, Event::Refused(which, "not this config".into()));
                self.die(which, Exit::Code(1));
            }
            Fate::DiesInSteps => self.die(which, Exit::Signal(9)),
            Fate::NoProcess | Fate::RefusedBefore | Fate::Useless | Fate::Runs => self.begin(which),
        }
    }

    fn begin(&mut self, which: Incarnation) {
        let body = self.bodies.get_mut(&which).expect("it was stepping");
        body.life = Stage::Running;
        let config = body.config.clone().expect("it was given one");
        let (nature, stop_waits) = (body.nature.clone(), body.stop_waits);
        self.accept_all(which.id);
        self.answer(which, Event::Running(which, config.fingerprint, config.owner));
        if nature.fate == Fate::Useless {
            self.say(which, from_vassal::USELESS);
            return self.after_ms(1, Happening::Die(which, Exit::Code(1)));
        }
        nature.speech.iter().for_each(|(ms, byte)| self.after_ms(*ms, Happening::Say(which, *byte)));
        nature.idle_ms.inspect(|ms| self.after_ms(*ms, Happening::Rest(which)));
        self.begin_quiet(which, nature.idle_s);
        nature.beats.inspect(|(ms, count)| self.after_ms(*ms, Happening::Beat(which, *count)));
        nature.deaf_ms.inspect(|ms| self.after_ms(*ms, Happening::Deafen(which)));
        nature.death.inspect(|(ms, exit)| self.after_ms(*ms, Happening::Die(which, *exit)));
        if stop_waits {
            self.stop(which);
        }
    }

    fn begin_quiet(&mut self, which: Incarnation, idle_s: Option<u32>) {
        let quiet = idle_s.map(|idle_s| Quiet::new(idle_s, self.now));
        quiet.inspect(|quiet| self.at(quiet.next_deadline(), Happening::Glance(which)));
        self.bodies.get_mut(&which).expect("it runs").quiet = quiet;
    }

    /// The spawner's answers are late, but in order.
    fn answer(&mut self, which: Incarnation, event: Event) {
        let Some(body) = self.bodies.get_mut(&which) else { return };
        let at = later(body.spawner_at, self.now.plus_ms(body.nature.lag_ms));
        body.spawner_at = at;
        if !self.mute {
            self.at(at, Happening::Tell(Event::Answered));
            self.at(at, Happening::Tell(event));
        }
    }

    /// What comes over the control descriptor takes a way of its own.
    fn speak(&mut self, which: Incarnation, event: Event) {
        let lag = self.dice.skewed(6);
        let Some(body) = self.bodies.get_mut(&which) else { return };
        let at = later(body.control_at, self.now.plus_ms(lag));
        body.control_at = at;
        self.at(at, Happening::Tell(event));
    }

    pub fn say(&mut self, which: Incarnation, byte: u8) {
        let Some(body) = self.bodies.get_mut(&which) else { return };
        if body.life == Stage::Running && !body.deaf {
            body.has_spoken = true;
            self.speak(which, Event::Byte(which, byte));
        }
    }

    pub fn beat(&mut self, which: Incarnation, left: u64) {
        let Some((every_ms, _)) = self.bodies.get(&which).and_then(|body| body.nature.beats) else { return };
        self.say(which, from_vassal::HEARTBEAT);
        if left > 0 {
            self.after_ms(every_ms, Happening::Beat(which, left - 1));
        }
    }

    pub fn deafen(&mut self, which: Incarnation) {
        let Some(body) = self.bodies.get_mut(&which) else { return };
        if body.life == Stage::Running && !std::mem::replace(&mut body.deaf, true) {
            self.speak(which, Event::Silent(which));
        }
    }

    /// The kernel ends it, closes its descriptor, and it is reaped. Nobody can be reaped before they are known.
    pub fn die(&mut self, which: Incarnation, exit: Exit) {
        let Some(body) = self.bodies.get_mut(&which) else { return };
        if body.life != Stage::Stepping && body.life != Stage::Running {
            return;
        }
        body.life = Stage::Dead;
        self.oath.ended(which, body);
        let known_at = body.spawner_at;
        if !std::mem::replace(&mut body.deaf, true) {
            self.speak(which, Event::Silent(which));
        }
        let lag = self.dice.skewed(5);
        let at = later(known_at, self.now.plus_ms(lag));
        self.at(at, Happening::Tell(Event::Exited(which, exit)));
    }

    fn stop(&mut self, which: Incarnation) {
        let Some(body) = self.bodies.get_mut(&which) else { return };
        match (body.life, body.nature.stop_ms) {
            (Stage::Running, Some(ms)) if !body.deaf => {
                body.leaves = true;
                self.after_ms(ms, Happening::Die(which, Exit::Code(0)))
            }
            (Stage::Ordered | Stage::Stepping, _) => body.stop_waits = true,
            (Stage::Running | Stage::Dead, _) => {}
        }
    }

    /// The newest config goes with it.
    fn reload(&mut self, which: Incarnation) {
        let Some(body) = self.bodies.get_mut(&which).filter(|body| !body.deaf) else { return };
        let newest = self.configs.get(&body.key).cloned();
        let text = newest.as_ref().map(|config| (Digest(config.fingerprint.0), config.fingerprint));
        body.offered = newest.clone().or(body.offered.take());
        let on_reload = body.nature.on_reload;
        match on_reload {
            OnReload::Ends(_) | OnReload::Ignores => {}
            OnReload::Accepts(_) | OnReload::Stays => body.config = newest.or(body.config.take()),
        }
        if let Some((digest, fingerprint)) = text {
            self.at(self.now, Happening::Tell(Event::Given(which, digest, fingerprint)));
        }
        match (on_reload, text) {
            (OnReload::Ends(_), Some((digest, _))) => self.speak(which, Event::Takes(which, digest)),
            (OnReload::Accepts(_), Some((digest, _))) => {
                let reason = self.dice.percent(25).then(|| "it is wrong".into());
                self.speak(which, Event::Kept(which, Some(digest), reason));
            }
            _ => {}
        }
        match on_reload {
            OnReload::Ends(ms) => self.after_ms(ms, Happening::Die(which, Exit::Code(0))),
            OnReload::Accepts(ms) => self.after_ms(ms, Happening::Say(which, from_vassal::ACCEPTING)),
            OnReload::Stays | OnReload::Ignores => {}
        }
    }
}

fn later(one: Moment, other: Moment) -> Moment {
    Moment(one.0.max(other.0) + 1)
}
