//! What becomes of a config under the rules of an Emperor: judged as its spawner and its vassal would, and nothing is started.
//! `liege plan` prints it, `liege check` says what keeps it from being.

mod dropbear;
mod ground;
mod runs;
mod sight;
mod users;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jail::{Capabilities, Namespaces, Phase, Plan};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::cli::world::{Opened, Surroundings};
use crate::config::check::naming;
use crate::config::load;
use crate::config::place::{COMMAND_LINE, ConfigError, Place, Placed, Texts};
use crate::config::vassal::daemons::Daemon;
use crate::config::vassal::tuntap::RouterName;
use crate::config::vassal::{VassalConfig, VassalKind};
use crate::spawner::birth::{self, Lent, Subject};
use crate::spawner::charter::{Charter, VassalProgram};
use crate::spawner::jailing::{self, Inside, Scenery};
use crate::spawner::{fitness, lend, limits_of, magic, owners};
use crate::subids::{Subids, keep_apart};
use crate::trust::{self, Examined, Mounts, Reach, Trust};
use crate::vassal::confine::Around;
use crate::vassal::phases::{self, Facts};
use crate::vassal::step::Step;
use runs::{Judgement, Outlook};
use sight::Sight;

type Errors = Vec<ConfigError>;

/// A config that would run.
#[derive(Debug)]
pub struct Prospect {
    /// The steps that make its process.
    pub birth: Plan,
    /// Limits of the cgroup that it is born into, by their options; `None` where it has none of its own.
    pub leaf: Option<Vec<String>>,
    /// What comes then.
    pub life: Life,
    /// What will not do as it is, though it is started.
    pub doubts: Errors,
}

/// What runs once the process is made.
#[derive(Debug)]
pub enum Life {
    /// The config itself, which is a program that prints one.
    Printed,
    /// This program.
    Program(String),
    /// The first of several programs that can be run.
    FirstOf,
    /// uwsgi, because of this option.
    Uwsgi(String),
    /// Our own master, in these steps.
    Own(Box<VassalConfig>, Vec<Step>),
}

/// Descriptors that are shown, where a spawner would have real ones.
const SHOWN: Lent = Lent {
    null: 0,
    control: birth::CONTROL_FD,
    config: birth::CONFIG_FD,
    accepted: None,
    directory: 5,
    executable: 6,
    before_drop: 7,
    as_vassal: 8,
    awaited: None,
    output: None,
    listener: None,
    outside: None,
};

/// The first of the ways to routers among them.
const ROUTER_SHOWN: RawFd = 11;

/// Looks at a config and judges it.
///
/// # Errors
/// Everything that keeps it from running.
pub fn foresee(charter: &Charter, file: &Path) -> Result<Prospect, Errors> {
    let about = |cause: String| vec![ConfigError::at(&whole(file), cause)];
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| about("the file has no name".into()))?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, parent, flags, Mode::empty())
        .map_err(|errno| about(format!("cannot open {}: {errno}", parent.display())))?;
    let examined = trust::examine(directory.as_fd(), name, &lend::policy(charter), Reach::Anywhere)
        .map_err(|refusal| about(format!("refused: {}", refusal.reason())))?;
    if let Some(unfit) = fitness::unfit(charter, examined.trust) {
        return Err(vec![ConfigError::whole(unfit.told()).cure(unfit.cure)]);
    }
    let subject = subject(charter, (parent, name), &examined).map_err(about)?;
    let leaf = leaf(charter, name, charter.owner_of(examined.trust, owners::own_ids()).uid).map_err(about)?;
    let birth = jail::plan::plan(&birth::spec(charter, &subject));
    let (life, doubts) = life(charter, &examined, file)?;
    Ok(Prospect { birth, leaf, life, doubts })
}

fn whole(file: &Path) -> Place {
    Place::whole(&file.to_string_lossy().into())
}

fn leaf(charter: &Charter, name: &str, uid: u32) -> Result<Option<Vec<String>>, String> {
    if !charter.needs_leaf() {
        return Ok(None);
    }
    let knobs = limits_of(charter, name, uid)?;
    Ok(Some(knobs.iter().map(|knob| knob.option.to_string()).collect()))
}

