//! Pure. When so many wait for a command that it needs help (`vassal-sos-backlog`).

use crate::emperor::event::Moment;

/// From the first who waits to the first count: a program may take so long to accept.
const FIRST_MS: u64 = 100;
/// Between two counts while somebody waits, as in uWSGI. The Emperor makes no more than one zerg in that time.
const EVERY_MS: u64 = 1_000;

/// The rule of one command. As long as nobody waits, nothing is counted.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    threshold: u32,
    count_at: Option<Moment>,
}

impl Pressure {
    /// Help is asked for when so many wait.
    pub fn new(threshold: u32) -> Self {
        Self { threshold, count_at: None }
    }

    /// When to count; `None`: when somebody comes.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.count_at
    }

    /// Somebody waits.
    pub fn called(&mut self, now: Moment) {
        self.count_at.get_or_insert(now.plus_ms(FIRST_MS));
    }

    /// So many wait where most do. Whether help is to be asked for.
    pub fn take(&mut self, waiting: u32, now: Moment) -> bool {
        self.count_at = (waiting > 0).then(|| now.plus_ms(EVERY_MS));
        waiting >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_asked_for_once_a_second_while_too_many_wait() {
        let mut pressure = Pressure::new(3);
        assert_eq!(pressure.next_deadline(), None, "nobody waits, nothing is counted");
        pressure.called(Moment(0));
        let first = pressure.next_deadline().expect("somebody waits");
        pressure.called(first);
        assert_eq!(pressure.next_deadline(), Some(first), "who comes later moves nothing");
        assert!(!pressure.take(2, first));
        let second = pressure.next_deadline().expect("they still wait");
        assert_eq!(second, first.plus_ms(EVERY_MS));
        assert!(pressure.take(3, second) && pressure.take(300, second.plus_ms(EVERY_MS)));
        assert!(!pressure.take(0, second.plus_ms(2 * EVERY_MS)));
        assert_eq!(pressure.next_deadline(), None);
    }
}
