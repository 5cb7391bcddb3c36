//! What people want of vassals: who may, whom they mean, and what they are told.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use super::Runtime;
use super::remembrance::By;
use super::waiters::{self, Waiters};
use crate::control::caller::Caller;
use crate::control::messages::Answer;
use crate::control::wish::{Deed, Meant, Standing, Wish};
use crate::emperor::Emperor;
use crate::emperor::event::{Event, Key, MonitorId, VassalId};
use crate::emperor::sender::Sender;
use crate::log;
use crate::reactor::{Token, clock};

impl Runtime {
    /// Somebody wants something of vassals, and is told what comes of it until he goes.
    pub(super) fn grant(
        &mut self,
        sender: Sender,
        wish: &Wish,
        client: Caller,
    ) -> Result<(), (String, Caller)> {
        let (meant, nobody) = match self.find_meant(sender, wish) {
            Ok(found) => found,
            Err(sentence) => return Err((sentence, client)),
        };
        let number = self.waiters.add(sender, client, meant.clone(), clock::now());
        if let Some(Err(error)) = self.watch_waiter(number) {
            self.waiters.answer(number, [Answer::Refused(format!("cannot wait for them: {error}"))]);
            self.serve_waiter(number);
            self.let_go(number);
            return Ok(());
        }
        self.answer((number, sender), wish.deed, (&meant, nobody));
        if sender.is_master() && wish.deed != Deed::Look {
            let count = meant.len();
            log::info("control", &format!("uid {} wants: {} ({count} vassals)", sender.uid, told(wish)));
        }
        Ok(())
    }

    fn find_meant(&self, sender: Sender, wish: &Wish) -> Result<(Vec<VassalId>, Vec<String>), String> {
        wish.check().map_err(|malformed| malformed.to_string())?;
        if self.waiters.is_full_for(sender) {
            return Err("too many wait for vassals at once: try again".into());
        }
        let (meant, nobody) = self.meant(sender, &wish.names);
        if meant.is_empty() {
            // Whether somebody else has such a one is nobody's business.
            let names = nobody.join("`, `");
            return Err(format!("there is no vassal `{names}`, or it is not yours"));
        }
        Ok((meant, nobody))
    }

    fn watch_waiter(&self, number: u32) -> Option<anyhow::Result<()>> {
        let caller = self.waiters.caller(number)?;
        Some(self.poller.watch(Token::Waiter(number), caller.as_fd()))
    }

    /// First how they stand, then what becomes of them.
    fn answer(
        &mut self,
        (number, sender): (u32, Sender),
        deed: Deed,
        (meant, nobody): (&[VassalId], Vec<String>),
    ) {
        self.tell_standings(number, meant);
        if !nobody.is_empty() {
            self.waiters.answer(number, [Answer::Nobody(nobody)]);
        }
        let mut declined = Vec::new();
        for id in meant {
            self.emperor.await_change(*id);
            let outcome = self.carry_out(sender, *id, deed);
            declined.extend(outcome.err().map(|sentence| Answer::Declined(id.0, sentence)));
        }
        if deed != Deed::Look {
            self.tell_standings(number, meant);
        }
        self.waiters.answer(number, declined.into_iter().chain([Answer::Told]));
        self.serve_waiter(number);
    }

    fn tell_standings(&mut self, number: u32, meant: &[VassalId]) {
        let standings = waiters::told(meant.iter().copied(), &|id| standing(&self.emperor, id));
        self.waiters.answer(number, standings);
    }

    fn carry_out(&mut self, sender: Sender, id: VassalId, deed: Deed) -> Result<(), String> {
        match deed {
            Deed::Start | Deed::Restart if self.emperor.view_of(id).is_some_and(|view| view.disabled) => {
                return Err("it is disabled: `liege enable` starts it".into());
            }
            Deed::Disable => self.disable(sender, id)?,
            Deed::Enable => self.enable(sender, id)?,
            Deed::Look | Deed::Start | Deed::Stop | Deed::Restart | Deed::Reload => {}
        }
        deed.command().into_iter().for_each(|command| self.tell(Event::Commanded(id, command)));
        Ok(())
    }

