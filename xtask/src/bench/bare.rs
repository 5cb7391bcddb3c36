//! The jail crate alone, without an Emperor: what one of its spawns costs, next to the floor's.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jail::plan::{Attributes, Depth, Filter, HARMLESS, Mount, Network, Old, Root, Rootfs, Source};
use jail::run::{Birth, Pool, Spawned, spawn};
use jail::{Born, Extent, Identity, Namespaces, Program, Spec, UserMap};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::lab::Lab;
use super::stamps::{ms, now_ns};

/// Uid and gid, as `floor.c` has them.
const TENANT: u32 = 1000;
/// A tenant whose number has no other one beside it that could pay for his user namespace (`Plan::payer`).
const UNPAID: u32 = (1 << 31) + 1000;

/// Whose jails are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A tenant's: other ids, no new privileges; the child gets a copy of our memory.
    Tenant,
    /// The same with the default filter of system calls.
    FilteredTenant,
    /// Root's own: the child shares our memory until its exec.
    Root,
}

/// What a tenant's jail has.
#[derive(Clone, Debug, Default)]
pub struct Jail {
    /// Namespaces, none of them ready beforehand; one of users knows the tenant's id alone.
    pub namespaces: Namespaces,
    /// The user namespace is made at root's expense, not at a number of the tenant's.
    pub root_pays: bool,
    /// Another root, read-only, with a `/proc` of its own.
    pub root: Option<PathBuf>,
}

/// Spawns as a spawner does.
pub struct Bare {
    pool: Pool,
    null: OwnedFd,
    stamp: CString,
}

impl Bare {
    /// With an empty pool of network namespaces.
    ///
    /// # Errors
    /// `/proc` or `/dev/null` is not there.
    pub fn new(lab: &Lab) -> Result<Self> {
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let stamp = CString::new(lab.stamp().as_os_str().as_bytes())?;
        Ok(Self { pool: Pool::new()?, null, stamp })
    }

    /// Milliseconds from before the spawn to the first instruction of the program; the making of the network
    /// namespace beforehand does not count.
    ///
    /// # Errors
    /// A step failed, or the program did not report.
    pub fn one(&mut self, lab: &Lab, whose: Whose, name: &str) -> Result<f64> {
        self.pool.refill_one()?;
        let network = self.pool.take().context("just made")?;
        let spec = self.spec(whose, name)?;
        self.measured(lab, &Spec { network: Network::Pooled(network.as_raw_fd()), ..spec }, name)
    }

    /// The same for this jail of a tenant's.
    ///
    /// # Errors
    /// As `one`.
    pub fn with(&self, lab: &Lab, jail: &Jail, name: &str) -> Result<f64> {
        let spec = self.spec(Whose::Tenant, name)?;
        let outside = if jail.root_pays { UNPAID } else { TENANT };
        let user_map = jail.namespaces.has(Namespaces::USER).then(|| {
            let one = vec![Extent::one(TENANT, outside)];
            UserMap { uid: one.clone(), gid: one, groups: true }
        });
        let mounts = jail.root.clone().map(|root| another_root(lab, root));
        self.measured(lab, &Spec { namespaces: jail.namespaces, user_map, mounts, ..spec }, name)
    }

    fn measured(&self, lab: &Lab, spec: &Spec, name: &str) -> Result<f64> {
        let before = now_ns();
        let plan = jail::plan::plan(spec);
        let spawned = spawn(&plan, &Birth::default())?;
        let (Spawned::Running(born) | Spawned::Walking(born, _)) = spawned else { bail!("a step failed") };
        let stamp = lab.stamps.of('s', name, before, super::spawn::PATIENCE);
        end(&born)?;
        Ok(ms(before, stamp?.at_ns))
    }

    fn spec(&self, whose: Whose, name: &str) -> Result<Spec> {
        let is_tenant = whose != Whose::Root;
        let filtered = whose == Whose::FilteredTenant;
        let null = self.null.as_raw_fd();
        let five = [Namespaces::FS, Namespaces::NET, Namespaces::IPC, Namespaces::PID, Namespaces::UTS];
        let argv = vec![self.stamp.clone(), CString::new(name)?];
        Ok(Spec {
            namespaces: five.into_iter().fold(Namespaces::NONE, Namespaces::with),
            identity: is_tenant.then(|| Identity { uid: TENANT, gid: TENANT, groups: Vec::new() }),
            no_new_privs: is_tenant,
            filters: if filtered { vec![Filter::standard()] } else { Vec::new() },
            dies_with_parent: true,
            session: true,
            descriptors: vec![(null, 0), (null, 1), (null, 2)],
            program: Program::Path { file: self.stamp.clone(), search: Vec::new(), argv },
            ..Spec::default()
        })
    }
}

/// The same as `floor.c` makes.
fn another_root(lab: &Lab, root: PathBuf) -> Rootfs {
    let own = lab.place();
    let own =
        Mount { target: own.into(), source: Source::Tree(own.into(), Depth::One), attributes: HARMLESS };
    let proc = Mount { target: "/proc".into(), source: Source::Proc, attributes: HARMLESS };
    let root = Root::Directory(root, HARMLESS.with(Attributes::RO));
    Rootfs { root, mounts: vec![proc, own], old: Old::Left }
}

fn end(born: &Born) -> Result<()> {
    let _ = pidfd_send_signal(&born.pidfd, Signal::KILL);
    waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED).context("cannot reap a jail")?;
    Ok(())
}
