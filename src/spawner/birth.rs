//! Pure. From a config that was looked at to the jail of its vassal.

use std::ffi::CString;
use std::os::fd::RawFd;

use jail::plan::{Awaited, Errand};
use jail::plan::{Filter, Limit, Network, Resource, Restraint, Setting};
use jail::{Capabilities, Extent, Identity, Namespaces, Phase, Program, Spec, UserMap};

use super::charter::{Charter, Filtering, Lodging, VassalProgram};
use super::jailing::{self, Inside, Scenery};
use crate::config::emperor::id_range::IdRanges;
use crate::config::hook::{self, Action, Hook, Task};
use crate::emperor::brood::ZERG;
use crate::emperor::event::Owner;
use crate::errand::{Brief, Which};
use crate::subids::Ranges;
use crate::trust::Trust;
use crate::vassal::ROUTERS;
use crate::vassal::born::{ACCEPTED, OUTSIDE, OWNER, WHOLE};
use crate::vassal::confine::{FILTER, Refused, STANDARD, STRICT, STRICT_LATER};

/// Where a vassal finds its control descriptor.
pub const CONTROL_FD: RawFd = 3;
/// Before the name of a config that comes on a descriptor.
const PIPE_SCHEME: &str = "emperor://";
/// Before the name of a config that is what a program prints.
const PROGRAM_SCHEME: &str = "exec://";
/// Where our own vassal master finds its open config, and any vassal its config pipe.
pub const CONFIG_FD: RawFd = 4;
/// Where our own vassal master finds its way to our network.
pub const NETWORK_FD: RawFd = 5;
/// Where our own vassal master finds the first of its ways to routers, the others behind it.
pub const ROUTER_FD: RawFd = 6;
/// Directories in which programs are looked up, ours and those of the hooks.
pub const SEARCH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A config about to become a process.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// File name, as it stands on the vassal's command line.
    pub file: &'a str,
    /// `emperor-magic-exec` makes a program of it.
    pub is_program: bool,
    /// The vassal as people know it.
    pub name: &'a str,
    /// It is the zerg of this number: it reads another section of the same config.
    pub zerg: Option<u32>,
    /// The path of its directory, for the hooks of its birth.
    pub place: &'a str,
    /// Whether the file and all above it are root's.
    pub trust: Trust,
    /// Supplementary groups of that owner, as policy has them.
    pub groups: Vec<u32>,
    /// Our own ids.
    pub own: Owner,
    /// Ids that it has besides its own, in a user namespace.
    pub ranges: Ranges,
    /// Descriptors of ours that it gets.
    pub lent: Lent,
    /// A ready network namespace, if there is one.
    pub network: Option<RawFd>,
    /// What its file system is built on.
    pub scenery: Scenery,
    /// Ways to the routers of the charter, in their order.
    pub routers: Vec<RawFd>,
}

/// Descriptors for one birth.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// `/dev/null`.
    pub null: RawFd,
    /// Its listener, if it is on demand.
    pub listener: Option<RawFd>,
    /// Where its output goes, if not where ours does.
    pub output: Option<RawFd>,
    /// The vassal's end of its control socket.
    pub control: RawFd,
    /// Its open config.
    pub config: RawFd,
    /// The config that the process before it has taken, where that is another one.
    pub accepted: Option<RawFd>,
    /// The directory of its config.
    pub directory: RawFd,
    /// Our own sealed executable.
    pub executable: RawFd,
    /// What is to be done as root of its namespaces, if anything is.
    pub before_drop: RawFd,
    /// What is to be done with its ids, if anything is.
    pub as_vassal: RawFd,
    /// A way to our network, for whoever is born outside of it.
    pub outside: Option<RawFd>,
    /// Its end of the socket on which it waits for what is done before it.
    pub awaited: Option<RawFd>,
}

