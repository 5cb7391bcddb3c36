//! What people want of vassals: who may, whom they mean, and what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use super::Runtime;
use super::courtiers::Courtiers;
use super::household::HOUSEHOLD;
use super::marks::{marks_for, mean_marks, work_of_marks};
use super::subjects::{Subject, Subjects};
use super::waiters;
use crate::control::caller::Caller;
use crate::control::messages::Answer;
use crate::control::wish::{ALL, Deed, Meant, OURS, Standing, Wish};
use crate::emperor::Emperor;
use crate::emperor::event::{Event, Incarnation, Key, MonitorId, VassalId, Whose};
use crate::emperor::sender::Sender;
use crate::log;
use crate::reactor::{Token, clock};
use crate::spawner::wire::Request;

/// Most of a wish that is written into the log, in characters.
const SHOWN_MAX: usize = 200;
/// Most work of a wish that is not root's: letters of his names times letters of patterns, each a few nanoseconds, or times words that are
/// none. With a thousand vassals `*` is a hundredth of it, and 256 names are less.
const WORK_MAX: usize = 4_000_000;
/// Most daemons of a wish that is not root's: how each stands is kept for whoever asked until he takes it, or is given up.
const DAEMONS_MAX: usize = 1_024;
/// What a tenant is told who wants more than that.
const TOO_MUCH: &str = "that is too much at once: say it in parts";
/// What he is told who wants less, and again and again.
const TOO_OFTEN: &str = "too much was asked lately: wait a moment";

