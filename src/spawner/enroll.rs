//! Takes in who was made: by us, or by a fork server in our place.

use std::rc::Rc;

use jail::plan::Knob;
use jail::run::{Born, Spawned};

use super::court::{Court, leaf_number};
use super::jailing::Inside;
use super::summons::Newborn;
use super::walks::{Walk, Walker};
use super::ward::Ward;
use super::wire::{Jailed, Reply, Ticket, cut};
use crate::trust::Examined;

impl Court {
    /// What is told of a process that we have made.
    pub(super) fn take_in(
        &mut self,
        ticket: Ticket,
        name: String,
        config: &Examined,
        newborn: Newborn,
    ) -> Vec<Reply> {
        let running = running(ticket, config, self.jailed(config, newborn.inside));
        let (born, sequel) = match newborn.spawned {
            Spawned::Running(born) => (born, Some(running)),
            Spawned::Failed(born, failure) => {
                let sentence = failure.sentence(&newborn.plan, &self.host);
                (born, Some(Reply::Failed(ticket, cut(&sentence))))
            }
            Spawned::Walking(born, report) => {
                let who = Walker::Vassal(ticket, running);
                self.walks.push(Walk { who, plan: newborn.plan, report });
                (born, None)
            }
        };
        let pid = born.pid;
        self.enroll(ticket, (name, config), born, (newborn.inside, newborn.knobs));
        std::iter::once(Reply::Born(ticket, pid)).chain(sequel).collect()
    }

    fn jailed(&self, config: &Examined, inside: Inside) -> Jailed {
        let namespaces = self.charter.namespaces_of(config.trust);
        let leaf = self.cgroup.is_some() && self.charter.needs_leaf();
        Jailed::Here { kind: self.charter.jail, namespaces, inside, leaf }
    }

    /// From now on it can be killed and buried.
    pub(super) fn enroll(
        &mut self,
        ticket: Ticket,
        (name, config): (String, &Examined),
        Born { pid, pidfd }: Born,
        (inside, knobs): (Inside, Rc<[Knob]>),
    ) {
        let leaf = self.cgroup.is_some() && self.charter.needs_leaf();
        let pidfd = (self.cgroup.is_none() || self.enters_vassals()).then_some(pidfd);
        if let (true, Some(cgroup)) = (leaf, &self.cgroup) {
            let place = cgroup.path().join(leaf_number(ticket).to_string());
            self.strains.watch(ticket, &name, &place, &knobs);
        }
        let (owner, trust) = (config.owner, config.trust);
        self.wards.add(ticket, Ward { pid, pidfd, leaf, name, owner, trust, inside, knobs });
    }
}

/// What is told once the program of such a config runs.
pub(super) fn running(ticket: Ticket, config: &Examined, jail: Jailed) -> Reply {
    let fingerprint = config.sight.fingerprint.0;
    Reply::Running { ticket, fingerprint, uid: config.owner.uid, gid: config.owner.gid, jail }
}