fn subject<'a>(
    charter: &Charter,
    (parent, name): (&Path, &'a str),
    examined: &Examined,
) -> Result<Subject<'a>, String> {
    let groups = owners::groups(charter, examined.owner.uid);
    let own = owners::own_ids();
    keep_apart(charter.id_ranges.rules(), charter.owner_of(examined.trust, own))?;
    let ranges = birth::ranges_of(charter, examined.trust, own)
        .map(|owner| Subids::look(&charter.id_ranges).of(owner));
    let ranges = ranges.transpose()?.unwrap_or_default();
    let waits = charter.of_phase(Phase::AsEmperorBeforeVassal).next().is_some();
    let outside = charter.lends_network(examined.trust).then_some(10);
    let lent = Lent { awaited: waits.then_some(9), outside, ..SHOWN };
    Ok(Subject {
        file: name,
        is_program: magic::is_program(charter, examined.file.as_fd(), examined.trust),
        name,
        zerg: None,
        place: "",
        trust: examined.trust,
        groups,
        own,
        ranges,
        lent,
        network: None,
        scenery: Scenery { path: Some(parent.into()), backdrop: charter.privileged, ..Scenery::default() },
        routers: (ROUTER_SHOWN..).zip(&charter.routers).map(|(fd, _)| fd).collect(),
    })
}

/// What the vassal does itself, as whoever it was made.
fn life(charter: &Charter, examined: &Examined, file: &Path) -> Result<(Life, Errors), Errors> {
    let certain = |life: Life| Ok((life, Vec::new()));
    match &charter.program {
        VassalProgram::Own if magic::is_program(charter, examined.file.as_fd(), examined.trust) => {
            return certain(Life::Printed);
        }
        VassalProgram::Own => {}
        VassalProgram::Path(program) => return certain(Life::Program(program.clone())),
        VassalProgram::First(..) => return certain(Life::FirstOf),
    }
    let (kind, texts) = kind(examined, file)?;
    match kind {
        VassalKind::Uwsgi(option) => certain(Life::Uwsgi(option)),
        VassalKind::Own(config) => {
            let facts = facts(charter, examined);
            let steps = phases::plan(&config, &facts);
            let steps = steps.and_then(|steps| match unlent(charter, &config) {
                none if none.is_empty() => Ok(steps),
                unlent => Err(unlent),
            });
            let steps = steps.and_then(|steps| match missing(charter, (&config, &steps)) {
                none if none.is_empty() => Ok(steps),
                missing => Err(missing),
            });
            let steps = steps.and_then(|steps| match unfit(charter, &config, (&facts, &steps)) {
                none if none.is_empty() => Ok(steps),
                unfit => Err(unfit),
            });
            let steps = steps.map_err(|errors| texts.explain(errors))?;
            let judged = judged(charter, (&config, &steps), file);
            if !judged.errors.is_empty() {
                return Err(texts.explain(judged.errors));
            }
            let roots = dropbear::roots(&config, &facts, &steps);
            let doubts = [roots, doubts(charter, (&config, &steps)), judged.doubts].concat();
            Ok((Life::Own(config, steps), texts.explain(doubts)))
        }
    }
}

/// Networks by routers that this Emperor has not.
fn unlent(charter: &Charter, config: &VassalConfig) -> Errors {
    let names: Vec<&str> = charter.routers.iter().map(|router| router.device.as_str()).collect();
    let odd = config.net.vias.iter().filter_map(|via| match &via.value.router {
        RouterName::Lent(name) if !names.contains(&name.as_str()) => Some((name, &via.place)),
        RouterName::Lent(_) | RouterName::At(_) => None,
    });
    let cure = |name: &str| match names[..] {
        [] => format!("the Emperor has no router: `tuntap-router = {name} SOCKET` in its config"),
        _ => format!("the Emperor has {}", names.join(", ")),
    };
    odd.map(|(name, place)| ConfigError::at(place, format!("there is no router {name}")).cure(cure(name)))
        .collect()
}

/// What its file system is to be built on and is not there, where nobody brings it in time.
fn missing(charter: &Charter, (config, steps): (&VassalConfig, &[Step])) -> Errors {
    if brings(charter) || !ground::is_certain(steps) {
        return Vec::new();
    }
    let is_covered =
        |path: &Path| charter.jail.is_some() && ground::COVERED.iter().any(|own| path.starts_with(own));
    // What we cannot see is no error of his.
    let Some(open) = opener() else { return Vec::new() };
    let is_absent = |path: &Path| matches!(open(path), Err(Errno::NOENT));
    ground::missing(config, &|path| !is_covered(path) && is_absent(path))
}

