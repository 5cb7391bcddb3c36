//! What the spawner knows and does: births, deaths, and the programs of the administrator.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use anyhow::{Context, Result};
use jail::plan::{Host, Knob};
use jail::run::{Backdrop, Birth, Cgroup, Pool, SpawnError, Spawned};
use jail::{Namespaces, Phase, Plan, Spec};
use rustix::fs::{Mode, OFlags};

use super::attributes::Values;
use super::birth::{self, Lent, Subject};
use super::briefs::Briefs;
use super::charter::Charter;
use super::enter::{DESCRIPTORS, Visit};
use super::envoys::Envoys;
use super::fitness;
use super::fork_server::Question;
use super::hooks::Vassal;
use super::inquiries::Inquiries;
use super::jailing::Inside;
use super::keeper::KeeperProcess;
use super::lend;
use super::listeners::Listeners;
use super::lookers::{Expected, Lookers, Whence};
use super::magic;
use super::owners::{groups, own_ids};
use super::partings::Partings;
use super::push;
use super::relimit::Limits;
use super::rights::{keep_only, own_keyring};
use super::routers::Routers;
use super::scenery::backdrop;
use super::stock::pool_size;
use super::strains::Strains;
use super::walks::Walk;
use super::ward::Wards;
use super::wire::{Reply, Request, Standing, Ticket, cut};
use crate::subids::Subids;
use crate::trust::{self, AWAY, Examined, Mounts, Reach, Refusal};

