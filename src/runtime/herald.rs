//! Pure. What a service manager is told, in the words of `sd_notify(3)`: that the Emperor is ready, whom it governs,
//! that it reloads, that it ends. Nothing is said twice.

use crate::emperor::event::Moment;

/// How often the number of vassals is told at most, and how long somebody who takes no word is left alone, in ms.
const PAUSE_MS: u64 = 1_000;

/// How far the Emperor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Sources are read or vassals wait for their start.
    Busy,
    /// All that is known was dealt with.
    Settled,
    /// It was told to end.
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    /// Since then.
    Reloading(Moment),
    Stopping,
}

/// What was said so far, and what is to be said.
#[derive(Debug)]
pub struct Herald {
    phase: Phase,
    /// The phase has changed since the last word.
    is_news: bool,
    vassals: usize,
    told: Option<usize>,
    /// Before that moment the number is not told again.
    count_after: Moment,
    /// Before that moment nothing is.
    any_after: Moment,
}

impl Herald {
    /// Of an Emperor that starts.
    pub fn new() -> Self {
        Self {
            phase: Phase::Starting,
            is_news: false,
            vassals: 0,
            told: None,
            count_after: Moment::default(),
            any_after: Moment::default(),
        }
    }

    /// The Emperor as it is now.
    pub fn look(&mut self, condition: Condition, vassals: usize) {
        self.vassals = vassals;
        match (self.phase, condition) {
            (Phase::Starting | Phase::Reloading(_), Condition::Settled) => self.turn_to(Phase::Ready),
            (Phase::Starting | Phase::Ready | Phase::Reloading(_), Condition::Ending) => {
                self.turn_to(Phase::Stopping);
            }
            // A vassal that comes or goes later is everyday life.
            (Phase::Ready, Condition::Busy | Condition::Settled)
            | (Phase::Starting | Phase::Reloading(_), Condition::Busy)
            | (Phase::Stopping, Condition::Busy | Condition::Settled | Condition::Ending) => {}
        }
    }

    /// Everybody was told to reload. Before it was ready the Emperor is just not ready yet.
    pub fn reload(&mut self, now: Moment) {
        match self.phase {
            Phase::Ready | Phase::Reloading(_) => self.turn_to(Phase::Reloading(now)),
            Phase::Starting | Phase::Stopping => {}
        }
    }

    fn turn_to(&mut self, phase: Phase) {
        self.phase = phase;
        self.is_news = true;
    }

    /// What is to be said now.
    pub fn message(&self, now: Moment) -> Option<String> {
        if now < self.any_after {
            return None;
        }
        let phase = self.is_news.then(|| self.word()).flatten();
        let count =
            self.counts(now).then(|| format!("STATUS=The Emperor is governing {} vassals", self.vassals));
        let lines: Vec<String> = phase.into_iter().chain(count).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn word(&self) -> Option<String> {
        match self.phase {
            Phase::Starting => None,
            Phase::Ready => Some("READY=1".to_owned()),
            Phase::Reloading(since) => Some(format!("RELOADING=1\nMONOTONIC_USEC={}", since.0 / 1_000)),
            Phase::Stopping => Some("STOPPING=1".to_owned()),
        }
    }

    fn counts(&self, now: Moment) -> bool {
        self.told != Some(self.vassals) && now >= self.count_after
    }

    /// The message of this moment was taken, or nobody is there to take any.
    pub fn heard(&mut self, now: Moment) {
        if self.counts(now) {
            self.told = Some(self.vassals);
            self.count_after = now.plus_ms(PAUSE_MS);
        }
        self.is_news = false;
    }

    /// Who listens has too much to do: it is said again later, as it is then.
    pub fn unheard(&mut self, now: Moment) {
        self.any_after = now.plus_ms(PAUSE_MS);
    }

    /// When there will be something to say.
    pub fn next_deadline(&self) -> Option<Moment> {
        let count = (self.told != Some(self.vassals)).then_some(self.count_after);
        let news = self.is_news.then_some(self.any_after);
        count.into_iter().chain(news).min().map(|at| at.max(self.any_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment(0).plus_ms(5_000 + ms)
    }

    /// What is said at that moment, and taken.
    fn said(herald: &mut Herald, ms: u64) -> Option<String> {
        let message = herald.message(at(ms))?;
        herald.heard(at(ms));
        Some(message)
    }

    fn governing(vassals: usize) -> String {
        format!("STATUS=The Emperor is governing {vassals} vassals")
    }

    #[test]
    fn a_life_is_told_once_from_start_to_end() {
        let mut herald = Herald::new();
        herald.look(Condition::Busy, 1);
        assert_eq!(said(&mut herald, 0), Some(governing(1)));
        herald.look(Condition::Settled, 1);
        assert_eq!(said(&mut herald, 0).as_deref(), Some("READY=1"));
        herald.look(Condition::Settled, 1);
        herald.look(Condition::Busy, 1);
        assert_eq!((said(&mut herald, 9_000), herald.next_deadline()), (None, None));
        herald.reload(at(9_001));
        assert_eq!(said(&mut herald, 9_001).as_deref(), Some("RELOADING=1\nMONOTONIC_USEC=14001000"));
        herald.look(Condition::Settled, 1);
        assert_eq!(said(&mut herald, 9_002).as_deref(), Some("READY=1"));
        herald.look(Condition::Ending, 1);
        assert_eq!(said(&mut herald, 9_003).as_deref(), Some("STOPPING=1"));
        herald.reload(at(9_004));
        herald.look(Condition::Settled, 1);
        assert_eq!((said(&mut herald, 9_005), herald.next_deadline()), (None, None));
    }

    #[test]
    fn a_crowd_is_counted_once_a_second() {
        let mut herald = Herald::new();
        let mut messages = Vec::new();
        for vassals in 1..=5_000 {
            herald.look(Condition::Busy, vassals);
            messages.extend(said(&mut herald, u64::try_from(vassals).expect("a small number") / 2));
        }
        assert_eq!(messages, [governing(1), governing(2_000), governing(4_000)]);
        let last = herald.next_deadline().expect("the last number is owed");
        assert_eq!((last, herald.message(last)), (at(3_000), Some(governing(5_000))));
    }

    #[test]
    fn what_was_not_taken_is_said_again_as_it_is_then() {
        let mut herald = Herald::new();
        herald.look(Condition::Settled, 2);
        herald.unheard(at(0));
        assert_eq!((herald.message(at(999)), herald.next_deadline()), (None, Some(at(1_000))));
        herald.look(Condition::Settled, 3);
        assert_eq!(said(&mut herald, 1_000), Some(format!("READY=1\n{}", governing(3))));
    }

    #[test]
    fn a_reload_before_the_first_word_is_part_of_the_start() {
        let mut herald = Herald::new();
        herald.reload(at(0));
        herald.look(Condition::Settled, 0);
        assert_eq!(said(&mut herald, 0), Some(format!("READY=1\n{}", governing(0))));
    }
}
