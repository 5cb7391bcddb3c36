//! Pure. When routers are told of a command, and what.

use super::packet::Said;
use crate::emperor::event::Moment;
use crate::vassal::duties::Presence;

/// Between the first two announcements, in ms; each further pause is twice as long, up to the asked one. A program may
/// take a moment until it listens, and a router forgets who did not answer.
const FIRST_PAUSE_MS: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was said.
    Silent,
    /// It is said again at that moment.
    Announced { next: Moment, pause_ms: u64 },
    /// Nothing will be said any more.
    Over,
}

/// What was said so far.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    state: State,
    frequency_ms: u64,
    leaves_on_reload: bool,
}

impl Pace {
    /// Of a command that is not there yet.
    pub fn new(frequency_ms: u64, leaves_on_reload: bool) -> Self {
        Self { state: State::Silent, frequency_ms, leaves_on_reload }
    }

    /// What is to be said now.
    pub fn look(&mut self, presence: Presence, now: Moment) -> Option<Said> {
        match (self.state, presence) {
            (State::Silent, Presence::Serving) => Some(self.announce(FIRST_PAUSE_MS, now)),
            (State::Announced { next, pause_ms }, Presence::Serving) if now >= next => {
                Some(self.announce(pause_ms * 2, now))
            }
            (State::Announced { .. }, Presence::Reloading) => {
                self.state = State::Over;
                self.leaves_on_reload.then_some(Said::Gone)
            }
            (State::Announced { .. }, Presence::Leaving) => {
                self.state = State::Over;
                Some(Said::Gone)
            }
            (State::Silent, Presence::Reloading | Presence::Leaving) => {
                self.state = State::Over;
                None
            }
            // Not ready, not due, or all is said: who has begun to end does not serve again.
            (State::Silent | State::Announced { .. }, Presence::Absent)
            | (State::Announced { .. }, Presence::Serving)
            | (State::Over, _) => None,
        }
    }

    fn announce(&mut self, pause_ms: u64, now: Moment) -> Said {
        let pause_ms = pause_ms.min(self.frequency_ms);
        self.state = State::Announced { next: now.plus_ms(pause_ms), pause_ms };
        Said::Here
    }

    /// When `look` has something to say by itself.
    pub fn next_deadline(&self) -> Option<Moment> {
        match self.state {
            State::Announced { next, .. } => Some(next),
            State::Silent | State::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000_000);

    /// What is said when it is looked at after each of these, in ms since the start.
    fn said(pace: &mut Pace, looks: &[(Presence, u64)]) -> Vec<Option<Said>> {
        looks.iter().map(|(presence, ms)| pace.look(*presence, START.plus_ms(*ms))).collect()
    }

    #[test]
    fn the_first_words_come_fast_and_the_later_ones_at_their_pace() {
        let mut pace = Pace::new(5_000, false);
        assert_eq!(pace.look(Presence::Absent, START), None);
        let mut moments = Vec::new();
        let mut now = START;
        for _ in 0..6 {
            assert_eq!(pace.look(Presence::Serving, now), Some(Said::Here));
            assert_eq!(pace.look(Presence::Serving, now), None);
            now = pace.next_deadline().expect("it is said again");
            moments.push(now.ms_since(START));
        }
        assert_eq!(moments, [1_000, 3_000, 7_000, 12_000, 17_000, 22_000]);
    }

    #[test]
    fn an_end_is_said_once_and_a_reload_when_that_is_asked_for() {
        use Presence::{Leaving, Reloading, Serving};
        let gone = |leaves, looks: &[(Presence, u64)]| {
            let mut pace = Pace::new(10_000, leaves);
            let said = said(&mut pace, looks);
            assert_eq!(pace.next_deadline(), None);
            said.into_iter().filter(|said| *said == Some(Said::Gone)).count()
        };
        assert_eq!(gone(false, &[(Serving, 0), (Leaving, 1), (Leaving, 2)]), 1);
        assert_eq!(gone(false, &[(Serving, 0), (Reloading, 1), (Leaving, 2)]), 0);
        assert_eq!(gone(true, &[(Serving, 0), (Reloading, 1), (Leaving, 2)]), 1);
        assert_eq!(gone(true, &[(Leaving, 0), (Serving, 1)]), 0, "it was never announced");
    }
}
