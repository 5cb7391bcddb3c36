//! The vassal master: one command, its signals, its orphans, its Emperor.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};
use rustix::termios::{isatty, tcsetpgrp};

use super::backlog::Backlog;
use super::control::Word;
use super::duties::{Duties, Event, Exit, Newest, Order, Presence};
use super::idle::Idle;
use super::reactions::Reactions;
use super::state::Vassal;
use super::step::Step;
use super::subscribe::Subscriber;
use super::tell::Teller;
use super::trouble::Trouble;
use super::watch::{Happening, now, reap, until};
use super::{companions, daemons, programs, walk};
use crate::config::vassal::health::{Health, Readiness};
use crate::emperor::order::{from_vassal, to_vassal};

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
    let mut duties = Duties::new(spoken_for(vassal, health), now());
    let mut idle = Idle::new(vassal, health.idle_s);
    let mut touches = reactions.watch(vassal);
    let mut config = belated(vassal, &mut duties);
    if let Some(exit) = vassal.command_ended.take() {
        duties.handle(Event::Ended(exit), now());
    }
    loop {
        daemons::mind(vassal);
        if vassal.daemons.take_shutdown() {
            duties.handle(Event::Byte(to_vassal::STOP), now());
        }
        while let Some(order) = next_order(vassal, &mut duties) {
            match order {
                Order::Send(byte) => vassal.send(byte),
                Order::Pass(byte) => vassal.proxy.iter().for_each(|proxy| proxy.pass(byte)),
                Order::Signal(number) => signal(pid, number),
                Order::Check => {
                    duties.handle(Event::Checked(told(vassal, check(config.take().flatten()))), now())
                }
                Order::Finish(status) => return Ok(Outcome::Status(status)),
                Order::Renew => return Ok(Outcome::Renew),
            }
        }
        if !duties.is_stopping() {
            companions::revive(vassal);
        }
        if duties.is_stopping() {
            // A reaction would keep us from seeing that the command has ended.
            touches = None;
        }
        let happening = match vassal.interrupted.take() {
            Some(happening) => happening,
            None => vassal.next_beside(
                wait_at_most(vassal, &duties, idle.as_ref()),
                touches.as_ref().map(|touches| PollFd::from_borrowed_fd(touches.as_fd(), PollFlags::IN)),
            )?,
        };
        let due = !duties.is_stopping() || matches!(happening, Happening::Emperor(Word::End));
        if due && let Some(status) = reactions.react(vassal, &happening, touches.as_mut()) {
            if let Some(subscriber) = &mut vassal.subscriber {
                subscriber.look(Presence::Leaving, now());
            }
            return Ok(Outcome::Status(status));
        }
        match happening {
            Happening::Deadline => duties.handle_deadline(now()),
            Happening::Signal(number) => duties.handle(Event::Signal(number), now()),
            Happening::Emperor(Word::End) => duties.handle(Event::EmperorGone, now()),
            Happening::Emperor(Word::Byte(byte, sent)) => {
                config = Some(sent);
                duties.handle(Event::Byte(byte), now());
            }
            Happening::Child => children(vassal, pid, &mut duties),
            Happening::Other => {}
        }
        heed(vassal, &mut duties);
        if idle.as_mut().is_some_and(|idle| idle.is_over(vassal, pid)) {
            duties.handle(Event::Idle, now());
        }
        if let Some(exit) = vassal.command_ended.take() {
            command_ended(pid, exit, &mut duties);
        }
        config = belated(vassal, &mut duties).or(config);
    }
}

/// A reload that was asked for while something else was done, with the config that came along.
fn belated(vassal: &mut Vassal, duties: &mut Duties) -> Option<Option<OwnedFd>> {
    let sent = vassal.reload.take()?;
    duties.handle(Event::Byte(to_vassal::RELOAD), now());
    Some(sent)
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

/// Waits for `child`, which goes on in our stead, and ends as it ends.
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
    loop {
        match vassal.next(None)? {
            Happening::Signal(number) => pass_on(child, number),
            Happening::Child => {
                while let Some((pid, exit)) = reap() {
                    if pid == child {
                        return Ok(exit.status());
                    }
                }
            }
            Happening::Emperor(_) | Happening::Other | Happening::Deadline => {}
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

fn children(vassal: &mut Vassal, command: Pid, duties: &mut Duties) {
    while let Some((pid, exit)) = reap() {
        if pid == command {
            command_ended(command, exit, duties);
        }
        companions::mourn(vassal, pid, exit);
        daemons::mourn(vassal, pid, exit);
    }
}

fn command_ended(command: Pid, exit: Exit, duties: &mut Duties) {
    // What is left of its group would never hear of a stop.
    let _ = kill_process_group(command, Signal::KILL);
    duties.handle(Event::Ended(exit), now());
}

fn signal(command: Pid, number: i32) {
    // The group has members as long as the command is not reaped, and no order is given after that.
    let _ = Signal::from_named_raw(number).map(|signal| kill_process_group(command, signal));
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
