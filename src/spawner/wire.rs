//! Pure. What the emperor and its spawner say to each other: two closed sets of messages each way.
//!
//! One message is one packet of a `SOCK_SEQPACKET` pair, `postcard` encoded, at most `MESSAGE_MAX` bytes;
//! descriptors travel beside it (`SCM_RIGHTS`), in the order that each message names.

use routers::packet;
pub use routers::packet::{Malformed, decode};
use serde::{Deserialize, Serialize};

use jail::Namespaces;
use jail::plan::standard::Strictness;

use super::jailing::Inside;
use crate::emperor::event::{Digest, Incarnation, VassalId};
pub use crate::trust::{Place, Report, Seen, Task, cut};

/// Longest message in bytes; a longer one is refused.
pub const MESSAGE_MAX: usize = 8192;

/// Names one process over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// The vassal.
    pub id: u32,
    /// Which of its processes.
    pub attempt: u32,
}

impl From<Incarnation> for Ticket {
    fn from(one: Incarnation) -> Self {
        Self { id: one.id.0, attempt: one.attempt }
    }
}

impl From<Ticket> for Incarnation {
    fn from(one: Ticket) -> Self {
        Self { id: VassalId(one.id), attempt: one.attempt }
    }
}

/// What the emperor may ask for without waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Make the process of a vassal. Descriptors: the config's directory, the vassal's control socket, where its output goes
    /// if it is `heard`. With a further one, its listener, it is descriptor 0 of the process.
    /// Answered by `Refused`, `Failed`, `Listening`, or `Born` and then `Running` or `Failed`.
    Spawn {
        /// The process to be.
        ticket: Ticket,
        /// File name below the directory.
        file: String,
        /// The vassal as people know it: the file name, or the path that a pattern matched.
        name: String,
        /// It is the zerg of this number: never on demand.
        zerg: Option<u32>,
        /// Its output goes to the log keeper.
        heard: bool,
    },
    /// The same for a config in a directory that the emperor itself must not open, because its file system may not
    /// answer. Descriptors: the vassal's control socket, where its output goes, and its listener, as above.
    SpawnAway {
        /// The process to be.
        ticket: Ticket,
        /// The directory.
        place: Place,
        /// File name there.
        file: String,
        /// The vassal as people know it.
        name: String,
        /// As above.
        zerg: Option<u32>,
        /// As above.
        heard: bool,
    },
    /// Look where it may take for ever. Answered by `Report`, at once where nobody answered lately.
    Look {
        /// Named by the answer.
        number: u32,
        /// Where.
        place: Place,
        /// What for.
        task: Task,
    },
    /// Read again where a vassal listens: what says so has changed. Descriptor: the config's directory. Answered by
    /// `Address`.
    Readdress {
        /// Named by the answer.
        number: u32,
        /// The vassal.
        id: u32,
        /// File name below the directory.
        file: String,
        /// The vassal as people know it.
        name: String,
    },
    /// SIGKILL for the process and everything in its jail. Descriptor: a pidfd of the process. Answered by `Killing`.
    Kill(Ticket),
    /// This signal for the process. Descriptor: a pidfd of it.
    Signal(Ticket, i32),
    /// The config of this vassal is gone, or another's: the file of its listener goes.
    Unlisten(u32),
    /// Of the texts that are held of this vassal those before this one go, which it has taken; without one all of them.
    Hold(u32, Option<Digest>),
    /// The process was reaped: kill what is left of its jail, take its cgroup away.
    Bury(Ticket),
    /// Do what is done as Emperor once the program of this vassal runs. Answered by `Hook`.
    Hooks(Ticket),
    /// Run `vassals-stop-hook` for the vassal of this number, which has run and is gone. Answered by `Hook`.
    Farewell(Ticket, u32),
    /// Do what is done about a vassal of this name that waits for a connection. Answered by `Hook`.
    Aside(Ticket, Wait, String),
    /// Make the process of the router of this number, which has none. Descriptors: its end of the channel to the emperor, what
    /// it is told. Answered by `Router`.
    Router(u8),
    /// SIGKILL for the process of the router of this number.
    EndRouter(u8),
    /// Make the log keeper, if there is none. Descriptor: its end of the channel to the emperor. Answered by `Keeper`.
    Keeper,
    /// SIGKILL for the log keeper.
    EndKeeper,
    /// Make the process that minds the daemons of the charter, if there is none. Descriptors: its end of the channel to the
    /// emperor, then where its output goes if not where ours does. Answered by `Household`.
    Household,
    /// SIGKILL for that.
    EndHousehold,
    /// Have somebody join the jail of this vassal. Descriptors: a pidfd of its process, what is asked for, the client's
    /// connection, a channel to whoever joins, then the way to its master, if that lends limits. Answered by `Entered`.
    Enter {
        /// The process that is joined.
        ticket: Ticket,
        /// Named by the answer.
        number: u32,
        /// Who asked.
        uid: u32,
    },
}

