//! Pure. How often a service manager wants to hear that the Emperor lives (`WatchdogSec=` of systemd.service(5)).

use crate::emperor::event::Moment;

/// Said no more often than this, in ms, whatever is asked for.
const PAUSE_MIN_MS: u64 = 50;

/// What is owed to it; nothing where none asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watchdog {
    pause_ms: Option<u64>,
    /// Not before that moment.
    next: Moment,
}

impl Watchdog {
    /// From `WATCHDOG_USEC` and `WATCHDOG_PID`; `pid` is ours. What is meant for another process is none of ours.
    pub fn new(microseconds: Option<&str>, meant_for: Option<&str>, pid: i32) -> Self {
        let ours = meant_for.is_none_or(|text| text == pid.to_string());
        let microseconds =
            microseconds.and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0);
        // Twice in the time in which one word has to come, as sd_watchdog_enabled(3) asks for.
        let pause_ms = microseconds.filter(|_| ours).map(|number| (number / 2_000).max(PAUSE_MIN_MS));
        Self { pause_ms, next: Moment::default() }
    }

    /// True when it is to hear of us now; then it is not for a while.
    pub fn is_due(&mut self, now: Moment) -> bool {
        let Some(pause_ms) = self.pause_ms.filter(|_| now >= self.next) else { return false };
        self.next = now.plus_ms(pause_ms);
        true
    }

    /// When it will be.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.pause_ms.map(|_| self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_does_not_ask_is_told_and_nothing_is_waited_for() {
        for (microseconds, pid) in
            [(None, None), (Some("0"), None), (Some("x"), None), (Some("9000000"), Some("8"))]
        {
            let mut watchdog = Watchdog::new(microseconds, pid, 7);
            assert_eq!(
                (watchdog.is_due(Moment(1)), watchdog.next_deadline()),
                (false, None),
                "{microseconds:?}"
            );
        }
    }

    #[test]
    fn a_word_is_due_twice_in_its_time() {
        let mut watchdog = Watchdog::new(Some("3000000"), Some("7"), 7);
        let mut now = Moment(5_000_000_000);
        for _ in 0..3 {
            assert!(watchdog.is_due(now) && !watchdog.is_due(now));
            let next = watchdog.next_deadline().expect("it goes on");
            assert_eq!(next.ms_since(now), 1_500);
            now = next;
        }
        assert_eq!(Watchdog::new(Some("1"), None, 7).pause_ms, Some(PAUSE_MIN_MS));
    }
}
