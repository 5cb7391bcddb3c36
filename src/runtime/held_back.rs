//! CPU time that a limit has refused. The kernel announces it to nobody, so it is read when vassals are looked at anyway:
//! when somebody asks how they are, and when one has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::Path;

use crate::emperor::event::{Incarnation, VassalId};
use crate::emperor::snapshot::{Snapshot, VassalView};
use crate::log::{self, Level};
use crate::spawner::leaf_number;

/// Most who are read of for one question: each is a file that is made up for us, and the loop waits meanwhile.
const READS_MAX: usize = 256;

/// What has been told of those who were held back.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    lives: BTreeMap<VassalId, Life>,
    /// By which question each was read last.
    read: BTreeMap<VassalId, u64>,
    questions: u64,
}

/// The last process of a vassal.
#[derive(Debug, Default)]
struct Life {
    attempt: u32,
    /// How often it was held back, as the log has it.
    logged: u64,
    /// How often in all, when it was read last.
    last_words: Option<String>,
}

/// CPU time that was not given (`Documentation/admin-guide/cgroup-v2.rst`, `cpu.stat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Withheld {
    /// Periods in which the limit was met.
    times: u64,
    microseconds: u64,
}

impl HeldBack {
    /// Adds it to what the vassals' other limits have done. `cgroup` is the one that all leaves are in, where there are limits.
    pub fn add(&mut self, snapshot: &mut Snapshot, cgroup: Option<&Path>) {
        let Some(cgroup) = cgroup else { return };
        let up = snapshot.vassals.iter().filter(|view| view.up);
        let read = self.turn(up.map(|view| view.id).collect());
        for view in &mut snapshot.vassals {
            let one = Incarnation { id: view.id, attempt: view.attempts };
            let is_read = read.contains(&view.id);
            let sentence =
                if is_read { self.look(one, &view.key.name, cgroup) } else { self.last_words(one) };
            sentence.into_iter().for_each(|sentence| join(view, sentence));
        }
    }

    /// Those of whom is read now. Of a few each time all; of many those who were read longest ago, or never: whoever asks for his own
    /// keeps nobody else from a turn.
    fn turn(&mut self, mut up: Vec<VassalId>) -> BTreeSet<VassalId> {
        if up.len() > READS_MAX {
            up.sort_by_cached_key(|id| (self.read.get(id).copied(), *id));
            up.truncate(READS_MAX);
        }
        self.questions += 1;
        up.iter().for_each(|id| _ = self.read.insert(*id, self.questions));
        up.into_iter().collect()
    }

    /// The process has ended, and its cgroup is still there.
    pub fn end(&mut self, one: Incarnation, name: &str, cgroup: Option<&Path>) {
        let Some((withheld, limit)) = cgroup.and_then(|cgroup| read(one, cgroup)) else { return };
        let sentence = withheld.sentence(&limit);
        let life = self.life(one);
        if withheld.times > life.logged {
            tell(name, &sentence);
        }
        life.last_words = Some(sentence);
    }

    /// The vassal is no more.
    pub fn forget(&mut self, id: VassalId) {
        self.lives.remove(&id);
        self.read.remove(&id);
    }

    fn look(&mut self, one: Incarnation, name: &str, cgroup: &Path) -> Option<String> {
        let (withheld, limit) = read(one, cgroup)?;
        let sentence = withheld.sentence(&limit);
        let life = self.life(one);
        life.last_words = Some(sentence.clone());
        if life.is_news(withheld) {
            tell(name, &sentence);
        }
        Some(sentence)
    }

    fn last_words(&self, one: Incarnation) -> Option<String> {
        let life = self.lives.get(&one.id).filter(|life| life.attempt == one.attempt)?;
        life.last_words.clone()
    }

    fn life(&mut self, one: Incarnation) -> &mut Life {
        let life = self.lives.entry(one.id).or_default();
        if life.attempt != one.attempt {
            *life = Life { attempt: one.attempt, ..Life::default() };
        }
        life
    }
}

impl Life {
    /// Twice as often as the log says already: however often is asked, the lines are few.
    fn is_news(&mut self, withheld: Withheld) -> bool {
        let is_news = withheld.times >= self.logged.saturating_mul(2).max(1);
        if is_news {
            self.logged = withheld.times;
        }
        is_news
    }
}

impl Withheld {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let withheld = Self { times: field("nr_throttled ")?, microseconds: field("throttled_usec ")? };
        (withheld.times > 0).then_some(withheld)
    }

    fn sentence(self, limit: &str) -> String {
        let times = if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        let (seconds, rest) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000 / 100_000);
        format!("short of CPU time: held back {times}, {seconds}.{rest} s in all (cpu.max is {limit})")
    }
}

fn read(one: Incarnation, cgroup: &Path) -> Option<(Withheld, String)> {
    let leaf = cgroup.join(leaf_number(one.into()).to_string());
    let withheld = Withheld::parse(&read_to_string(leaf.join("cpu.stat")).ok()?)?;
    let limit = read_to_string(leaf.join("cpu.max")).ok()?;
    Some((withheld, limit.trim().to_owned()))
}

fn join(view: &mut VassalView, sentence: String) {
    let both = view.strain.iter().map(ToString::to_string).chain([sentence]).collect::<Vec<_>>();
    view.strain = Some(both.join("; ").into());
}

fn tell(name: &str, sentence: &str) {
    log::line(Level::Warn, &[("vassal", name)], sentence);
}

#[cfg(test)]
#[path = "held_back_tests.rs"]
mod tests;
