//! What the administrator has done around vassals, with our rights: each time by a process of its own, so that nobody waits for it but
//! whom it is done for.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Component, Path};

use jail::run::{Birth, REPORT_FD, Spawned};
use jail::{Failure, Phase, Program, Spec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::birth;
use super::court::{Court, leaf_number};
use super::walks::read_report;
use super::ward::Ward;
use super::wire::{Reply, Ticket, Wait};
use crate::emperor::event::Owner;
use crate::errand::{Brief, LEAF_FD, RESTRAINT_FD, VASSAL_FD, Which, restraint_sealed};

/// For whom something is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vassal<'a> {
    /// As people know it.
    pub name: &'a str,
    /// Of its first process.
    pub pid: i32,
    /// Whose config it runs.
    pub owner: Owner,
}

/// A process that does it.
struct Doer<'a> {
    which: Which,
    brief: BorrowedFd<'a>,
    /// Descriptors beside the standard ones, as (here, there).
    lent: Vec<(RawFd, RawFd)>,
    vassal: Option<Vassal<'a>>,
    directory: &'a str,
    /// A child of the emperor, which reaps it.
    sibling: bool,
}

impl Court {
    /// What is done once the program of a vassal runs: the pid of whoever does it.
    pub(super) fn as_emperor(&self, ticket: Ticket) -> Result<i32, String> {
        let ward = self.wards.get(ticket).ok_or("its vassal has ended before")?;
        let brief = self.briefs.of(Phase::AsEmperor).ok_or("nothing is to be done")?;
        let vassal = Vassal { name: &ward.name, pid: ward.pid, owner: ward.owner };
        let way_in = self.way_in(ticket, ward)?;
        let lent = way_in.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
        let doer =
            Doer { which: Which::All, brief, lent, vassal: Some(vassal), directory: "", sibling: true };
        self.send_doer(doer).map(|born| born.pid)
    }

    /// What it takes to join a vassal: its process (ours since its birth: whoever has its number by now is not meant), the limits of
    /// its jail, and its cgroup.
    fn way_in(&self, ticket: Ticket, ward: &Ward) -> Result<Vec<(OwnedFd, RawFd)>, String> {
        let Some(process) = ward.pidfd.as_ref().filter(|_| self.enters_vassals()) else {
            return Ok(Vec::new());
        };
        let failed = |error: std::io::Error| format!("cannot lend what its jail is made of: {error}");
        let process = process.try_clone().map_err(failed)?;
        let restraint = restraint_sealed(&birth::restraint(&self.charter, ward.trust, ward.inside));
        let restraint = restraint.map_err(|error| format!("{error:#}"))?;
        let leaf = self.cgroup.as_ref().filter(|_| ward.leaf).map(|cgroup| cgroup.leaf(leaf_number(ticket)));
        let leaf = leaf.transpose().map_err(|errno| failed(errno.into()))?;
        let leaf = leaf.map(|leaf| (leaf, LEAF_FD));
        Ok([(process, VASSAL_FD), (restraint, RESTRAINT_FD)].into_iter().chain(leaf).collect())
    }

    /// What is done about a vassal of this name that waits for a connection.
    pub(super) fn aside(&self, wait: Wait, name: &str) -> Result<i32, String> {
        let phase = match wait {
            Wait::Begun => Phase::AsOnDemandVassal,
            Wait::Remembered => Phase::AsOnConfigVassal,
        };
        self.about(self.briefs.of(phase), (name, ""))
    }

    /// `vassals-stop-hook` for the vassal of this number, which has run and is gone.
    pub(super) fn farewell(&mut self, id: u32) -> Result<i32, String> {
        let parted = self.partings.part(id).ok_or("its vassal is not known to have run")?;
        self.about(self.briefs.farewell(), (&parted.name, &parted.directory))
    }

    /// About a vassal without a process; the directory of its config, where a hook is told of it.
    fn about(&self, brief: Option<BorrowedFd<'_>>, (name, directory): (&str, &str)) -> Result<i32, String> {
        let brief = brief.ok_or("nothing is to be done")?;
        if !self.is_name(name) {
            return Err("its name is that of no config of a source".into());
        }
        let vassal = Vassal { name, pid: 0, owner: Owner::default() };
        let doer = Doer {
            which: Which::All,
            brief,
            lent: Vec::new(),
            vassal: Some(vassal),
            directory,
            sibling: true,
        };
        self.send_doer(doer).map(|born| born.pid)
    }

    /// A name of a config, or a path to one: if whole, below one of the sources; never one that climbs.
    fn is_name(&self, name: &str) -> bool {
        let path = Path::new(name);
        let climbs = path.components().any(|one| one == Component::ParentDir);
        let below = path.is_relative() || self.charter.roots.iter().any(|root| path.starts_with(root));
        let file = path.file_name().and_then(|file| file.to_str());
        below && !climbs && !name.contains('\0') && file.is_some_and(|file| self.charter.names(file))
    }

