//! Pure. uWSGI's stats of an Emperor as JSON, with what it lacks: state, last end, next start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::checks::{Checks, Rules};
use crate::config::emperor::stats::Form;
use crate::emperor::event::{Fingerprint, Moment};
use crate::emperor::past::End;
use crate::emperor::reasons::CHECK;
use crate::emperor::snapshot::{BlacklistView, DaemonView, JailView, Snapshot, VassalView};
use crate::reactor::Calendar;

/// What does not change while the Emperor runs.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "they are the keys of the document")]
pub struct Facts {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
    pub cwd: String,
    pub tyrant: bool,
    pub jail: String,
    pub emperor_capabilities: String,
    pub spawner_capabilities: String,
    /// Where the leaves of all vassals are, if they have limits: no key of the document.
    pub cgroup: Option<PathBuf>,
    /// The Emperor's own config: no key either.
    pub rules: Rules,
}

/// What is the Emperor's own.
pub struct Own<'a> {
    /// What does not change.
    pub facts: &'a Facts,
    /// Routers between jails and the world.
    pub routers: Vec<RouterView<'a>>,
    /// Its daemons.
    pub daemons: Vec<DaemonView>,
}

/// A router, as its Emperor knows it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "they are the keys of the document")]
pub struct RouterView<'a> {
    pub device: &'a str,
    pub socket: &'a str,
    /// -1 while there is none.
    pub pid: i32,
    pub restarts: u32,
    pub parked: usize,
}

/// Routers and daemons.
type Served<'a> = (&'a [RouterView<'a>], &'a [DaemonView]);

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    #[serde(flatten)]
    emperors: Option<Emperors<'a>>,
    vassals: Vec<Vassal<'a>>,
    blacklist: Vec<Blacklisted<'a>>,
}

/// What is none of a guest's.
#[derive(Serialize)]
struct Emperors<'a> {
    pid: i32,
    uid: u32,
    gid: u32,
    cwd: &'a str,
    emperor: &'a [String],
    emperor_tyrant: u8,
    throttle_level: u64,
    jail: &'a str,
    emperor_capabilities: &'a str,
    spawner_capabilities: &'a str,
    log_lines_dropped: u64,
    routers: &'a [RouterView<'a>],
    daemons: Vec<Daemon<'a>>,
}

#[derive(Serialize)]
struct Vassal<'a> {
    id: &'a str,
    pid: i32,
    born: u64,
    last_mod: i64,
    last_heartbeat: u64,
    loyal: u8,
    ready: u8,
    accepting: u8,
    last_loyal: u64,
    last_ready: u64,
    last_accepting: u64,
    first_run: u64,
    last_run: u64,
    cursed: u64,
    zerg: u8,
    on_demand: &'a str,
    suspended: u8,
    adopted: u8,
    uid: u32,
    gid: u32,
    monitor: &'a str,
    attrs: BTreeMap<&'a str, Vec<&'a str>>,
    respawns: u32,
    state: &'static str,
    starts: u32,
    last_exit: Option<String>,
    next_start: u64,
    note: String,
    since: u64,
    config: String,
    fingerprint: String,
    uses: String,
    deaths: u32,
    last_end: Option<Ended>,
    reason: String,
    reason_at: u64,
    next: String,
    advice: String,
    limits_met: &'a str,
    sockets: &'a str,
    said: &'a str,
    daemons: Vec<Daemon<'a>>,
    jail: Option<Jail<'a>>,
}

/// A daemon beside its command.
#[derive(Serialize)]
struct Daemon<'a> {
    name: &'a str,
    state: &'static str,
    /// As its vassal counts; -1 while there is none.
    pid: i32,
    starts: u32,
    since: u64,
    said: &'a str,
}

/// What its process was born into.
#[derive(Serialize)]
struct Jail<'a> {
    kind: &'static str,
    namespaces: &'a str,
    user: &'static str,
    root: &'static str,
    cgroup: &'a str,
}

/// How and why its last process ended.
#[derive(Serialize)]
struct Ended {
    at: u64,
    exit: String,
    ran_ms: Option<u64>,
    told_to_stop: Option<&'static str>,
    killed: Option<&'static str>,
    reload: bool,
    said: Option<String>,
}

#[derive(Serialize)]
struct Blacklisted<'a> {
    id: &'a str,
    throttle_level: u64,
    attempt: u32,
    first_attempt: u64,
    last_attempt: u64,
}

