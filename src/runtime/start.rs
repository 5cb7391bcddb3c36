//! From an admin's config to a running loop: who we are, what is kept, what is given up, in this order.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use caps::Capability;
use jail::plan::standard::standard_namespaces;
use jail::{Capabilities, Identity, Namespaces};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use super::Runtime;
use super::activation;
use super::asides::Asides;
use super::attributes::Attributes;
use super::commissions;
use super::courtiers::Courtiers;
use super::doors::Doors;
use super::earshot::Unheard;
use super::environment;
use super::errands::Fetched;
use super::eyes::LentEyes;
use super::farewells::Farewells;
use super::filtering;
use super::gateways::Gateways;
use super::held_back::HeldBack;
use super::ids::identity;
use super::jailing;
use super::limits;
use super::listeners::{self, Listeners};
use super::logs::{self, Logs};
use super::notify::Messenger;
use super::outputs;
use super::policy;
use super::presence;
use super::remembrance::Remembrance;
use super::residence::Residence;
use super::rights::kept;
use super::sessions::Sessions;
use super::update::Audience;
use super::waiters::Waiters;
use crate::config::emperor::{EmperorConfig, Source};
use crate::config::hook::Errand;
use crate::config::place::Placed;
use crate::control::door::Door;
use crate::emperor::Emperor;
use crate::emperor::event::{Event, Fingerprint, Owner};
use crate::logfile::LogFile;
use crate::monitors::{self, Monitors, Settings};
use crate::reactor::{Poller, clock};
use crate::spawner::charter::{Arguments, Charter, Leftover, Lodging, VassalProgram};
use crate::spawner::wire::{Standing, Ticket};
use crate::spawner::{client, fitness, lend};
use crate::{log, stats};

/// Network namespaces kept ready.
const POOL: u16 = 16;

/// Starts everything. What needs privileges comes first; then they are given up.
///
/// # Errors
/// What keeps the Emperor from starting, with its cure.
pub fn start(config: &EmperorConfig) -> Result<Runtime> {
    let config = &activation::adopted(config)?;
    let first = directory()?;
    let identity = identity(config)?;
    let log_file = begin(config, &first, identity)?;
    let cwd = directory()?;
    let sources = sources(config, &cwd)?;
    let roots = monitors::bases(&sources, &cwd)?;
    let files = monitors::files(&sources, &cwd);
    let charter = Charter { files, log: log_file, ..charter(config, &roots, identity)? };
    commissions::contradiction(&charter)?;
    let signals = block_signals()?;
    let guests = stats::Guests { welcome: config.shows_tenants(), owner: identity };
    let asked: Vec<_> = config.stats.iter().chain(&config.more_stats).collect();
    let stats = stats::Server::bind(&asked, config.stats_form, guests)?;
    let doors = Doors::open(&config.commands, identity)?;
    let (gateways, keeper) = (Gateways::open(config, identity)?, outputs::open(config, is_privileged())?);
    let events = stats::Events::bind(stats.address(config.stats.as_ref()).as_ref(), guests);
    let door = control(config, &stats, identity)?;
    let mut residence = Residence::open(config, &first, identity)?;
    let remembrance = remembrance(config, identity)?;
    let paths = stats.paths().chain(events.path()).chain(doors.paths()).chain(door.path());
    let leftovers = paths.filter_map(Leftover::of).chain(residence.leftovers()).chain(gateways.leftovers());
    let charter = Charter { leftovers: leftovers.collect(), routers: gateways.lodgings(), ..charter };
    forbid_cores().context("cannot limit cores")?;
    let started = client::start(&charter)?;
    possible(&started.standing)?;
    announce(config, &charter, &started.standing.notes);
    presence::take(&config.presence, config.commissions.use_servers())?;
    shed(&charter, identity)?;
    let _ = raise_descriptor_limit();
    let lender = Rc::new(started.lender);
    let logs = Logs::settle(charter.log.as_ref(), &config.process, &lender)?;
    residence.furnish(config)?;
    enter(config.process.last_directory.as_ref(), "chdir2")?;
    let eyes = Box::new(LentEyes::new(Rc::clone(&lender)));
    let monitors = Monitors::new(&sources, settings(config, &charter), eyes, &cwd, clock::now())?;
    let mut runtime = Runtime {
        emperor: Emperor::new(policy::of_config(config, &charter)),
        monitors,
        spawner: started.client,
        lender,
        courtiers: Courtiers::default(),
        attributes: Attributes::default(),
        held_back: HeldBack::default(),
        listeners: Listeners::default(),
        unheard: Unheard::default(),
        poller: Poller::new()?,
        signals,
        stats,
        doors,
        gateways,
        keeper,
        door,
        sessions: Sessions::default(),
        waiters: Waiters::default(),
        remembrance,
        audience: Audience::default(),
        events,
        facts: facts(&charter, &started.standing),
        residence: residence.with_switch(started.kill_switch),
        logs,
        follows: charter.follows_starts(),
        asides: Asides::new(charter.asides()),
        farewells: Farewells::new(charter.stop_hook.is_some()),
        fetched: Fetched::default(),
        messenger: Messenger::of_environment(&|name| config.process.variable(name, std::env::var(name).ok())),
        introduced: false,
        finishing: false,
        finished: false,
    };
    runtime.recall();
    runtime.watch_all()?;
    Ok(runtime)
}