/// The jail of one vassal.
pub fn spec(charter: &Charter, subject: &Subject<'_>) -> Spec {
    let inside = charter.inside(subject.trust);
    let identity = identity(charter, subject, inside);
    let namespaces = charter.namespaces_of(subject.trust);
    let user = inside != Inside::Host;
    let mounts = jailing::mounts(charter, inside, &subject.scenery);
    Spec {
        namespaces,
        network: subject.network.map_or(Network::Fresh, Network::Pooled),
        user_map: user.then(|| user_map(charter, subject, inside)),
        proc: namespaces.has(Namespaces::FS.with(Namespaces::PID)),
        file_ids: user.then(|| ids_inside(inside, charter.owner_of(subject.trust, subject.own))),
        directory_path: mounts.as_ref().map(|_| subject.scenery.path.clone().unwrap_or_default()),
        mounts,
        hostname: None,
        arrival: None,
        hooks: Vec::new(),
        awaited: subject.lent.awaited.map(|socket| awaited(charter, socket)),
        errands: errands(charter, subject),
        bounding: bounding(charter, identity.is_some(), inside),
        keep: jailing::kept(charter, inside),
        no_new_privs: identity.is_some() || user,
        scopes: charter.scopes(),
        filters: filters(charter, inside),
        identity,
        settings: settings(charter, inside),
        dies_with_parent: true,
        session: true,
        directory: Some(subject.lent.directory),
        descriptors: descriptors(charter, subject),
        program: program(charter, subject),
        environment: environment(charter, subject, inside),
    }
}

fn ids_inside(inside: Inside, owner: Owner) -> (u32, u32) {
    match inside {
        Inside::Root(_) => (0, 0),
        Inside::Host | Inside::Owner => (owner.uid, owner.gid),
    }
}

/// In a user namespace of its own its processes are counted apart from all others (`getrlimit(2)`), so a bound is its alone.
fn settings(charter: &Charter, inside: Inside) -> Vec<Setting> {
    let bound = charter.processes_max.filter(|_| inside != Inside::Host);
    let bound = bound.map(|max| Setting::Limit(Resource::Nproc, Limit::of(max)));
    charter.settings.iter().cloned().chain(bound).collect()
}

/// Root inside is the owner outside: all power in the jail, none beyond it. Or the owner is himself, without any.
fn user_map(charter: &Charter, subject: &Subject<'_>, inside: Inside) -> UserMap {
    let outside = charter.owner_of(subject.trust, subject.own);
    let (uid, gid) = ids_inside(inside, outside);
    let with = |first, range: &[Extent]| [&[first], range].concat();
    UserMap {
        uid: with(Extent::one(uid, outside.uid), &subject.ranges.uid),
        gid: with(Extent::one(gid, outside.gid), &subject.ranges.gid),
        groups: charter.privileged,
    }
}

/// Whose ranges of ids a vassal gets, if it gets any: root of a namespace has use for them, and only root may write a map
/// of more than one id.
pub fn ranges_of(charter: &Charter, trust: Trust, own: Owner) -> Option<Owner> {
    let is_root = matches!(charter.inside(trust), Inside::Root(_));
    (charter.id_ranges != IdRanges::None && charter.privileged && is_root)
        .then(|| charter.owner_of(trust, own))
}

/// A tenant gets exactly its ids; others those of the charter, else they keep ours. Supplementary groups have
/// no name in a user namespace of one id, so there they are none.
fn identity(charter: &Charter, subject: &Subject<'_>, inside: Inside) -> Option<Identity> {
    let outside = match subject.trust {
        Trust::Tenant(owner) if charter.privileged => Some((owner, subject.groups.clone())),
        _ => charter.identity.map(|owner| (owner, Vec::new())),
    };
    match inside {
        Inside::Root(_) => outside.map(|_| Identity::default()),
        Inside::Host => outside.map(|(owner, groups)| Identity { uid: owner.uid, gid: owner.gid, groups }),
        Inside::Owner => {
            let owner = charter.owner_of(subject.trust, subject.own);
            Some(Identity { uid: owner.uid, gid: owner.gid, groups: Vec::new() })
        }
    }
}

/// Inside a user namespace capabilities reach no further than the jail; outside of one a tenant has none.
/// Where the admin's list lacks `setpcap` and `emperor-cap` says nothing, it stays what the spawner itself is left with;
/// an `emperor-cap` that cannot be kept to is a start that fails.
fn bounding(charter: &Charter, dropped: bool, inside: Inside) -> Option<Capabilities> {
    let can = charter.may_bound();
    let user = inside != Inside::Host;
    match charter.vassal_capabilities {
        _ if inside == Inside::Owner => Some(Capabilities::NONE),
        Some(listed) if charter.privileged || user => Some(listed),
        _ if user => None,
        _ if dropped && can => Some(Capabilities::NONE),
        _ => None,
    }
}

