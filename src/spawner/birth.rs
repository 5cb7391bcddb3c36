//! Pure. From a config that was looked at to the jail of its vassal.

use std::ffi::CString;
use std::os::fd::RawFd;

use caps::Capability;
use jail::plan::{Awaited, Errand};
use jail::plan::{Filter, Network, Scopes};
use jail::{Capabilities, Extent, Identity, Namespaces, Phase, Program, Spec, UserMap};

use super::charter::{Charter, Filtering, VassalProgram};
use crate::config::hook::{self, Action, Hook, Task};
use crate::emperor::event::Owner;
use crate::errand::{Brief, Which};
use crate::subids::Ranges;
use crate::trust::Trust;
use crate::vassal::confine::{FILTER, STANDARD};

/// Where a vassal finds its control descriptor.
pub const CONTROL_FD: RawFd = 3;
/// Before the name of a config that comes on a descriptor.
const PIPE_SCHEME: &str = "emperor://";
/// Where our own vassal master finds its open config, and any vassal its config pipe.
pub const CONFIG_FD: RawFd = 4;
/// Directories in which programs are looked up, ours and those of the hooks.
pub const SEARCH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A config about to become a process.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// File name, as it stands on the vassal's command line.
    pub file: &'a str,
    /// The vassal as people know it.
    pub name: &'a str,
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
}

/// Descriptors for one birth.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// `/dev/null`.
    pub null: RawFd,
    /// The vassal's end of its control socket.
    pub control: RawFd,
    /// Its open config.
    pub config: RawFd,
    /// The directory of its config.
    pub directory: RawFd,
    /// Our own sealed executable.
    pub executable: RawFd,
    /// What is to be done as root of its namespaces, if anything is.
    pub before_drop: RawFd,
    /// What is to be done with its ids, if anything is.
    pub as_vassal: RawFd,
    /// Its end of the socket on which it waits for what is done before it.
    pub awaited: Option<RawFd>,
}

/// The jail of one vassal.
pub fn spec(charter: &Charter, subject: &Subject<'_>) -> Spec {
    let identity = identity(charter, subject);
    let user = charter.namespaces.has(Namespaces::USER);
    Spec {
        namespaces: charter.namespaces,
        network: subject.network.map_or(Network::Fresh, Network::Pooled),
        user_map: user.then(|| user_map(charter, subject)),
        proc: charter.namespaces.has(Namespaces::FS.with(Namespaces::PID)),
        hostname: None,
        hooks: Vec::new(),
        awaited: subject.lent.awaited.map(|socket| awaited(charter, socket)),
        errands: errands(charter, subject),
        bounding: bounding(charter, identity.is_some(), user),
        keep: kept(charter, user),
        no_new_privs: identity.is_some() || user,
        scopes: if charter.scoped { Scopes::ABSTRACT_SOCKETS } else { Scopes::default() },
        filters: filters(charter, user),
        identity,
        settings: charter.settings.clone(),
        dies_with_parent: true,
        session: true,
        directory: Some(subject.lent.directory),
        descriptors: descriptors(charter, subject.lent),
        program: program(charter, subject),
        environment: environment(charter, subject.trust),
    }
}

/// Root inside is the owner outside: all power in the jail, none beyond it.
fn user_map(charter: &Charter, subject: &Subject<'_>) -> UserMap {
    let outside = outside(charter, subject.trust, subject.own);
    let root = |id, range: &[Extent]| [&[Extent::one(0, id)], range].concat();
    UserMap {
        uid: root(outside.uid, &subject.ranges.uid),
        gid: root(outside.gid, &subject.ranges.gid),
        groups: charter.privileged,
    }
}

/// Who root of a vassal's user namespace is.
fn outside(charter: &Charter, trust: Trust, own: Owner) -> Owner {
    match trust {
        Trust::Tenant(owner) if charter.privileged => owner,
        _ => charter.identity.unwrap_or(own),
    }
}

/// Whose ranges of ids a vassal gets, if it gets any. Only root may write a map of more than one id.
pub fn ranges_of(charter: &Charter, trust: Trust, own: Owner) -> Option<Owner> {
    let wanted = charter.id_ranges && charter.privileged && charter.namespaces.has(Namespaces::USER);
    wanted.then(|| outside(charter, trust, own))
}

/// A tenant gets exactly its ids; others those of the charter, else they keep ours. Supplementary groups have
/// no name in a user namespace of one id, so there they are none.
fn identity(charter: &Charter, subject: &Subject<'_>) -> Option<Identity> {
    let outside = match subject.trust {
        Trust::Tenant(owner) if charter.privileged => Some((owner, subject.groups.clone())),
        _ => charter.identity.map(|owner| (owner, Vec::new())),
    };
    let user = charter.namespaces.has(Namespaces::USER);
    outside.map(|(owner, groups)| match user {
        true => Identity::default(),
        false => Identity { uid: owner.uid, gid: owner.gid, groups },
    })
}

/// Root of a user namespace stays root there, within what `emperor-cap` leaves.
fn kept(charter: &Charter, user: bool) -> Capabilities {
    if user { charter.vassal_capabilities.unwrap_or(Capabilities::all()) } else { Capabilities::NONE }
}

