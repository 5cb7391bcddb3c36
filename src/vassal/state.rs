//! A vassal between its config and its command: what the steps have gathered so far.

use core::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use jail::Identity;
use jail::run::{Nest, NetworkEnd, OldRoot};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::{Pid, chdir, fchdir, getcwd};

use std::path::{Path, PathBuf};

use super::backlog::Backlog;
use super::born;
use super::companions::Companions;
use super::confine::Ready;
use super::control::Control;
use super::daemons::Daemons;
use super::environment::Environment;
use super::exit::Exit;
use super::handover::Served;
use super::hooks::spot::{self, Last};
use super::identity::current_user;
use super::notify::{Heard, Notified};
use super::proxy::Proxy;
use super::sockets::Listening;
use super::ssh;
use super::subscribe::Subscriber;
use super::tell::Teller;
use super::terminals;
use super::trouble::Trouble;
use super::tuntap::Router;
use super::watch::{Happening, Watch};
use crate::emperor::event::Moment;

/// What a vassal has.
#[derive(Debug)]
pub struct Vassal {
    pub(super) watch: Watch,
    /// When all of it has to be over.
    pub(super) ends_at: Option<Moment>,
    /// Until when no new client is looked for.
    pub(super) rests_until: Option<Moment>,
    /// The way to the Emperor, as long as there is one.
    pub control: Option<Control>,
    /// A reload was asked for before the command ran; the config came along, or is read by name.
    pub reload: Option<Option<OwnedFd>>,
    /// What ended a waiting, to be heeded when the command is minded again.
    pub interrupted: Option<Happening>,
    /// Says what has to be said before the command runs.
    pub teller: Teller,
    /// The command, once it was started.
    pub command: Option<Pid>,
    /// How the command ended while somebody waited for another child.
    pub command_ended: Option<Exit>,
    /// Our arguments, for a program that takes our place.
    pub arguments: Vec<String>,
    base: Environment,
    added: Vec<(String, String)>,
    unset: Vec<String>,
    /// Shells to be tried before `/bin/sh`.
    pub shells: Vec<PathBuf>,
    /// Locks that go with us.
    pub locks: Vec<OwnedFd>,
    /// Who it becomes, where that was looked up before its file system changed.
    pub identity: Option<Identity>,
    /// What it takes to be root of its user namespace no more.
    pub nest: Option<Nest>,
    /// Its root is another one than that of the host.
    pub moved: bool,
    /// The root that the as-root programs may still look at.
    pub old_root: Option<OldRoot>,
    /// The network that it came from, as long as something is to be brought along.
    pub outside: Option<NetworkEnd>,
    /// Routers that the Emperor lends.
    pub routers: Vec<Router>,
    /// Connections and devices that stand for us as long as they are open.
    pub lines: Vec<OwnedFd>,
    /// Name servers of the networks joined so far.
    pub resolvers: Vec<IpAddr>,
    /// Sockets bound so far.
    pub sockets: Vec<Listening>,
    /// Namespaces of ours, taken to be served.
    pub namespaces: Vec<OwnedFd>,
    /// What is served to others.
    pub served: Vec<Served>,
    /// Sockets that are served and not ours.
    pub pooled: Vec<Listening>,
    /// Where somebody else speaks with the Emperor.
    pub proxy: Option<Proxy>,
    /// Sockets of terminals.
    pub terminals: terminals::Bound,
    /// Processes that stay.
    pub companions: Companions,
    /// Daemons beside the command.
    pub daemons: Daemons,
    /// What `ssh` runs where its root has no dropbear.
    pub ssh: Option<ssh::Lent>,
    /// Who waits at our sockets.
    pub backlog: Option<Backlog>,
    /// Where the command says that it is well.
    pub notified: Option<Notified>,
    /// What routers are told.
    pub subscriber: Option<Subscriber>,
    /// What it has said since that was last asked.
    pub heard: Heard,
    /// That others than its members speak to it was told.
    pub told_of_strangers: bool,
    /// Limits of the command.
    pub confinement: Ready,
    /// Working directory of what is started from here on.
    pub directory: Option<OwnedFd>,
    /// Log file of the command.
    pub log: Option<OwnedFd>,
}