/// Root of a user namespace has phases that mount; what they do not need, its master refuses to its command.
pub fn filters(charter: &Charter, inside: Inside) -> Vec<Filter> {
    let root = matches!(inside, Inside::Root(_));
    match charter.filtering {
        Filtering::Standard if root => vec![Filter::of_root()],
        Filtering::Standard => vec![Filter::standard()],
        Filtering::Strict(_) if inside == Inside::Root(true) => vec![Filter::of_root()],
        Filtering::Strict(filter) => vec![Filter::standard(), filter],
        Filtering::Off => vec![Filter::setid_files()],
        Filtering::Chosen(filter) => vec![Filter::setid_files(), filter],
    }
}

/// What whoever joins such a vassal later is held by: what it was born with, and its command with it.
pub fn restraint(charter: &Charter, trust: Trust, inside: Inside) -> Restraint {
    let restrained = is_restrained(charter, trust);
    let held = |filters: Vec<Filter>| if restrained { filters } else { Vec::new() };
    Restraint {
        settings: settings(charter, inside),
        no_new_privs: restrained,
        scopes: charter.scopes().0,
        filters: held(filters(charter, inside)),
        program_filters: held(filters_of_programs(charter, inside)),
        root: jailing::kept(charter, inside),
    }
}

/// Its master puts these on its command, or on itself when its phases of root are over.
fn filters_of_programs(charter: &Charter, inside: Inside) -> Vec<Filter> {
    match charter.filtering {
        Filtering::Standard if matches!(inside, Inside::Root(_)) => vec![Filter::after_root()],
        Filtering::Strict(filter) if inside == Inside::Root(true) => vec![Filter::after_root(), filter],
        _ => Vec::new(),
    }
}

/// Whether such a vassal has other ids than ours, or is nobody outside: then it gains no privileges and is filtered.
pub fn is_restrained(charter: &Charter, trust: Trust) -> bool {
    let tenant = charter.privileged && matches!(trust, Trust::Tenant(_));
    tenant || charter.identity.is_some() || charter.inside(trust) != Inside::Host
}

/// What our vassal master is told of its filter; nothing where there is none and none is wanted.
pub fn filter_word(charter: &Charter, trust: Trust) -> Option<String> {
    let inside = charter.inside(trust);
    if !is_restrained(charter, trust) {
        return matches!(charter.filtering, Filtering::Strict(_)).then(|| STRICT.into());
    }
    Some(match charter.filtering {
        Filtering::Standard => STANDARD.into(),
        Filtering::Off => "off".into(),
        Filtering::Strict(_) if inside == Inside::Root(true) => STRICT_LATER.into(),
        // Of one who is no root nothing needs to be known: he has no right to any of it.
        Filtering::Strict(_) | Filtering::Chosen(_) => match inside {
            Inside::Root(_) => Refused::by(&filters(charter, inside)).told("chosen"),
            Inside::Host | Inside::Owner => "chosen".into(),
        },
    })
}

fn awaited(charter: &Charter, socket: RawFd) -> Awaited {
    let phase = Phase::AsEmperorBeforeVassal;
    Awaited { phase, deeds: charter.of_phase(phase).map(hook::Errand::shown).collect(), socket }
}

fn errands(charter: &Charter, subject: &Subject<'_>) -> Vec<Errand> {
    let phases =
        [(Phase::AsVassalBeforeDrop, subject.lent.before_drop), (Phase::AsVassal, subject.lent.as_vassal)];
    let user = charter.inside(subject.trust) != Inside::Host;
    let of_phase = |(phase, brief)| {
        charter.of_phase(phase).enumerate().map(move |(number, errand)| Errand {
            phase,
            deed: format!("do {}", errand.named()),
            rights: user && phase == Phase::AsVassalBeforeDrop,
            failure: errand.failure(),
            executable: subject.lent.executable,
            brief,
            argv: Brief::argv(Which::One(number), subject.name, subject.place),
        })
    };
    phases.into_iter().flat_map(of_phase).collect()
}

/// What `putenv` of those phases adds to the environment of the vassal.
fn put(charter: &Charter) -> impl Iterator<Item = (String, String)> {
    let errands = charter.of_phase(Phase::AsVassalBeforeDrop).chain(charter.of_phase(Phase::AsVassal));
    errands.filter_map(|errand| match errand.task() {
        Ok(Task::Hook(_, Hook { action: Action::PutEnv(name, value), .. })) => Some((name, value)),
        _ => None,
    })
}

