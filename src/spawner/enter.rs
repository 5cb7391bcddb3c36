//! Has a process of ours join a running vassal, for somebody who asked the emperor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use jail::run::{Birth, Spawned, pid_of};
use jail::{Failure, Program, Spec};

use super::birth;
use super::court::{Court, leaf_number};
use super::jailing::Inside;
use super::walks::{Walk, Walker};
use super::ward::Ward;
use super::wire::{Reply, Ticket};
use crate::emperor::event::Moment;
use crate::session::{CHANNEL_FD, CLIENT_FD, ENTRY_FD, LIMITS_FD, Papers, ROLE, VASSAL_FD};

/// Least and most descriptors of such a request: the vassal's process, what is asked for, the client, the channel, and the way
/// to the vassal's master.
pub const DESCRIPTORS: [usize; 2] = [4, 5];

/// Who is to go where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub ticket: Ticket,
    /// Of the session.
    pub number: u32,
    /// Who asked.
    pub uid: u32,
    /// When.
    pub since: Moment,
}

impl Court {
    /// Tells who minds the session, now or when that is known.
    pub(super) fn enter(&mut self, visit: Visit, descriptors: &[OwnedFd]) -> Option<Reply> {
        self.admitted(visit, descriptors)
            .unwrap_or_else(|sentence| Some(Reply::Entered(visit.number, Err(sentence))))
    }

    fn admitted(&mut self, visit: Visit, descriptors: &[OwnedFd]) -> Result<Option<Reply>, String> {
        let ward = self.wards.get(visit.ticket).ok_or("its vassal has ended before")?;
        let is_master = self.admit(visit.uid, ward)?;
        self.has_room_for(visit, is_master)?;
        let [process, entry, client, channel, master @ ..] = descriptors else {
            return Err("its descriptors did not reach the spawner".into());
        };
        // Not by its number, which somebody else may have by now.
        if pid_of(process.as_fd()) != Some(ward.pid) {
            return Err("its vassal has ended before".into());
        }
        let failed = |error: std::io::Error| format!("cannot lend what its jail is made of: {error}");
        let papers = self.papers(visit.number, ward).sealed().map_err(failed)?;
        let leaf = self.cgroup.as_ref().filter(|_| ward.leaf);
        let leaf = leaf.map(|cgroup| cgroup.leaf(leaf_number(visit.ticket))).transpose();
        let leaf = leaf.map_err(|errno| failed(errno.into()))?;
        let number = |fd: &OwnedFd| fd.as_fd().as_raw_fd();
        let mut places = vec![
            (number(&papers), 0),
            (1, 1),
            (2, 2),
            (number(process), VASSAL_FD),
            (number(entry), ENTRY_FD),
            (number(client), CLIENT_FD),
            (number(channel), CHANNEL_FD),
        ];
        places.extend(master.first().map(|master| (number(master), LIMITS_FD)));
        self.send_in(visit, places, leaf.as_ref())
    }

    /// What the emperor has judged is judged again: root, our own user, and whose vassal it is. Whether it is one of the first two.
    fn admit(&self, uid: u32, ward: &Ward) -> Result<bool, String> {
        let own = super::owners::own_ids().uid;
        let emperor = self.charter.identity.map_or(own, |owner| owner.uid);
        let is_master = uid == 0 || uid == own || uid == emperor;
        let may = is_master || uid == ward.owner.uid;
        may.then_some(is_master).ok_or_else(|| "it is somebody else's".into())
    }

    fn papers(&self, number: u32, ward: &Ward) -> Papers {
        Papers {
            number,
            restraint: birth::restraint(&self.charter, ward.trust, ward.inside),
            later: birth::filters(&self.charter, Inside::Host),
            is_hosts: ward.inside == Inside::Host,
            apart: self.charter.namespaces_of(ward.trust),
        }
    }

    /// Born in the cgroup of the vassal: to move there later makes the kernel wait for a grace period of all processors.
    ///
    /// Must not: share our memory with whoever is born there. Who owns the vassal can keep that cgroup from running, and has
    /// it run out of memory: we would stand still with it, or be killed for it.
    fn send_in(
        &mut self,
        visit: Visit,
        descriptors: Vec<(RawFd, RawFd)>,
        leaf: Option<&OwnedFd>,
    ) -> Result<Option<Reply>, String> {
        let spec = Spec {
            dies_with_parent: true,
            session: true,
            descriptors,
            program: Program::Descriptor(self.executable.as_raw_fd(), vec![birth::c_string(ROLE)]),
            environment: self.charter.environment.iter().map(|one| birth::c_string(one)).collect(),
            ..Spec::default()
        };
        let plan = jail::plan::plan(&spec);
        let sentence = |failure: Failure| failure.sentence(&plan, &self.host);
        // Where the vassal has none of its own, it ends with us.
        let cgroup = leaf.or(self.shared.as_ref()).map(AsFd::as_fd);
        let birth = Birth { sibling: true, cgroup, apart: leaf.is_some(), ..Birth::default() };
        match jail::run::spawn(&plan, &birth).map_err(|error| sentence(error.0))? {
            Spawned::Running(born) => Ok(Some(Reply::Entered(visit.number, Ok(born.pid)))),
            Spawned::Failed(_, failure) => Err(sentence(failure)),
            Spawned::Walking(born, report) => {
                self.walks.push(Walk { who: Walker::Session(visit, born.pid), plan, report });
                Ok(None)
            }
        }
    }
}