/// The control socket: where it is asked for, else beside the stats, where it may be missing.
fn control(config: &EmperorConfig, stats: &stats::Server, owner: Option<Owner>) -> Result<Door> {
    let asked = config.commands.control.as_ref();
    if let Some(Placed { value, place }) = asked {
        let Some(address) = value else { return Ok(Door::default()) };
        let door = Door::bind(address, owner);
        return door.with_context(|| format!("{place}: cannot serve emperor-control-socket"));
    }
    let beside = stats.address(config.stats.as_ref()).as_ref().and_then(crate::control::beside);
    let Some(address) = beside else { return Ok(Door::default()) };
    Ok(Door::bind(&address, owner).unwrap_or_else(|error| {
        log::info("control", &format!("nobody can attach: {error:#}"));
        Door::default()
    }))
}

/// What outlives us, if there is a place for it.
fn remembrance(config: &EmperorConfig, owner: Option<Owner>) -> Result<Remembrance> {
    let Some(Placed { value, place }) = &config.commands.state else { return Ok(Remembrance::default()) };
    let opened = Remembrance::open(value, owner);
    opened.with_context(|| format!("{place}: cannot use emperor-state-directory {}", value.display()))
}

/// Whether vassals can be made, and what comes before the first of them was done.
fn possible(standing: &Standing) -> Result<()> {
    if let Some(reason) = &standing.impossible {
        bail!("no vassal can be made here: {reason}");
    }
    standing.hook_failed.as_ref().map_or(Ok(()), |reason| bail!("{reason}"))
}

/// Mask, log and directory, before anything is made or looked for. The log of the background is there already.
fn begin(config: &EmperorConfig, first: &Path, identity: Option<Owner>) -> Result<Option<LogFile>> {
    let process = &config.process;
    process.umask.map(|mask| umask(Mode::from_raw_mode(mask)));
    let file = logs::begin(process.background.as_ref().or(process.log.as_ref()), first, identity)?;
    log::open();
    enter(process.directory.as_ref(), "chdir").map(|()| file)
}

fn directory() -> Result<PathBuf> {
    std::env::current_dir().context("cannot read the working directory")
}

fn enter(directory: Option<&Placed<PathBuf>>, option: &str) -> Result<()> {
    let Some(Placed { value, place }) = directory else { return Ok(()) };
    std::env::set_current_dir(value)
        .with_context(|| format!("{place}: {option}: cannot enter {}", value.display()))
}

/// The charter that `liege plan` shows the jail of: as `start` would make it.
///
/// # Errors
/// Names that cannot be resolved, capabilities that are not there.
pub fn plan_for(config: &EmperorConfig) -> Result<Charter> {
    let routers = config.tuntap.routers(config.tyrant).into_iter().map(|router| Lodging {
        device: router.device.clone(),
        // Nothing is opened, and nothing removed.
        socket: Leftover { path: router.socket.display().to_string(), device: 0, inode: 0, pid: None },
    });
    Ok(Charter { routers: routers.collect(), ..charter(config, &[], identity(config)?)? })
}

