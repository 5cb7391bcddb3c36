//! The vassal master: one command, its signals, its orphans, its Emperor.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};
use rustix::termios::{isatty, tcsetpgrp};

use super::backlog::Backlog;
use super::control::Word;
use super::duties::{Duties, Event, Newest, Order, Presence};
use super::exit::Exit;
use super::idle::Idle;
use super::reactions::Reactions;
use super::state::Vassal;
use super::step::Step;
use super::subscribe::Subscriber;
use super::tell::Teller;
use super::touch::Touches;
use super::trouble::Trouble;
use super::watch::{Happening, now, reap, until};
use super::{companions, daemons, programs, walk};
use crate::config::vassal::health::{Health, Readiness};
use crate::emperor::order::{from_vassal, to_vassal};
use crate::leftovers;

/// PID 1 of a pid namespace takes with it whoever is in it, and ends only behind them.
const AFTERMATH: Duration = Duration::from_millis(20);

/// Why the master is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To leave with this status.
    Status(u8),
    /// To begin anew with the new config.
    Renew,
}

/// Minds the command `pid` until it has ended.
///
/// `check` reads the newest config, from the descriptor that came with the reload if one did, and tells what is
/// wrong with it; the Emperor is to be told what it returns.
pub fn mind(
    vassal: &mut Vassal,
    pid: Pid,
    (reactions, health): (&Reactions, Health),
    check: impl Fn(Option<OwnedFd>) -> (Newest, Option<Vec<u8>>),
) -> Result<Outcome, Trouble> {
    let mut watch = Watch::new(vassal, pid, reactions, health);
    loop {
        if let Some(outcome) = watch.obey(&check) {
            return Ok(outcome);
        }
        let happening = watch.wait()?;
        if let Some(status) = watch.react(reactions, &happening) {
            return Ok(Outcome::Status(status));
        }
        watch.hear(happening);
    }
}

/// The command, and what is known of it while it runs.
struct Watch<'a> {
    vassal: &'a mut Vassal,
    command: Pid,
    duties: Duties,
    idle: Option<Idle>,
    touches: Option<Touches>,
    /// What came along with the last reload.
    config: Option<Option<OwnedFd>>,
    /// How the command ended whose group has not.
    left: Option<Exit>,
}

impl<'a> Watch<'a> {
    fn new(vassal: &'a mut Vassal, command: Pid, reactions: &Reactions, health: Health) -> Self {
        let duties = Duties::new(spoken_for(vassal, health), now());
        let idle = Idle::new(vassal, health.idle_s);
        let touches = reactions.watch(vassal);
        let mut watch = Self { vassal, command, duties, idle, touches, config: None, left: None };
        watch.take_belated_reload();
        if let Some(exit) = watch.vassal.command_ended.take() {
            watch.left = Some(exit);
            watch.see_the_end();
        }
        watch
    }

    /// A reload that was asked for while something else was done, with the config that came along.
    fn take_belated_reload(&mut self) {
        if let Some(sent) = self.vassal.reload.take() {
            self.duties.handle(Event::Byte(to_vassal::RELOAD), now());
            self.config = Some(sent);
        }
    }

    /// Does what is to be done by now; an outcome when that was the last of it.
    fn obey(&mut self, check: impl Fn(Option<OwnedFd>) -> (Newest, Option<Vec<u8>>)) -> Option<Outcome> {
        daemons::mind(self.vassal);
        if self.vassal.daemons.take_shutdown() {
            self.duties.handle(Event::Byte(to_vassal::STOP), now());
        }
        while let Some(order) = next_order(self.vassal, &mut self.duties) {
            match order {
                Order::Send(byte) => self.vassal.send(byte),
                Order::Pass(byte) => self.vassal.proxy.iter().for_each(|proxy| proxy.pass(byte)),
                Order::Signal(number) => self.signal(number),
                Order::Check => {
                    let newest = told(self.vassal, check(self.config.take().flatten()));
                    self.duties.handle(Event::Checked(newest), now());
                }
                Order::Finish(status) => return Some(Outcome::Status(status)),
                Order::Renew => return Some(Outcome::Renew),
            }
        }
        if self.duties.is_stopping() {
            // A reaction would keep us from seeing that the command has ended.
            self.touches = None;
        } else {
            companions::revive(self.vassal);
        }
        None
    }

    /// To its group, which has members as long as the command is not reaped.
    fn signal(&self, number: i32) {
        let Some(signal) = Signal::from_named_raw(number) else { return };
        match self.left {
            None => drop(kill_process_group(self.command, signal)),
            Some(_) => leftovers::signal_group(self.command, signal),
        }
    }

