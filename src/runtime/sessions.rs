//! Programs that somebody has run in the jail of a running vassal: who may, who does, and for how long.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Runtime;
use super::courtiers::OwnLimits;
use super::wishes::absent_one;
use crate::config::vassal::daemons::is_name;
use crate::control::caller::Caller;
use crate::control::door::{Asked, tell};
use crate::control::messages::{Answer, Ask, Entry, Manner, encode_entry};
use crate::emperor::event::{Exit, Incarnation, Moment};
use crate::emperor::order::to_vassal;
use crate::emperor::sender::Sender;
use crate::emperor::snapshot::VassalView;
use crate::log::{self, Level};
use crate::reactor::{Token, clock};
use crate::session::{ALONE, ATTENDED};
use crate::spawner::wire::Request;

/// Most sessions at one time, but for root's and ours.
const SESSIONS_MAX: usize = 2_304;
/// So much of what is left may be one user's: 256 where nobody else has any, and less the more others have.
const SHARE: usize = 8;
/// Longest command that is written into the log, in characters.
const SHOWN_MAX: usize = 200;
/// What a tenant is told who has had more than his ration.
const TOO_OFTEN: &str = "too many sessions began lately: wait a moment";

/// All sessions, by number.
#[derive(Default)]
pub struct Sessions {
    known: BTreeMap<u32, Session>,
    last: u32,
}

struct Session {
    vassal: String,
    uid: u32,
    has_terminal: bool,
    begun: Moment,
    /// To whoever minds it.
    channel: OwnedFd,
    /// Of the client, until the session is over: whoever minds it has a copy, which is never the last one.
    client: Caller,
    is_alone: bool,
}

/// One that is about to begin.
struct Opened {
    vassal: String,
    channel: OwnedFd,
}

impl Sessions {
    fn alone<'a>(&'a self, name: &'a str, sender: Sender) -> impl Iterator<Item = u32> + 'a {
        let is = move |one: &Session| one.is_alone && one.vassal == name && may(sender, one);
        self.known.iter().filter(move |(_, one)| is(one)).map(|(number, _)| *number)
    }

    fn is_full_for(&self, sender: Sender) -> bool {
        let of = self.known.values().filter(|one| one.uid == sender.uid).count();
        !sender.is_master() && !may_have_more(of, self.known.len())
    }
}

/// Whether one who has so many, of so many in all, may have one more.
fn may_have_more(of: usize, all: usize) -> bool {
    of < SESSIONS_MAX.saturating_sub(all) / SHARE
}

/// Who began a session takes it up again, and root all.
fn may(sender: Sender, session: &Session) -> bool {
    sender.is_master() || sender.uid == session.uid
}

impl Runtime {
    /// Somebody comes to the control socket.
    pub(super) fn hear_askers(&mut self) {
        let asked = self.door.accept(&self.poller, clock::now());
        asked.into_iter().for_each(|asked| self.hear_ask(asked));
    }

    /// One of them says something, or goes.
    pub(super) fn hear_asker(&mut self, number: u32) {
        let asked = self.door.hear(number, &self.poller);
        asked.into_iter().for_each(|asked| self.hear_ask(asked));
    }

    fn hear_ask(&mut self, asked: Asked) {
        let Asked { sender, caller, ask } = asked;
        let outcome = match ask {
            Ok(Ask::Enter(entry)) => self.open_session(sender, &entry, caller),
            Ok(Ask::Update) => self.look_anew(sender, caller),
            Ok(Ask::Show(names)) => self.show(sender, &names, caller),
            Ok(Ask::End) => self.end_by_word(sender, caller),
            Ok(Ask::Govern(wish)) => self.grant(sender, &wish, caller),
            Ok(Ask::Again(name)) => self.take_up(sender, &name, caller),
            Ok(Ask::Tail(asked)) => self.tail(&asked, sender, caller),
            Err(malformed) => Err((malformed.to_string(), caller)),
        };
        let Err((sentence, caller)) = outcome else { return };
        tell(caller.as_fd(), &Answer::Refused(sentence.clone()));
        self.refuse_command(&format!("an ask of uid {} is refused: {sentence}", sender.uid));
    }

    /// Back comes the caller who is to be told why not.
    fn open_session(
        &mut self,
        sender: Sender,
        entry: &Entry,
        caller: Caller,
    ) -> Result<(), (String, Caller)> {
        match self.send_in(sender, entry, &caller) {
            Ok((number, opened)) => {
                let Opened { vassal, channel } = opened;
                let session = Session {
                    vassal,
                    uid: sender.uid,
                    has_terminal: entry.manner != Manner::Plain,
                    begun: clock::now(),
                    channel,
                    client: caller,
                    is_alone: false,
                };
                self.sessions.known.insert(number, session);
                self.note(number, &format!("uid {} {}", sender.uid, deed(entry)));
                Ok(())
            }
            Err(sentence) => Err((sentence, caller)),
        }
    }