/// Each source once: two vassals of one config would get into each other's way.
fn sources(config: &EmperorConfig, cwd: &Path) -> Result<Vec<Source>> {
    let given = config.sources.iter().map(|source| monitors::absolute(&source.value, cwd)).collect();
    let (once, again) = monitors::distinct(given, cwd)?;
    for source in again {
        log::line(log::Level::Warn, &[("source", &source.to_string())], "is given twice: it is used once");
    }
    Ok(once)
}

fn charter(config: &EmperorConfig, roots: &[PathBuf], identity: Option<Owner>) -> Result<Charter> {
    let privileged = is_privileged();
    if config.tyrant && !privileged {
        bail!(
            "emperor-tyrant gives vassals the ids of their files, which only root can do: start liege as root"
        );
    }
    if !privileged && !config.id_ranges.rules().is_empty() {
        bail!(
            "emperor-id-range gives vassals ids of others than their owners, which only root can do: start liege as root"
        );
    }
    let jail = jailing::word(config, privileged);
    let mut namespaces = config.namespaces;
    if jail.is_some() {
        namespaces = namespaces.with(standard_namespaces());
    }
    if !privileged && !namespaces.is_empty() {
        namespaces = namespaces.with(Namespaces::USER);
    }
    let charter = Charter {
        privileged,
        leftovers: Vec::new(),
        identity: identity.filter(|_| privileged && !config.tyrant),
        tyrant: config.tyrant,
        tyrant_nofollow: config.tyrant_nofollow,
        tyrant_initgroups: config.tyrant_initgroups,
        nofollow: config.nofollow,
        namespaces,
        id_ranges: config.id_ranges.clone(),
        jail,
        config_pipe: config.config_pipe,
        magic_exec: config.magic_exec,
        program: program(config)?,
        fork_servers: commissions::fork_servers(&config.commissions)?,
        attributes: commissions::attributes(&config.commissions),
        arguments: arguments(config),
        environment: environment::of_vassals(&config.process),
        log: None,
        own_environment: environment::own(&config.process),
        scoped: filtering::is_scoped(namespaces, jail),
        filtering: filtering::of_config(config, (namespaces, jail))?,
        resources: limits::resources(config)?,
        limits_file: limits::file(config)?,
        settings: limits::settings_of_vassals(privileged),
        processes_max: limits::processes_max(config, jail.is_some()),
        vassal_capabilities: config.vassal_cap,
        capabilities: kept(config, privileged, namespaces)?,
        on_demand: listeners::of_config(&config.on_demand)?,
        errands: errands(config),
        stop_hook: config.stop_hook.as_ref().map(|hook| hook.value.clone()),
        roots: roots.iter().filter_map(|root| root.to_str()).map(str::to_owned).collect(),
        files: Vec::new(),
        pool: POOL,
        routers: Vec::new(),
    };
    match fitness::refused(config, &charter) {
        Some(error) => Err(error.into()),
        None => Ok(charter),
    }
}

/// In the order in which they are done: within a phase hooks, then mounts, then what is unmounted, then programs.
fn errands(config: &EmperorConfig) -> Vec<Errand> {
    let placed =
        |errand: &Placed<Errand>| Errand { origin: errand.place.to_string(), ..errand.value.clone() };
    let mut errands: Vec<Errand> = config.errands.iter().map(placed).collect();
    errands.sort_by_key(|errand| (errand.phase, errand.manner));
    errands
}

/// True when ids can be given: real root, or root of a container.
fn is_privileged() -> bool {
    let permitted = crate::permitted();
    rustix::process::geteuid().is_root()
        && [Capability::CAP_SETUID, Capability::CAP_SETGID].into_iter().all(|one| permitted.has(one))
}

