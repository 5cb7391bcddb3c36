//! From a config to a process: whether it may run, what it is told, and its birth.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use jail::plan::Knob;
use jail::run::{Birth, Cgroup, SpawnError, Spawned};
use jail::{Namespaces, Phase, Plan, Spec};

use super::attributes::Values;
use super::birth::{self, Lent, Subject};
use super::court::{Court, leaf_number};
use super::fitness;
use super::fork_server::Question;
use super::hooks::Vassal;
use super::jailing::Inside;
use super::lend;
use super::lookers::{Expected, Whence};
use super::magic;
use super::owners::{groups, own_ids};
use super::push;
use super::wire::{Reply, Ticket, cut};
use crate::trust::{self, AWAY, Examined, Reach, Refusal};

/// A vassal that is to be born, and where its config is.
pub(super) struct Summons<'a> {
    pub(super) ticket: Ticket,
    pub(super) file: &'a str,
    pub(super) name: String,
    /// It is the zerg of this number.
    pub(super) zerg: Option<u32>,
    pub(super) directory: BorrowedFd<'a>,
    pub(super) control: BorrowedFd<'a>,
    /// Where its output goes, if not where ours does.
    pub(super) output: Option<BorrowedFd<'a>>,
    /// Bound before, if it is on demand.
    pub(super) listener: Option<BorrowedFd<'a>>,
    /// To enter the directory may take for ever.
    pub(super) away: bool,
}

/// What came of an attempt to make a process.
pub(super) struct Newborn {
    pub(super) spawned: Spawned,
    pub(super) plan: Plan,
    pub(super) inside: Inside,
    pub(super) knobs: Rc<[Knob]>,
}

impl Court {
    pub(super) fn spawn(&mut self, expected: Expected) -> Vec<Reply> {
        let ticket = expected.ticket;
        if self.wards.get(ticket).is_some() {
            return vec![Reply::Failed(ticket, "this vassal runs already".into())];
        }
        if !self.charter.names(&expected.file) {
            return vec![Reply::Refused(ticket, "it is a config of no source".into())];
        }
        let Whence::Directory(directory) = &expected.whence else { return self.send_for(expected) };
        let near = Reach::Near(&self.mounts);
        match lend::require_in_sources(&self.charter, directory.as_fd(), near) {
            Ok(()) => {}
            Err(AWAY) => return self.send_for(expected),
            // It may come back: tried again like whatever fails for a while.
            Err(_) => {
                return vec![Reply::Failed(ticket, "its directory is not where its source says".into())];
            }
        }
        match trust::examine(directory.as_fd(), &expected.file, &lend::policy(&self.charter), near) {
            Ok(config) if self.must_ask(&expected) => self.inquire(expected, (config.owner, config.trust)),
            Ok(config) => {
                let Expected { ticket, file, name, zerg, whence: _, control, output, listener } = &expected;
                let (output, listener) =
                    (output.as_ref().map(AsFd::as_fd), listener.as_ref().map(AsFd::as_fd));
                let (name, directory, control) = (name.clone(), directory.as_fd(), control.as_fd());
                let (ticket, zerg, away) = (*ticket, *zerg, false);
                let summons =
                    Summons { ticket, file, name, zerg, directory, control, output, listener, away };
                self.bear(summons, config)
            }
            Err(Refusal::Denied(AWAY)) => self.send_for(expected),
            Err(refusal @ Refusal::Refused(..)) => vec![Reply::Refused(ticket, cut(&refusal.reason()))],
            Err(refusal) => vec![Reply::Failed(ticket, cut(&refusal.reason()))],
        }
    }

    pub(super) fn bear(&mut self, summons: Summons<'_>, config: Examined) -> Vec<Reply> {
        let ticket = summons.ticket;
        let born = match self.listen(&summons, &config) {
            Ok(Some(reply)) => return vec![reply],
            Ok(None) if self.charter.reads(&summons) => self.read_attributes(&summons, config),
            Ok(None) => self.deliver(summons, config, &Values::default()),
            Err(sentence) => Err(sentence),
        };
        born.unwrap_or_else(|sentence| vec![Reply::Failed(ticket, cut(&sentence))])
    }