    /// `hook-emperor-start`. We wait for it: there is nobody yet whom that could hold up.
    pub(super) fn emperor_start(&self) -> Result<(), String> {
        let Some(brief) = self.briefs.of(Phase::EmperorStart) else { return Ok(()) };
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| errno.to_string())?;
        let lent = vec![(writer.as_raw_fd(), REPORT_FD)];
        let born = self.send_doer(Doer {
            which: Which::Strict,
            brief,
            lent,
            vassal: None,
            directory: "",
            sibling: false,
        })?;
        let ended = loop {
            match waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED) {
                Err(Errno::INTR) => {}
                ended => break ended.ok().flatten(),
            }
        };
        if ended.is_some_and(|ended| ended.exit_status() == Some(0)) {
            return Ok(());
        }
        drop(writer);
        Err(match read_report(&reader) {
            Err(failure) if !failure.detail.is_empty() => failure.cause(),
            _ => "hook-emperor-start was killed".into(),
        })
    }

    /// Where a vassal will wait, and our end, if something is done before it runs.
    pub(super) fn gate(&self) -> Result<Option<(OwnedFd, OwnedFd)>, String> {
        if self.briefs.of(Phase::AsEmperorBeforeVassal).is_none() {
            return Ok(None);
        }
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map(Some)
            .map_err(|errno| format!("cannot make a socket for what is done before it: {errno}"))
    }

    /// Has done what is done before a vassal runs, while that waits at the other end of `gate`.
    pub(super) fn herald(&self, ticket: Ticket, vassal: &Vassal<'_>, gate: OwnedFd) -> Option<Reply> {
        let brief = self.briefs.of(Phase::AsEmperorBeforeVassal)?;
        let lent = vec![(gate.as_raw_fd(), REPORT_FD)];
        let doer =
            Doer { which: Which::Awaited, brief, lent, vassal: Some(*vassal), directory: "", sibling: true };
        match self.send_doer(doer) {
            Ok(born) => Some(Reply::Herald(ticket, born.pid)),
            Err(detail) => {
                let wire = Failure { detail, ..Failure::default() }.encode();
                // The vassal has ended by itself: then it fails in its own words.
                let _ = send(&gate, &wire, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                None
            }
        }
    }

    /// Whether something is done in the namespaces of vassals that run.
    pub(super) fn enters_vassals(&self) -> bool {
        self.charter.of_phase(Phase::AsEmperorSetns).next().is_some()
    }

    /// The path of a directory, where a hook is told of it.
    pub(super) fn place_of(&self, directory: BorrowedFd<'_>) -> String {
        if self.briefs.of(Phase::AsVassal).is_none() && self.briefs.farewell().is_none() {
            return String::new();
        }
        let link = rustix::fs::readlink(format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new());
        link.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn send_doer(&self, doer: Doer<'_>) -> Result<jail::Born, String> {
        let environment = self.environment_of(&doer);
        let mut descriptors = vec![(doer.brief.as_raw_fd(), 0), (1, 1), (2, 2)];
        descriptors.extend(doer.lent);
        let name = doer.vassal.map_or("", |vassal| vassal.name);
        let spec = Spec {
            dies_with_parent: true,
            session: true,
            descriptors,
            program: Program::Descriptor(
                self.executable.as_raw_fd(),
                Brief::argv(doer.which, name, doer.directory),
            ),
            environment,
            ..Spec::default()
        };
        let plan = jail::plan::plan(&spec);
        let sentence = |failure: Failure| failure.sentence(&plan, &self.host);
        // Whatever it leaves behind ends with us.
        let cgroup = self.shared.as_ref().map(AsFd::as_fd);
        match jail::run::spawn(&plan, &Birth { sibling: doer.sibling, cgroup, ..Birth::default() })
            .map_err(|error| sentence(error.0))?
        {
            Spawned::Running(born) | Spawned::Walking(born, _) => Ok(born),
            Spawned::Failed(_, failure) => Err(sentence(failure)),
        }
    }

    fn environment_of(&self, doer: &Doer<'_>) -> Vec<CString> {
        let vassal = doer.vassal;
        // Who enters a vassal can be looked at there.
        let alone = !(vassal.is_some_and(|vassal| vassal.pid > 0) && self.enters_vassals());
        let mut list: Vec<CString> = match alone {
            true => self.charter.environment_as_emperor().map(|one| birth::c_string(one)).collect(),
            false => self.charter.environment.iter().map(|one| birth::c_string(one)).collect(),
        };
        if let Some(vassal) = vassal {
            list.push(birth::c_string(&format!("UWSGI_VASSAL_CONFIG={}", vassal.name)));
        }
        // One without a process, by the name that uWSGI has for it there.
        let aside = vassal.filter(|vassal| vassal.pid == 0);
        list.extend(aside.map(|vassal| birth::c_string(&format!("UWSGI_HOOK_CONTEXT={}", vassal.name))));
        let numbers = vassal.filter(|vassal| vassal.pid > 0).map(|Vassal { pid, owner, .. }| {
            [("PID", pid.to_string()), ("UID", owner.uid.to_string()), ("GID", owner.gid.to_string())]
        });
        let variable = |(name, value)| birth::c_string(&format!("UWSGI_VASSAL_{name}={value}"));
        list.extend(numbers.into_iter().flatten().map(variable));
        list
    }
}
