//! A vassal between its config and its command: what the steps have gathered so far.

use core::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use jail::Identity;
use jail::run::{Nest, NetworkEnd, OldRoot};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::{Pid, chdir, fchdir, getcwd};

use std::path::{Path, PathBuf};

use super::backlog::Backlog;
use super::born;
use super::companions::Companions;
use super::confine::Ready;
use super::control::{Control, Word};
use super::daemons::Daemons;
use super::duties::Exit;
use super::environment::Environment;
use super::handover::Served;
use super::hooks::spot::{self, Last};
use super::identity::current_user;
use super::notify::{Heard, Notified};
use super::proxy::Proxy;
use super::sockets::Listening;
use super::subscribe::Subscriber;
use super::tell::Teller;
use super::terminals;
use super::trouble::Trouble;
use super::tuntap::Router;
use super::watch::{Happening, Watch, now};
use crate::emperor::event::Moment;
use crate::emperor::order::to_vassal::LEND_LIMITS;

/// How long nobody is greeted for whom there was no descriptor, in ms: nothing tells when one is free again.
const REST_MS: u64 = 1_000;

/// What a vassal has.
#[derive(Debug)]
pub struct Vassal {
    watch: Watch,
    /// When all of it has to be over.
    ends_at: Option<Moment>,
    /// Until when no new client is looked for.
    rests_until: Option<Moment>,
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

    /// From this moment on, nothing is waited for any more.
    pub fn end_by(&mut self, moment: Option<Moment>) {
        self.ends_at = moment;
    }

    /// Waits for the next thing that happens, at most `timeout`.
    ///
    /// # Errors
    /// Those of `poll(2)`; all should be over by now.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Happening, Trouble> {
        self.next_beside(timeout, None)
    }

    /// The same, also for this descriptor: `Other` is not told before all else that happened.
    ///
    /// # Errors
    /// As above.
    pub fn next_beside(
        &mut self,
        timeout: Option<Duration>,
        other: Option<PollFd<'_>>,
    ) -> Result<Happening, Trouble> {
        let until = |moment: Moment| Duration::from_nanos(moment.0.saturating_sub(now().0));
        let (left, rest) = (self.ends_at.map(until), self.rests_until.map(until));
        if left == Some(Duration::ZERO) {
            return Err(Trouble::new("it takes too long"));
        }
        let timeout = timeout.into_iter().chain(left).chain(rest).min();
        let counted = self.backlog.as_ref().map(|backlog| backlog.watched(&self.sockets)).unwrap_or_default();
        let sockets = counted.len();
        let served = self.served.iter().filter(|_| rest.is_none());
        let served = served.map(|served| PollFd::from_borrowed_fd(served.as_fd(), PollFlags::IN));
        let notified = self.notified.iter();
        let notified = notified.map(|one| PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN));
        let proxy = self.proxy.iter().filter(|proxy| rest.is_none() || proxy.is_taken());
        let proxy = proxy.map(|proxy| PollFd::from_borrowed_fd(proxy.watched(), PollFlags::IN));
        let daemons = self.daemons.watched();
        let lender = self.confinement.lender();
        let lender = lender.into_iter().map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN));
        let mut others: Vec<PollFd<'_>> = counted
            .into_iter()
            .chain(served)
            .chain(notified)
            .chain(proxy)
            .chain(daemons)
            .chain(lender)
            .chain(other)
            .collect();
        let happening = self
            .watch
            .next(self.control.as_ref(), &mut others, timeout)
            .map_err(|errno| Trouble::errno("wait", errno))?;
        let ready: Vec<PollFlags> = others[..sockets].iter().map(PollFd::revents).collect();
        let happening = self.rested(happening);
        if matches!(happening, Happening::Other) {
            self.serve();
            self.confinement.lend();
            self.backlog.iter_mut().for_each(|backlog| backlog.notice(&ready));
        }
        if let (Happening::Other, Some(notified)) = (&happening, &self.notified) {
            notified.hear(&mut self.heard);
        }
        if matches!(happening, Happening::Other) {
            self.daemons.look();
        }
        if let Happening::Emperor(Word::Byte(byte, _)) = happening {
            self.daemons.take(byte);
        }
        if matches!(happening, Happening::Emperor(Word::End)) {
            // A stream that has ended would be ready for ever.
            self.control = None;
        }
        if let Happening::Emperor(Word::Byte(LEND_LIMITS, channel)) = happening {
            self.confinement.lend_by(channel);
            return Ok(Happening::Other);
        }
        Ok(happening)
    }

    /// Waits for signals and for one descriptor alone: in a process of ours that minds nothing else.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn wait_alone<'a>(
        &'a self,
        other: &mut [PollFd<'a>],
        timeout: Option<Duration>,
    ) -> Result<Happening, Errno> {
        self.watch.next(None, other, timeout)
    }

    /// The descriptor that tells of signals.
    pub fn signals(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// The end of a rest is nobody's deadline: clients are looked for again.
    fn rested(&self, happening: Happening) -> Happening {
        let is_over = self.rests_until.is_some_and(|until| until <= now());
        if is_over && matches!(happening, Happening::Deadline) { Happening::Other } else { happening }
    }

    /// Answers whoever has connected. Where there is no descriptor for somebody, his socket stays ready: without a rest we
    /// would do nothing else.
    fn serve(&mut self) {
        let served = self.served.iter().map(Served::answer);
        let all = served.chain(self.proxy.iter_mut().map(Proxy::hear)).fold(true, |all, one| all & one);
        self.rests_until = (!all).then(|| now().plus_ms(REST_MS));
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
        let cannot = |errno| Trouble {
            advice: directory_advice(errno),
            ..Trouble::errno(format!("change directory to {}", path.display()), errno)
        };
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
        let cannot = |errno| Trouble {
            advice: log_advice(errno),
            ..Trouble::errno(format!("log to {}", path.display()), errno)
        };
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

    use super::*;
    use crate::config::vassal::Address;
    use crate::vassal::handover::Goods;
    use crate::vassal::step::{Socket, Wanted};

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