/// Daemons that could not be started because of whom they are to become, where nobody makes users in time.
fn unfit(charter: &Charter, config: &VassalConfig, (facts, steps): (&Facts, &[Step])) -> Errors {
    if brings(charter) { Vec::new() } else { users::unfit(config, facts, steps) }
}

/// Whom it becomes, what it runs and where.
fn judged(charter: &Charter, (config, steps): (&VassalConfig, &[Step]), file: &Path) -> Judgement {
    let is_brought = brings(charter);
    let users = users::unfit_vassal(config, steps, is_brought);
    let Some(open) = opener() else { return users };
    let path = charter.environment.iter().rev().find_map(|one| one.strip_prefix("PATH="));
    let outlook = Outlook {
        sight: Sight::new(config, charter.jail.is_some(), &open),
        born_in: sight::birthplace(file),
        path,
        is_brought,
    };
    users.and(runs::judge(config, steps, &outlook))
}

/// Daemons that will not find what they run, where nobody brings it in time.
fn doubts(charter: &Charter, (config, steps): (&VassalConfig, &[Step])) -> Errors {
    match opener() {
        Some(open) if !brings(charter) => dropbear::lacking(config, steps, &open),
        _ => Vec::new(),
    }
}

/// What the daemons of the Emperor itself could not become.
pub fn unfit_daemons(charter: &Charter, list: &[Placed<Daemon>]) -> Errors {
    users::unfit_of_emperor(list, charter)
}

/// Whether the Emperor does something for its vassals that may bring what is not there yet.
fn brings(charter: &Charter) -> bool {
    let bring =
        [Phase::EmperorStart, Phase::AsEmperorBeforeVassal, Phase::AsVassalBeforeDrop, Phase::AsVassal];
    bring.iter().any(|phase| charter.of_phase(*phase).next().is_some())
}

/// Opens what a tenant names: through no link, and on no file system that may not answer.
fn opener() -> Option<impl Fn(&Path) -> Result<OwnedFd, Errno>> {
    let root = openat(CWD, c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mounts = Mounts::new();
    Some(move |path: &Path| {
        trust::open_below(root.as_fd(), path.as_os_str().as_bytes(), Reach::Near(&mounts))
    })
}

/// Reads what was judged, not what the name leads to by now.
fn kind(examined: &Examined, file: &Path) -> Result<(VassalKind, Texts), Errors> {
    let name = file.to_string_lossy().into_owned();
    let entry = naming(&name, Place { file: COMMAND_LINE.into(), line: 1, column: 1 });
    let open = examined.file.try_clone().map(File::from).ok();
    let world = Opened::new(Surroundings::onlooker(), &name, open.as_ref());
    let loaded = load(vec![entry], Texts::default(), &world);
    loaded.vassal().map(|kind| (kind, loaded.texts))
}

fn facts(charter: &Charter, examined: &Examined) -> Facts {
    let tenant = charter.privileged && matches!(examined.trust, Trust::Tenant(_));
    let namespaces = charter.namespaces_of(examined.trust);
    let inside = charter.inside(examined.trust);
    let root = matches!(inside, Inside::Root(_))
        || (inside == Inside::Host && charter.privileged && !tenant && charter.identity.is_none());
    let owner = charter.owner_of(examined.trust, owners::own_ids());
    Facts {
        root,
        jailed: !namespaces.is_empty(),
        own_mounts: namespaces.has(Namespaces::FS),
        own_hostname: namespaces.has(Namespaces::UTS),
        born: namespaces,
        emperor: true,
        permitted: if root { born_with(charter, inside) } else { Capabilities::NONE },
        owner: (inside == Inside::Root(true)).then_some((owner.uid, owner.gid)),
        whole: charter.jail.is_some(),
        outside: charter.lends_network(examined.trust),
        around: Around::of(birth::filter_word(charter, examined.trust).as_deref(), namespaces),
    }
}

/// What root is left with when our master begins.
fn born_with(charter: &Charter, inside: Inside) -> Capabilities {
    match inside {
        Inside::Host => charter.vassal_capabilities.unwrap_or(Capabilities::all()),
        Inside::Root(_) | Inside::Owner => jailing::kept(charter, inside),
    }
}