/// What happened to a vassal that waits for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wait {
    /// It began to: `hook-as-on-demand-vassal`.
    Begun,
    /// Its config changed: `hook-as-on-config-vassal`.
    Remembered,
}

/// What the spawner answers, in its own time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The spawner is ready. Descriptor: writing `1` to it kills every vassal, if there is a cgroup.
    Ready(Standing),
    /// No process was made: the config is one on demand. Descriptor: its listener.
    Listening {
        /// The process that was asked for.
        ticket: Ticket,
        /// Owner of the config.
        uid: u32,
        /// Group of the config.
        gid: u32,
        /// Where it listens.
        address: String,
    },
    /// What came of a `Readdress`. Descriptor: the new listener of one that `Moved`.
    Address(u32, Address),
    /// What the config says of its vassal (`emperor-collect-attr`), in order. Its birth or failure follows.
    Attributes(Ticket, Vec<(String, String)>),
    /// The process is there; its program may not run yet.
    Born(Ticket, i32),
    /// Its program runs.
    Running {
        /// The process.
        ticket: Ticket,
        /// Fingerprint of the config it was given.
        fingerprint: u64,
        /// Owner of that config.
        uid: u32,
        /// Group of that config.
        gid: u32,
        /// What it was born into.
        jail: Jailed,
    },
    /// A step failed: one sentence with cause and cure. When it was born its exit follows.
    Failed(Ticket, String),
    /// The config may not run as it is now.
    Refused(Ticket, String),
    /// What came of a `Look`. Descriptor: a copy of the config, if it may run.
    Report(u32, Report),
    /// SIGKILL was sent, or there is nobody any more.
    Killing(Ticket),
    /// A limit of its cgroup was reached: one sentence.
    Strained(Ticket, String),
    /// What was asked for is being done by the process of this pid, or cannot be.
    Hook(Ticket, Result<i32, String>),
    /// Whoever minds the session of this number has this pid, or there is none: one sentence.
    Entered(u32, Result<i32, String>),
    /// Whoever does what is done before this vassal runs has this pid. Its birth follows.
    Herald(Ticket, i32),
    /// The process of the router of this number has this pid, or cannot be made.
    Router(u8, Result<i32, String>),
    /// The log keeper has this pid, or cannot be made.
    Keeper(Result<i32, String>),
    /// Whoever minds the Emperor's daemons has this pid, or cannot be made.
    Household(Result<i32, String>),
}

/// The jail of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Jailed {
    /// Born by us.
    Here {
        /// `jail` of the Emperor, if it holds for this vassal.
        kind: Option<Strictness>,
        /// Its namespaces.
        namespaces: Namespaces,
        /// Who it is in its user namespace.
        inside: Inside,
        /// It has a cgroup of its own.
        leaf: bool,
    },
    /// Of the fork server that made it; our cgroup is all that it has of us.
    FarFromHere,
}

