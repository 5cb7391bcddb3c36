//! Pure. What the Emperor wants done.

use std::sync::Arc;

use super::event::{Digest, Exit, Incarnation, Key, Moment, Owner, VassalId};

/// Bytes of the Emperor protocol, Emperor → vassal.
pub mod to_vassal {
    /// Stop now.
    pub const STOP: u8 = 0;
    /// Reload.
    pub const RELOAD: u8 = 1;
    /// Stop when all work in hand is done.
    pub const STOP_GRACEFULLY: u8 = 2;
    /// A line about one daemon begins, of bytes from 32 up. Only for our own vassal master, which says that it is by `DAEMON`.
    pub const STEER: u8 = 20;
    /// It ends.
    pub const STEER_END: u8 = 10;
    /// Bytes of one line.
    pub const STEER_MAX: usize = 100;
    /// Tell the limits of your config to whoever asks for them; a channel comes along. Only for who has said `LIMITED`.
    pub const LEND_LIMITS: u8 = 7;
}

/// Bytes of the Emperor protocol, vassal → Emperor.
pub mod from_vassal {
    /// Started.
    pub const SPAWNED: u8 = 1;
    /// Asks for its config (only where the monitor supplies the text).
    pub const CONFIG: u8 = 2;
    /// Accepts requests.
    pub const ACCEPTING: u8 = 5;
    /// Has done useful work: never throttled for what happened before.
    pub const LOYAL: u8 = 17;
    /// A text begins, of bytes from 32 up; another Emperor passes over all of it.
    pub const TEXT: u8 = 13;
    /// It ends.
    pub const TEXT_END: u8 = 10;
    /// Bytes of one text; what is longer loses its end.
    pub const TEXT_MAX: usize = 120;
    /// A text begins: what keeps it from going on. As above, but longer.
    pub const TROUBLE: u8 = 14;
    /// A text begins: why it does not use the newest config; an empty one says that it does.
    pub const KEPT: u8 = 15;
    /// Another program takes the place of our vassal master, one that may miss a reload before it accepts.
    pub const BECOMES: u8 = 16;
    /// A text begins: where it listens.
    pub const SERVES: u8 = 18;
    /// Its config is wrong by its text alone: no further start does better. Heard from who has not been ready.
    pub const USELESS: u8 = 19;
    /// A text begins: where one of its daemons stands; an empty one says that those told of before are none of its own.
    pub const DAEMON: u8 = 20;
    /// Bytes of one of these texts.
    pub const LONG_TEXT_MAX: usize = 400;
    /// A text begins: of which text the config is that it begins anew with. Nothing but a text that it was given counts.
    pub const TAKES: u8 = 21;
    /// Wants to be stopped.
    pub const GOODBYE: u8 = 22;
    /// Its config puts limits of its own on its command: it lends them to whoever enters its jail.
    pub const LIMITED: u8 = 23;
    /// Still alive.
    pub const HEARTBEAT: u8 = 26;
    /// Asks for reinforcement.
    pub const SOS: u8 = 30;
}

/// What is to be done, carried out by the runtime in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Make the process of this vassal. Answered by `Born`/`Running`, `SpawnFailed`, `Refused` or
    /// `Listening`.
    Spawn(Incarnation),
    /// Send a byte of the protocol; `RELOAD` is sent together with the descriptor of the newest config.
    Send(Incarnation, u8),
    /// SIGKILL for the process and everything in its jail; answered by `Killing`, and then by `Exited`.
    Kill(Incarnation),
    /// The process was reaped: whatever is left of its jail is killed, its descriptors and its cgroup go.
    Bury(Incarnation),
    /// Wait for a connection to its listener; answered by one `Connected`.
    Await(VassalId),
    /// Have it read again where it listens; answered by `Moved`, `Unlistened`, `Misaddressed`, or nothing.
    Readdress(VassalId),
    /// Its listener is closed, and its file removed.
    Unlisten(VassalId),
    /// Whoever waits for a change of this vassal is told how it is now.
    Report(VassalId),
    /// The vassal is no more: its entry in the runtime's tables goes, and its listener.
    Forget(VassalId),
    /// Of the texts that it was given with reloads this one is held, and those after it: its next process goes on with it where
    /// its config is wrong by then. Without one none is held any more.
    Hold(VassalId, Option<Digest>),
    /// It is disabled no more: whoever has disabled it is not its owner any more.
    Enabled(Key),
    /// Say this.
    Tell(Notice),
    /// The last vassal is gone after `StopAll`: the Emperor ends.
    Finish,
    /// The spawner does not answer: it is killed, and with everybody who is left the Emperor ends, as one that failed.
    Abandon,
}

/// One thing to say about one vassal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which vassal.
    pub key: Key,
    /// Whose it is.
    pub owner: Owner,
    /// What happened.
    pub what: News,
}

/// What is told; the log renders it, with uWSGI's wording where tools look for that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum News {
    /// warn: the config may not run.
    Refused {
        reason: Arc<str>,
    },
    /// info: the process was made.
    Started {
        pid: i32,
        owner: Owner,
        start: u32,
    },
    /// info: bytes 1, 5, 17.
    Spawned {
        pid: i32,
    },
    Accepting {
        pid: i32,
    },
    Loyal {
        pid: i32,
    },
    /// info: reload asked for.
    Reloading {
        pid: i32,
    },
    /// warn: it did not answer the reload in time, and goes on with the config that it had.
    Unanswered {
        pid: i32,
    },
    /// It does not use its newest config, and has said why.
    Kept {
        reason: Arc<str>,
    },
    /// It cannot go on, and has said why.
    Troubled {
        reason: Arc<str>,
    },
    /// info: stop asked for.
    Stopping {
        pid: i32,
        reason: &'static str,
    },
    /// warn: `curse-tolerance` is over, or the heartbeat is missing.
    Killing {
        pid: i32,
        reason: &'static str,
    },
    /// info when it was asked for, else warn.
    Exited {
        pid: i32,
        exit: Exit,
        expected: bool,
    },
    /// warn: no process; `reason` is a sentence with cause and cure.
    SpawnFailed {
        reason: Arc<str>,
    },
    /// warn: it will be tried again at `until`, because it died `times` times without being loyal.
    Throttled {
        until: Moment,
        delay_ms: u64,
        times: u32,
    },
    /// warn: it is not started again before its config changes (after a goodbye: or everything reloads).
    Resting {
        reason: &'static str,
    },
    /// info: it waits for the command `spawn`.
    Suspended,
    /// info: it has asked for reinforcement, and gets its zerg of this number.
    Reinforced {
        number: u32,
    },
    /// warn: the owner of the config changed under the running vassal.
    OwnerChanged {
        from: Owner,
        to: Owner,
    },
    /// warn: this owner has too many vassals already.
    TooMany {
        owner: Owner,
        max: u32,
    },
    /// info: it is on demand, and listens here.
    Listening {
        address: Arc<str>,
    },
    /// warn: the file beside its config does not say where it can listen.
    Misaddressed {
        reason: Arc<str>,
    },
    /// info: it is not on demand any more.
    Unlistened,
    /// info: it ended because it had nothing to do, and waits for a connection.
    BackOnDemand,
    /// info: the config changed while it waits for a connection.
    Remembered,
    /// info: the config is gone and so is the vassal.
    Removed,
}