    /// Remembered first, then done. What a tenant says changes nothing of what root has said.
    fn disable(&mut self, sender: Sender, id: VassalId) -> Result<(), String> {
        let Some((source, name)) = self.place_of(id) else { return Ok(()) };
        let by = if sender.is_master() { By::Master } else { By::Tenant(sender.uid) };
        match self.remembrance.by(&source, &name) {
            Some(By::Master) => Ok(()),
            Some(By::Tenant(_)) | None => self.remembrance.disable(&source, &name, by),
        }
    }

    fn enable(&mut self, sender: Sender, id: VassalId) -> Result<(), String> {
        let Some((source, name)) = self.place_of(id) else { return Ok(()) };
        if self.remembrance.by(&source, &name) == Some(By::Master) && !sender.is_master() {
            return Err("the administrator has disabled it".into());
        }
        self.remembrance.enable(&source, &name)
    }

    /// Its source and its name there, as they are remembered.
    fn place_of(&self, id: VassalId) -> Option<(String, String)> {
        let key = self.emperor.key(id)?;
        let source = self.monitors.sources().nth(usize::from(key.monitor.0))?;
        Some((source.to_owned(), key.name.to_string()))
    }

    /// What was disabled under an Emperor before.
    pub(super) fn recall(&mut self) {
        for (number, source) in (0..).zip(self.monitors.sources()) {
            for name in self.remembrance.disabled_in(source) {
                self.emperor.disabled_before(Key { monitor: MonitorId(number), name: name.into() });
            }
        }
    }

    /// His own that he means, each once, and the words that mean none of them.
    fn meant(&self, sender: Sender, words: &[String]) -> (Vec<VassalId>, Vec<String>) {
        let mut meant = BTreeSet::new();
        let mut nobody = Vec::new();
        for word in words {
            let by = Meant::by(word);
            let known = self.emperor.known_for(|owner| sender.may_command(owner));
            let before = meant.len();
            let found: Vec<VassalId> = known.filter(|(_, key)| by.is(&key.name)).map(|(id, _)| id).collect();
            if found.is_empty() && meant.len() == before {
                nobody.push(word.clone());
            }
            meant.extend(found);
        }
        (meant.into_iter().collect(), nobody)
    }

    /// A vassal that somebody waits for has changed.
    pub(super) fn report(&mut self, id: VassalId) {
        for number in self.waiters.changed(id) {
            self.serve_waiter(number);
        }
    }

    /// One who waits takes more, or has gone.
    pub(super) fn hear_waiter(&mut self, number: u32) {
        if self.waiters.is_over(number) {
            return self.let_go(number);
        }
        self.serve_waiter(number);
    }

    pub(super) fn tire_of_waiters(&mut self) {
        for number in self.waiters.late(clock::now()) {
            self.let_go(number);
        }
    }

    fn serve_waiter(&mut self, number: u32) {
        let (emperor, waiters): (&Emperor, &mut Waiters) = (&self.emperor, &mut self.waiters);
        if !waiters.serve(number, &|id| standing(emperor, id), &self.poller) {
            self.let_go(number);
        }
    }

    fn let_go(&mut self, number: u32) {
        for id in self.waiters.remove(number, &self.poller) {
            self.emperor.await_no_more(id);
        }
    }
}

fn standing(emperor: &Emperor, id: VassalId) -> Option<Standing> {
    emperor.view_of(id).map(|view| Standing::of(&view, clock::now()))
}

/// A wish for the log: not all of it.
fn told(wish: &Wish) -> String {
    let names: String = wish.names.join(" ").chars().take(200).collect();
    format!("{} {names}", wish.deed.verb())
}
