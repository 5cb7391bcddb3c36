//! Pure. The states of a vassal, what they say of its process, and the news of that process.

use super::event::{Fingerprint, Moment, Owner};
use super::pacing::Class;

/// Where a vassal stands. From `Starting` on it has (or is about to have) a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In no table: about to be taken in, or over.
    Outside,
    /// Waits for its turn to start.
    Queued {
        /// Since when.
        since: Moment,
    },
    /// Its start is put off.
    Waiting {
        /// Until when.
        until: Moment,
    },
    /// It is on demand: a connection is waited for.
    Idle,
    /// Its config may not run.
    Refused,
    /// Its owner has too many vassals.
    Excess,
    /// Not started again.
    Rested(Rest),
    /// A process was ordered.
    Starting,
    /// The process takes its steps; its program does not run yet.
    Stepping {
        /// When it gives its slot back; `None` when it has done so.
        slow_at: Option<Moment>,
    },
    /// The program runs.
    Running,
    /// It was told to reload.
    Reloading {
        /// When its answer is overdue.
        answer_by: Moment,
    },
    /// It was told to stop.
    Stopping {
        /// What comes after.
        then: Then,
        /// When it is killed.
        kill_at: Moment,
    },
    /// It was killed.
    Killed {
        /// What comes after.
        then: Then,
        /// When it is killed again.
        again_at: Moment,
        /// The spawner has not said that it did its part.
        owed: bool,
    },
}

/// Why a vassal is not started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It asked to be stopped; until its config changes or everything reloads.
    Goodbye,
    /// It ended with the code of exile; until its config changes.
    Exiled,
    /// It has found its config wrong by its text alone; until that changes, or somebody has it started.
    Useless,
    /// It waits for the command `spawn`.
    Suspended,
    /// The Emperor ends.
    Ending,
}

/// What follows the end of a process, if the config may still run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// A start, out of the vassal's ration.
    Again,
    /// A start at once: the reload that the process ended for was paid for.
    Reload,
    /// A start after the delay that a death costs.
    Death,
    /// No start.
    Rest(Rest),
}

/// Why a vassal's deadline is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The back-off is over.
    Start,
    /// The start is slow: its slot goes to the next one.
    Slow,
    /// It closed its control descriptor and did not end.
    Curse,
    /// Its heartbeat is missing.
    Heartbeat,
    /// A reload was put off until now.
    Reload,
    /// It did not answer a reload.
    Answer,
    /// It was told to stop and did not end.
    Kill,
    /// It was killed and did not end.
    KillAgain,
}

impl Due {
    /// One word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Slow => "slow-start",
            Self::Curse => "curse",
            Self::Heartbeat => "heartbeat",
            Self::Reload => "reload",
            Self::Answer => "reload-answer",
            Self::Kill => "kill",
            Self::KillAgain => "kill-again",
        }
    }
}

impl State {
    /// One word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Queued { .. } => "queued",
            Self::Waiting { .. } => "throttled",
            Self::Idle => "on-demand",
            Self::Refused | Self::Rested(Rest::Useless) => "refused",
            Self::Excess => "too-many",
            Self::Rested(Rest::Goodbye) => "stopped",
            Self::Rested(Rest::Exiled) => "exiled",
            Self::Rested(Rest::Suspended) => "suspended",
            Self::Rested(Rest::Ending) => "ended",
            Self::Starting => "starting",
            Self::Stepping { .. } => "stepping",
            Self::Running => "running",
            Self::Reloading { .. } => "reloading",
            Self::Stopping { .. } => "stopping",
            Self::Killed { .. } => "killed",
        }
    }

    /// Whether there is (or is about to be) a process.
    pub fn is_alive(self) -> bool {
        match self {
            Self::Outside
            | Self::Queued { .. }
            | Self::Waiting { .. }
            | Self::Idle
            | Self::Refused
            | Self::Excess
            | Self::Rested(_) => false,
            Self::Starting
            | Self::Stepping { .. }
            | Self::Running
            | Self::Reloading { .. }
            | Self::Stopping { .. }
            | Self::Killed { .. } => true,
        }
    }

    /// Whether its program runs, or did until it was told to end.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Reloading { .. } | Self::Stopping { .. } | Self::Killed { .. })
    }

    /// Whether its start is under way and holds a slot, if it has not given it back.
    pub fn holds_slot(self) -> bool {
        matches!(self, Self::Starting | Self::Stepping { slow_at: Some(_) })
    }
}

/// What is known of the process; reset when a new one is ordered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Its pid, once born.
    pub pid: Option<i32>,
    /// The config that it was given; until its program runs, the one last seen when it was ordered.
    pub fingerprint: Fingerprint,
    /// Whose process it is; likewise.
    pub owner: Owner,
    /// How its start was queued.
    pub class: Class,
    /// Since when its program runs.
    pub ran_at: Option<Moment>,
    /// When it closed its control descriptor.
    pub silent_at: Option<Moment>,
    /// When its ration allows a reload that was put off.
    pub reload_at: Option<Moment>,
    /// When it was last told to reload.
    pub reloaded_at: Option<Moment>,
    /// Its start was ordered long ago and not answered: it has given its slot back.
    pub slow: bool,
    /// Its last heartbeat since it was started or told to reload.
    pub beat_at: Option<Moment>,
    /// What it has said.
    pub said: Said,
}

/// What a process has said, or what was said about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// Any byte at all.
    pub anything: bool,
    /// That it was spawned, since it was started or told to reload.
    pub spawned: bool,
    /// That it accepts, since then.
    pub accepting: bool,
    /// That it is loyal.
    pub loyal: bool,
    /// That it wants to be stopped.
    pub goodbye: bool,
    /// That it failed before its program ran: its end was told already.
    pub failed: bool,
}

impl Said {
    /// Whether it has been ready in any way, since it was started or told to reload.
    pub fn came_up(&self) -> bool {
        self.spawned || self.accepting || self.loyal
    }
}