    fn wait(&mut self) -> Result<Happening, Trouble> {
        if let Some(happening) = self.vassal.interrupted.take() {
            return Ok(happening);
        }
        let patience = wait_at_most(self.vassal, &self.duties, self.idle.as_ref());
        let touches = self.touches.as_ref();
        let touches = touches.map(|touches| PollFd::from_borrowed_fd(touches.as_fd(), PollFlags::IN));
        self.vassal.next_beside(patience, touches)
    }

    /// What the config wants done then; a status where it ends the vassal.
    fn react(&mut self, reactions: &Reactions, happening: &Happening) -> Option<u8> {
        if self.duties.is_stopping() && !matches!(happening, Happening::Emperor(Word::End)) {
            return None;
        }
        let status = reactions.react(self.vassal, happening, self.touches.as_mut())?;
        if let Some(subscriber) = &mut self.vassal.subscriber {
            subscriber.look(Presence::Leaving, now());
        }
        Some(status)
    }

    fn hear(&mut self, happening: Happening) {
        match happening {
            Happening::Deadline => self.duties.handle_deadline(now()),
            Happening::Signal(number) => self.duties.handle(Event::Signal(number), now()),
            Happening::Emperor(Word::End) => self.duties.handle(Event::EmperorGone, now()),
            Happening::Emperor(Word::Byte(byte, sent)) => {
                self.config = Some(sent);
                self.duties.handle(Event::Byte(byte), now());
            }
            Happening::Child => drop(programs::reap_all(self.vassal, None)),
            Happening::Other => {}
        }
        heed(self.vassal, &mut self.duties);
        if self.idle.as_mut().is_some_and(|idle| idle.is_over(self.vassal, self.command)) {
            self.duties.handle(Event::Idle, now());
        }
        if let Some(exit) = self.vassal.command_ended.take() {
            self.left = Some(exit);
        }
        self.see_the_end();
        self.take_belated_reload();
    }

    /// The command has ended: so do those of its group, at once unless they have been told to.
    fn see_the_end(&mut self) {
        let Some(exit) = self.left else { return };
        if !self.duties.lets_take_time() {
            // What is left of its group would never hear of a stop.
            leftovers::signal_group(self.command, Signal::KILL);
        } else if leftovers::is_in_group(self.command) {
            // Its number may be another's by now.
            self.idle = None;
            return self.duties.handle(Event::Left, now());
        }
        self.left = None;
        self.duties.handle(Event::Ended(exit), now());
    }
}

/// Who speaks in the command's place says when it is ready.
fn spoken_for(vassal: &Vassal, health: Health) -> Health {
    match (&vassal.proxy, health.ready) {
        (Some(_), Readiness::Started) => Health { ready: Readiness::Notify, ..health },
        _ => health,
    }
}

/// The newest config was read: the Emperor is told first.
fn told(vassal: &Vassal, (newest, words): (Newest, Option<Vec<u8>>)) -> Newest {
    if let (Some(words), Some(control)) = (words, &vassal.control) {
        control.say(&words);
    }
    newest
}

/// The next order; routers know before that the command stops.
fn next_order(vassal: &mut Vassal, duties: &mut Duties) -> Option<Order> {
    if let Some(subscriber) = &mut vassal.subscriber {
        subscriber.look(duties.presence(), now());
    }
    duties.next_order()
}

/// What the command has said of itself.
fn heed(vassal: &mut Vassal, duties: &mut Duties) {
    let heard = &mut vassal.heard;
    let (ready, beat) = (std::mem::take(&mut heard.ready), std::mem::take(&mut heard.beat));
    let ignored = std::mem::take(&mut heard.ignored);
    if let (Some(words), Some(control)) = (heard.sayings.next(now()), &vassal.control) {
        control.say(&words);
    }
    if ready {
        duties.handle(Event::Ready, now());
    }
    if beat {
        duties.handle(Event::Beat, now());
    }
    if ignored > 0 && !std::mem::replace(&mut vassal.told_of_strangers, true) {
        vassal.teller.strangers();
    }
    heed_proxy(vassal, duties);
    ask_for_help(vassal, duties);
}

/// What is said in its place, and whether anybody does.
fn heed_proxy(vassal: &mut Vassal, duties: &mut Duties) {
    let Some(proxy) = &mut vassal.proxy else { return };
    for byte in proxy.said() {
        duties.handle(Event::Spoken(byte), now());
    }
    duties.handle(Event::Proxied(proxy.is_taken()), now());
}

/// A command that ends needs no help.
fn ask_for_help(vassal: &mut Vassal, duties: &Duties) {
    let Some(backlog) = &mut vassal.backlog else { return };
    if backlog.is_too_long(&vassal.sockets) && !duties.is_stopping() {
        vassal.send(from_vassal::SOS);
    }
}