impl Vassal {
    /// A vassal that has done nothing yet; `added` are the variables of its config.
    ///
    /// # Errors
    /// When signals cannot be watched.
    pub fn new(
        control: Option<Control>,
        arguments: Vec<String>,
        teller: Teller,
        added: Vec<(String, String)>,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            watch: Watch::new().map_err(|errno| Trouble::errno("watch signals", errno))?,
            ends_at: None,
            rests_until: None,
            control,
            reload: None,
            interrupted: None,
            teller,
            command: None,
            command_ended: None,
            arguments,
            base: Environment::new(std::env::vars_os()),
            added,
            unset: Vec::new(),
            shells: Vec::new(),
            locks: Vec::new(),
            identity: None,
            nest: None,
            moved: false,
            old_root: None,
            outside: None,
            routers: Vec::new(),
            lines: Vec::new(),
            resolvers: Vec::new(),
            sockets: Vec::new(),
            namespaces: Vec::new(),
            served: Vec::new(),
            pooled: Vec::new(),
            proxy: None,
            terminals: terminals::Bound::default(),
            companions: Companions::default(),
            daemons: Daemons::default(),
            ssh: None,
            backlog: None,
            notified: None,
            subscriber: None,
            heard: Heard::default(),
            told_of_strangers: false,
            confinement: Ready::default(),
            directory: None,
            log: None,
        })
    }

    /// Becomes the owner of its config.
    ///
    /// # Errors
    /// It was not made ready for that, or what the kernel refuses.
    pub fn become_owner(&mut self, owner: (u32, u32)) -> Result<(), Trouble> {
        let nest = self.nest.take().ok_or_else(|| Trouble::new("nothing was made ready to give up root"))?;
        born::become_owner(nest, owner)
    }

    /// Sets a variable of all programs from here on.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.unset.retain(|unset| unset != name);
        self.added.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable from all programs from here on.
    pub fn unset_variable(&mut self, name: &str) {
        self.unset.push(name.to_owned());
    }

    /// Environment of a program that runs with the ids we had at birth.
    pub fn environment(&self) -> Environment {
        self.changed(self.base.clone())
    }

    fn changed(&self, mut environment: Environment) -> Environment {
        environment.replace(&self.added);
        self.unset.iter().for_each(|name| environment.remove(name));
        environment
    }

    /// Environment of a program that runs as the user of the vassal.
    pub fn user_environment(&self) -> Environment {
        let mut environment = self.base.clone();
        if let Some(user) = current_user() {
            environment.set_user(&user);
        }
        // What the config says counts for more than what the system knows of the user.
        self.changed(environment)
    }

    /// Sends a byte of the protocol, if there is an Emperor.
    pub fn send(&self, byte: u8) {
        if let Some(control) = &self.control {
            control.send(byte);
        }
    }

    /// Forgets what belongs to the command that has ended, and to what was started with it.
    pub fn start_over(&mut self) {
        (self.command, self.command_ended) = (None, None);
        self.directory = None;
        if !self.companions.has_writer() {
            self.log = None;
        }
        (self.notified, self.subscriber, self.backlog) = (None, None, None);
        (self.heard, self.told_of_strangers) = (Heard::default(), false);
        self.added.retain(|(name, _)| !["NOTIFY_SOCKET", "WATCHDOG_USEC"].contains(&name.as_str()));
    }

    /// Remembers a reload until the command runs.
    pub fn reload_later(&mut self, config: Option<OwnedFd>) {
        self.reload = Some(config);
    }

    /// Opens the working directory of the command with the rights that we have now.
    ///
    /// # Errors
    /// No such directory, or none that we may see.
    pub fn enter(&mut self, path: &Path) -> Result<(), Trouble> {
        self.directory = Some(self.open_directory(path)?);
        Ok(())
    }

    /// The same without entering it.
    ///
    /// # Errors
    /// As above.
    pub fn open_directory(&self, path: &Path) -> Result<OwnedFd, Trouble> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let base = self.directory.as_ref().map_or(CWD, AsFd::as_fd);
        let opened = openat(base, path, flags, Mode::empty());
        let cannot = |errno| no_directory(path, errno);
        let directory = opened.map_err(cannot)?;
        if self.moved && !is_inside(&directory).map_err(cannot)? {
            let trouble = Trouble::new(format!("{} is outside of the jail", path.display()));
            return Err(trouble.advise("name a directory of the new root"));
        }
        Ok(directory)
    }

    /// Opens the log file with the rights that we have now: a regular file, at the end of its path no link, and as root
    /// none on the way to it that a tenant may have made, nor a second name.
    ///
    /// # Errors
    /// What the system refuses, or a file of another kind.
    pub fn log_to(&mut self, path: &Path) -> Result<(), Trouble> {
        self.log = Some(self.open_log(path)?);
        Ok(())
    }

    /// The same for the log of somebody else.
    ///
    /// # Errors
    /// As above.
    pub fn open_log(&self, path: &Path) -> Result<OwnedFd, Trouble> {
        let cannot = |errno| no_log(path, errno);
        let spot = spot::find(self.directory.as_ref(), path, Last::Itself).map_err(cannot)?;
        let opened = spot.open_or_make(log_flags(), 0o640).map_err(cannot)?;
        if FileType::from_raw_mode(fstat(&opened).map_err(cannot)?.st_mode) != FileType::RegularFile {
            return Err(cannot(Errno::INVAL));
        }
        Ok(opened)
    }
}

