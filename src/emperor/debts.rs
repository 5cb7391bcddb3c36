//! Pure. What the spawner owes: answers. One that says nothing while it owes some is stuck in the kernel, and nobody is
//! started or killed any more.

use super::event::Moment;

/// Its patience is taken in so many pieces: a time in which we were frozen, and perhaps the spawner with us, counts as
/// one.
const PIECES: u64 = 10;

/// Answers that are due.
#[derive(Debug, Default)]
pub struct Debts {
    owed: usize,
    missed: u64,
    next_at: Moment,
}

impl Debts {
    /// One answer more or less is due; `patience_ms` is the longest silence.
    pub fn change(&mut self, was: bool, is: bool, (now, patience_ms): (Moment, u64)) {
        if self.owed == 0 {
            self.heard(now, patience_ms);
        }
        self.owed = self.owed + usize::from(is) - usize::from(was);
    }

    /// The spawner said something.
    pub fn heard(&mut self, now: Moment, patience_ms: u64) {
        (self.missed, self.next_at) = (0, now.plus_ms(patience_ms / PIECES));
    }

    /// When to call `is_over`.
    pub fn next_deadline(&self) -> Option<Moment> {
        (self.owed > 0).then_some(self.next_at)
    }

    /// Whether there was silence for too long.
    pub fn is_over(&mut self, now: Moment, patience_ms: u64) -> bool {
        if self.owed == 0 || now < self.next_at {
            return false;
        }
        (self.missed, self.next_at) = (self.missed + 1, now.plus_ms(patience_ms / PIECES));
        self.missed >= PIECES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE_MS: u64 = 30_000;

    fn at(ms: u64) -> Moment {
        Moment::default().plus_ms(ms)
    }

    /// When it is over.
    fn end(debts: &mut Debts) -> Option<Moment> {
        (0..100).find_map(|_| {
            let now = debts.next_deadline()?;
            debts.is_over(now, PATIENCE_MS).then_some(now)
        })
    }

    #[test]
    fn silence_counts_only_while_an_answer_is_due() {
        let mut debts = Debts::default();
        assert_eq!(end(&mut debts), None);
        debts.change(false, true, (at(100_000), PATIENCE_MS));
        assert_eq!(end(&mut debts), Some(at(130_000)));
        debts.change(true, false, (at(140_000), PATIENCE_MS));
        assert_eq!(debts.next_deadline(), None);
    }

    #[test]
    fn any_word_begins_it_anew() {
        let mut debts = Debts::default();
        debts.change(false, true, (at(0), PATIENCE_MS));
        debts.change(false, true, (at(1_000), PATIENCE_MS));
        debts.heard(at(20_000), PATIENCE_MS);
        assert_eq!(end(&mut debts), Some(at(50_000)));
    }

    #[test]
    fn a_time_in_which_we_were_frozen_is_one_piece() {
        let mut debts = Debts::default();
        debts.change(false, true, (at(0), PATIENCE_MS));
        assert!(!debts.is_over(at(3_600_000), PATIENCE_MS));
        assert_eq!(end(&mut debts), Some(at(3_600_000 + 27_000)));
    }
}
