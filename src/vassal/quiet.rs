//! Pure. When a command on demand is idle: for its whole time nobody was connected, and it did next to nothing.

use crate::emperor::event::Moment;

/// Looks within that time: a connection that comes and goes between two of them may go unseen.
const LOOKS: u64 = 4;
/// Housekeeping is no work: less than this share of one CPU.
const WORK_PERCENT: u64 = 1;

/// What one look saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Somebody is connected, or waits to be.
    pub connected: bool,
    /// CPU time of all processes so far, in ms.
    pub cpu_ms: u64,
}

/// The looks at one command.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    every_ms: u64,
    look_at: Moment,
    quiet: u64,
    cpu_ms: u64,
}

impl Quiet {
    /// It was started at `now`, and may be idle for so many seconds.
    pub fn new(idle_s: u32, now: Moment) -> Self {
        let every_ms = u64::from(idle_s) * 1_000 / LOOKS;
        Self { every_ms, look_at: now.plus_ms(every_ms), quiet: 0, cpu_ms: 0 }
    }

    /// When to look.
    pub fn next_deadline(&self) -> Moment {
        self.look_at
    }

    /// Takes what was seen; `None` where nothing could be. Whether it was idle for its whole time.
    pub fn take(&mut self, seen: Option<Seen>, now: Moment) -> bool {
        self.look_at = now.plus_ms(self.every_ms);
        let Some(seen) = seen else {
            self.quiet = 0;
            return false;
        };
        // What a process did that has ended counts no more: that is a difference, too.
        let worked_ms = seen.cpu_ms.abs_diff(std::mem::replace(&mut self.cpu_ms, seen.cpu_ms));
        let works = worked_ms * 100 > self.every_ms * WORK_PERCENT;
        self.quiet = if seen.connected || works { 0 } else { self.quiet + 1 };
        self.quiet >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays looks, one each second, of a command that may be idle for four: at which it was found idle.
    fn play(looks: &[Option<(bool, u64)>]) -> Option<usize> {
        let mut now = Moment(0);
        let mut quiet = Quiet::new(4, now);
        looks.iter().position(|look| {
            assert_eq!(quiet.next_deadline(), now.plus_ms(1_000));
            now = now.plus_ms(1_000);
            quiet.take(look.map(|(connected, cpu_ms)| Seen { connected, cpu_ms }), now)
        })
    }

    #[test]
    fn only_a_whole_time_without_anybody_and_without_work_is_idle() {
        let nobody = Some((false, 5));
        assert_eq!(play(&[nobody; 6]), Some(3));
        assert_eq!(play(&[nobody, nobody, Some((true, 5)), nobody, nobody, nobody, nobody]), Some(6));
        assert_eq!(play(&[Some((false, 900)), Some((false, 1_800)), Some((false, 2_700))]), None);
        // What is not seen is not idle.
        assert_eq!(play(&[nobody, nobody, nobody, None, nobody, nobody, nobody]), None);
        // Housekeeping.
        assert_eq!(
            play(&[Some((false, 3)), Some((false, 9)), Some((false, 14)), Some((false, 20))]),
            Some(3)
        );
        // A worker that had done much has ended: something happens.
        assert_eq!(play(&[Some((false, 5)), Some((false, 905)), Some((false, 5)), nobody, nobody]), None);
    }
}