    fn send_in(&mut self, sender: Sender, entry: &Entry, caller: &Caller) -> Result<(u32, Opened), String> {
        entry.check().map_err(|malformed| malformed.to_string())?;
        if self.sessions.is_full_for(sender) {
            return Err("too many sessions are open: end one".into());
        }
        let view = self.vassal_for(sender, &entry.name)?;
        let one = Incarnation { id: view.id, attempt: view.attempts };
        let process = self.process_of(one).ok_or_else(|| format!("{} has just ended", view.key.name))?;
        self.ration(sender)?;
        let cannot = |error: &dyn std::fmt::Display| format!("cannot open a session: {error}");
        let bytes = encode_entry(entry).map_err(|error| cannot(&error))?;
        let entry_memory = crate::session::sealed(&bytes).map_err(|error| cannot(&error))?;
        let (channel, theirs) = pair().map_err(|error| cannot(&error))?;
        let master = self.way_to_master(one, &view.key.name)?;
        let number = self.sessions.next();
        if entry.manner != Manner::Plain {
            self.tell_of_others(&view.key.name, sender, caller);
        }
        let copy = caller.copy().map_err(|error| cannot(&error))?;
        let descriptors = [process, entry_memory, copy, theirs].into_iter().chain(master).collect();
        let request = Request::Enter { ticket: one.into(), number, uid: sender.uid };
        self.poller.watch(Token::Session(number), channel.as_fd()).map_err(|error| cannot(&error))?;
        self.spawner.send(&request, descriptors).map_err(|error| cannot(&error))?;
        self.courtiers.expect_hook();
        Ok((number, Opened { vassal: view.key.name.to_string(), channel }))
    }

    /// Where the vassal's master tells the limits of its config, if there are any. Nobody enters without them.
    fn way_to_master(&mut self, one: Incarnation, name: &str) -> Result<Option<OwnedFd>, String> {
        let cannot = |error: &dyn std::fmt::Display| format!("cannot ask {name} for its limits: {error}");
        let channel = match self.courtiers.limits_of(one) {
            None | Some(OwnLimits::None) => return Ok(None),
            Some(OwnLimits::Gone) => {
                return Err(format!(
                    "{name} has become another program, which nobody can follow behind the limits of its config"
                ));
            }
            Some(OwnLimits::Lent(Some(channel))) => channel.try_clone().map_err(|error| cannot(&error))?,
            Some(OwnLimits::Lent(None)) => self.open_way(one).map_err(|error| cannot(&error))?,
        };
        Ok(Some(channel))
    }

