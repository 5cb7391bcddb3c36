//! From an admin's config to a running loop: who we are, what is kept, what is given up, in this order.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use jail::{Capabilities, Identity};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use super::Runtime;
use super::activation;
use super::asides::Asides;
use super::attributes::Attributes;
use super::chartering::{charter, is_privileged};
use super::commissions;
use super::courtiers::Courtiers;
use super::doors::Doors;
use super::earshot::Unheard;
use super::errands::Fetched;
use super::eyes::LentEyes;
use super::farewells::Farewells;
use super::gateways::Gateways;
use super::held_back::HeldBack;
use super::household::Household;
use super::ids::identity;
use super::jailing;
use super::keeper::LogKeeper;
use super::listeners::Listeners;
use super::logs::{self, Logs};
use super::notify::Messenger;
use super::outputs;
use super::policy;
use super::presence;
use super::rations::Rations;
use super::remembrance::Remembrance;
use super::residence::Residence;
use super::rules;
use super::sessions::Sessions;
use super::update::Audience;
use super::waiters::Waiters;
use crate::config::emperor::{EmperorConfig, Source};
use crate::config::place::Placed;
use crate::control::door::Door;
use crate::emperor::Emperor;
use crate::emperor::event::Owner;
use crate::logfile::LogFile;
use crate::monitors::{self, Monitors, Settings};
use crate::reactor::{Poller, clock};
use crate::spawner::charter::{Charter, Leftover};
use crate::spawner::wire::Standing;
use crate::spawner::{client, lend};
use crate::{log, stats};

/// What is opened while there are privileges, and by whom.
struct Premises {
    identity: Option<Owner>,
    cwd: PathBuf,
    sources: Vec<Source>,
    charter: Charter,
    signals: SignalFd,
    stats: stats::Server,
    doors: Doors,
    gateways: Gateways,
    keeper: LogKeeper,
    events: stats::Events,
    door: Door,
    residence: Residence,
    remembrance: Remembrance,
    rules: stats::Rules,
}

impl Premises {
    fn open(config: &EmperorConfig) -> Result<Self> {
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
        let residence = Residence::open(config, &first, identity)?;
        let remembrance = remembrance(config, identity)?;
        let rules = rules::look(config.file.as_deref(), &first);
        let mut premises = Self {
            identity,
            cwd,
            sources,
            charter,
            signals,
            stats,
            doors,
            gateways,
            keeper,
            events,
            door,
            residence,
            remembrance,
            rules,
        };
        premises.charter.leftovers = premises.leftovers();
        premises.charter.routers = premises.gateways.lodgings();
        Ok(premises)
    }

    /// What is removed in the end, by the spawner.
    fn leftovers(&self) -> Vec<Leftover> {
        let paths = self.stats.paths().chain(self.events.path()).chain(self.doors.paths());
        let leftovers = paths.chain(self.door.path()).filter_map(Leftover::of);
        leftovers.chain(self.residence.leftovers()).chain(self.gateways.leftovers()).collect()
    }
}

/// Starts everything. What needs privileges comes first; then they are given up.
///
/// # Errors
/// What keeps the Emperor from starting, with its cure.
pub fn start(config: &EmperorConfig) -> Result<Runtime> {
    let config = &activation::adopted(config)?;
    let mut premises = Premises::open(config)?;
    forbid_cores().context("cannot limit cores")?;
    let started = client::start(&premises.charter)?;
    possible(&started.standing)?;
    announce(config, &premises.charter, &started.standing.notes);
    presence::take(&config.presence, config.commissions.use_servers())?;
    shed(&premises.charter, premises.identity)?;
    let _ = raise_descriptor_limit();
    let lender = Rc::new(started.lender);
    let logs = Logs::settle(premises.charter.log.as_ref(), &config.process, &lender)?;
    premises.residence.furnish(config)?;
    enter(config.process.last_directory.as_ref(), "chdir2")?;
    let eyes = Box::new(LentEyes::new(Rc::clone(&lender)));
    let settings = settings(config, &premises.charter);
    let monitors = Monitors::new(&premises.sources, settings, eyes, &premises.cwd, clock::now())?;
    let charter = premises.charter;
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
        signals: premises.signals,
        stats: premises.stats,
        doors: premises.doors,
        gateways: premises.gateways,
        keeper: premises.keeper,
        household: Household::new(charter.household.as_ref()),
        door: premises.door,
        sessions: Sessions::default(),
        rations: Rations::default(),
        waiters: Waiters::default(),
        remembrance: premises.remembrance,
        audience: Audience::default(),
        events: premises.events,
        facts: facts((&charter, premises.rules), &started.standing),
        residence: premises.residence.with_switch(started.kill_switch),
        logs,
        follows: charter.follows_starts(),
        asides: Asides::new(charter.asides()),
        farewells: Farewells::new(charter.stop_hook.is_some()),
        fetched: Fetched::default(),
        messenger: Messenger::of_environment(&|name| config.process.variable(name, std::env::var(name).ok())),
        introduced: false,
        unreaped: false,
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

/// Mask, log and directory, before anything is made or looked for.
fn begin(config: &EmperorConfig, first: &Path, identity: Option<Owner>) -> Result<Option<LogFile>> {
    let process = &config.process;
    process.umask.map(|mask| umask(Mode::from_raw_mode(mask)));
    let file = logs::begin(process, first, identity)?;
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

/// Each source once: two vassals of one config would get into each other's way.
fn sources(config: &EmperorConfig, cwd: &Path) -> Result<Vec<Source>> {
    let given = config.sources.iter().map(|source| monitors::absolute(&source.value, cwd)).collect();
    let (once, again) = monitors::distinct(given, cwd)?;
    for source in again {
        log::line(log::Level::Warn, &[("source", &source.to_string())], "is given twice: it is used once");
    }
    Ok(once)
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

fn facts((charter, rules): (&Charter, stats::Rules), standing: &Standing) -> stats::Facts {
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
        rules,
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
    outputs::announce(config);
    notes.iter().for_each(|note| log::warn("emperor", note));
}
