//! A running Emperor, ours or uWSGI's, with its directory of configs.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;

use super::lab::{Lab, NAMESPACES};
use super::stamps::now_ns;

/// Owner of the configs where vassals run with ids of their own.
const TENANT: u32 = 1000;
const STOP_PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Which Emperor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Liege,
    /// The real one, told not to wait between two starts and to look every second.
    UwsgiUnthrottled,
    /// The real one as it comes.
    Uwsgi,
}

impl Kind {
    /// As the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Liege => "liege",
            Self::UwsgiUnthrottled => "uwsgi, throttle 0, freq 1",
            Self::Uwsgi => "uwsgi, defaults",
        }
    }
}

/// What runs in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vassals {
    /// The tiny program, with our own ids and namespaces.
    Plain,
    /// The tiny program, as another user and in five namespaces.
    Jailed,
    /// The same in a user namespace too.
    RootInside,
    /// The tiny program, as whoever owns the config, without namespaces.
    Tenants,
    /// The same in the default jail.
    Standard,
    /// The same without its filter of system calls.
    Unfiltered,
    /// The same in the strict jail.
    Strict,
    /// The tiny program that its first connection starts, at [`Court::socket`].
    OnDemand,
    /// What the config says.
    AsWritten,
}

/// Everything in it ends when it goes out of scope.
#[derive(Debug)]
pub struct Court {
    directory: PathBuf,
    waiting: PathBuf,
    vassals: Vassals,
    child: Child,
}

impl Court {
    /// Starts an Emperor on a directory that has `count` configs already (`v0.ini`, …). The second value
    /// is when it was started.
    ///
    /// # Errors
    /// It is not installed or cannot be started.
    pub fn open(lab: &Lab, kind: Kind, vassals: Vassals, count: usize) -> Result<(Self, u64)> {
        let directory = lab.directory()?;
        let waiting = lab.beside("waiting");
        for number in 0..count {
            write(&waiting, &directory.join(format!("v{number}.ini")), vassals, "[uwsgi]\n")?;
        }
        let started_ns = now_ns();
        let child = start(lab, kind, command(lab, kind, vassals)?.arg("--emperor").arg(&directory))?;
        Ok((Self { directory, waiting, vassals, child }, started_ns))
    }

    /// One of ours with these further options, on an empty directory.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn empty(lab: &Lab, vassals: Vassals, options: &[&str]) -> Result<Self> {
        let directory = lab.directory()?;
        let mut command = command(lab, Kind::Liege, vassals)?;
        let child = start(lab, Kind::Liege, command.arg("--emperor").arg(&directory).args(options))?;
        Ok(Self { directory, waiting: lab.beside("waiting"), vassals, child })
    }

    /// Drops a config in, complete from the start. Returns the time before that.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(&self, name: &str, text: &str) -> Result<u64> {
        let target = self.directory.join(name);
        prepare(&self.waiting, self.vassals, text)?;
        let before = now_ns();
        fs::rename(&self.waiting, target)?;
        Ok(before)
    }

    /// The same for somebody else, with [`Vassals::Tenants`].
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create_of(&self, owner: u32, name: &str, text: &str) -> Result<u64> {
        let target = self.directory.join(name);
        fs::write(&self.waiting, text)?;
        chown(&self.waiting, Some(owner), Some(owner))?;
        let before = now_ns();
        fs::rename(&self.waiting, target)?;
        Ok(before)
    }

    /// Gives a config a new time, two seconds further on each call: uWSGI sees whole seconds and only
    /// later ones. Returns the time before that.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn touch(&self, name: &str) -> Result<u64> {
        let file = File::open(self.directory.join(name))?;
        let old = file.metadata()?.modified()?.max(SystemTime::now());
        let new = old + Duration::from_secs(2);
        let before = now_ns();
        // Both times, as touch(1) does: the kernel tells a new time of modification alone as a write.
        file.set_times(FileTimes::new().set_modified(new).set_accessed(new))?;
        Ok(before)
    }

    /// Takes a config away. Returns the time before that.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<u64> {
        let before = now_ns();
        fs::remove_file(self.directory.join(name))?;
        Ok(before)
    }

    /// Where its configs are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the vassal of this name is connected to, with [`Vassals::OnDemand`].
    pub fn socket(lab: &Lab, kind: Kind, name: &str) -> PathBuf {
        sockets(lab, kind).join(format!("{name}.socket"))
    }

    /// Process id of the Emperor.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }
}

