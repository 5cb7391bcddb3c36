//! Walks the steps of a vassal up to its command.

use std::os::fd::AsFd;

use jail::plan::{Host, advise};
use jail::{Phase, run::perform, sys};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};
use rustix::termios::isatty;

use super::companions::Companions;
use super::handover::{Goods, Served};
use super::hooks::{self, wait};
use super::identity;
use super::launch::{Launch, Leads};
use super::namespaces;
use super::notify::{Notified, Reach};
use super::patch;
use super::programs;
use super::proxy::Proxy;
use super::root;
use super::sockets::Listening;
use super::state::Vassal;
use super::step::{Socket, Step, Wanted};
use super::terminals::Shared;
use super::trouble::Trouble;
use super::{
    backlog, cgroups, confine, daemons, logs, network, ssh, subscribe, surroundings, terminals, zerg,
};

/// Where a walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The command runs.
    Command(Pid),
    /// A child goes on behind us as PID 1 of a new pid namespace.
    Behind(Pid),
    /// No command: it serves what others use.
    Serving,
    /// A hook wants the vassal to end with this status.
    Exit(u8),
}

/// Walks `steps` from number `from` on; `go_on` is what a child of ours does with the steps after a `Fork`.
///
/// # Errors
/// The step that failed, with its number.
pub fn walk(
    vassal: &mut Vassal,
    steps: &[Step],
    from: usize,
    go_on: impl Fn(&mut Vassal, usize) -> u8,
) -> Result<End, Trouble> {
    for (index, step) in steps.iter().enumerate().skip(from) {
        let end = match step {
            Step::Fork | Step::Refork(_) => {
                fork(|| go_on(alone(vassal), index + 1)).map(|pid| Some(End::Behind(pid)))
            }
            Step::Join(socket) => match namespaces::join(vassal, socket) {
                Ok(true) => fork(|| go_on(alone(vassal), index + 1)).map(|pid| Some(End::Behind(pid))),
                Ok(false) => Ok(None),
                Err(trouble) => Err(trouble),
            },
            other => take(vassal, other).map(|status| status.map(End::Exit)),
        };
        if let Some(end) = end.map_err(|trouble| trouble.at(index + 1, steps.len()))? {
            return Ok(end);
        }
    }
    let serves = !vassal.served.is_empty() || vassal.companions.is_any() || vassal.daemons.is_any();
    let serving = serves.then_some(End::Serving);
    vassal
        .command
        .map(End::Command)
        .or(serving)
        .ok_or_else(|| Trouble::new("nothing to run").advise("give `command`"))
}

/// In a child: whoever was born before is its parent's, and the numbers may be others' here.
fn alone(vassal: &mut Vassal) -> &mut Vassal {
    vassal.companions = Companions::default();
    vassal
}

/// Takes one step. A status ends the vassal with it.
///
/// # Errors
/// Why it failed.
pub fn take(vassal: &mut Vassal, step: &Step) -> Result<Option<u8>, Trouble> {
    match step {
        Step::Hook(phase, hook) => hooks::carry_out(vassal, *phase, hook),
        other => take_plain(vassal, other).map(|()| None),
    }
}

fn take_plain(vassal: &mut Vassal, step: &Step) -> Result<(), Trouble> {
    match step {
        Step::Run(phase, text) => run(vassal, *phase, text),
        Step::Listen(reach, seconds) => listen(vassal, *reach, *seconds),
        Step::Subscribe(wanted) => subscribe::prepare(vassal, wanted),
        Step::Start(argv) => start(vassal, argv),
        Step::Become(patch) => Err(patch::become_it(vassal, patch)),
        Step::LookUp(wanted) => identity::resolve(wanted).map(|who| vassal.identity = Some(who)),
        Step::File(step) => surroundings::take(vassal, step),
        Step::Net(step) => network::take(vassal, step),
        Step::Terminals(step) => terminals::take(vassal, step),
        Step::Daemon(wanted) => {
            daemons::start(vassal, wanted);
            Ok(())
        }
        Step::Wait(thing, seconds) => wait::thing(vassal, &step.to_string(), thing, *seconds),
        Step::LendSsh => {
            lend_ssh(vassal);
            Ok(())
        }
        Step::Enter(rootfs) => root::enter(vassal, rootfs),
        Step::Chroot(path) => root::chroot(path),
        Step::LeaveOldRoot => root::leave(vassal),
        Step::Bind(socket) => {
            Listening::bind(socket, vassal.identity.as_ref()).map(|socket| vassal.sockets.push(socket))
        }
        Step::EnterCgroups(wanted) => cgroups::enter(wanted),
        Step::Owner(uid, gid) => vassal.become_owner((*uid, *gid)),
        Step::Already(wanted) => identity::check(wanted),
        Step::Directory(path) => vassal.enter(path),
        Step::LogTo(path) => vassal.log_to(path),
        Step::WriteLog(wanted) => logs::begin(vassal, wanted),
        Step::Identity(wanted, keep) => {
            namespaces::keep_fate(|| take_identity(vassal, step, (wanted, *keep)))
        }
        Step::Unshare(namespaces) => jailed(step, &jail::Step::Unshare(*namespaces)),
        Step::PrivateMounts => jailed(step, &jail::Step::PrivateMounts),
        Step::LoopbackUp => jailed(step, &jail::Step::LoopbackUp),
        Step::NewUser(ids) => namespaces::keep_fate(|| namespaces::enter_user(ids)),
        Step::NewTime(offsets) => jailed(step, &jail::Step::NewTime(offsets.clone())),
        Step::OpenNamespaces(skip) => namespaces::own(skip).map(|own| vassal.namespaces = own),
        Step::Serve(socket) => serve(vassal, socket),
        Step::Zerg(step) => zerg::take(vassal, step),
        Step::Proxy(socket) => {
            Proxy::new(socket, vassal.identity.as_ref()).map(|proxy| vassal.proxy = Some(proxy))
        }
        Step::CountWaiting(most) => backlog::watch(vassal, *most),
        Step::Hostname(name) => jailed(step, &jail::Step::Hostname(name.clone())),
        Step::Set(setting) => jailed(step, &jail::Step::Set(setting.clone())),
        Step::Bound(keep) => jailed(step, &jail::Step::Bound(*keep)),
        Step::Capabilities(keep) => jailed(step, &jail::Step::Capabilities(*keep)),
        Step::RootCapabilities(keep) => jailed(step, &jail::Step::RootCapabilities(*keep)),
        Step::NoNewPrivs | Step::Filter(_) | Step::DieWithParent => take_alone(step),
        Step::Confine(limit) => confine::prepare(vassal, limit),
        Step::Fork | Step::Refork(_) | Step::Join(_) | Step::Hook(..) => {
            unreachable!("walk() and take() take these themselves")
        }
    }
}