/// Whether the config comes through the pipe: not what a program has still to print.
pub fn is_piped(charter: &Charter, is_program: bool) -> bool {
    charter.config_pipe && !is_program
}

fn descriptors(charter: &Charter, subject: &Subject<'_>) -> Vec<(RawFd, RawFd)> {
    let lent = subject.lent;
    let mut list = vec![
        (lent.listener.unwrap_or(lent.null), 0),
        (lent.output.unwrap_or(1), 1),
        (lent.output.unwrap_or(2), 2),
        (lent.control, CONTROL_FD),
    ];
    if charter.program == VassalProgram::Own || is_piped(charter, subject.is_program) {
        list.push((lent.config, CONFIG_FD));
    }
    // Another program would not know what it is, and keep it.
    let outside = lent.outside.filter(|_| charter.program == VassalProgram::Own);
    list.extend(outside.map(|outside| (outside, NETWORK_FD)));
    if charter.program == VassalProgram::Own {
        list.extend(subject.routers.iter().copied().zip(ROUTER_FD..));
        list.extend(subject.lent.accepted.map(|accepted| (accepted, accepted_fd(subject))));
    }
    list
}

/// Behind the ways to routers.
fn accepted_fd(subject: &Subject<'_>) -> RawFd {
    subject.routers.iter().zip(ROUTER_FD..).last().map_or(ROUTER_FD, |(_, last)| last + 1)
}

/// Before the name of a config on the command line of its vassal.
pub fn scheme(charter: &Charter, is_program: bool) -> &'static str {
    match is_program {
        true => PROGRAM_SCHEME,
        false if charter.config_pipe => PIPE_SCHEME,
        false => "",
    }
}

fn program(charter: &Charter, subject: &Subject<'_>) -> Program {
    let scheme = scheme(charter, subject.is_program);
    let section = subject.zerg.map_or("", |_| ZERG);
    let file = format!("{scheme}{}{section}", subject.file);
    let argv = |name: &str| charter.arguments.argv(name, &file).iter().map(|one| c_string(one)).collect();
    let at = |path: &String| Program::Path {
        file: c_string(path),
        search: SEARCH.iter().map(|directory| c_string(directory)).collect(),
        argv: argv(path),
    };
    match &charter.program {
        VassalProgram::Own => Program::Descriptor(subject.lent.executable, argv("liege")),
        VassalProgram::Path(path) => at(path),
        VassalProgram::First(paths, _) => Program::First(paths.iter().map(at).collect()),
    }
}

fn environment(charter: &Charter, subject: &Subject<'_>, inside: Inside) -> Vec<CString> {
    let trust = subject.trust;
    let mut list: Vec<CString> = charter.environment.iter().map(|one| c_string(one)).collect();
    for (name, value) in put(charter) {
        let prefix = format!("{name}=");
        list.retain(|known| !known.to_bytes().starts_with(prefix.as_bytes()));
        list.push(c_string(&format!("{prefix}{value}")));
    }
    list.push(c_string(&format!("UWSGI_EMPEROR_FD={CONTROL_FD}")));
    list.extend(subject.zerg.map(|number| c_string(&format!("UWSGI_BROODLORD_NUM={number}"))));
    let piped = is_piped(charter, subject.is_program);
    if piped {
        list.push(c_string(&format!("UWSGI_EMPEROR_FD_CONFIG={CONFIG_FD}")));
    }
    if charter.program == VassalProgram::Own {
        if !piped {
            list.push(c_string(&format!("LIEGE_CONFIG_FD={CONFIG_FD}")));
        }
        let accepted = subject.lent.accepted.map(|_| accepted_fd(subject));
        list.extend(accepted.map(|number| c_string(&format!("{ACCEPTED}={number}"))));
        list.push(c_string(&format!("LIEGE_JAIL={}", charter.namespaces_of(trust))));
        list.extend(subject.lent.outside.map(|_| c_string(&format!("{OUTSIDE}={NETWORK_FD}"))));
        list.extend(ways(charter, subject).map(|ways| c_string(&format!("{ROUTERS}={ways}"))));
        if inside == Inside::Root(true) {
            let Owner { uid, gid } = charter.owner_of(trust, subject.own);
            list.push(c_string(&format!("{OWNER}={uid}:{gid}")));
        }
        list.extend(charter.jail.map(|_| c_string(&format!("{WHOLE}=1"))));
        let filter = filter_word(charter, trust);
        list.extend(filter.map(|word| c_string(&format!("{FILTER}={word}"))));
    }
    list
}

