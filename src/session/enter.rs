//! Into the jail of a vassal, as one of those who were born in it: by a descriptor of its process, held by what its
//! Emperor knows of its limits. Nothing of it is read from inside.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use jail::plan::{Filter, Joined, Restraint, Step};
use jail::{Capabilities, Namespaces, run};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, chroot, fchdir, getpid, getpriority_process, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::limits::Limits;
use super::model::{Files, Model};
use super::program::Held;
use crate::errand::{give_up_groups, kinds_where, perform};
use crate::vassal::identity;
use crate::vassal::trouble::Trouble;

/// The longest file of `/proc` that is read, in bytes: a map of users has at most 340 lines.
const FILE_MAX: u64 = 1 << 16;
/// Most of those files are no longer: then they are read in one go.
const FILE_USUAL: usize = 4096;
/// Most children of a vassal that are looked at.
const CHILDREN_MAX: usize = 64;

/// What it takes to join a vassal.
#[derive(Debug)]
pub struct Way {
    /// Its first process.
    pub process: OwnedFd,
    /// The limits of its jail.
    pub restraint: Restraint,
    /// Filters that its own master puts on a command that was born without any.
    pub later: Vec<Filter>,
    /// How its process was born.
    pub birth: Birth,
    /// The way to its master, if its config has limits of its own.
    pub master: Option<OwnedFd>,
}

/// How the process of a vassal was born.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// Without a user namespace: what it may is what its process may.
    pub is_hosts: bool,
    /// In namespaces of its own, of these kinds.
    pub apart: Namespaces,
}

/// Where we are, and what is still to be put on a program there.
#[derive(Debug)]
pub struct Entered {
    /// The `/proc` of the host.
    pub processes: Processes,
    /// As the last thing before it runs.
    pub held: Held,
}

/// The `/proc` of the host, which stays open for whoever ends the session: that of the jail is the tenant's.
#[derive(Debug)]
pub struct Processes(pub OwnedFd);

impl Way {
    /// Joins it. What is born from here on is in its pid namespace, too.
    ///
    /// Must: set us not dumpable first, else the jail's own processes might look into us.
    ///
    /// # Errors
    /// Then we are somewhere in between, and must end.
    pub fn enter(&self) -> Result<Entered, Trouble> {
        let cannot = |errno| Trouble::errno("join the jail of the vassal", errno);
        let ours = identity::first_map();
        run::not_dumpable().map_err(cannot)?;
        let processes = Processes::open().map_err(|errno| Trouble::errno("open /proc", errno))?;
        let (pid, model) = self.model(&processes)?;
        let is_foreign = !self.birth.apart.is_empty() || !model.users.is(ours);
        let root = processes.root_of(pid);
        self.restrain(&model)?;
        give_up_groups().map_err(cannot)?;
        // Where it was born apart there is nothing to look at.
        let is_apart = |kind, name: &str| self.birth.apart.has(kind) || processes.is_apart(pid, name);
        self.join(kinds_where(is_apart), is_foreign).map_err(join_trouble)?;
        run::not_dumpable().map_err(cannot)?;
        self.go_to_root(root.or_else(|_| processes.root_of(pid)))?;
        self.be_like(&model)?;
        // Whoever was read is still there: no other process has had his number.
        self.must_live()?;
        run::die_with_parent().map_err(cannot)?;
        // Not before we are one of the jail: it is a tenant's.
        let own = self.master.as_ref().map_or_else(|| Ok(Limits::default()), Limits::ask)?;
        self.must_live()?;
        Ok(Entered { held: Held { steps: self.program(&model, &own), own }, processes })
    }