/// The stats of this moment; for a guest nothing of the Emperor's own, nor where it has its configs from.
pub fn document(
    snapshot: &Snapshot,
    (own, rules, all): (Option<&Own<'_>>, &Rules, &[String]),
    calendar: &Calendar,
    form: Form,
) -> Vec<u8> {
    let sources = if own.is_some() { all } else { &[] };
    let known = own.map(|own| (own.facts, (&own.routers[..], &own.daemons[..])));
    let checks = rules.for_reader(own.is_some(), all);
    written(&assemble(snapshot, (sources, checks), known, calendar), form)
}

fn written(document: &Document<'_>, form: Form) -> Vec<u8> {
    let written =
        if form.minified { serde_json::to_vec(document) } else { serde_json::to_vec_pretty(document) };
    let mut bytes = written.unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Valid JSON whatever the names are.
fn assemble<'a>(
    snapshot: &'a Snapshot,
    (sources, checks): (&'a [String], Checks<'_>),
    known: Option<(&'a Facts, Served<'a>)>,
    calendar: &Calendar,
) -> Document<'a> {
    // A guest is told the name alone.
    let cwd = known.map_or("", |(facts, _)| facts.cwd.as_str());
    let vassal = |view| Vassal::of(view, (sources, cwd, checks), calendar);
    Document {
        version: env!("CARGO_PKG_VERSION"),
        emperors: known.map(|(facts, served)| Emperors::of((facts, calendar), sources, served)),
        vassals: snapshot.vassals.iter().map(vassal).collect(),
        blacklist: snapshot.blacklist.iter().map(|entry| Blacklisted::of(entry, calendar)).collect(),
    }
}

