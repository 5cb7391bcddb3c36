//! The briefs of all phases, written once: no later message can change what is done.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use anyhow::Result;
use jail::Phase;

use super::charter::Charter;
use crate::config::hook::Errand;
use crate::errand::{BOUND_S, Brief, FAREWELL_S, sealed};

/// All but those that share one.
const PHASES: [Phase; 6] = [
    Phase::EmperorStart,
    Phase::AsEmperorBeforeVassal,
    Phase::AsVassalBeforeDrop,
    Phase::AsVassal,
    Phase::AsOnDemandVassal,
    Phase::AsOnConfigVassal,
];

/// One brief for each phase that has something to do.
#[derive(Debug)]
pub struct Briefs {
    phases: Vec<(Phase, OwnedFd)>,
    farewell: Option<OwnedFd>,
}

impl Briefs {
    /// Writes them down.
    ///
    /// # Errors
    /// No memory.
    pub fn written(charter: &Charter) -> Result<Self> {
        let of = |errands: Vec<Errand>, bound_s| sealed(&Brief { errands, bound_s });
        let mut phases = Vec::new();
        for phase in PHASES {
            let errands: Vec<Errand> = charter.of_phase(phase).cloned().collect();
            if !errands.is_empty() {
                phases.push((phase, of(errands, BOUND_S)?));
            }
        }
        if charter.follows_starts() {
            // What enters namespaces comes last, in a child for each.
            let after = charter.of_phase(Phase::AsEmperor).chain(charter.of_phase(Phase::AsEmperorSetns));
            phases.push((Phase::AsEmperor, of(after.cloned().collect(), BOUND_S)?));
        }
        let farewell = charter.stop_hook.clone().map(|hook| of(vec![hook], FAREWELL_S)).transpose()?;
        Ok(Self { phases, farewell })
    }

    /// That of a phase, if anything is done in it.
    pub fn of(&self, phase: Phase) -> Option<BorrowedFd<'_>> {
        self.phases.iter().find(|(known, _)| *known == phase).map(|(_, brief)| brief.as_fd())
    }

    /// That of `vassals-stop-hook`.
    pub fn farewell(&self) -> Option<BorrowedFd<'_>> {
        self.farewell.as_ref().map(AsFd::as_fd)
    }

    /// The number of a phase's descriptor, for a plan that has no step of a phase without one.
    pub fn number(&self, phase: Phase) -> RawFd {
        self.of(phase).map_or(-1, |brief| brief.as_raw_fd())
    }
}
