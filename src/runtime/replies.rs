//! What the spawner answers.

use anyhow::Result;

use super::{Runtime, listeners};
use crate::emperor::event::{Event, Fingerprint, Incarnation, Owner};
use crate::log;
use crate::reactor::Token;
use crate::spawner::wire::Reply;

impl Runtime {
    pub(super) fn hear_spawner(&mut self) -> Result<()> {
        self.spawner.flush()?;
        while let Some((reply, lent)) = self.spawner.receive()? {
            self.tell(Event::Answered);
            match reply {
                Reply::Report(number, report) => self.take_report(number, report, lent),
                Reply::Listening { ticket, uid, gid, address } => {
                    self.take_listener(ticket, listeners::listener(uid, gid, address), lent);
                }
                Reply::Address(number, address) => self.take_address(number, address, lent)?,
                Reply::Router(number, outcome) => self.router_born(number, outcome)?,
                Reply::Keeper(outcome) => self.keeper_born(outcome)?,
                Reply::Household(outcome) => self.household_born(outcome),
                reply => self.take(reply),
            }
        }
        Ok(())
    }

    fn strained(&self, one: Incarnation, sentence: String) -> Event {
        let name = self.emperor.key(one.id).map_or_else(String::new, |key| key.name.to_string());
        log::line(log::Level::Warn, &[("vassal", &name)], &sentence);
        Event::Strained(one, sentence.into())
    }

    fn take(&mut self, reply: Reply) {
        let event = match reply {
            Reply::Born(ticket, pid) => {
                let early = self.courtiers.born(ticket.into(), pid);
                self.tell(Event::Born(ticket.into(), pid));
                self.listen_to(ticket.into());
                if let Some(exit) = early {
                    self.exited(ticket.into(), exit);
                }
                return;
            }
            Reply::Running { ticket, fingerprint, uid, gid, jail } => {
                self.courtiers.confined(ticket.into(), jail);
                // A zerg is nobody to take leave of.
                let id = Incarnation::from(ticket).id;
                if let Some((key, None)) = self.emperor.config_of(id) {
                    self.farewells.meet(key, id);
                }
                self.after_start(ticket);
                Event::Running(ticket.into(), Fingerprint(fingerprint), Owner { uid, gid })
            }
            Reply::Failed(ticket, sentence) => {
                self.forget_unborn(ticket.into());
                Event::SpawnFailed(ticket.into(), sentence.into())
            }
            Reply::Refused(ticket, reason) => {
                self.forget_unborn(ticket.into());
                Event::Refused(ticket.into(), reason.into())
            }
            Reply::Strained(ticket, sentence) => self.strained(ticket.into(), sentence),
            Reply::Killing(ticket) => Event::Killing(ticket.into()),
            Reply::Hook(ticket, outcome) => return self.hook_started(ticket.into(), outcome),
            Reply::Attributes(ticket, list) => {
                return self.attributes.learn(Incarnation::from(ticket).id, list);
            }
            Reply::Entered(number, outcome) => return self.session_began(number, outcome),
            Reply::Herald(_, pid) => return self.courtiers.herald_born(pid),
            Reply::Ready(_)
            | Reply::Report(..)
            | Reply::Listening { .. }
            | Reply::Address(..)
            | Reply::Router(..)
            | Reply::Keeper(_)
            | Reply::Household(_) => return,
        };
        self.tell(event);
    }

    /// What it says is heard once its birth is known, so that nothing is told of a process without a pid.
    pub(super) fn listen_to(&mut self, one: Incarnation) {
        let Some(control) = self.courtiers.control(one) else { return };
        if self.poller.watch(Token::Control(one), control).is_err() {
            self.silence(one);
        }
    }
}
