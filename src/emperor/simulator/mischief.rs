//! Pure. What chance does to the world.

use super::world::{Config, Happening, World};
use crate::emperor::event::{Event, Exit, Incarnation, Key, Moment, MonitorId, Owner};
use crate::emperor::vassal::Ending;

/// Number of different configs that there may be.
const NAMES: u64 = 40;
const OWNERS: u64 = 5;

impl World {
    pub fn mischief(&mut self) {
        if self.calm || self.emperor.ending != Ending::No {
            return;
        }
        let key = self.any_key();
        match self.dice.below(100) {
            0..25 => self.write_new(&key),
            25..45 => self.change(&key),
            45..53 => self.remove(&key),
            53..59 => self.replace(&key),
            59..65 => self.hand_over(&key),
            65..73 => self.forbid_or_allow(&key),
            73..77 => self.storm(&key),
            77..79 => self.reload_storm(),
            79..82 => self.rescan(),
            82..83 => self.command(&key),
            83..86 => self.stale(&key),
            86..88 => self.tell(Event::ReloadAll),
            88..90 => self.tell(Event::ClearBlacklist),
            90..92 => self.leap(),
            92..96 => self.call(&key),
            96..98 => self.write_address(&key),
            98..99 => self.command_owner(),
            _ => self.look(&key),
        }
        let pause = self.dice.skewed(16);
        self.after_ms(pause, Happening::Mischief);
    }

    fn any_key(&mut self) -> Key {
        let number = self.dice.below(NAMES);
        Key { monitor: MonitorId((number % 2) as u16), name: format!("v{}", number / 2).into() }
    }

    pub fn any_owner(&mut self) -> Owner {
        let uid = self.dice.below(OWNERS) as u32 * 1_000;
        Owner { uid, gid: uid + self.dice.below(2) as u32 }
    }

    pub fn write_new(&mut self, key: &Key) {
        let (fingerprint, owner) = (self.new_fingerprint(), self.any_owner());
        self.put(key, Config { fingerprint, owner, refusal: None });
    }

    /// Other content, the same owner and the same right to run.
    fn change(&mut self, key: &Key) {
        let fingerprint = self.new_fingerprint();
        if let Some(config) = self.configs.get(key).cloned() {
            self.put(key, Config { fingerprint, ..config });
        }
    }

    fn hand_over(&mut self, key: &Key) {
        let owner = self.any_owner();
        if let Some(config) = self.configs.get(key).cloned() {
            self.put(key, Config { owner, ..config });
        }
    }

    fn forbid_or_allow(&mut self, key: &Key) {
        let refusal = self.dice.percent(50).then(|| "writable by anybody".into());
        if let Some(config) = self.configs.get(key).cloned() {
            self.put(key, Config { refusal, ..config });
        }
    }

    /// Gone and back, and the monitor sees both.
    fn replace(&mut self, key: &Key) {
        self.configs.remove(key);
        self.look(key);
        self.write_new(key);
    }

    fn storm(&mut self, key: &Key) {
        for _ in 0..self.dice.below(50) {
            self.change(key);
            self.look(key);
        }
    }

    /// Somebody sends SIGHUP again and again.
    fn reload_storm(&mut self) {
        (0..self.dice.below(20)).for_each(|_| self.tell(Event::ReloadAll));
    }

    fn rescan(&mut self) {
        let keys: Vec<Key> = self.configs.keys().chain(&self.known).cloned().collect();
        keys.iter().for_each(|key| self.look(key));
    }

    /// Messages of a process that is over, or of no process at all.
    fn stale(&mut self, key: &Key) {
        let Some(id) = self.emperor.ids.get(key).copied() else { return };
        let attempt = self.emperor.vassals[&id].attempt;
        let which = Incarnation { id, attempt: attempt.saturating_sub(1) };
        let byte = [1, 5, 17, 22, 26, 30][self.dice.below(6) as usize];
        self.emperor.handle(Event::Byte(which, byte), self.now);
        self.emperor.handle(Event::Silent(which), self.now);
        self.emperor.handle(Event::Exited(which, Exit::Code(26)), self.now);
    }

    /// The machine slept, or we did.
    fn leap(&mut self) {
        let ms = self.dice.skewed(25);
        self.now = self.now.plus_ms(ms);
        self.oath.leapt_ms += ms;
    }

    /// Mischief up to this moment.
    pub fn let_loose(&mut self, until: Moment) {
        self.after_ms(0, Happening::Mischief);
        self.run_until(until);
    }
}