/// Where a vassal listens, once that was read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// Where it did; or nothing can be said of its config.
    Same,
    /// Nowhere: it is not on demand any more. What it had stays bound until `Unlisten`.
    Gone,
    /// What is written there cannot be: one sentence. Nothing changes.
    Wrong(String),
    /// Elsewhere; the listener before this one has no file any more.
    Moved {
        /// Owner of the config.
        uid: u32,
        /// Group of the config.
        gid: u32,
        /// Where it listens.
        address: String,
    },
}

/// How the spawner stands at its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Bits of its permitted capabilities.
    pub capabilities: u64,
    /// Things the administrator should know, one sentence each.
    pub notes: Vec<String>,
    /// The directory of the cgroups of all vassals, where they have limits.
    pub leaves: Option<String>,
    /// Why no vassal can be made on this host, if so.
    pub impossible: Option<String>,
    /// Why `hook-emperor-start` failed, if so.
    pub hook_failed: Option<String>,
}

/// What the emperor may ask for and wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Open a directory at or below one of the sources, by path.
    Directory(String),
    /// Open a directory below this one, which is at or below one of the sources. Descriptor: that directory.
    Below(String),
    /// Look at a config. Descriptor: its directory. With `lend`, its open descriptor comes with the answer.
    Examine {
        /// File name below the directory.
        file: String,
        /// Whether the open config is wanted.
        lend: bool,
    },
    /// The same with `lend`, for a running vassal that is told to reload: what is in it is held for its next process.
    Renew {
        /// The vassal.
        id: u32,
        /// File name below the directory.
        file: String,
    },
    /// Watch a directory. Descriptors: the inotify instance, the directory.
    Watch {
        /// Mask of `inotify_add_watch(2)`.
        mask: u32,
    },
    /// Open the log of the charter anew, and write there from now on.
    OpenLog,
    /// Write to this log from now on. Descriptor: the log.
    TakeLog,
}

/// What the emperor gets to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The directory; its descriptor comes along.
    Directory,
    /// How a config looks. Descriptors: itself if it was asked for and may run, then the directory of each target.
    Seen(Seen),
    /// The watch descriptor.
    Watch(i32),
    /// The log is in its place. Descriptor: the log, if it was to be opened.
    Log,
    /// It is not: one sentence.
    NoLog(String),
    /// There is no such file.
    Missing,
    /// `errno(3)`.
    Error(i32),
}

/// The bytes of a message.
///
/// # Errors
/// It is longer than `MESSAGE_MAX`.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    packet::encode(message, MESSAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket { id: 7, attempt: 3 };

    #[test]
    fn a_message_comes_back_as_it_went() {
        let (file, name) = ("a.ini".into(), "/srv/a.ini".into());
        let request = Request::Spawn { ticket: TICKET, file, name, zerg: Some(3), heard: true };
        assert_eq!(decode(&encode(&request).expect("short")), Ok(request));
        let reply = Reply::Hook(TICKET, Err("no".into()));
        assert_eq!(decode(&encode(&reply).expect("short")), Ok(reply));
    }

    #[test]
    fn unknown_short_and_long_packets_are_refused() {
        assert_eq!(decode::<Request>(&[200, 1, 2]), Err(Malformed));
        assert_eq!(decode::<Request>(&[]), Err(Malformed));
        let mut bytes = encode(&Request::Bury(TICKET)).expect("short");
        bytes.push(0);
        assert_eq!(decode::<Request>(&bytes), Err(Malformed));
        let name = "x".repeat(MESSAGE_MAX);
        assert_eq!(
            encode(&Request::Spawn {
                ticket: TICKET,
                file: name,
                name: String::new(),
                zerg: None,
                heard: false
            }),
            Err(Malformed)
        );
    }

    proptest::proptest! {
        #[test]
        fn no_packet_makes_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256)) {
            let _ = decode::<Request>(&bytes);
            let _ = decode::<Ask>(&bytes);
            let _ = decode::<Reply>(&bytes);
            let _ = decode::<Answer>(&bytes);
        }
    }
}
