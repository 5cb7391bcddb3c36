//! One loop: waits, tells the Emperor what happened, carries out what it orders. It decides nothing.

mod activation;
mod announce;
mod asides;
mod attributes;
mod background;
mod chartering;
mod commissions;
mod courtiers;
mod daemons;
mod doors;
mod earshot;
mod environment;
mod errands;
mod eyes;
mod farewells;
mod filtering;
mod gateways;
mod held_back;
mod herald;
mod household;
mod ids;
mod jailing;
mod keeper;
mod legible;
mod limits;
mod listeners;
mod logs;
mod marks;
mod notify;
mod obey;
mod outputs;
mod owners;
mod parked;
mod policy;
mod presence;
mod rations;
mod reap;
mod remembrance;
mod replies;
mod residence;
mod rights;
mod rules;
mod sessions;
mod signals;
mod spelling;
mod start;
mod subjects;
mod table;
mod telling;
mod update;
mod waiters;
mod watchdog;
mod wishes;

use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::config::emperor::EmperorConfig;
use crate::emperor::Emperor;
use crate::emperor::event::Event;
use crate::log;
use crate::monitors::{Monitors, Told};
use crate::parting;
use crate::reactor::{Calendar, Poller, Token, clock};
use crate::spawner::client::{CROWDED_MS, Client, Lender};
use crate::spawner::wire::Request;
use crate::stats;

use background::Witness;
pub use chartering::plan_for;
use courtiers::Courtiers;
use herald::Condition;

/// Runs an Emperor until it was told to end.
///
/// # Errors
/// What keeps it from starting, or the loss of its spawner.
pub fn main(config: &EmperorConfig) -> Result<ExitCode> {
    match &config.process.background {
        None => govern(config, &mut Witness::nobody()),
        Some(log) => background::enter(config, log, |witness| govern(config, witness)),
    }
}