    /// Nothing ever comes back on it: so its end is closed without a wait, whatever the vassal does.
    fn open_way(&mut self, one: Incarnation) -> std::io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        shutdown(&ours, Shutdown::Read)?;
        let Some(control) = self.courtiers.control(one) else { return Err(Errno::PIPE.into()) };
        jail::run::send(control, &[to_vassal::LEND_LIMITS], &[theirs.as_fd()])?;
        let copy = ours.try_clone()?;
        if let Some(limits) = self.courtiers.limits_of(one) {
            *limits = OwnLimits::Lent(Some(ours));
        }
        Ok(copy)
    }

    /// One more of his begins, or is taken up.
    fn ration(&mut self, sender: Sender) -> Result<(), String> {
        let has = self.rations.may_begin(sender, clock::now());
        has.then_some(()).ok_or_else(|| TOO_OFTEN.into())
    }

    fn tell_of_others(&self, name: &str, sender: Sender, client: &Caller) {
        let waiting: Vec<u32> = self.sessions.alone(name, sender).collect();
        if !waiting.is_empty() {
            tell(client.as_fd(), &Answer::Waiting(waiting));
        }
    }

    /// The one vassal of this name that runs and that he may enter.
    fn vassal_for(&self, sender: Sender, name: &str) -> Result<VassalView, String> {
        let known = self.emperor.views_of(name);
        let mut own: Vec<VassalView> =
            known.into_iter().filter(|view| sender.may_command(view.owner)).collect();
        // The whole name is meant where it is one.
        if own.iter().any(|view| &*view.key.name == name) {
            own.retain(|view| &*view.key.name == name);
        }
        let view = match own.len() {
            0 if name.contains('/') && known_as_daemon(name) => {
                return Err("a daemon is in the jail of its vassal: name that one".into());
            }
            0 => return Err(absent_one(sender, name)),
            1 => own.swap_remove(0),
            count => return Err(format!("`{name}` are {count} vassals: say the whole name of one")),
        };
        let one = Incarnation { id: view.id, attempt: view.attempts };
        if self.courtiers.is_far(one) {
            return Err(format!("{} was made by a fork server, whose jails nobody can join", view.key.name));
        }
        if view.up { Ok(view) } else { Err(absence(&view)) }
    }

    /// Not reaped yet, so the pid is still its own.
    pub(super) fn process_of(&self, one: Incarnation) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.courtiers.pid(one)?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }

    /// A session that nobody looks at gets another client.
    fn take_up(&mut self, sender: Sender, name: &str, caller: Caller) -> Result<(), (String, Caller)> {
        let found = self.number_of(sender, name);
        let number = match found.and_then(|number| self.ration(sender).map(|()| number)) {
            Ok(number) => number,
            Err(sentence) => return Err((sentence, caller)),
        };
        let Some(session) = self.sessions.known.get_mut(&number) else {
            return Err(("it is over".into(), caller));
        };
        if let Err(errno) = jail::run::send(&session.channel, &[ATTENDED], &[caller.as_fd()]) {
            return Err((format!("cannot reach it: {errno}"), caller));
        }
        // Who left it has gone.
        session.client = caller;
        self.note(number, &format!("uid {} takes it up again", sender.uid));
        Ok(())
    }

    fn number_of(&self, sender: Sender, name: &str) -> Result<u32, String> {
        let by_number = name.parse::<u32>().ok().filter(|number| {
            self.sessions.known.get(number).is_some_and(|one| one.is_alone && may(sender, one))
        });
        by_number.map_or_else(|| self.only_one(sender, name), Ok)
    }

    fn only_one(&self, sender: Sender, name: &str) -> Result<u32, String> {
        let views = self.emperor.views_of(name);
        let names = views.iter().map(|view| &*view.key.name);
        let all: Vec<u32> = names.flat_map(|name| self.sessions.alone(name, sender)).collect();
        match all[..] {
            [] => Err(format!("no session of `{name}` waits: `liege attach {name}` begins one")),
            [number] => Ok(number),
            _ => {
                let list = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                Err(format!("several sessions of `{name}` wait: {list}; say one of the numbers"))
            }
        }
    }

    /// What came of a request.
    pub(super) fn session_began(&mut self, number: u32, outcome: Result<i32, String>) {
        let pid = outcome.as_ref().ok().copied();
        let early = self.courtiers.session_born(number, pid);
        if let Err(sentence) = outcome {
            let session = self.sessions.known.get(&number);
            session.iter().for_each(|one| tell(one.client.as_fd(), &Answer::Refused(sentence.clone())));
            self.note(number, &format!("was not begun: {sentence}"));
            self.forget_session(number);
        }
        early.into_iter().for_each(|exit| self.session_ended(number, exit));
    }

    /// Whoever minds it says how it is.
    pub(super) fn hear_session(&mut self, number: u32) {
        let Some(session) = self.sessions.known.get_mut(&number) else { return };
        let mut word = [0; 8];
        match jail::run::receive(&session.channel, &mut word) {
            Ok(Some(parcel)) if parcel.length == 1 && matches!(word[0], ALONE | ATTENDED) => {
                session.is_alone = word[0] == ALONE;
                if session.is_alone {
                    self.note(number, "goes on without a client");
                }
            }
            Err(rustix::io::Errno::AGAIN) => {}
            // Its end is told by its death.
            _ => self.poller.forget(&session.channel),
        }
    }

    pub(super) fn session_ended(&mut self, number: u32, exit: Exit) {
        let Some(session) = self.sessions.known.get(&number) else { return };
        let ms = clock::now().ms_since(session.begun);
        self.note(number, &format!("is over after {}.{:03} s: {exit}", ms / 1000, ms % 1000));
        self.forget_session(number);
    }

    fn forget_session(&mut self, number: u32) {
        if let Some(session) = self.sessions.known.remove(&number) {
            self.poller.forget(&session.channel);
        }
    }

    fn note(&self, number: u32, sentence: &str) {
        let Some(session) = self.sessions.known.get(&number) else { return };
        let kind = if session.has_terminal { "session" } else { "command" };
        log::line(Level::Info, &[("vassal", &session.vassal)], &format!("{kind} {number}: {sentence}"));
    }
}

impl Sessions {
    fn next(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }
}

/// What somebody does there, for the log: not all of it.
fn deed(entry: &Entry) -> String {
    let verb = if entry.manner == Manner::Plain { "runs" } else { "attaches with" };
    let line = if entry.argv.is_empty() { "its shell".to_owned() } else { entry.argv.join(" ") };
    let shown: String = line.chars().take(SHOWN_MAX).collect();
    format!("{verb} `{shown}`")
}

/// `shop/redis`: not a path.
fn known_as_daemon(name: &str) -> bool {
    !name.starts_with('/') && name.rsplit_once('/').is_some_and(|(_, daemon)| is_name(daemon))
}

fn absence(view: &VassalView) -> String {
    let name = &view.key.name;
    if view.on_demand.is_some() && !view.suspended {
        return format!("{name} runs on demand and waits for a connection: connect to it first");
    }
    let note = view.note(clock::now());
    let note = if note.is_empty() { String::new() } else { format!(": {note}") };
    format!("{name} does not run now ({}){note}; `liege why {name}` tells more", view.state)
}

/// Our end of a channel never waits.
fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row C6.
    #[test]
    fn some_users_who_take_all_they_can_leave_sessions_to_others() {
        let take_all = |all: usize| (0..).find(|of| !may_have_more(*of, all + of)).expect("a bound");
        assert_eq!(take_all(0), 256);
        let all = (0..40).fold(0, |all, _| all + take_all(all));
        assert!(all < SESSIONS_MAX && take_all(all) > 0, "{all}");
        assert!(!may_have_more(0, SESSIONS_MAX) && !may_have_more(0, usize::MAX));
    }
}