/// Vassals of one owner.
type Own<'a> = Vec<(VassalId, &'a Key)>;
/// Why a deed was not done, if so: a sentence.
pub(super) type Outcome = Result<(), String>;

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
        if sender.is_master() && wish.deed != Deed::Look {
            let (count, told) = (meant.count(), told(wish));
            log::info("control", &format!("uid {} wants: {told} (of {count})", sender.uid));
        }
        let number = self.waiters.add(sender, client, meant.clone(), clock::now());
        if let Some(Err(error)) = self.watch_waiter(number) {
            self.waiters.answer(number, [Answer::Refused(format!("cannot wait for them: {error}"))]);
            self.serve_waiter(number);
            self.let_go(number);
            return Ok(());
        }
        self.answer((number, sender), wish.deed, (&meant.all(), nobody));
        Ok(())
    }

    fn find_meant(&mut self, sender: Sender, wish: &Wish) -> Result<(Subjects, Vec<String>), String> {
        wish.check().map_err(|malformed| malformed.to_string())?;
        if self.waiters.is_full_for(sender) {
            return Err("too many wait for vassals at once: try again".into());
        }
        let (meant, nobody) = match self.owners_meant(sender, wish)? {
            Some(meant) => (meant, Vec::new()),
            None => self.meant(sender, wish)?,
        };
        if meant.is_empty() {
            return Err(absent(sender, &nobody.join("`, `")));
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
        (meant, nobody): (&[Subject], Vec<String>),
    ) {
        self.tell_standings(number, meant);
        if !nobody.is_empty() {
            self.waiters.answer(number, [Answer::Nobody(nobody)]);
        }
        let mut declined = Vec::new();
        let mut of_owners = BTreeMap::new();
        for subject in meant {
            subject.vassal().into_iter().for_each(|id| self.emperor.await_change(id));
            let outcome = match self.with_its_owner(subject, deed, &of_owners) {
                Some(outcome) => outcome,
                None => self.carry_out(sender, subject, deed),
            };
            if let Subject::Owner(_, uid) = subject {
                of_owners.insert(*uid, outcome.clone());
            }
            declined.extend(outcome.err().map(|sentence| Answer::Declined(subject.number(), sentence)));
        }
        if deed != Deed::Look {
            self.tell_standings(number, meant);
        }
        self.waiters.answer(number, declined.into_iter().chain([Answer::Told]));
        self.serve_waiter(number);
    }

    fn tell_standings(&mut self, number: u32, meant: &[Subject]) {
        let look = |subject: &Subject| standing((&self.emperor, &self.courtiers), subject);
        let standings = waiters::told(meant, &look);
        self.waiters.answer(number, standings);
    }

    fn carry_out(&mut self, sender: Sender, subject: &Subject, deed: Deed) -> Outcome {
        match subject {
            Subject::Owner(_, uid) => self.carry_out_with_owner(*uid, deed),
            Subject::Vassal(id) => self.carry_out_with(sender, *id, deed),
            Subject::Daemon(id, _, name) => match (deed, deed.steering()) {
                (Deed::Look, _) => Ok(()),
                (_, Some(steering)) => self.steer_daemon(*id, name, steering),
                (_, None) => {
                    Err("a daemon is not disabled by itself: `liege stop` lasts until it or its vassal is started".into())
                },
            },
            Subject::Mark(_, key) => self.take_back(key),
        }
    }

    fn carry_out_with(&mut self, sender: Sender, id: VassalId, deed: Deed) -> Outcome {
        match deed {
            Deed::Start | Deed::Restart | Deed::Enable if self.is_outlaws(id) => {
                return Err("its owner is disabled: root enables him (`liege enable uid=NUMBER`)".into());
            }
            Deed::Start | Deed::Restart if self.emperor.view_of(id).is_some_and(|view| view.disabled) => {
                return Err("it is disabled: `liege enable` starts it".into());
            }
            Deed::Restart => self.has_a_good_config(id)?,
            Deed::Disable => self.disable(sender, id)?,
            Deed::Enable => self.enable(sender, id)?,
            Deed::Signal(number) => self.signal(id, number)?,
            Deed::Look | Deed::Start | Deed::Stop | Deed::Reload => {}
        }
        deed.command(whose(sender)).into_iter().for_each(|command| self.tell(Event::Commanded(id, command)));
        Ok(())
    }

    /// Whoever runs with an older one because his newest is wrong would not come back.
    fn has_a_good_config(&self, id: VassalId) -> Result<(), String> {
        let view = self.emperor.view_of(id).filter(|view| view.up && view.keeps);
        let kept = view.and_then(|view| view.kept);
        kept.map_or(Ok(()), |kept| Err(format!("its new config is not used: {kept}")))
    }

    /// By whoever may: the process is no child of ours that we could be sure to reach.
    fn signal(&mut self, id: VassalId, number: u8) -> Result<(), String> {
        let view = self.emperor.view_of(id).filter(|view| view.up);
        let one = view.map(|view| Incarnation { id, attempt: view.attempts });
        let process = one.and_then(|one| Some((one, self.process_of(one)?)));
        let (one, process) = process.ok_or("it does not run")?;
        let sent = self.spawner.send(&Request::Signal(one.into(), number.into()), vec![process]);
        sent.map_err(|error| format!("it cannot be signalled: {error:#}"))
    }

    /// Remembered first, then done. What a tenant says changes nothing of what root has said.
    fn disable(&mut self, sender: Sender, id: VassalId) -> Result<(), String> {
        let Some((source, name)) = self.place_of(id) else { return Ok(()) };
        let by = whose(sender);
        match self.remembrance.by(&source, &name) {
            Some(Whose::Master) => Ok(()),
            Some(Whose::Owner(_)) | None => self.remembrance.disable(&source, &name, by),
        }
    }

    fn enable(&mut self, sender: Sender, id: VassalId) -> Result<(), String> {
        let Some((source, name)) = self.place_of(id) else { return Ok(()) };
        if self.remembrance.by(&source, &name) == Some(Whose::Master) && !sender.is_master() {
            return Err("the administrator has disabled it".into());
        }
        self.remembrance.enable(&source, &name)
    }

    /// Its source and its name there, as they are remembered.
    fn place_of(&self, id: VassalId) -> Option<(String, String)> {
        self.place_in_source(self.emperor.key(id)?)
    }

    pub(super) fn place_in_source(&self, key: &Key) -> Option<(String, String)> {
        let source = self.monitors.sources().nth(usize::from(key.monitor.0))?;
        Some((source.to_owned(), key.name.to_string()))
    }

    /// What its owner before has disabled is the next one's.
    pub(super) fn forget_disabled(&mut self, key: &Key) {
        let Some((source, name)) = self.place_in_source(key) else { return };
        let forgotten = self.remembrance.enable(&source, &name);
        let text = "is disabled no more: who has disabled it is not its owner any more";
        log::line(log::Level::Info, &[("vassal", &name)], text);
        forgotten.unwrap_or_else(|sentence| log::warn("control", &sentence));
    }

    /// What was disabled under an Emperor before.
    pub(super) fn recall(&mut self) {
        for uid in self.remembrance.owners().collect::<Vec<u32>>() {
            self.tell(Event::OwnerDisabled(uid));
        }
        for (number, source) in (0..).zip(self.monitors.sources()) {
            for (name, whose) in self.remembrance.disabled_in(source) {
                let key = Key { monitor: MonitorId(number), name: name.into() };
                self.emperor.disabled_before(key, whose);
            }
        }
    }

    /// His own that he means, each once, and the words that mean none of them.
    fn meant(&mut self, sender: Sender, wish: &Wish) -> Result<(Subjects, Vec<String>), String> {
        let own: Own<'_> = self.emperor.known_to(sender).collect();
        let marks = marks_for(&self.emperor, sender, wish.deed);
        let words: BTreeSet<&String> = wish.names.iter().collect();
        let work = self.work(&own, &words).saturating_add(work_of_marks(&marks, &words));
        if !sender.is_master() && work > WORK_MAX {
            return Err(TOO_MUCH.into());
        }
        if !self.rations.may_compare(sender, work, clock::now()) {
            return Err(TOO_OFTEN.into());
        }
        let mut meant = Subjects::default();
        let mut nobody = Vec::new();
        for word in words {
            let vassals = called(&own, word);
            vassals.iter().for_each(|id| meant.add(*id));
            let is_marked = mean_marks(&marks, word, &mut meant);
            if vassals.is_empty() && !is_marked && !self.mean_daemons((sender, &own), word, &mut meant) {
                nobody.push(word.clone());
            }
            if !sender.is_master() && meant.count_of_daemons() > DAEMONS_MAX {
                return Err(TOO_MUCH.into());
            }
        }
        Ok((meant, nobody))
    }

    /// Letters that are compared with letters. Only a word with a slash in it is compared with daemons.
    fn work(&self, own: &Own<'_>, words: &BTreeSet<&String>) -> usize {
        let asked = words.iter().map(|word| word.as_str());
        let of_vassals = letters(own.iter().map(|(_, key)| &*key.name)).saturating_mul(steps(asked.clone()));
        let of_daemons = steps(asked.filter(|word| word.contains('/')));
        if of_daemons == 0 {
            return of_vassals;
        }
        let daemons = own.iter().filter_map(|(id, _)| self.courtiers.daemons(*id));
        let names = daemons.flat_map(|(_, daemons)| daemons.names());
        of_vassals.saturating_add(letters(names).saturating_mul(of_daemons))
    }

    /// `shop/redis`: what comes after the last slash is a daemon. Whether there is one.
    fn mean_daemons(&self, (sender, own): (Sender, &Own<'_>), word: &str, meant: &mut Subjects) -> bool {
        let Some((vassals, daemons)) = word.rsplit_once('/') else { return false };
        let by = Meant::by(daemons);
        let before = meant.count();
        let mut found = false;
        let theirs = self.meant_of_ours(sender, vassals);
        // A vassal whose config is called so is meant by the whole of that name.
        let others = if theirs.is_some() && vassals == OURS { Vec::new() } else { called(own, vassals) };
        for id in others.into_iter().chain(theirs) {
            let Some((_, daemons)) = self.courtiers.daemons(id) else { continue };
            for name in daemons.names().filter(|name| by.is(name)) {
                meant.add_daemon(id, name);
                found = true;
            }
        }
        found || meant.count() > before
    }

    /// The Emperor's own daemons, where it has any and they are meant by whoever may command them.
    fn meant_of_ours(&self, sender: Sender, word: &str) -> Option<VassalId> {
        let is_meant = sender.is_master() && Meant::by(word).is(OURS);
        Some(HOUSEHOLD).filter(|id| is_meant && self.courtiers.daemons(*id).is_some())
    }

    /// Whoever waits for vassals that have changed is told once of all of them.
    pub(super) fn report(&mut self) {
        for number in self.waiters.take_told() {
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
        let known = (&self.emperor, &self.courtiers);
        if !self.waiters.serve(number, &|subject| standing(known, subject), &self.poller) {
            self.let_go(number);
        }
    }

    fn let_go(&mut self, number: u32) {
        for id in self.waiters.remove(number, &self.poller) {
            self.emperor.await_no_more(id);
        }
    }
}

fn standing((emperor, courtiers): (&Emperor, &Courtiers), subject: &Subject) -> Option<Standing> {
    match subject {
        Subject::Owner(number, uid) => Some(Standing::of_owner((*number, *uid), emperor.is_outlaw(*uid))),
        Subject::Vassal(id) => emperor.view_of(*id).map(|view| Standing::of(&view, clock::now())),
        Subject::Daemon(id, number, name) => {
            let (_, daemons) = courtiers.daemons(*id)?;
            let view = daemons.view(name)?;
            let of = if *id == HOUSEHOLD { OURS } else { &emperor.key(*id)?.name };
            Some(Standing::of_daemon(*number, of, &view))
        }
        Subject::Mark(number, key) => {
            Some(Standing::of_mark(*number, &key.name)).filter(|_| emperor.is_mark(key))
        }
    }
}

/// What is said of a name that means none of his. Whether somebody else has such a one is nobody's business.
pub(super) fn absent(sender: Sender, names: &str) -> String {
    let or_not_his = if sender.is_master() { "" } else { ", or it is not yours" };
    format!("there is no vassal `{names}`{or_not_his}")
}

/// The same where only one is taken.
pub(super) fn absent_one(sender: Sender, name: &str) -> String {
    if name == ALL || name.contains(['*', '?', '[']) {
        return format!("this takes one vassal: say its name, and not `{name}`");
    }
    absent(sender, name)
}

fn whose(sender: Sender) -> Whose {
    if sender.is_master() { Whose::Master } else { Whose::Owner(sender.uid) }
}

pub(super) fn letters<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.len() + 1).sum()
}

/// For each letter of a name: a word that is no pattern differs from it somewhere, once.
fn steps<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(|word| if word.contains(['*', '?', '[']) { word.len() + 1 } else { 1 }).sum()
}

fn called(own: &Own<'_>, word: &str) -> Vec<VassalId> {
    let by = Meant::by(word);
    own.iter().filter(|(_, key)| by.is(&key.name)).map(|(id, _)| *id).collect()
}

/// A wish for the log: not all of it.
fn told(wish: &Wish) -> String {
    let names: String = wish.names.join(" ").chars().take(SHOWN_MAX).collect();
    match wish.deed {
        Deed::Signal(number) => format!("signal {number} {names}"),
        deed => format!("{} {names}", deed.verb()),
    }
}