/// Serves what others use and runs nothing, until it is told to stop, or to begin anew with another config.
///
/// # Errors
/// Nothing can be waited for.
pub fn serve(
    vassal: &mut Vassal,
    reactions: &Reactions,
    check: impl Fn(Option<OwnedFd>) -> (Newest, Option<Vec<u8>>),
) -> Result<Outcome, Trouble> {
    let there = [from_vassal::SPAWNED, from_vassal::ACCEPTING, from_vassal::LOYAL];
    there.into_iter().for_each(|byte| vassal.send(byte));
    loop {
        daemons::mind(vassal);
        if vassal.daemons.take_shutdown() {
            return Ok(Outcome::Status(0));
        }
        let happening = match (vassal.interrupted.take(), vassal.reload.take()) {
            (Some(stop), _) => stop,
            (None, Some(config)) => Happening::Emperor(Word::Byte(to_vassal::RELOAD, config)),
            (None, None) => {
                let daemons = vassal.daemons.next_deadline().map(until);
                vassal.next(vassal.companions.patience().into_iter().chain(daemons).min())?
            }
        };
        companions::revive(vassal);
        if let Some(status) = reactions.react(vassal, &happening, None) {
            return Ok(Outcome::Status(status));
        }
        match happening {
            Happening::Emperor(Word::Byte(to_vassal::RELOAD, config)) => match told(vassal, check(config)) {
                Newest::Good => return Ok(Outcome::Renew),
                // They begin anew, as a command does.
                Newest::Same if vassal.daemons.is_any() => return Ok(Outcome::Renew),
                Newest::Same | Newest::Bad => there.into_iter().for_each(|byte| vassal.send(byte)),
            },
            happening if programs::is_stop(&happening) => return Ok(Outcome::Status(0)),
            Happening::Child => drop(programs::reap_all(vassal, None)),
            Happening::Emperor(_) | Happening::Signal(_) | Happening::Other | Happening::Deadline => {}
        }
    }
}

/// Takes the steps that come after the command; a failing one is told and no more. A status takes the place of the
/// command's.
pub fn after(vassal: &mut Vassal, steps: &[Step], teller: &Teller) -> Option<u8> {
    // Its number may be another's by now.
    vassal.command = None;
    for step in steps {
        match walk::take(vassal, step) {
            Ok(None) => {}
            Ok(status) => return status,
            Err(trouble) => teller.trouble(&trouble),
        }
    }
    None
}

/// Waits for `child`, which goes on in our stead, and ends as it ends. Those who were born before it are ours to look after.
pub fn stand_before(vassal: &mut Vassal, child: Pid) -> Result<u8, Trouble> {
    // Its own copies count; ours would keep them open when it has ended.
    vassal.control = None;
    // The file of the socket is the child's as long as it lives.
    let _kept = (
        std::mem::take(&mut vassal.served),
        std::mem::take(&mut vassal.pooled),
        std::mem::take(&mut vassal.terminals),
        vassal.proxy.take(),
    );
    let mut ended = Vec::new();
    loop {
        let patience = if ended.is_empty() { vassal.companions.patience() } else { Some(AFTERMATH) };
        match vassal.next(patience)? {
            Happening::Signal(number) => pass_on(child, number),
            Happening::Child => {
                while let Some((pid, exit)) = reap() {
                    if pid == child {
                        return Ok(exit.status());
                    }
                    ended.push((pid, exit));
                }
            }
            Happening::Deadline => {
                ended.drain(..).for_each(|(pid, exit)| companions::mourn(vassal, pid, exit));
            }
            Happening::Emperor(_) | Happening::Other => {}
        }
        if ended.is_empty() {
            companions::revive(vassal);
        }
    }
}

/// Takes the terminal back that the command had.
pub fn take_terminal() {
    let input = rustix::stdio::stdin();
    if isatty(input) {
        // Not ours to take: then it was not the command's either.
        let _ = tcsetpgrp(input, getpgrp());
    }
}

fn pass_on(child: Pid, number: i32) {
    // One that is gone already gets nothing: its end is the next thing that we hear.
    let _ = Signal::from_named_raw(number).map(|signal| kill_process(child, signal));
}

fn wait_at_most(vassal: &Vassal, duties: &Duties, idle: Option<&Idle>) -> Option<Duration> {
    let left =
        |deadline: crate::emperor::event::Moment| Duration::from_nanos(deadline.0.saturating_sub(now().0));
    let announcement = vassal.subscriber.as_ref().and_then(Subscriber::next_deadline);
    let words = vassal.heard.sayings.next_deadline();
    let looks = idle.map(Idle::next_deadline);
    let counts = vassal.backlog.as_ref().and_then(Backlog::next_deadline);
    let deadlines = duties.next_deadline().into_iter().chain(announcement).chain(words).chain(looks);
    let deadlines = deadlines.chain(vassal.daemons.next_deadline());
    let births = vassal.companions.patience().filter(|_| !duties.is_stopping());
    deadlines.chain(counts).min().map(left).into_iter().chain(births).min()
}