impl Drop for Court {
    fn drop(&mut self) {
        end(&mut self.child, Signal::INT);
    }
}

/// Ends a child by this signal; not for ever.
pub fn end(child: &mut Child, signal: Signal) {
    if !ends_when_asked(child, signal) {
        let _ = child.kill();
    }
    let _ = child.wait();
}

fn ends_when_asked(child: &Child, signal: Signal) -> bool {
    let Ok(process) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) else { return true };
    let _ = pidfd_send_signal(&process, signal);
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    poll(&mut ended, Some(&STOP_PATIENCE)).is_ok_and(|ready| ready == 1)
}

fn start(lab: &Lab, kind: Kind, command: &mut Command) -> Result<Child> {
    let log = File::options().create(true).append(true).open(lab.log(kind))?;
    command.current_dir("/").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot run {}", kind.name()))
}

fn command(lab: &Lab, kind: Kind, vassals: Vassals) -> Result<Command> {
    let mut command = match kind {
        Kind::Liege => Command::new(&lab.liege),
        _ => Command::new(lab.uwsgi.as_ref().context("uwsgi is not installed")?),
    };
    match kind {
        // All configs belong to one tenant here, who has a limit.
        Kind::Liege => command.args(["--emperor-tenant-max", "100000"]),
        Kind::UwsgiUnthrottled => command.args(["--emperor-throttle", "0", "--emperor-freq", "1"]),
        Kind::Uwsgi => &mut command,
    };
    match vassals {
        Vassals::AsWritten => &mut command,
        Vassals::OnDemand => command.arg("--binary-path").arg(lab.answer()),
        _ => command.arg("--binary-path").arg(lab.stamp()),
    };
    let with_user = format!("{},user", NAMESPACES.0);
    match vassals {
        Vassals::Jailed => command.args(["--emperor-tyrant", "--emperor-use-clone", NAMESPACES.0]),
        Vassals::RootInside => command.args(["--emperor-tyrant", "--emperor-use-clone", &with_user]),
        Vassals::Tenants => command.args(["--emperor-tyrant", "--jail", "none"]),
        Vassals::Standard => command.arg("--emperor-tyrant"),
        Vassals::Unfiltered => command.args(["--emperor-tyrant", "--emperor-seccomp", "off"]),
        Vassals::Strict => command.args(["--emperor-tyrant", "--jail", "strict"]),
        Vassals::OnDemand => {
            let sockets = sockets(lab, kind);
            fs::create_dir_all(&sockets)?;
            command.arg("--emperor-on-demand-directory").arg(sockets).arg("--emperor-no-blacklist")
        }
        Vassals::Plain | Vassals::AsWritten => &mut command,
    };
    Ok(command)
}

fn sockets(lab: &Lab, kind: Kind) -> PathBuf {
    lab.beside(&format!("sockets-{kind:?}"))
}

fn write(waiting: &Path, target: &Path, vassals: Vassals, text: &str) -> Result<()> {
    prepare(waiting, vassals, text)?;
    Ok(fs::rename(waiting, target)?)
}

fn prepare(waiting: &Path, vassals: Vassals, text: &str) -> Result<()> {
    fs::write(waiting, text)?;
    if !matches!(vassals, Vassals::Plain | Vassals::OnDemand | Vassals::AsWritten) {
        chown(waiting, Some(TENANT), Some(TENANT))?;
    }
    Ok(())
}
