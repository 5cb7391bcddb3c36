//! Pure. What the Emperor shows of itself: the stats and `liege status` are made from this.

use std::sync::Arc;

use super::event::{Exit, Fingerprint, Key, Moment, Owner, VassalId};
use super::pacing::Class;
use super::past::{End, Past};
use super::policy::Policy;
use super::state::{Rest, State};
use super::vassal::Vassal;

/// All vassals by their number, and those that pay for deaths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The vassals.
    pub vassals: Vec<VassalView>,
    /// The blacklist.
    pub blacklist: Vec<BlacklistView>,
    /// Whether everything stops.
    pub ending: bool,
}

/// Name and value.
pub type Attribute = (String, String);

/// What a process was born into. What its own config adds to that (`unshare`, `rootfs`) is its own affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JailView {
    /// `none`, `standard` or `strict`; `fork-server` for the one of whoever made it.
    pub kind: &'static str,
    /// Its namespaces, by name.
    pub namespaces: String,
    /// Who it is in its user namespace: `host` without one, `root`, `root, then its owner`, `owner`.
    pub user: &'static str,
    /// The root that it sees: that of the `host`, or of the `jail`.
    pub root: &'static str,
    /// The directory of its cgroup, where it has one of its own.
    pub cgroup: Option<String>,
}

/// One daemon of a vassal, as that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonView {
    /// Its name.
    pub name: String,
    /// Where it stands, one word.
    pub state: &'static str,
    /// Its process, as its vassal counts them.
    pub pid: Option<i32>,
    /// How often it was started.
    pub starts: u32,
    /// Since when it stands there.
    pub since: Moment,
    /// What it says of itself.
    pub said: String,
}

/// One vassal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VassalView {
    /// Its name.
    pub key: Key,
    /// Its number.
    pub id: VassalId,
    /// Its process, if there is one.
    pub pid: Option<i32>,
    /// As whom its process runs, else as whom it would.
    pub owner: Owner,
    /// Modification time of the config, unix seconds.
    pub mtime_s: i64,
    /// Where it listens, if it is on demand.
    pub on_demand: Option<Arc<str>>,
    /// It is a zerg.
    pub zerg: bool,
    /// Another program than our vassal master has its control descriptor.
    pub foreign: bool,
    /// Where it stands, one word.
    pub state: &'static str,
    /// Since when.
    pub since: Moment,
    /// When its config was first seen.
    pub born: Moment,
    /// When its first process was ordered.
    pub first_run: Option<Moment>,
    /// When its last process was ordered, or told to reload.
    pub last_run: Option<Moment>,
    /// Its process has said that it was spawned, since it was started or told to reload.
    pub ready: bool,
    /// That it accepts, since then.
    pub accepting: bool,
    /// That it is loyal.
    pub loyal: bool,
    /// When it last said the first of these,
    pub last_ready: Option<Moment>,
    /// the second,
    pub last_accepting: Option<Moment>,
    /// and the third.
    pub last_loyal: Option<Moment>,
    /// Its last heartbeat.
    pub last_heartbeat: Option<Moment>,
    /// Since when it is meant to end: it was told to, or closed its control descriptor.
    pub cursed: Option<Moment>,
    /// How often it was told to reload; what uWSGI's stats call respawns.
    pub respawns: u32,
    /// How many processes it has had.
    pub starts: u32,
    /// Number of the last order to start it: some bind its listener, or come to no process.
    pub attempts: u32,
    /// Deaths in a row that nothing forgave.
    pub deaths: u32,
    /// How its last process ended.
    pub last_exit: Option<Exit>,
    /// How and why that was.
    pub last_end: Option<End>,
    /// Of the config as last seen.
    pub fingerprint: Fingerprint,
    /// When it is started again.
    pub next_start: Option<Moment>,
    /// Why its config may not run, or why its owner may have no further vassal.
    pub refusal: Option<Arc<str>>,
    /// Why it was not as much as started, if that was its last misfortune.
    pub failure: Option<Arc<str>>,
    /// What a limit has done to it since it was last loyal.
    pub strain: Option<Arc<str>>,
    /// Why it does not use its newest config, as it says.
    pub kept: Option<Arc<str>>,
    /// It has said so of the one that it was given last.
    pub keeps: bool,
    /// What keeps it from going on, as it says.
    pub trouble: Option<Arc<str>>,
    /// The config that its program uses, if it has one.
    pub uses: Option<Fingerprint>,
    /// Nothing is started before the command `spawn`.
    pub suspended: bool,
    /// Because somebody has stopped it.
    pub halted: bool,
    /// Nor before it is enabled.
    pub disabled: bool,
    /// Because its owner is.
    pub outlaws: bool,
    /// Where it listens, as it says.
    pub serves: Option<Arc<str>>,
    /// What it says of itself.
    pub said: Option<Arc<str>>,
    /// Its daemons, by name.
    pub daemons: Vec<DaemonView>,
    /// Its jail, once its program runs.
    pub jail: Option<JailView>,
    /// What its config says to the Emperor, in order (`emperor-collect-attr`).
    pub attributes: Arc<[Attribute]>,
    /// Its program runs, or did until it was told to end.
    pub up: bool,
    /// What happens next by itself, and when.
    pub deadline: Option<(Moment, &'static str)>,
}

/// One entry of the blacklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlacklistView {
    /// Whose.
    pub key: Key,
    /// The delay after the last death, in milliseconds.
    pub delay_ms: u64,
    /// Deaths in a row.
    pub attempts: u32,
    /// When the first of them was.
    pub first_attempt: Moment,
    /// When the last of them was.
    pub last_attempt: Moment,
}

