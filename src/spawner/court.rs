//! What the spawner knows and does: births, deaths, and the programs of the administrator.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use anyhow::{Context, Result};
use jail::Namespaces;
use jail::plan::Host;
use jail::run::{Backdrop, Cgroup, Pool};
use rustix::fs::{Mode, OFlags};

use super::briefs::Briefs;
use super::charter::Charter;
use super::enter::{DESCRIPTORS, Visit};
use super::envoys::Envoys;
use super::held::Held;
use super::inquiries::Inquiries;
use super::listeners::Listeners;
use super::lookers::{Expected, Lookers, Whence};
use super::partings::Partings;
use super::relimit::Limits;
use super::rights::{keep_only, own_keyring};
use super::routers::Routers;
use super::scenery::backdrop;
use super::servant::Servant;
use super::stock::pool_size;
use super::strains::Strains;
use super::walks::Walk;
use super::ward::Wards;
use super::wire::{Reply, Request, Standing, Ticket};
use crate::parting::Visited;
use crate::reactor::clock;
use crate::subids::Subids;
use crate::trust::Mounts;

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
    pub(super) held: Held,
    /// Read when the first vassal wants a range.
    pub(super) subids: Option<Subids>,
    notes: Vec<String>,
    pub(super) limits: Limits,
    /// Why the limits cannot be set here, if so.
    unlimited: Option<String>,
    pub(super) strains: Strains,
    pub(super) partings: Partings,
    pub(super) routers: Routers,
    pub(super) keeper: Servant,
    pub(super) household: Servant,
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
            keeper: Servant::default(),
            household: Servant::default(),
            mounts: Mounts::new(),
            lookers: Lookers::default(),
            listeners,
            inquiries: Inquiries::default(),
            envoys: Envoys::default(),
            held: Held::default(),
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
            (Request::Hold(id, digest), 0) => {
                self.held.keep(id, digest);
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
            (Request::EndRouter(number), 0) => {
                self.routers.kill(number);
                Vec::new()
            }
            (Request::Keeper, _) => vec![Reply::Keeper(self.bear_keeper(&descriptors))],
            (Request::EndKeeper, 0) => self.keeper.kill(),
            (Request::Household, _) => vec![Reply::Household(self.bear_household(&descriptors))],
            (Request::EndHousehold, 0) => self.household.kill(),
            (Request::Farewell(ticket, id), 0) => vec![Reply::Hook(ticket, self.farewell(id))],
            (Request::Enter { ticket, number, uid }, count)
                if (DESCRIPTORS[0]..=DESCRIPTORS[1]).contains(&count) =>
            {
                let visit = Visit { ticket, number, uid, since: clock::now() };
                self.enter(visit, &descriptors).into_iter().collect()
            }
            (request, count) => incomplete(request, count),
        }
    }
}

/// Whoever waits for an answer is told that what was to come along did not; nobody else sends what is not complete.
fn incomplete(request: Request, count: usize) -> Vec<Reply> {
    let lost = || "its descriptors did not reach the spawner: no number is free".to_owned();
    let reply = match request {
        Request::Router(number) => Reply::Router(number, Err(lost())),
        Request::Enter { number, .. } => Reply::Entered(number, Err(lost())),
        Request::Spawn { ticket, .. } | Request::SpawnAway { ticket, .. } => Reply::Failed(ticket, lost()),
        request => {
            let text = format!("request refused: {count} descriptors beside {request:?}");
            crate::log::warn("spawner", &text);
            return Vec::new();
        }
    };
    vec![reply]
}

/// What a vassal gets of its Emperor's.
struct Ends {
    control: OwnedFd,
    output: Option<OwnedFd>,
    listener: Option<Visited>,
}

impl Ends {
    fn of(descriptors: Vec<OwnedFd>, heard: bool) -> Self {
        let mut all = descriptors.into_iter();
        let control = all.next().expect("counted");
        let output = if heard { all.next() } else { None };
        Self { control, output, listener: all.next().map(Visited::from) }
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
