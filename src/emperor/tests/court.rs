//! An Emperor to be told things, and its answers.

use crate::emperor::Emperor;
use crate::emperor::event::{Event, Exit, Fingerprint, Incarnation, Key, Moment, MonitorId, Owner, Sight};
use crate::emperor::order::{News, Order};
use crate::emperor::policy::Policy;
use crate::emperor::snapshot::VassalView;

pub const ALICE: Owner = Owner { uid: 1_000, gid: 1_000 };
pub const BOB: Owner = Owner { uid: 1_001, gid: 1_001 };

pub struct Court {
    pub emperor: Emperor,
    pub now: Moment,
    pub news: Vec<(String, News)>,
}

pub fn key(name: &str) -> Key {
    Key { monitor: MonitorId(0), name: name.into() }
}

pub fn sight(fingerprint: u64, owner: Owner) -> Sight {
    Sight { fingerprint: Fingerprint(fingerprint), owner, mtime_s: 0, refusal: None }
}

impl Court {
    pub fn new(policy: Policy) -> Self {
        Self { emperor: Emperor::new(policy), now: Moment(0).plus_ms(1_000_000), news: Vec::new() }
    }

    /// Without jitter to be reckoned with: the longest delay is the only one.
    pub fn with_throttle(throttle_ms: u64) -> Self {
        Self::new(Policy { throttle_ms, max_throttle_ms: throttle_ms, ..Policy::default() })
    }

    /// Tells the Emperor, and returns what it wants done besides being heard.
    pub fn tell(&mut self, event: Event) -> Vec<Order> {
        self.emperor.handle(event, self.now);
        self.orders()
    }

    fn orders(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        while let Some(order) = self.emperor.next_order() {
            match order {
                Order::Tell(notice) => self.news.push((notice.key.name.to_string(), notice.what)),
                order => orders.push(order),
            }
        }
        orders
    }

    /// Time passes, and every deadline is kept.
    pub fn wait_ms(&mut self, ms: u64) -> Vec<Order> {
        let end = self.now.plus_ms(ms);
        let mut orders = Vec::new();
        while let Some((at, _)) = self.emperor.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.emperor.handle_deadline(self.now);
            orders.append(&mut self.orders());
        }
        self.now = end;
        orders
    }

    pub fn see(&mut self, name: &str, fingerprint: u64) -> Vec<Order> {
        self.tell(Event::Seen(key(name), sight(fingerprint, ALICE)))
    }

    pub fn see_of(&mut self, name: &str, fingerprint: u64, owner: Owner) -> Vec<Order> {
        self.tell(Event::Seen(key(name), sight(fingerprint, owner)))
    }

    pub fn see_refused(&mut self, name: &str, fingerprint: u64, reason: &str) -> Vec<Order> {
        let refusal = Some(reason.into());
        self.tell(Event::Seen(key(name), Sight { refusal, ..sight(fingerprint, ALICE) }))
    }

    pub fn unsee(&mut self, name: &str) -> Vec<Order> {
        self.tell(Event::Unseen(key(name)))
    }

    /// The last process of this vassal.
    pub fn which(&self, name: &str) -> Incarnation {
        let view = self.view(name);
        Incarnation { id: view.id, attempt: view.attempts }
    }

    pub fn born(&mut self, name: &str) -> Vec<Order> {
        self.tell(Event::Born(self.which(name), 4_711))
    }

    /// Its program runs, with the config as last seen.
    pub fn runs(&mut self, name: &str) -> Vec<Order> {
        let config = self.emperor.vassals[&self.which(name).id].config.clone();
        self.tell(Event::Running(self.which(name), config.fingerprint, config.owner))
    }

    pub fn say(&mut self, name: &str, byte: u8) -> Vec<Order> {
        self.tell(Event::Byte(self.which(name), byte))
    }

    pub fn exit(&mut self, name: &str, code: i32) -> Vec<Order> {
        self.tell(Event::Exited(self.which(name), Exit::Code(code)))
    }

    /// Born and running.
    pub fn up(&mut self, name: &str) -> Vec<Order> {
        let mut orders = self.born(name);
        orders.append(&mut self.runs(name));
        orders
    }

    /// A vassal that runs, and has for so long that it may be told to reload whoever it is.
    pub fn running(mut self, name: &str) -> Self {
        self.see(name, 1);
        self.up(name);
        self.wait_ms(1_000);
        self
    }

    pub fn view(&self, name: &str) -> VassalView {
        let mut vassals = self.emperor.snapshot().vassals.into_iter();
        vassals.find(|view| view.key == key(name)).expect("there is such a vassal")
    }

    pub fn state(&self, name: &str) -> &'static str {
        self.view(name).state
    }

    pub fn told(&self, wanted: impl Fn(&News) -> bool) -> usize {
        self.news.iter().filter(|(_, what)| wanted(what)).count()
    }
}

pub fn spawns(orders: &[Order]) -> usize {
    orders.iter().filter(|order| matches!(order, Order::Spawn(_))).count()
}
