//! One birth beforehand, where the host may forbid it: told once and before all else.

use std::os::fd::{AsFd, AsRawFd};

use jail::Plan;
use jail::run::{Birth, SpawnError, Spawned};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::birth::{self, Lent, Subject};
use super::court::Court;
use super::jailing::Scenery;
use super::owners::own_ids;
use super::walks::read_report;
use crate::emperor::event::Owner;
use crate::subids::Ranges;
use crate::trust::Trust;

/// `nobody`, the same in every distribution.
const NOBODY: Owner = Owner { uid: 65_534, gid: 65_534 };

impl Court {
    /// Tries the namespaces once where that may be forbidden, so that it is told once and before all else.
    pub(super) fn trial(&self) -> Result<(), String> {
        let jailed = self.charter.jail.is_some();
        if (self.charter.privileged && !jailed) || self.charter.namespaces.is_empty() {
            return Ok(());
        }
        let null = self.null.as_raw_fd();
        let subject = Subject {
            file: "",
            is_program: false,
            name: "",
            zerg: None,
            place: "",
            // As whom does not matter: nothing of his is touched.
            trust: if self.charter.privileged { Trust::Tenant(NOBODY) } else { Trust::Trusted },
            groups: Vec::new(),
            own: own_ids(),
            lent: Lent {
                null,
                listener: None,
                output: None,
                control: null,
                config: null,
                accepted: None,
                directory: null,
                executable: self.executable.as_raw_fd(),
                before_drop: null,
                as_vassal: null,
                outside: None,
                awaited: None,
            },
            network: None,
            ranges: Ranges::default(),
            scenery: Scenery { backdrop: self.backdrop.is_some(), ..Scenery::default() },
            routers: Vec::new(),
        };
        let mut spec = birth::spec(&self.charter, &subject);
        spec.program = jail::Program::Descriptor(
            self.executable.as_raw_fd(),
            vec![c"liege".into(), c"--version".into()],
        );
        (spec.directory, spec.errands) = (None, Vec::new());
        spec.descriptors = vec![(null, 0), (null, 1), (null, 2)];
        self.wait_for_trial(&jail::plan::plan(&spec))
    }

    fn wait_for_trial(&self, plan: &Plan) -> Result<(), String> {
        let sentence = |failure: jail::Failure| failure.sentence(plan, &self.host);
        let (born, outcome) =
            match jail::run::spawn(plan, &Birth { backdrop: self.backdrop.as_ref(), ..Birth::default() }) {
                Ok(Spawned::Running(born)) => (born, Ok(())),
                Ok(Spawned::Failed(born, failure)) => (born, Err(sentence(failure))),
                Ok(Spawned::Walking(born, report)) => (born, read_report(&report).map_err(sentence)),
                Err(SpawnError(failure)) => return Err(sentence(failure)),
            };
        let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
        outcome
    }
}