impl VassalView {
    /// What is to be seen of this vassal.
    pub fn of(vassal: &Vassal, policy: &Policy) -> Self {
        let (life, process) = (&vassal.life, &vassal.process);
        let alive = vassal.state.is_alive();
        let past = life.past.as_deref();
        let last_end = past.and_then(|past| past.end.clone());
        Self {
            key: vassal.key.clone(),
            id: vassal.id,
            pid: process.pid,
            owner: policy.ids.of(if alive { process.owner } else { vassal.config.owner }),
            mtime_s: vassal.config.mtime_s,
            on_demand: vassal.listener.as_ref().map(|listener| listener.address.clone()),
            zerg: vassal.is_zerg,
            foreign: vassal.is_foreign(policy),
            state: word(vassal),
            since: life.since,
            born: life.born,
            first_run: life.first_run,
            last_run: life.last_run,
            ready: alive && process.said.spawned,
            accepting: alive && process.said.accepting,
            loyal: alive && process.said.loyal,
            last_ready: life.last_ready,
            last_accepting: life.last_accepting,
            last_loyal: life.last_loyal,
            last_heartbeat: life.last_heartbeat,
            cursed: cursed_at(vassal),
            respawns: life.reloads,
            starts: life.starts,
            attempts: vassal.attempt,
            deaths: vassal.pacing.deaths,
            last_exit: last_end.as_ref().map(|end| end.exit),
            last_end,
            fingerprint: vassal.config.fingerprint,
            next_start: next_start(vassal),
            refusal: vassal.refusal().cloned().or_else(|| excess(vassal)),
            failure: vassal.failure.clone(),
            strain: None,
            kept: past.and_then(|past| past.kept.clone()).filter(|_| alive),
            keeps: alive && past.is_some_and(Past::keeps),
            trouble: past.and_then(|past| past.trouble.clone()).filter(|_| alive),
            uses: process.ran_at.filter(|_| alive).map(|_| uses(vassal)),
            suspended: vassal.is_barred(),
            halted: is_halted(vassal, policy),
            disabled: vassal.is_disabled(),
            outlaws: vassal.outlaws,
            serves: None,
            said: None,
            daemons: Vec::new(),
            jail: None,
            attributes: Arc::default(),
            up: vassal.state.is_up(),
            deadline: vassal.deadline(policy).map(|(at, due)| (at, due.word())),
        }
    }
}

impl VassalView {
    /// Why it is not up, for people, and when it will be tried again; or which limit it has met. Empty when all is well.
    pub fn note(&self, now: Moment) -> String {
        if let Some(refusal) = &self.refusal {
            return refusal.to_string();
        }
        let strain = self.strain.as_ref().map(ToString::to_string);
        if self.up {
            let said = self.said.iter().chain(&self.trouble).map(ToString::to_string);
            let kept = self.kept.as_ref().map(|reason| format!("its new config is not used: {reason}"));
            return said.chain(kept).chain(strain).collect::<Vec<_>>().join("; ");
        }
        if self.is_useless() {
            return self.fault().to_owned();
        }
        let failure = self.failure.as_ref().map(|reason| format!("cannot be started: {reason}"));
        let end = || self.last_end.as_ref().map(brief);
        let next = self.next_start.map(|at| format!("next start in {} s", at.ms_since(now).div_ceil(1_000)));
        failure.or_else(end).into_iter().chain(strain).chain(next).collect::<Vec<_>>().join("; ")
    }
}

impl BlacklistView {
    /// Its entry, if there is a blacklist and it has died without having proven itself.
    pub fn of(vassal: &Vassal, policy: &Policy) -> Option<Self> {
        let pacing = &vassal.pacing;
        let counts = pacing.deaths > 0 && pacing.class == Class::Second && !policy.no_blacklist;
        counts.then(|| Self {
            key: vassal.key.clone(),
            delay_ms: pacing.delay_ms,
            attempts: pacing.deaths,
            first_attempt: pacing.first,
            last_attempt: pacing.last,
        })
    }
}

fn word(vassal: &Vassal) -> &'static str {
    match vassal.state {
        State::Rested(Rest::Suspended) | State::Idle if vassal.is_disabled() => "disabled",
        State::Idle if vassal.is_barred() => State::Rested(Rest::Suspended).word(),
        state => state.word(),
    }
}

/// One that waits for its first command was stopped by nobody.
fn is_halted(vassal: &Vassal, policy: &Policy) -> bool {
    let waits = vassal.attempt == 0 && policy.suspends(&vassal.key.name);
    vassal.suspended && !waits
}

fn uses(vassal: &Vassal) -> Fingerprint {
    let older = vassal.life.past.as_ref().and_then(|past| past.uses);
    older.unwrap_or(vassal.process.fingerprint)
}

fn brief(end: &End) -> String {
    let said = end.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
    format!("last end: {}{said}", end.exit.words())
}

fn excess(vassal: &Vassal) -> Option<Arc<str>> {
    (vassal.state == State::Excess).then(|| "its owner has too many vassals (emperor-tenant-max)".into())
}

fn cursed_at(vassal: &Vassal) -> Option<Moment> {
    match vassal.state {
        State::Stopping { .. } | State::Killed { .. } => Some(vassal.life.since),
        _ if vassal.state.is_alive() => vassal.process.silent_at,
        _ => None,
    }
}

fn next_start(vassal: &Vassal) -> Option<Moment> {
    match vassal.state {
        State::Waiting { until } => Some(until),
        _ => None,
    }
}