/// `DESCRIPTOR:DEVICE:PATH` of each router that is lent, with a blank between each two.
fn ways(charter: &Charter, subject: &Subject<'_>) -> Option<String> {
    let lent = (ROUTER_FD..).zip(&charter.routers).take(subject.routers.len());
    let way = |(fd, router): (RawFd, &Lodging)| format!("{fd}:{}:{}", router.device, router.socket.path);
    let ways: Vec<String> = lent.map(way).collect();
    (!ways.is_empty()).then(|| ways.join(" "))
}

/// Up to the first NUL, which no argument of a program can hold.
pub fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).expect("cut before the first NUL")
}

#[cfg(test)]
mod tests {
    use caps::Capability;
    use jail::plan::standard::Strictness;

    use super::*;

    #[test]
    fn a_bound_is_left_out_only_where_nobody_asked_for_it() {
        let without = Some(Capabilities::of(&[Capability::CAP_SETUID, Capability::CAP_SETGID]));
        let listed = Some(Capabilities::of(&[Capability::CAP_CHOWN]));
        let charter = Charter { privileged: true, ..Charter::default() };
        let root = Inside::Root(false);
        assert_eq!(bounding(&charter, true, Inside::Host), Some(Capabilities::NONE));
        assert_eq!(bounding(&charter, false, Inside::Host), None);
        let poor = Charter { capabilities: without, ..charter };
        assert_eq!(bounding(&poor, true, Inside::Host), None);
        let asked = Charter { vassal_capabilities: listed, ..poor.clone() };
        assert_eq!(bounding(&asked, true, Inside::Host), listed, "it fails rather than be forgotten");
        assert_eq!((bounding(&asked, true, root), Some(jailing::kept(&asked, root))), (listed, listed));
        assert_eq!((bounding(&poor, true, root), jailing::kept(&poor, root)), (None, Capabilities::all()));
        assert_eq!(bounding(&asked, true, Inside::Owner), Some(Capabilities::NONE));
    }

    /// A vassal of root that was to be ours, outside of the host's network.
    fn apart() -> Charter {
        Charter { privileged: true, namespaces: Namespaces::NET, ..Charter::default() }
    }

    #[test]
    fn a_program_that_is_not_our_master_gets_no_way_to_our_network() {
        let wrapped = Charter { program: VassalProgram::Path("/bin/true".into()), ..apart() };
        assert!(apart().lends_network(Trust::Trusted) && !wrapped.lends_network(Trust::Trusted));
        let lent = Lent {
            null: 10,
            listener: None,
            output: None,
            control: 11,
            config: 12,
            accepted: None,
            directory: 13,
            executable: 14,
            before_drop: 15,
            as_vassal: 16,
            outside: Some(17),
            awaited: None,
        };
        let subject = Subject {
            file: "a.ini",
            is_program: false,
            name: "a.ini",
            zerg: None,
            place: "/v",
            trust: Trust::Trusted,
            groups: Vec::new(),
            own: Owner::default(),
            ranges: Ranges::default(),
            lent,
            network: None,
            scenery: Scenery::default(),
            routers: Vec::new(),
        };
        let has_way = |charter: &Charter| {
            let spec = spec(charter, &subject);
            let told = spec.environment.iter().any(|one| one.to_bytes().starts_with(OUTSIDE.as_bytes()));
            (spec.descriptors.contains(&(17, NETWORK_FD)), told)
        };
        assert_eq!(
            (has_way(&apart()), has_way(&wrapped)),
            ((true, true), (false, false)),
            "even if it is lent"
        );
    }

    #[test]
    fn whoever_joins_a_vassal_is_held_by_what_that_was_born_with() {
        let charter = Charter { privileged: true, jail: Some(Strictness::Standard), ..Charter::default() };
        let tenant = Trust::Tenant(Owner { uid: 1000, gid: 1000 });
        let wrapped = Charter { program: VassalProgram::Path("/bin/true".into()), ..charter.clone() };
        let born = restraint(&wrapped, tenant, wrapped.inside(tenant));
        assert_eq!(restraint(&charter, tenant, wrapped.inside(tenant)), born);
        assert_ne!(restraint(&charter, tenant, charter.inside(tenant)), born);
    }
}
