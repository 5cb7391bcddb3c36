//! Pure. How a vassal's last process came to its end.

use std::sync::Arc;

use super::event::{Digest, Exit, Fingerprint, Moment};

/// What few vassals have to remember: what they were told, what they said, how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The end of its last process that has ended.
    pub end: Option<End>,
    /// What its last process was told.
    pub bidden: Bidden,
    /// What keeps its process from going on, in its own words.
    pub trouble: Option<Arc<str>>,
    /// That was told.
    pub told_trouble: bool,
    /// Why its process does not use the newest config, in its own words.
    pub kept: Option<Arc<str>>,
    /// The text of which it said so.
    pub kept_of: Option<Digest>,
    /// That was told, since it was last told to reload.
    pub told_kept: bool,
    /// The config that its process uses until it has said that it uses the newest one.
    pub uses: Option<Fingerprint>,
    /// Configs that it was given with reloads, the newest one last, each with its text.
    pub given: Vec<(Digest, Fingerprint)>,
    /// The config that it begins anew with, as it has said, until a process uses a newer one.
    pub accepted: Option<(Digest, Fingerprint)>,
    /// Texts of it are held for its next process.
    pub held: bool,
    /// What it makes of the newest one it has not said yet.
    pub unjudged: bool,
    /// Another program than our vassal master takes its reloads.
    pub becomes: bool,
    /// Its process has said that its config is wrong by its text alone, and has gone no further since.
    pub useless: bool,
}

impl Past {
    /// It does not use the config that it was given last, and has said so since.
    pub fn keeps(&self) -> bool {
        self.kept.is_some()
            && match (self.kept_of, self.given.last()) {
                (Some(refused), Some((newest, _))) => refused == *newest,
                _ => self.told_kept,
            }
    }

    /// A new process: only the end of the one before is remembered, and what it may have to go on with.
    pub fn begin(&mut self) {
        let (accepted, held) = (self.accepted, self.held);
        *self = Self { end: self.end.take(), accepted, held, ..Self::default() };
    }
}

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When it was reaped.
    pub at: Moment,
    /// How long its program ran, in ms; `None` when it did not come that far.
    pub ran_ms: Option<u64>,
    /// What the kernel says of it.
    pub exit: Exit,
    /// What it had been told.
    pub bidden: Bidden,
    /// What it said about it.
    pub trouble: Option<Arc<str>>,
}

/// What a process was told before its end, each with the first reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bidden {
    /// Why it was told to stop.
    pub stop: Option<&'static str>,
    /// Why it was killed.
    pub kill: Option<&'static str>,
    /// It ended in order to be started with its new config.
    pub reload: bool,
}

impl End {
    /// One sentence for people.
    pub fn words(&self) -> String {
        let said = self.trouble.as_ref().map(|trouble| format!("; it said: {trouble}"));
        self.manner() + &said.unwrap_or_default()
    }

    fn manner(&self) -> String {
        let exit = self.exit.words();
        match (self.bidden.stop, self.bidden.kill) {
            (Some(stop), Some(kill)) => format!("told to stop: {stop}; then killed: {kill} ({exit})"),
            (Some(stop), None) => format!("told to stop: {stop} ({exit})"),
            (None, Some(kill)) => format!("killed: {kill} ({exit})"),
            (None, None) if self.bidden.reload => format!("ended in order to reload ({exit})"),
            (None, None) => match self.ran_ms {
                Some(ms) => {
                    format!("ended by itself after {}.{} s ({exit})", ms / 1_000, ms % 1_000 / 100)
                }
                None => format!("ended before its program ran ({exit})"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_with_whoever_wanted_it() {
        let end = |bidden| {
            let exit = Exit::Signal(9);
            End { at: Moment(0), ran_ms: Some(2_150), exit, bidden, trouble: None }.words()
        };
        let (stop, kill) = (Some("its config is gone"), Some("it did not end in time"));
        assert_eq!(end(Bidden::default()), "ended by itself after 2.1 s (signal 9)");
        assert_eq!(end(Bidden { reload: true, ..Bidden::default() }), "ended in order to reload (signal 9)");
        assert_eq!(end(Bidden { stop, ..Bidden::default() }), "told to stop: its config is gone (signal 9)");
        assert_eq!(
            end(Bidden { stop, kill, reload: false }),
            "told to stop: its config is gone; then killed: it did not end in time (signal 9)"
        );
        let (exit, trouble) = (Exit::Code(1), Some("cannot run false".into()));
        let end = End { at: Moment(0), ran_ms: Some(0), exit, bidden: Bidden::default(), trouble };
        assert_eq!(end.words(), "ended by itself after 0.0 s (exit status 1); it said: cannot run false");
    }
}
