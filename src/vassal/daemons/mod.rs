//! Daemons beside the command: carries out what their lives order, and tells the Emperor of them.

mod keeper;
mod kept;
mod line;
mod outflow;
mod pidfile;
mod relay;
mod steering;

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::exit::Exit;
use super::notify::Reach;
use super::state::Vassal;
use super::touch::Touches;
use super::trouble::Trouble;
use super::upward;
use super::watch::{Happening, now};
use super::{programs, watch};
use crate::config::place::Placed;
use crate::config::vassal::VassalConfig;
use crate::config::vassal::daemons::Daemon;
use crate::config::vassal::daemons::Rules;
use crate::daemons::words::State;
use crate::daemons::{Leaving, Life, Order, Steering, Word};
use crate::emperor::event::Moment;
use line::{Asked, Line, Told};

/// Once nobody is left who waits for us, in ms.
const ORPHAN_GRACE_MS: u64 = 2_000;

/// One to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What its config says.
    pub daemon: Daemon,
    /// What its life depends on.
    pub rules: Rules,
    /// How it reaches us, where it says when it is ready.
    pub reach: Reach,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Daemons {
    list: Vec<Minded>,
    /// A control daemon has ended: so does the vassal.
    shuts_down: bool,
    /// What the Emperor says of them, as far as it has come.
    steering: steering::Steered,
}

/// One of them.
#[derive(Debug)]
struct Minded {
    daemon: Daemon,
    reach: Reach,
    life: Life,
    keeper: Option<Keeper>,
    /// How its last process ended, if its keeper has told.
    exit: Option<Exit>,
    /// What it says of itself.
    said: String,
    told: Option<Word>,
    /// Files that begin it anew.
    touches: Option<Touches>,
}

/// Whoever minds its processes.
#[derive(Debug)]
struct Keeper {
    pid: Pid,
    line: Line,
    /// Its first process.
    main: Option<i32>,
}

/// The daemons of a config, in order.
pub fn wanted(config: &VassalConfig, reach: Reach) -> impl Iterator<Item = Wanted> {
    let mercy_ms = config.health.mercy_ms;
    daemons(config).map(move |daemon| Wanted { rules: daemon.rules(mercy_ms), daemon, reach })
}

/// What it says of them alone.
pub fn daemons(config: &VassalConfig) -> impl Iterator<Item = Daemon> {
    let keep_input = config.daemons.keep_input;
    let minding = Some(&config.logs.minding).filter(|minding| minding.is_any());
    let daemon = move |Placed { value, .. }: &Placed<Daemon>| Daemon {
        stdin: value.stdin || keep_input,
        minding: minding.filter(|_| value.log.is_some()).cloned(),
        ..value.clone()
    };
    config.daemons.list.iter().map(daemon)
}

/// Starts one for the first time, unless it has survived a reload.
pub fn start(vassal: &mut Vassal, wanted: &Wanted) {
    if let Some(one) = vassal.daemons.list.iter_mut().find(|one| one.daemon == wanted.daemon) {
        return one.life.governed_by(wanted.rules);
    }
    let (daemon, life) = (wanted.daemon.clone(), Life::new(wanted.rules, now()));
    let watched = (!daemon.touch.is_empty()).then(|| Touches::new(daemon.touch.clone()));
    let touches = watched.transpose().unwrap_or_else(|trouble| {
        vassal.teller.nuisance(&trouble);
        None
    });
    let reach = wanted.reach;
    let (keeper, exit, said, told) = (None, None, String::new(), None);
    vassal.daemons.list.push(Minded { daemon, reach, life, keeper, exit, said, told, touches });
    mind(vassal);
}

impl Daemons {
    /// True when there is one.
    pub fn is_any(&self) -> bool {
        !self.list.is_empty()
    }

    /// True, once, when the vassal has to stop because one has ended.
    pub fn take_shutdown(&mut self) -> bool {
        std::mem::take(&mut self.shuts_down)
    }

    /// When `mind` wants to be called.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.list.iter().filter_map(|one| one.life.next_deadline()).min()
    }

    /// What is to be waited for beside everything else.
    pub fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        let keepers = self.list.iter().filter_map(|one| one.keeper.as_ref());
        let open = keepers.filter(|keeper| keeper.line.is_open()).map(|keeper| keeper.line.as_fd());
        let touches = self.list.iter().filter_map(|one| one.touches.as_ref()).map(AsFd::as_fd);
        open.chain(touches).map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN))
    }

    /// Hears what keepers say, and sees what was touched. Never waits.
    pub fn look(&mut self) {
        self.hear();
        for one in &mut self.list {
            if one.touches.as_mut().is_some_and(Touches::any_differs) {
                one.life.touched(now());
            }
        }
    }

    fn hear(&mut self) {
        for one in &mut self.list {
            let Some(keeper) = &mut one.keeper else { continue };
            while let Some(told) = keeper.line.told() {
                match told {
                    Told::Main(pid) => keeper.main = Some(pid),
                    Told::Ready => one.life.ready(),
                    Told::Said(text) => one.said = text,
                    Told::Ended(exit) => one.exit = Some(exit),
                }
            }
        }
    }

    /// A byte of the Emperor, which may be one about a daemon.
    pub fn take(&mut self, byte: u8) {
        if let Some((steering, name)) = self.steering.take(byte) {
            self.steer(&name, steering);
        }
    }

    fn steer(&mut self, name: &str, steering: Steering) {
        let one = self.list.iter_mut().find(|one| one.daemon.name == name);
        one.into_iter().for_each(|one| one.life.steered(steering, now()));
    }

    /// Whether a reload that keeps these ends less than one that keeps none.
    pub fn outlive_reload(&self, kept: &[Daemon]) -> bool {
        self.list.iter().any(|one| one.survives(kept))
    }

    fn any_leaves(&self) -> bool {
        self.list.iter().any(|one| one.life.is_leaving())
    }
}