    /// Its first process, and its command where that is less.
    ///
    /// Must not: give the number of the command, which it may leave to somebody else at any time.
    fn model(&self, processes: &Processes) -> Result<(Pid, Model), Trouble> {
        let gone = |_| Trouble::new("its vassal has ended before");
        let pid = run::pid_of(self.process.as_fd()).and_then(Pid::from_raw).ok_or(()).map_err(gone)?;
        let unread = |errno| Trouble::errno("read who its vassal is", errno);
        let first = processes.outline_of(pid).map_err(unread)?;
        self.must_live()?;
        let mut children = processes.children_of(pid).into_iter();
        let lesser = children.find_map(|child| processes.lesser(child, (pid, &first)));
        let model = lesser.map_or_else(|| processes.whole(pid, first).map_err(unread), Ok)?;
        self.must_live().map(|()| (pid, model))
    }

    fn must_live(&self) -> Result<(), Trouble> {
        let mut watched = [PollFd::new(&self.process, PollFlags::IN)];
        match poll(&mut watched, Some(&Timespec::default())) {
            Ok(0) => Ok(()),
            _ => Err(Trouble::new("its vassal has ended before")),
        }
    }

    /// Gives up what no member of the jail has. Its cgroup is the vassal's since it was born.
    fn restrain(&self, model: &Model) -> Result<(), Trouble> {
        self.restraint.before().iter().try_for_each(perform)?;
        model.settings.plain().into_iter().try_for_each(|setting| perform(&Step::Set(setting)))?;
        for setting in model.settings.preferred(run::limit) {
            // What takes rights that we have not leaves us behind the vassal, never ahead of it.
            let _ = perform(&Step::Set(setting));
        }
        if model.no_new_privs { perform(&Step::NoNewPrivs) } else { Ok(()) }
    }

    /// All of its namespaces: what is ours already is none of those that an ordinary user could join.
    fn join(&self, all: ThreadNameSpaceType, is_foreign: bool) -> Result<(), Errno> {
        if all.is_empty() {
            return Ok(());
        }
        match move_into_thread_name_spaces(self.process.as_fd(), all) {
            // Our own user namespace cannot be joined once more.
            Err(Errno::INVAL) => {
                move_into_thread_name_spaces(self.process.as_fd(), all & !ThreadNameSpaceType::USER)
            }
            // Who gains no privileges and was born among us has not left, and we may not look.
            Err(Errno::PERM) if !is_foreign && self.restraint.no_new_privs => Ok(()),
            joined => joined,
        }
    }

    /// `chroot` of a vassal holds for whoever joins it.
    fn go_to_root(&self, root: Result<OwnedFd, Errno>) -> Result<(), Trouble> {
        let entered = root.and_then(fchdir).and_then(|()| chroot("."));
        match entered {
            Ok(()) => Ok(()),
            // Without a right over it there: none of its phases was root's, so it has changed its root nowhere.
            Err(Errno::ACCESS | Errno::PERM) if self.restraint.no_new_privs && self.birth.is_hosts => Ok(()),
            Err(errno) => Err(Trouble::errno("enter the root directory of the vassal", errno)),
        }
    }

    /// Ids, capabilities and filters, in the order of a birth.
    fn be_like(&self, model: &Model) -> Result<(), Trouble> {
        let joined = model.inside().ok_or_else(|| {
            Trouble::new("cannot be who its vassal is: its ids have no number in its user namespace")
        })?;
        self.steps(model, &joined).iter().try_for_each(perform)
    }

    /// Also what its own master has put on it.
    fn program(&self, model: &Model, own: &Limits) -> Vec<Step> {
        let mut steps = self.restraint.program();
        let given = steps.len() + self.restraint.filters.len();
        if given == 0 {
            steps.extend(
                self.later
                    .iter()
                    .take(model.filters.saturating_sub(own.filters().len()))
                    .map(|filter| Step::Filter(*filter)),
            );
        }
        // What the master puts on it anyway is put on once.
        steps.retain(|step| match step {
            Step::Filter(filter) => own.filters().iter().all(|one| one.program != filter.program),
            _ => true,
        });
        // Limits first: whoever minds the session needs more than what a vassal may be left with.
        let limits = model.settings.limits(run::limit).into_iter().map(Step::Set);
        limits.chain(steps).collect()
    }