/// Whether a directory can be reached from our root: a link of `/proc` may lead elsewhere. Leaves us at `/`.
fn is_inside(directory: &OwnedFd) -> Result<bool, Errno> {
    fchdir(directory)?;
    let path = getcwd(Vec::new());
    chdir(c"/")?;
    Ok(path?.as_bytes().starts_with(b"/"))
}

/// What is said of a directory that cannot be entered.
pub fn no_directory(path: &Path, errno: Errno) -> Trouble {
    let advice = directory_advice(errno);
    Trouble { advice, ..Trouble::errno(format!("change directory to {}", path.display()), errno) }
}

/// What is said of a log that cannot be opened.
pub fn no_log(path: &Path, errno: Errno) -> Trouble {
    let advice = log_advice(errno);
    Trouble { advice, ..Trouble::errno(format!("log to {}", path.display()), errno) }
}

fn directory_advice(errno: Errno) -> Option<String> {
    let advice = match errno {
        Errno::NOENT => "there is no such directory: create it, or correct `chdir`",
        Errno::NOTDIR => "it is no directory: correct `chdir`",
        Errno::ACCESS => {
            "permission denied: the vassal's user must be allowed to enter it and all above it (chmod +x)"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

fn log_advice(errno: Errno) -> Option<String> {
    let advice = match errno {
        Errno::NOENT => "its directory does not exist: create it (a relative `logto` counts from `chdir`)",
        Errno::NOTDIR => "a part of its path is no directory: correct `logto`",
        Errno::ISDIR => "it is a directory: name a file in it",
        Errno::ACCESS => "permission denied: the vassal's user must be allowed to write there",
        Errno::LOOP => {
            "a symbolic link, at its end or (for root) in a directory that others may write to: name the file itself"
        }
        Errno::MLINK => {
            "it has a second name, in a directory that others than root may write to: log elsewhere"
        }
        Errno::ROFS => "the file system is read-only: log elsewhere",
        Errno::INVAL | Errno::NXIO => "only a regular file can be logged to",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// Never waits for a FIFO.
fn log_flags() -> OFlags {
    OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;
    use crate::config::vassal::Address;
    use crate::vassal::handover::Goods;
    use crate::vassal::step::{Socket, Wanted};
    use crate::vassal::watch::now;

    #[test]
    fn while_it_rests_nobody_is_looked_for_and_then_everybody_is_greeted() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let address = Address::Unix(path.clone());
        let socket = Socket { address, mode: 0o600, owner: None, vassal: Wanted::default() };
        let mut vassal = Vassal::new(None, Vec::new(), Teller::new("v"), Vec::new()).expect("a vassal");
        vassal.served.push(Served::new(&socket, None, (Goods::Sockets, Vec::new())).expect("bound"));
        let mut client = UnixStream::connect(path).expect("connected");
        vassal.rests_until = Some(now().plus_ms(1_000_000));
        assert!(matches!(vassal.next(Some(Duration::ZERO)), Ok(Happening::Deadline)), "he waits, unseen");
        vassal.rests_until = Some(now());
        assert!(matches!(vassal.next(None), Ok(Happening::Other)), "nobody's deadline");
        assert_eq!(vassal.rests_until, None);
        assert!(client.read(&mut [0; 32]).expect("a packet") > 0);
    }
}