    /// Makes the process, or has it made.
    pub(super) fn deliver(
        &mut self,
        summons: Summons<'_>,
        config: Examined,
        values: &Values,
    ) -> Result<Vec<Reply>, String> {
        let charter = values.applied(&self.charter);
        if let Some(unfit) = fitness::unfit(&charter, config.trust) {
            return Ok(vec![Reply::Refused(summons.ticket, cut(&unfit.sentence()))]);
        }
        let is_program = magic::is_program(&charter, config.file.as_fd(), config.trust);
        let push = || push::push(config.file.as_fd());
        let pushed = birth::is_piped(&charter, is_program).then(push).transpose();
        let pushed = pushed.map_err(|error| format!("cannot hand over its config: {error}"))?;
        let server = charter.fork_servers.of((&summons.name, summons.zerg.is_some()), values)?;
        let accepted = self.accepted(&summons, &config, server.is_some())?;
        let (gate, outside) = (self.gate()?, Self::way_out(&charter, config.trust)?);
        let lent = Lent {
            null: self.null.as_raw_fd(),
            outside: outside.as_ref().map(|end| end.as_fd().as_raw_fd()),
            output: summons.output.map(|output| output.as_raw_fd()),
            listener: summons.listener.map(|listener| listener.as_raw_fd()),
            before_drop: self.briefs.number(Phase::AsVassalBeforeDrop),
            as_vassal: self.briefs.number(Phase::AsVassal),
            awaited: gate.as_ref().map(|(theirs, _)| theirs.as_raw_fd()),
            control: summons.control.as_raw_fd(),
            config: pushed.as_ref().unwrap_or(&config.file).as_raw_fd(),
            accepted: accepted.as_ref().map(AsRawFd::as_raw_fd),
            directory: summons.directory.as_raw_fd(),
            executable: self.executable.as_raw_fd(),
        };
        let ranges = self.ranges(&charter, config.trust)?;
        let user = charter.namespaces_of(config.trust).has(Namespaces::USER);
        let network = if user { None } else { self.ready_network() };
        let (trees, place) = (self.trees(summons.directory, &config)?, self.place_of(summons.directory));
        if self.briefs.farewell().is_some() && summons.zerg.is_none() {
            self.partings.expect(summons.ticket, &summons.name, &place);
        }
        let subject = Subject {
            file: summons.file,
            is_program,
            name: &summons.name,
            zerg: summons.zerg,
            place: &place,
            trust: config.trust,
            groups: groups(&charter, config.owner.uid),
            own: own_ids(),
            ranges,
            lent,
            network: network.as_ref().map(AsRawFd::as_raw_fd),
            scenery: self.scenery(summons.directory, &trees),
            routers: self.routers.lent(),
        };
        let mut spec = birth::spec(&charter, &subject);
        spec.arrival = values.arrival(&charter);
        if let Some(door) = server {
            let question = Question { door, is_program, spec: &spec, config: pushed.as_ref() };
            return self.commission(&summons, config, question).map(|()| Vec::new());
        }
        let knobs = self.limits.of(&summons.name, config.owner.uid);
        let (spec, inside) = (&spec, charter.inside(config.trust));
        let apart = summons.away || values.name_paths();
        let newborn = self.make(summons.ticket, (spec, inside), knobs, apart)?;
        let vassal = Vassal { name: &summons.name, pid: newborn.spawned.born().pid, owner: config.owner };
        let herald = gate.and_then(|(_, ours)| self.herald(summons.ticket, &vassal, ours));
        let replies = self.take_in(summons.ticket, summons.name, &config, newborn);
        Ok(herald.into_iter().chain(replies).collect())
    }

    /// Clones, into its own cgroup where nothing else would hold its descendants.
    fn make(
        &mut self,
        ticket: Ticket,
        (spec, inside): (&Spec, Inside),
        knobs: Rc<[Knob]>,
        apart: bool,
    ) -> Result<Newborn, String> {
        let plan = jail::plan::plan(spec);
        let leaf = self.cgroup_of(ticket, &knobs).inspect_err(|_| self.bury_leaf(ticket))?;
        let birth = Birth {
            sibling: true,
            cgroup: leaf.as_ref().map(AsFd::as_fd),
            apart,
            backdrop: self.backdrop.as_ref(),
        };
        match jail::run::spawn(&plan, &birth) {
            Ok(spawned) => Ok(Newborn { spawned, plan, inside, knobs }),
            Err(SpawnError(failure)) => {
                self.bury_leaf(ticket);
                Err(failure.sentence(&plan, &self.host))
            }
        }
    }

    pub(super) fn cgroup_of(&self, ticket: Ticket, knobs: &[Knob]) -> Result<Option<OwnedFd>, String> {
        let Some(cgroup) = &self.cgroup else { return Ok(None) };
        let made = match &self.shared {
            Some(shared) if !self.charter.needs_leaf() => shared.try_clone(),
            _ => cgroup.leaf(leaf_number(ticket)).map_err(std::io::Error::from),
        };
        let made = made.map_err(|error| format!("cannot make a cgroup: {error}"))?;
        // Before anybody is in it: its first instruction is limited.
        Cgroup::limit(&made, knobs)?;
        Ok(Some(made))
    }
}