/// One step that no vassal is needed for.
///
/// # Errors
/// Why it failed.
pub fn take_alone(step: &Step) -> Result<(), Trouble> {
    match step {
        Step::NoNewPrivs => jailed(step, &jail::Step::NoNewPrivs),
        Step::Filter(filter) => jailed(step, &jail::Step::Filter(*filter)),
        Step::DieWithParent => jailed(step, &jail::Step::DieWithParent),
        _ => unreachable!("only these three are taken alone"),
    }
}

fn serve(vassal: &mut Vassal, socket: &Socket) -> Result<(), Trouble> {
    let own = std::mem::take(&mut vassal.namespaces);
    vassal.served.push(Served::new(socket, vassal.identity.as_ref(), (Goods::Namespaces, own))?);
    Ok(())
}

/// One step of the jail, done in this process.
fn jailed(step: &Step, same: &jail::Step) -> Result<(), Trouble> {
    perform(same).map_err(|failure| {
        let trouble = Trouble::new(format!("cannot {step}: {}", failure.cause()));
        let advice = advise(same, failure.errno, &Host { vassal: true, ..Host::look() });
        Trouble { advice, ..trouble }
    })
}

fn take_identity(
    vassal: &Vassal,
    step: &Step,
    (wanted, keep): (&Wanted, jail::Capabilities),
) -> Result<(), Trouble> {
    let known = vassal.identity.clone().map_or_else(|| identity::resolve(wanted), Ok);
    jailed(step, &jail::Step::Identity(known?, keep))
}

/// A root that has its own needs none of the host's.
fn lend_ssh(vassal: &mut Vassal) {
    match ssh::open() {
        Ok(lent) => vassal.ssh = lent,
        Err(trouble) => vassal.teller.nuisance(&trouble),
    }
}

fn run(vassal: &mut Vassal, phase: Phase, text: &str) -> Result<(), Trouble> {
    let environment = programs::environment(vassal, phase);
    programs::run(vassal, &format!("exec-{} `{text}`", phase.name()), text, environment)
}

fn fork(go_on: impl FnOnce() -> u8) -> Result<Pid, Trouble> {
    let parent = getpid();
    let child = || {
        // Whoever kills us means the vassal, and may have done so before it was asked for. (In a pid namespace of its
        // own a child does not see who we are.)
        let set = set_parent_process_death_signal(Some(Signal::KILL));
        match (set, getppid()) {
            (Ok(()), None) => i32::from(go_on()),
            (Ok(()), Some(now)) if now == parent => i32::from(go_on()),
            _ => 1,
        }
    };
    sys::fork(child).map_err(|errno| Trouble::errno("fork", errno))
}

fn listen(vassal: &mut Vassal, reach: Reach, heartbeat_s: u32) -> Result<(), Trouble> {
    let notified = Notified::new(reach).map_err(|errno| Trouble::errno("make a NOTIFY_SOCKET", errno))?;
    notified.refuse_descriptors();
    vassal.set_variable("NOTIFY_SOCKET", notified.name());
    if heartbeat_s > 0 {
        vassal.set_variable("WATCHDOG_USEC", &(u64::from(heartbeat_s) * 1_000_000).to_string());
    }
    vassal.notified = Some(notified);
    Ok(())
}

fn start(vassal: &mut Vassal, argv: &[String]) -> Result<(), Trouble> {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let own = vassal.terminals.shared.as_ref().map(Shared::peer);
    let ours = vassal.control.is_none() && isatty(rustix::stdio::stdin());
    let launch = Launch {
        argv: &argv,
        environment: vassal.user_environment(),
        sockets: vassal.sockets.iter().map(|socket| (socket.as_fd(), socket.name().to_owned())).collect(),
        directory: vassal.directory.as_ref().map(AsFd::as_fd),
        input: own,
        output: own.or(vassal.log.as_ref().map(AsFd::as_fd)),
        confinement: Some(&vassal.confinement),
        leads: own.map_or(if ours { Leads::Foreground } else { Leads::Group }, Leads::Terminal),
        identity: None,
        kept: Vec::new(),
        bears_terminals: false,
    };
    vassal.command = Some(launch.start()?);
    Ok(())
}