    /// As those of whoever joins by a hook, but never with more than the command has.
    fn steps(&self, model: &Model, joined: &Joined) -> Vec<Step> {
        let uid = joined.identity.uid;
        let limit = if self.birth.is_hosts { Capabilities::all() } else { self.restraint.root };
        let keep = Capabilities(model.passed_on(uid).0 & limit.0);
        let mut steps = self.restraint.inside(joined);
        for step in &mut steps {
            match step {
                Step::Bound(bound) => *bound = Capabilities(model.bounding.0),
                Step::Identity(_, kept) | Step::IdentityKeepingGroups(_, kept) => *kept = keep,
                _ => {}
            }
        }
        steps
    }
}

fn join_trouble(errno: Errno) -> Trouble {
    let trouble = Trouble::errno("join the namespaces of the vassal", errno);
    match errno {
        Errno::SRCH => Trouble::new("its vassal has ended before"),
        Errno::PERM => trouble.advise("add sys_ptrace and sys_admin to what the Emperor keeps (`cap`)"),
        _ => trouble,
    }
}

impl Processes {
    fn open() -> Result<Self, Errno> {
        openat(CWD, c"/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Self)
    }

    fn text(&self, pid: Pid, name: &str) -> Result<String, Errno> {
        let path = format!("{}/{name}", pid.as_raw_nonzero());
        let file = openat(&self.0, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::with_capacity(FILE_USUAL);
        File::from(file).take(FILE_MAX).read_to_string(&mut text).map_err(|_| Errno::IO)?;
        Ok(text)
    }

    fn root_of(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        let path = format!("{}/root", pid.as_raw_nonzero());
        openat(&self.0, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }

    /// Whether it is in another namespace of this kind than we are, or that cannot be seen; not where there is no such kind.
    fn is_apart(&self, pid: Pid, name: &str) -> bool {
        let stat = |pid: Pid| {
            let path = format!("{}/ns/{name}", pid.as_raw_nonzero());
            statat(&self.0, path, AtFlags::empty()).map(|stat| (stat.st_dev, stat.st_ino))
        };
        stat(getpid()).is_ok_and(|ours| stat(pid) != Ok(ours))
    }

    /// As much as tells who of a jail may less.
    fn outline_of(&self, pid: Pid) -> Result<Model, Errno> {
        let text = |name| self.text(pid, name);
        let (status, limits, uid_map) = (text("status")?, text("limits")?, text("uid_map")?);
        Model::of(&Files { status, limits, uid_map }).ok_or(Errno::BADMSG)
    }

    /// And all that one of it has to be.
    fn whole(&self, pid: Pid, mut model: Model) -> Result<Model, Errno> {
        let text = |name| self.text(pid, name);
        model.know_groups(&text("gid_map")?, &text("setgroups")?);
        model.settings.oom_score = text("oom_score_adj")?.trim().parse().ok();
        model.settings.nice = Some(getpriority_process(Some(pid))?);
        model.settings.io = run::io_priority_of(pid.as_raw_nonzero().get());
        Ok(model)
    }

    fn children_of(&self, parent: Pid) -> Vec<Pid> {
        let name = format!("task/{}/children", parent.as_raw_nonzero());
        let list = self.text(parent, &name).unwrap_or_default();
        let pids = list.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?));
        pids.take(CHILDREN_MAX).collect()
    }

    /// A child that may less than its parent, and has its number still after it was read.
    fn lesser(&self, pid: Pid, (parent, first): (Pid, &Model)) -> Option<Model> {
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let outline = self.outline_of(pid).ok()?;
        if outline.parent != parent.as_raw_nonzero().get() || !outline.is_less_than(first) {
            return None;
        }
        // One that has ended tells as well what it was, until it is reaped.
        let is_its_own = |_: &Model| run::pid_of(process.as_fd()) == Some(pid.as_raw_nonzero().get());
        self.whole(pid, outline).ok().filter(is_its_own)
    }
}