/// Carries out what is due, and tells of it.
pub fn mind(vassal: &mut Vassal) {
    let mut daemons = std::mem::take(&mut vassal.daemons);
    for one in &mut daemons.list {
        one.life.handle_deadline(now());
        while let Some(order) = one.life.next_order() {
            match order {
                Order::Start => one.start(vassal),
                Order::Signal(number) => one.ask(Asked::Signal(number)),
                Order::End(number) => one.ask(Asked::End(number)),
                Order::Kill => one.ask(Asked::Signal(Signal::KILL.as_raw())),
                Order::KillKeeper => one.kill_keeper(),
                Order::Shutdown => daemons.shuts_down = true,
            }
        }
        one.tell(vassal);
    }
    vassal.daemons = daemons;
}

/// A child of ours has ended, which may be the keeper of one.
pub fn mourn(vassal: &mut Vassal, pid: Pid, exit: Exit) {
    vassal.daemons.hear();
    let kept = |one: &&mut Minded| one.keeper.as_ref().is_some_and(|keeper| keeper.pid == pid);
    let Some(one) = vassal.daemons.list.iter_mut().find(kept) else { return };
    let asked_for = one.life.is_stopping();
    one.keeper = None;
    one.life.ended(now());
    let exit = one.exit.take().unwrap_or(exit);
    let again = one.life.next_deadline().map(|at| at.ms_since(now()));
    let then = match again {
        Some(0) => "; it is started again".to_owned(),
        Some(ms) => format!("; it is started again in {ms} ms"),
        None => String::new(),
    };
    let text = format!("daemon {} {exit}{then}", one.daemon.name);
    match asked_for {
        true => vassal.teller.said(&text),
        false => vassal.teller.nuisance(&Trouble::new(text)),
    }
}

/// Has all of them end, each at its own pace, and comes back when they have; smart ones that are among `kept` go on.
///
/// # Errors
/// Nothing can be waited for.
pub fn leave(vassal: &mut Vassal, leaving: Leaving, kept: &[Daemon]) -> Result<(), Trouble> {
    for one in &mut vassal.daemons.list {
        match one.survives(kept) {
            true => one.life.reloaded(),
            false => one.life.leave(leaving, now()),
        }
    }
    mind(vassal);
    while vassal.daemons.any_leaves() {
        let patience = vassal.daemons.next_deadline().map(watch::until);
        match vassal.next(patience)? {
            Happening::Child => drop(programs::reap_all(vassal, None)),
            happening => {
                if matches!(happening, Happening::Emperor(super::control::Word::End)) {
                    hurry(vassal);
                }
                // A stop and a reload are kept for whoever goes on.
                let _ = programs::heed(vassal, happening, "daemons");
            }
        }
        mind(vassal);
    }
    vassal.daemons.list.retain(|one| !one.life.is_over());
    forget_told(vassal);
    Ok(())
}

/// The Emperor forgets whom it was told of, and is told again of those who are left.
fn forget_told(vassal: &mut Vassal) {
    if vassal.daemons.list.iter().any(|one| one.told.is_some()) {
        upward::no_daemons(vassal);
        vassal.daemons.list.iter_mut().for_each(|one| one.told = None);
    }
}

fn hurry(vassal: &mut Vassal) {
    let by = now().plus_ms(ORPHAN_GRACE_MS);
    vassal.daemons.list.iter_mut().for_each(|one| one.life.hurry(by));
}

impl Minded {
    fn survives(&self, kept: &[Daemon]) -> bool {
        self.life.is_smart() && !self.life.is_over() && kept.contains(&self.daemon)
    }

    fn start(&mut self, vassal: &Vassal) {
        (self.exit, self.said) = (None, String::new());
        match keeper::begin(vassal, (&self.daemon, self.reach)) {
            Ok((pid, line)) => self.keeper = Some(Keeper { pid, line, main: None }),
            Err(trouble) => {
                vassal.teller.nuisance(&trouble);
                self.life.unborn(now());
            }
        }
    }

    fn ask(&self, asked: Asked) {
        self.keeper.iter().for_each(|keeper| keeper.line.ask(asked));
    }

    fn kill_keeper(&self) {
        // It is our child and not reaped, so the number is still its own.
        let _ = self.keeper.as_ref().map(|keeper| kill_process(keeper.pid, Signal::KILL));
    }

    fn tell(&mut self, vassal: &Vassal) {
        let Self { daemon, life, keeper, .. } = &*self;
        let pid = keeper.as_ref().and_then(|keeper| keeper.main).unwrap_or(0);
        let state = match life.shown() {
            State::Running if pid == 0 => State::Starting,
            state => state,
        };
        let said = if pid == 0 { String::new() } else { self.said.clone() };
        let word = Word { name: daemon.name.clone(), state, pid, starts: life.starts(), said };
        if self.told.as_ref() != Some(&word) {
            upward::daemon(vassal, &word);
            self.told = Some(word);
        }
    }
}