impl<'a> Emperors<'a> {
    fn of(
        (facts, calendar): (&'a Facts, &Calendar),
        sources: &'a [String],
        (routers, daemons): Served<'a>,
    ) -> Self {
        Self {
            pid: facts.pid,
            uid: facts.uid,
            gid: facts.gid,
            cwd: &facts.cwd,
            emperor: sources,
            emperor_tyrant: facts.tyrant.into(),
            // Each vassal is paced by itself: there is no level of all.
            throttle_level: 0,
            jail: &facts.jail,
            emperor_capabilities: &facts.emperor_capabilities,
            spawner_capabilities: &facts.spawner_capabilities,
            log_lines_dropped: crate::log::dropped(),
            routers,
            daemons: daemons.iter().map(|view| Daemon::of(view, calendar)).collect(),
        }
    }
}

impl<'a> Vassal<'a> {
    fn of(
        view: &'a VassalView,
        (sources, cwd, checks): (&'a [String], &str, Checks<'_>),
        calendar: &Calendar,
    ) -> Self {
        let config = config(view, sources, cwd);
        let check = checks.command(view.key.monitor.0.into(), &config);
        let unix = |moment: Option<Moment>| moment.map_or(0, |moment| calendar.unix_s(moment));
        Self {
            id: &view.key.name,
            pid: view.pid.unwrap_or(-1),
            born: calendar.unix_s(view.born),
            last_mod: view.mtime_s,
            last_heartbeat: unix(view.last_heartbeat),
            loyal: view.loyal.into(),
            ready: view.ready.into(),
            accepting: view.accepting.into(),
            last_loyal: unix(view.last_loyal),
            last_ready: unix(view.last_ready),
            last_accepting: unix(view.last_accepting),
            first_run: unix(view.first_run),
            last_run: unix(view.last_run),
            cursed: unix(view.cursed),
            zerg: view.zerg.into(),
            on_demand: view.on_demand.as_deref().unwrap_or_default(),
            suspended: view.suspended.into(),
            adopted: 0,
            uid: view.owner.uid,
            gid: view.owner.gid,
            monitor: sources.get(usize::from(view.key.monitor.0)).map_or("", String::as_str),
            attrs: attributes(view),
            respawns: view.respawns,
            state: view.state,
            starts: view.starts,
            last_exit: view.last_exit.map(|exit| exit.to_string()),
            next_start: unix(view.next_start),
            note: view.note(calendar.now()),
            since: calendar.unix_s(view.since),
            config,
            fingerprint: fingerprint(view.fingerprint),
            uses: view.uses.map(fingerprint).unwrap_or_default(),
            deaths: view.deaths,
            last_end: view.last_end.as_ref().map(|end| Ended::of(end, calendar)),
            reason: view.reason(),
            reason_at: unix(view.reason_at()),
            next: view.next(calendar.now()),
            advice: view.advice().replace(CHECK, &check),
            limits_met: view.strain.as_deref().unwrap_or_default(),
            sockets: view.serves.as_deref().unwrap_or_default(),
            said: view.said.as_deref().unwrap_or_default(),
            daemons: view.daemons.iter().map(|daemon| Daemon::of(daemon, calendar)).collect(),
            // Where the cgroups of all are is nothing for guests.
            jail: view.jail.as_ref().map(|jail| Jail::of(jail, !sources.is_empty())),
        }
    }
}

impl<'a> Jail<'a> {
    fn of(jail: &'a JailView, own: bool) -> Self {
        Self {
            kind: jail.kind,
            namespaces: &jail.namespaces,
            user: jail.user,
            root: jail.root,
            cgroup: jail.cgroup.as_deref().filter(|_| own).unwrap_or_default(),
        }
    }
}

impl<'a> Daemon<'a> {
    fn of(view: &'a DaemonView, calendar: &Calendar) -> Self {
        Self {
            name: &view.name,
            state: view.state,
            pid: view.pid.unwrap_or(-1),
            starts: view.starts,
            since: calendar.unix_s(view.since),
            said: &view.said,
        }
    }
}

impl Ended {
    fn of(end: &End, calendar: &Calendar) -> Self {
        Self {
            at: calendar.unix_s(end.at),
            exit: end.exit.to_string(),
            ran_ms: end.ran_ms,
            told_to_stop: end.bidden.stop,
            killed: end.bidden.kill,
            reload: end.bidden.reload,
            said: end.trouble.as_ref().map(ToString::to_string),
        }
    }
}

/// A name may have several values.
fn attributes(view: &VassalView) -> BTreeMap<&str, Vec<&str>> {
    let mut all = BTreeMap::<&str, Vec<&str>>::new();
    view.attributes.iter().for_each(|(name, value)| all.entry(name).or_default().push(value));
    all
}

fn fingerprint(of: Fingerprint) -> String {
    format!("{:016x}", of.0)
}

/// A directory gives names of files in it, a pattern whole paths or such that count from where the Emperor was started.
fn config(view: &VassalView, sources: &[String], cwd: &str) -> String {
    let source = sources.get(usize::from(view.key.monitor.0)).map_or("", String::as_str);
    let name = &*view.key.name;
    let is_path = source.contains(['*', '?', '[']) || source == name;
    let path = if is_path { PathBuf::from(name) } else { Path::new(source).join(name) };
    Path::new(cwd).join(path).to_string_lossy().into_owned()
}

impl<'a> Blacklisted<'a> {
    fn of(entry: &'a BlacklistView, calendar: &Calendar) -> Self {
        Self {
            id: &entry.key.name,
            throttle_level: entry.delay_ms,
            attempt: entry.attempts,
            first_attempt: calendar.unix_s(entry.first_attempt),
            last_attempt: calendar.unix_s(entry.last_attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::emperor::Emperor;
    use serde_json::Value;

    use super::*;
    use crate::emperor::event::{Event, Key, MonitorId, Owner, Sight};
    use crate::emperor::policy::Policy;

    #[test]
    fn the_document_is_valid_json_whatever_the_names_are() {
        let mut emperor = Emperor::new(Policy::default());
        let name = "a\"b\\\n\u{1b}é.ini";
        let key = Key { monitor: MonitorId(0), name: name.into() };
        let owner = Owner { uid: 7, gid: 8 };
        let sight =
            Sight { fingerprint: Fingerprint(1), owner, mtime_s: 5, refusal: Some("no \"way\"".into()) };
        emperor.handle(Event::Seen(key, sight), Moment(1));
        let calendar = Calendar::at(Moment(1), 1000);
        let bytes = written(
            &assemble(
                &emperor.snapshot(),
                (&["/srv/\"x\"".to_owned()], Checks::default()),
                Some((&Facts::default(), (&[], &[]))),
                &calendar,
            ),
            Form::default(),
        );
        let document: Value = serde_json::from_slice(&bytes).expect("valid");
        let vassal = &document["vassals"][0];
        assert_eq!(vassal["id"], name);
        assert_eq!((&vassal["pid"], &vassal["uid"], &vassal["gid"]), (&(-1).into(), &7.into(), &8.into()));
        assert_eq!(vassal["monitor"], "/srv/\"x\"");
        assert_eq!(vassal["note"], "no \"way\"");
        assert_eq!(vassal["reason"], "its config may not run: no \"way\"");
        assert_eq!(vassal["config"], format!("/srv/\"x\"/{name}"));
        assert_eq!(vassal["born"], 1000);
    }
}