fn govern(config: &EmperorConfig, witness: &mut Witness) -> Result<ExitCode> {
    let mut runtime = start::start(config)?;
    witness.governs();
    let outcome = runtime.run();
    runtime.leave();
    if outcome.is_err() {
        runtime.spawner.clear_away();
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Everything that the loop holds.
struct Runtime {
    emperor: Emperor,
    monitors: Monitors,
    spawner: Client,
    lender: std::rc::Rc<Lender>,
    courtiers: Courtiers,
    attributes: attributes::Attributes,
    held_back: held_back::HeldBack,
    listeners: listeners::Listeners,
    unheard: earshot::Unheard,
    poller: Poller,
    signals: nix::sys::signalfd::SignalFd,
    stats: stats::Server,
    doors: doors::Doors,
    gateways: gateways::Gateways,
    keeper: keeper::LogKeeper,
    household: household::Household,
    door: crate::control::door::Door,
    sessions: sessions::Sessions,
    rations: rations::Rations,
    waiters: waiters::Waiters,
    remembrance: remembrance::Remembrance,
    audience: update::Audience,
    events: stats::Events,
    facts: stats::Facts,
    residence: residence::Residence,
    logs: logs::Logs,
    /// Something is done as Emperor after each start.
    follows: bool,
    farewells: farewells::Farewells,
    asides: asides::Asides,
    fetched: errands::Fetched,
    messenger: notify::Messenger,
    introduced: bool,
    /// Children have ended, and not all of them were reaped.
    unreaped: bool,
    /// The last vassal is gone.
    finishing: bool,
    finished: bool,
}

impl Runtime {
    fn run(&mut self) -> Result<()> {
        // What is wrong with a source from the beginning is told before anything is waited for.
        self.poll_monitors()?;
        // Before any vassal: who comes first finds them there.
        self.mind_routers(clock::now())?;
        self.mind_keeper(clock::now())?;
        self.mind_household(clock::now())?;
        while !self.finished {
            self.turn()?;
        }
        log::info("emperor", "The Emperor is buried.");
        Ok(())
    }

    fn turn(&mut self) -> Result<()> {
        self.obey_all()?;
        self.report();
        self.introduce();
        self.messenger.look(self.condition(), self.emperor.count(), clock::now());
        if self.finished {
            return Ok(());
        }
        self.poller.want_output(Token::Spawner, self.spawner.descriptor(), self.spawner.has_mail())?;
        let tokens = self.poller.wait(self.next_deadline(), clock::now())?;
        for token in tokens {
            self.hear(token)?;
        }
        if self.unreaped {
            self.reap()?;
        }
        self.pass_deadlines();
        parting::bury();
        if self.spawner.is_crowded() {
            self.spawner.flush()?;
        }
        self.mind_routers(clock::now())?;
        self.mind_keeper(clock::now())?;
        self.mind_household(clock::now())?;
        self.say_farewells()?;
        self.step_aside()?;
        self.poll_monitors()?;
        self.tell_what_changed();
        if self.lender.is_lost() {
            return self.abandon();
        }
        Ok(())
    }

    fn next_deadline(&self) -> Option<crate::emperor::event::Moment> {
        let emperor = self.emperor.next_deadline().map(|(moment, _)| moment);
        let others = [
            self.monitors.next_deadline(),
            self.stats.next_deadline(),
            self.events.next_deadline(),
            self.unheard.next_deadline(),
            self.messenger.next_deadline(),
            self.doors.next_deadline(),
            self.gateways.next_deadline(),
            self.keeper.next_deadline(),
            self.household.next_deadline(),
            self.door.next_deadline(),
            self.spawner.is_crowded().then(|| clock::now().plus_ms(CROWDED_MS)),
            self.waiters.next_deadline(),
            self.audience.next_deadline(),
            self.unreaped.then(clock::now),
        ];
        others.into_iter().chain([emperor]).flatten().min()
    }

    fn pass_deadlines(&mut self) {
        let now = clock::now();
        self.listen_again(now);
        self.emperor.handle_deadline(now);
        self.monitors.handle_deadline(now);
        self.stats.handle_deadline(now, &mut self.poller);
        self.doors.handle_deadline(now, &self.poller);
        self.door.handle_deadline(now, &self.poller);
        self.events.handle_deadline(now, &self.poller);
        self.tire_of_waiters();
    }

    /// One descriptor is ready. The poller gives replies of the spawner first and deaths last, so that a pid is
    /// known before its end is.
    fn hear(&mut self, token: Token) -> Result<()> {
        match token {
            Token::Spawner => self.hear_spawner()?,
            Token::Control(one) => {
                self.hear_vassal(one);
            }
            Token::Listener(id) => self.hear_caller(id),
            Token::Monitors => self.monitors.handle_readable(clock::now()),
            Token::StatsListener => self.stats.accept(&mut self.poller, clock::now()),
            Token::StatsClient(number) => {
                let document = self.stats.reader_of_next(number).map(|reader| self.document_for(reader));
                self.stats.serve(number, &mut self.poller, document);
            }
            Token::Commands => self.hear_commands(),
            Token::Trigger => self.hear_trigger(),
            Token::Fifo => self.hear_fifo(),
            Token::EventsListener => self.events.accept(&self.poller, clock::now()),
            Token::Follower(number) => self.events.serve(number, &self.poller, clock::now()),
            Token::Router(number) => {
                self.speak_to_router(number)?;
                self.hear_router(number)?;
            }
            Token::Keeper => {
                self.speak_to_keeper();
                self.hear_keeper()?;
            }
            Token::AskListener => self.hear_askers(),
            Token::Asker(number) => self.hear_asker(number),
            Token::Waiter(number) => self.hear_waiter(number),
            Token::Session(number) => self.hear_session(number),
            Token::Signals => self.hear_signals()?,
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) {
        self.emperor.handle(event, clock::now());
    }

    fn poll_monitors(&mut self) -> Result<()> {
        while let Some(told) = self.monitors.next_event() {
            match told {
                Told::Event(event) => self.tell(event),
                Told::Note(note) => announce::note(&note),
                Told::Errand { number, place, task } => {
                    self.spawner.send(&Request::Look { number, place, task }, Vec::new())?;
                }
            }
        }
        Ok(())
    }

    /// The spawner does not answer. Without it nobody is started and nobody killed, so this is the end: whoever minds
    /// us starts us anew.
    fn abandon(&self) -> Result<()> {
        self.spawner.kill();
        bail!("the spawner does not answer; it was killed")
    }

    /// The table that people get once everything that was there at the start has been dealt with.
    fn introduce(&mut self) {
        if !self.introduced && self.condition() == Condition::Settled {
            self.introduced = true;
            let sources: Vec<&str> = self.monitors.sources().collect();
            log::print(&table::of(&self.emperor.snapshot(), &sources, &Calendar::today()));
        }
    }

    fn condition(&self) -> Condition {
        if self.emperor.is_ending() {
            Condition::Ending
        } else if self.emperor.is_settled() && !self.monitors.is_busy() {
            Condition::Settled
        } else {
            Condition::Busy
        }
    }

    fn leave(&mut self) {
        self.gateways.leave();
        self.dismiss_keeper();
        self.residence.leave();
        self.spawner.dismiss();
    }
}

impl Runtime {
    fn watch_all(&mut self) -> Result<()> {
        self.poller.watch(Token::Spawner, self.spawner.descriptor())?;
        self.poller.watch(Token::Monitors, self.monitors.descriptor())?;
        self.poller.watch(Token::Signals, self.signals.as_fd())?;
        self.doors.watch(&self.poller)?;
        self.door.watch(&self.poller)?;
        self.events.watch(&self.poller)?;
        self.stats.watch(&self.poller)
    }

    fn reload_all(&mut self) {
        if self.logs.reopens_with_reload {
            self.reopen_log("log-reopen");
        }
        self.messenger.reload(clock::now());
        self.reload_household();
        self.tell(Event::ReloadAll);
    }
}
