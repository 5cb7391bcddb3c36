//! Pure. Reloads that have to wait for their vassal: a master of uWSGI that is told to reload while its workers start sends
//! them a signal that they miss, and waits for them for a minute.

use super::event::Moment;
use super::policy::Policy;
use super::vassal::Vassal;

/// From the word of the first worker that it accepts until the others can be told of a reload, too.
const SETTLE_MS: u64 = 250;
/// So long it may take until a process has said who it is: our vassal master, or another program.
const STRANGER_MS: u64 = 1_000;

impl Vassal {
    /// Before this moment it is not told to reload. Our own master takes a reload at any time; another program once it
    /// accepts, or has been waited for as long as for the answer to a reload.
    pub fn reload_from(&self, policy: &Policy) -> Option<Moment> {
        let (process, said) = (&self.process, &self.process.said);
        let ran_at = process.ran_at?;
        if !self.is_foreign(policy) {
            return (!said.anything).then(|| ran_at.plus_ms(STRANGER_MS));
        }
        if said.accepting {
            return self.life.last_accepting.map(|at| at.plus_ms(SETTLE_MS));
        }
        Some(process.reloaded_at.unwrap_or(ran_at).plus_ms(policy.curse_tolerance_ms))
    }

    /// Another program than our vassal master takes its reloads.
    pub fn is_foreign(&self, policy: &Policy) -> bool {
        policy.foreign || self.life.past.as_ref().is_some_and(|past| past.becomes)
    }
}