/// Where nothing but wrappers is named, we are what stands between them: as a vassal of any other Emperor would be,
/// by our path.
fn program(config: &EmperorConfig) -> Result<VassalProgram> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let asked = config.wrapper.as_ref().or(config.binary_path.as_ref()).map(text);
    let (overriding, fallbacks) = (&config.wrapper_override, &config.wrapper_fallback);
    if overriding.is_empty() && fallbacks.is_empty() {
        return Ok(asked.map_or(VassalProgram::Own, VassalProgram::Path));
    }
    let main = match asked {
        Some(path) => path,
        None => text(&std::env::current_exe().context("cannot tell where this program is")?),
    };
    let others = |list: &[PathBuf]| list.iter().map(text).collect::<Vec<_>>();
    let programs = [others(overriding), vec![main], others(fallbacks)].concat();
    Ok(VassalProgram::First(programs, overriding.len()))
}

fn arguments(config: &EmperorConfig) -> Arguments {
    Arguments {
        inherit_before: config.inherit_before.clone(),
        include_before: config.include_before.clone(),
        set: config.vassal_set.clone(),
        inherit: config.inherit.clone(),
        include: config.include.clone(),
        extra_extensions: config.extra_extensions.clone(),
    }
}

fn block_signals() -> Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
        // Unheard, its default would end us and everybody with us.
        Signal::SIGUSR2,
        Signal::SIGURG,
        Signal::SIGWINCH,
    ] {
        set.add(signal);
    }
    set.thread_block().context("cannot block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).context("cannot read signals")
}

/// From here on the Emperor can do nothing that its uid could not do anyway.
fn shed(charter: &Charter, identity: Option<Owner>) -> Result<()> {
    if !charter.privileged {
        return Ok(());
    }
    let identity = identity.map(|owner| Identity { uid: owner.uid, gid: owner.gid, groups: Vec::new() });
    let none = Capabilities::NONE;
    jail::run::shed(identity.as_ref(), none, none)
        .map_err(|failure| anyhow!("cannot give up privileges: {}", failure.cause()))
}

/// Each vassal costs the Emperor a descriptor, while many hosts allow 1024 of them unless asked. The spawner was
/// started before: it keeps the limit that we were given, and so does every vassal.
fn raise_descriptor_limit() -> Result<(), Errno> {
    let given = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: given.maximum, ..given })
}

/// A core of a vassal that is still root would lie where its config does, with whatever secrets it held. Who wants
/// cores of his own program raises the limit there.
fn forbid_cores() -> Result<(), Errno> {
    let given = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: Some(0), ..given })
}

fn settings(config: &EmperorConfig, charter: &Charter) -> Settings {
    Settings {
        freq_ms: config.freq_ms,
        force_poll: config.poll,
        address_extension: charter.on_demand.as_ref().and_then(|rules| rules.extension.clone()),
        extra_extensions: config.extra_extensions.clone(),
        trust: lend::policy(charter),
    }
}

fn facts(charter: &Charter, standing: &Standing) -> stats::Facts {
    stats::Facts {
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        cwd: directory().map_or_else(|_| String::new(), |cwd| cwd.display().to_string()),
        tyrant: charter.tyrant,
        jail: charter.namespaces.to_string(),
        emperor_capabilities: crate::permitted().to_string(),
        spawner_capabilities: Capabilities(standing.capabilities).to_string(),
        cgroup: standing.leaves.as_ref().map(PathBuf::from),
    }
}

fn announce(config: &EmperorConfig, charter: &Charter, notes: &[String]) {
    let version = env!("CARGO_PKG_VERSION");
    log::info("emperor", &format!("*** starting uWSGI Emperor *** (liege {version})"));
    if !charter.privileged && !config.namespaces.is_empty() {
        log::info(
            "emperor",
            "not root: each vassal gets a user namespace of its own, root inside is you outside",
        );
    }
    jailing::announce(config, charter);
    notes.iter().for_each(|note| log::warn("emperor", note));
}

/// A program runs, as the Emperor is told.
pub fn running(ticket: Ticket, fingerprint: u64, uid: u32, gid: u32) -> Event {
    Event::Running(ticket.into(), Fingerprint(fingerprint), Owner { uid, gid })
}