/// The spawner's state.
pub struct Court {
    pub(super) charter: Rc<Charter>,
    pub(super) executable: OwnedFd,
    pub(super) null: OwnedFd,
    pub(super) briefs: Briefs,
    pub(super) host: Host,
    pub(super) cgroup: Option<Cgroup>,
    /// Where those are born who need no leaf.
    pub(super) shared: Option<OwnedFd>,
    /// What all jails see behind what each has of its own.
    pub(super) backdrop: Option<Backdrop>,
    pub(super) pool: Option<Pool>,
    pub(super) pool_wanted: usize,
    pub(super) wards: Wards,
    pub(super) walks: Vec<Walk>,
    pub(super) busy_graves: Vec<Ticket>,
    pub(super) burial_tries: u32,
    pub(super) mounts: Mounts,
    pub(super) lookers: Lookers,
    pub(super) listeners: Listeners,
    pub(super) inquiries: Inquiries,
    pub(super) envoys: Envoys,
    /// Read when the first vassal wants a range.
    pub(super) subids: Option<Subids>,
    notes: Vec<String>,
    pub(super) limits: Limits,
    /// Why the limits cannot be set here, if so.
    unlimited: Option<String>,
    pub(super) strains: Strains,
    pub(super) partings: Partings,
    pub(super) routers: Routers,
    pub(super) keeper: KeeperProcess,
}

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
    /// Gives up what the charter does not keep, and looks at the host.
    ///
    /// # Errors
    /// A privilege that cannot be given up.
    pub fn open(charter: Charter, executable: OwnedFd) -> Result<Self> {
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .context("cannot open /dev/null")?;
        let (mut cgroup, note) = match Cgroup::found() {
            Ok(cgroup) => (Some(cgroup), None),
            Err(reason) => (None, Some(reason)),
        };
        let (limits, unlimited) = match Limits::open(&charter, cgroup.as_mut(), note.as_deref()) {
            Ok(limits) => (limits, None),
            Err(reason) => (Limits::none(), Some(reason)),
        };
        let (listeners, deaf) = match Listeners::open(&charter) {
            Ok(listeners) => (listeners, None),
            Err(reason) => (Listeners::default(), Some(reason)),
        };
        let routers = Routers::open(&charter.routers).context("cannot show vassals the routers")?;
        let host = Host::look();
        let (backdrop, bare) = match backdrop(&charter, &host) {
            Ok(backdrop) => (backdrop, None),
            Err(reason) => (None, Some(reason)),
        };
        let note = note.map(|reason| without_cgroup(&charter, &reason));
        if charter.privileged {
            jail::run::not_dumpable()?;
        } else {
            own_keyring()?;
        }
        if let Some(kept) = charter.capabilities {
            keep_only(kept)?;
        }
        let wanted = pool_size(&charter);
        let pool = if wanted > 0 {
            Some(Pool::new().context("cannot name our own network namespace")?)
        } else {
            None
        };
        Ok(Self {
            briefs: Briefs::written(&charter)?,
            charter: Rc::new(charter),
            executable,
            null,
            host,
            shared: cgroup.as_ref().and_then(|cgroup| cgroup.shared().ok()),
            cgroup,
            backdrop,
            pool,
            wards: Wards::default(),
            walks: Vec::new(),
            busy_graves: Vec::new(),
            burial_tries: 0,
            limits,
            unlimited: unlimited.or(bare).or(deaf),
            strains: Strains::default(),
            partings: Partings::default(),
            routers,
            keeper: KeeperProcess::default(),
            mounts: Mounts::new(),
            lookers: Lookers::default(),
            listeners,
            inquiries: Inquiries::default(),
            envoys: Envoys::default(),
            subids: None,
            notes: note.into_iter().flatten().collect(),
            pool_wanted: wanted,
        })
    }

    /// Capabilities kept and things to know; and what kills everybody when `1` is written to it.
    pub fn standing(&mut self) -> (Standing, Option<OwnedFd>) {
        let impossible = self.unlimited.clone().or_else(|| self.trial().err());
        let standing = Standing {
            capabilities: crate::permitted().0,
            notes: std::mem::take(&mut self.notes),
            leaves: self.path_of_leaves(),
            // Where no vassal can be made, there is no start of an Emperor.
            hook_failed: if impossible.is_none() { self.emperor_start().err() } else { None },
            impossible,
        };
        (standing, self.cgroup.as_ref().and_then(|cgroup| cgroup.kill_switch().ok()))
    }

    /// Carries out one request.
    pub fn obey(&mut self, request: Request, mut descriptors: Vec<OwnedFd>) -> Vec<Reply> {
        match (request, descriptors.len()) {
            (Request::Spawn { ticket, file, name, zerg, heard }, count)
                if matches!(count - usize::from(heard).min(count), 2 | 3) =>
            {
                let whence = Whence::Directory(descriptors.remove(0));
                let Ends { control, output, listener } = Ends::of(descriptors, heard);
                self.spawn(Expected { ticket, file, name, zerg, whence, control, output, listener })
            }
            (Request::SpawnAway { ticket, place, file, name, zerg, heard }, count)
                if matches!(count - usize::from(heard).min(count), 1 | 2) =>
            {
                let whence = Whence::Place(place);
                let Ends { control, output, listener } = Ends::of(descriptors, heard);
                self.spawn(Expected { ticket, file, name, zerg, whence, control, output, listener })
            }
            (Request::Look { number, place, task }, 0) => self.look(number, place, task),
            (Request::Readdress { number, id, file, name }, 1) => {
                let address = self.readdress((number, id), (&file, &name), descriptors[0].as_fd());
                vec![Reply::Address(number, address)]
            }
            (Request::Unlisten(id), 0) => {
                self.listeners.unlisten(id);
                Vec::new()
            }
            (Request::Kill(ticket), 1) => self.kill(ticket, descriptors[0].as_fd()),
            (Request::Signal(ticket, number), 1) => self.signal(ticket, number, descriptors[0].as_fd()),
            (Request::Bury(ticket), 0) => self.bury(ticket),
            (Request::Hooks(ticket), 0) => vec![Reply::Hook(ticket, self.as_emperor(ticket))],
            (Request::Aside(ticket, wait, name), 0) => vec![Reply::Hook(ticket, self.aside(wait, &name))],
            (Request::Router(number), 2) => {
                vec![Reply::Router(number, self.bear_router(number, &descriptors))]
            }
            (Request::Router(number), _) => {
                vec![Reply::Router(
                    number,
                    Err("its descriptors did not reach the spawner: no number is free".into()),
                )]
            }
            (Request::EndRouter(number), 0) => {
                self.routers.kill(number);
                Vec::new()
            }
            (Request::Keeper, _) => vec![Reply::Keeper(self.bear_keeper(&descriptors))],
            (Request::EndKeeper, 0) => self.keeper.kill(),
            (Request::Farewell(ticket, id), 0) => vec![Reply::Hook(ticket, self.farewell(id))],
            (Request::Enter { ticket, number, uid }, count)
                if (DESCRIPTORS[0]..=DESCRIPTORS[1]).contains(&count) =>
            {
                vec![Reply::Entered(number, self.enter(Visit { ticket, number, uid }, &descriptors))]
            }
            (Request::Enter { number, .. }, _) => {
                vec![Reply::Entered(number, Err("its descriptors did not reach the spawner".into()))]
            }
            (Request::Spawn { ticket, .. } | Request::SpawnAway { ticket, .. }, _) => {
                vec![Reply::Failed(
                    ticket,
                    "its descriptors did not reach the spawner: no number is free".into(),
                )]
            }
            (request, count) => {
                crate::log::warn(
                    "spawner",
                    &format!("request refused: {count} descriptors beside {request:?}"),
                );
                Vec::new()
            }
        }
    }

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
            directory: summons.directory.as_raw_fd(),
            executable: self.executable.as_raw_fd(),
        };
        let ranges = self.ranges(&charter, config.trust)?;
        let user = charter.namespaces_of(config.trust).has(Namespaces::USER);
        let network = if user { None } else { self.ready_network() };
        let trees = self.trees(summons.directory, &config)?;
        let place = self.place_of(summons.directory);
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
        let server = charter.fork_servers.of((&summons.name, summons.zerg.is_some()), values)?;
        if let Some(door) = server {
            let question = Question { door, is_program, spec: &spec, config: pushed.as_ref() };
            return self.commission(&summons, config, question).map(|()| Vec::new());
        }
        let knobs = self.limits.of(&summons.name, config.owner.uid);
        let newborn = self.make(
            summons.ticket,
            (&spec, charter.inside(config.trust)),
            knobs,
            summons.away || values.name_paths(),
        )?;
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

/// What a vassal gets of its Emperor's.
struct Ends {
    control: OwnedFd,
    output: Option<OwnedFd>,
    listener: Option<OwnedFd>,
}

impl Ends {
    fn of(descriptors: Vec<OwnedFd>, heard: bool) -> Self {
        let mut all = descriptors.into_iter();
        let control = all.next().expect("counted");
        let output = if heard { all.next() } else { None };
        Self { control, output, listener: all.next() }
    }
}

/// Without a cgroup and without a pid namespace only the session tells who belongs to a vassal.
fn without_cgroup(charter: &Charter, reason: &str) -> Option<String> {
    let weak = !charter.namespaces.has(Namespaces::PID);
    weak.then(|| {
        format!("vassals are ended by session, not by cgroup: {reason}; add pid to emperor-use-clone")
    })
}

/// The name of a vassal's cgroup.
pub fn leaf_number(ticket: Ticket) -> u64 {
    u64::from(ticket.id) << 32 | u64::from(ticket.attempt)
}