/// Inside a user namespace capabilities reach no further than the jail; outside of one a tenant has none.
/// Where the admin's list lacks `setpcap` and `emperor-cap` says nothing, it stays what the spawner itself is left with;
/// an `emperor-cap` that cannot be kept to is a start that fails.
fn bounding(charter: &Charter, dropped: bool, user: bool) -> Option<Capabilities> {
    let can = charter.capabilities.is_none_or(|kept| kept.has(Capability::CAP_SETPCAP));
    match charter.vassal_capabilities {
        Some(listed) if charter.privileged || user => Some(listed),
        _ if user => None,
        _ if dropped && can => Some(Capabilities::NONE),
        _ => None,
    }
}

/// Root of a user namespace has phases that mount; what they do not need, its master refuses to its command.
fn filters(charter: &Charter, user: bool) -> Vec<Filter> {
    match charter.filtering {
        Filtering::Standard if user => vec![Filter::of_root()],
        Filtering::Standard => vec![Filter::standard()],
        Filtering::Strict(filter) => vec![Filter::standard(), filter],
        Filtering::Off => vec![Filter::setid_files()],
        Filtering::Chosen(filter) => vec![Filter::setid_files(), filter],
    }
}

/// What our vassal master is told of its filter; nothing where there is none.
pub fn filter_word(charter: &Charter, trust: Trust) -> Option<&'static str> {
    let tenant = charter.privileged && matches!(trust, Trust::Tenant(_));
    let filtered = tenant || charter.identity.is_some() || charter.namespaces.has(Namespaces::USER);
    filtered.then_some(match charter.filtering {
        Filtering::Standard => STANDARD,
        Filtering::Off => "off",
        Filtering::Strict(_) | Filtering::Chosen(_) => "chosen",
    })
}

fn awaited(charter: &Charter, socket: RawFd) -> Awaited {
    let phase = Phase::AsEmperorBeforeVassal;
    Awaited { phase, deeds: charter.of_phase(phase).map(hook::Errand::shown).collect(), socket }
}

fn errands(charter: &Charter, subject: &Subject<'_>) -> Vec<Errand> {
    let phases =
        [(Phase::AsVassalBeforeDrop, subject.lent.before_drop), (Phase::AsVassal, subject.lent.as_vassal)];
    let of_phase = |(phase, brief)| {
        charter.of_phase(phase).enumerate().map(move |(number, errand)| Errand {
            phase,
            deed: format!("do {}", errand.named()),
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

fn descriptors(charter: &Charter, lent: Lent) -> Vec<(RawFd, RawFd)> {
    let mut list = vec![(lent.null, 0), (1, 1), (2, 2), (lent.control, CONTROL_FD)];
    if charter.program == VassalProgram::Own || charter.config_pipe {
        list.push((lent.config, CONFIG_FD));
    }
    list
}

fn program(charter: &Charter, subject: &Subject<'_>) -> Program {
    let scheme = if charter.config_pipe { PIPE_SCHEME } else { "" };
    let file = format!("{scheme}{}", subject.file);
    let argv = |name: &str| charter.arguments.argv(name, &file).iter().map(|one| c_string(one)).collect();
    match &charter.program {
        VassalProgram::Own => Program::Descriptor(subject.lent.executable, argv("liege")),
        VassalProgram::Path(path) => Program::Path {
            file: c_string(path),
            search: SEARCH.iter().map(|directory| c_string(directory)).collect(),
            argv: argv(path),
        },
    }
}

fn environment(charter: &Charter, trust: Trust) -> Vec<CString> {
    let mut list: Vec<CString> = charter.environment.iter().map(|one| c_string(one)).collect();
    for (name, value) in put(charter) {
        let prefix = format!("{name}=");
        list.retain(|known| !known.to_bytes().starts_with(prefix.as_bytes()));
        list.push(c_string(&format!("{prefix}{value}")));
    }
    list.push(c_string(&format!("UWSGI_EMPEROR_FD={CONTROL_FD}")));
    if charter.config_pipe {
        list.push(c_string(&format!("UWSGI_EMPEROR_FD_CONFIG={CONFIG_FD}")));
    }
    if charter.program == VassalProgram::Own {
        if !charter.config_pipe {
            list.push(c_string(&format!("LIEGE_CONFIG_FD={CONFIG_FD}")));
        }
        list.push(c_string(&format!("LIEGE_JAIL={}", charter.namespaces)));
        let filter = filter_word(charter, trust);
        list.extend(filter.map(|word| c_string(&format!("{FILTER}={word}"))));
    }
    list
}

/// Up to the first NUL, which no argument of a program can hold.
pub fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).expect("cut before the first NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_left_out_only_where_nobody_asked_for_it() {
        let without = Some(Capabilities::of(&[Capability::CAP_SETUID, Capability::CAP_SETGID]));
        let listed = Some(Capabilities::of(&[Capability::CAP_CHOWN]));
        let charter = Charter { privileged: true, ..Charter::default() };
        assert_eq!(bounding(&charter, true, false), Some(Capabilities::NONE));
        assert_eq!(bounding(&charter, false, false), None);
        let poor = Charter { capabilities: without, ..charter };
        assert_eq!(bounding(&poor, true, false), None);
        let asked = Charter { vassal_capabilities: listed, ..poor.clone() };
        assert_eq!(bounding(&asked, true, false), listed, "it fails rather than be forgotten");
        assert_eq!((bounding(&asked, true, true), Some(kept(&asked, true))), (listed, listed));
        assert_eq!((bounding(&poor, true, true), kept(&poor, true)), (None, Capabilities::all()));
    }
}
