//! Pure. What somebody wants of vassals, which ones he means, and how they stand.

use serde::{Deserialize, Serialize};

use super::messages::Malformed;
use super::pattern::Pattern;
use crate::daemons::Steering;
use crate::emperor::event::{Command, Moment, Whose};
use crate::emperor::snapshot::{DaemonView, VassalView};

/// Most names of one wish.
pub const NAMES_MAX: usize = 256;
/// The last signal of `signal(7)` before those of real time.
const SIGNAL_MAX: u8 = 31;
/// Longest name, in bytes: a path is one.
const NAME_MAX: usize = 4_096;
/// Longest note, in characters.
const NOTE_MAX: usize = 500;
/// The word for all of them.
pub const ALL: &str = "all";

/// Before the uid of an owner, with whom all that is his is meant.
pub const OWNER: &str = "uid=";
/// Before his name, which the Emperor is not told.
pub const USER: &str = "user=";

/// State of what is disabled though no config of it is there.
pub const CONFIG_GONE: &str = "gone";

/// What the daemons of the Emperor itself are called by, before the slash: no vassal has a name of one word alone.
pub const OURS: &str = "emperor";

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What is to be done.
    pub deed: Deed,
    /// With whom: names, patterns, `all`.
    pub names: Vec<String>,
}

/// What is to be done with vassals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Nothing: how do they stand?
    Look,
    /// Start them.
    Start,
    /// Stop them until they are started.
    Stop,
    /// Both.
    Restart,
    /// Reload them.
    Reload,
    /// Stop them until they are enabled, whoever is Emperor then.
    Disable,
    /// Forget that, and start them.
    Enable,
    /// Send them this signal.
    Signal(u8),
}

/// How one vassal stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which one, for further answers.
    pub number: u32,
    /// Its name; `shop.ini/redis` for a daemon.
    pub name: String,
    /// It is a daemon of a vassal.
    pub is_daemon: bool,
    /// One word, as `liege status` shows it.
    pub state: String,
    /// Its process, if there is one.
    pub pid: Option<i32>,
    /// Number of the last order to start it.
    pub attempt: u32,
    /// How often it was told to reload.
    pub reloads: u32,
    /// It is up and has said that it accepts: the last word of those who say anything.
    pub ready: bool,
    /// It is on demand.
    pub on_demand: bool,
    /// Nothing is started before somebody starts it.
    pub suspended: bool,
    /// Nor before it is enabled.
    pub disabled: bool,
    /// Why it is not up, or what else there is to say.
    pub note: String,
    /// It has answered since it was told to reload.
    pub answered: bool,
    /// It has answered that its new config is wrong, as the note says.
    pub keeps: bool,
    /// Another program than our vassal master has its control descriptor: whether that ever says when it is ready nobody knows.
    pub foreign: bool,
}

impl Wish {
    /// Refuses what no client of ours says.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), Malformed> {
        let excess = |is_there: bool, what| if is_there { Err(Malformed::Excess(what)) } else { Ok(()) };
        excess(self.names.len() > NAMES_MAX, "it names too many at once")?;
        excess(self.names.iter().any(|name| name.len() > NAME_MAX), "a name in it is too long")?;
        excess(self.names.iter().any(String::is_empty), "a name in it is empty")?;
        let is_signal = |number| (1..=SIGNAL_MAX).contains(&number);
        let odd = matches!(self.deed, Deed::Signal(number) if !is_signal(number));
        excess(odd, "it names no signal")?;
        excess(self.names.is_empty(), "it names no vassal")
    }
}

impl Deed {
    /// How it is typed.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Signal(_) => "signal",
        }
    }

    /// What the master of a vassal is told about one of its daemons.
    pub fn steering(self) -> Option<Steering> {
        match self {
            Self::Look | Self::Disable | Self::Enable => None,
            Self::Start => Some(Steering::Start),
            Self::Stop => Some(Steering::Stop),
            Self::Restart => Some(Steering::Restart),
            Self::Reload => Some(Steering::Reload),
            Self::Signal(number) => Some(Steering::Signal(number.into())),
        }
    }

    /// What the Emperor is told, by whoever's word it is.
    pub fn command(self, whose: Whose) -> Option<Command> {
        match self {
            Self::Look | Self::Signal(_) => None,
            Self::Start => Some(Command::Spawn),
            Self::Stop => Some(Command::Stop),
            Self::Restart => Some(Command::Restart),
            Self::Reload => Some(Command::Respawn),
            Self::Disable => Some(Command::Disable(whose)),
            Self::Enable => Some(Command::Enable),
        }
    }
}

impl Standing {
    /// That of a vassal.
    pub fn of(view: &VassalView, now: Moment) -> Self {
        Self {
            number: view.id.0,
            name: view.key.name.to_string(),
            is_daemon: false,
            state: view.state.to_owned(),
            pid: view.pid,
            attempt: view.attempts,
            reloads: view.respawns,
            ready: view.up && view.accepting,
            on_demand: view.on_demand.is_some(),
            suspended: view.suspended,
            disabled: view.disabled,
            note: view.note(now).chars().take(NOTE_MAX).collect(),
            answered: view.ready,
            keeps: view.keeps,
            foreign: view.foreign,
        }
    }

    /// That of an owner, as if he were a vassal that runs or is disabled.
    pub fn of_owner((number, uid): (u32, u32), disabled: bool) -> Self {
        let state = if disabled { "disabled" } else { "running" };
        Self {
            number,
            name: format!("{OWNER}{uid}"),
            state: state.to_owned(),
            ready: !disabled,
            disabled,
            ..Self::default()
        }
    }

    /// That of what is disabled though no config of it is there.
    pub fn of_mark(number: u32, name: &str) -> Self {
        let (name, state) = (name.to_owned(), CONFIG_GONE.to_owned());
        Self { number, name, state, disabled: true, ..Self::default() }
    }

    /// That of a daemon of this vassal.
    pub fn of_daemon(number: u32, vassal: &str, view: &DaemonView) -> Self {
        Self {
            number,
            name: format!("{vassal}/{}", view.name),
            is_daemon: true,
            state: view.state.to_owned(),
            pid: view.pid,
            attempt: view.starts,
            ready: view.state == "running",
            ..Self::default()
        }
    }
}

/// A name without its suffix. What stands behind a dot in a directory is none.
pub fn stem(name: &str) -> &str {
    let parts = name.rsplit_once('.').filter(|(_, suffix)| !suffix.contains('/'));
    parts.map_or(name, |(stem, _)| stem)
}

/// Which vassals somebody means by a word: as in `liege status`, `shop` is `shop.ini` too, and so is `sho?`.
#[derive(Debug)]
pub struct Meant<'a> {
    word: &'a str,
    pattern: Pattern,
}

impl<'a> Meant<'a> {
    /// Those of this word.
    pub fn by(word: &'a str) -> Self {
        Self { word, pattern: Pattern::of(word) }
    }

    /// Whether this one is meant.
    pub fn is(&self, name: &str) -> bool {
        let called = [name, stem(name)];
        self.word == ALL
            || called.contains(&self.word)
            || called.into_iter().any(|name| self.pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vassal_is_meant_by_its_name_its_stem_a_pattern_or_all() {
        let names = ["shop.ini", "shopping.ini", "a[b.ini", "/srv/x/shop.ini"];
        let meant = |word: &'static str| {
            let meant = Meant::by(word);
            names.into_iter().filter(|name| meant.is(name)).collect::<Vec<_>>()
        };
        assert_eq!(meant("shop"), ["shop.ini"]);
        assert_eq!(meant("shop.ini"), ["shop.ini"]);
        assert_eq!(meant("shop*"), ["shop.ini", "shopping.ini"]);
        assert_eq!(meant("a[b"), ["a[b.ini"]);
        assert_eq!(meant("/srv/*"), ["/srv/x/shop.ini"]);
        assert_eq!(meant("sh?p"), ["shop.ini"]);
        assert_eq!(meant("*op"), ["shop.ini", "/srv/x/shop.ini"]);
        assert_eq!(meant("[!s]*[a-f]"), ["a[b.ini"]);
        assert!(!Meant::by("/srv/?").is("/srv/x.d/shop"), "that is a directory");
        assert_eq!(meant("all").len(), names.len());
        assert!(meant("sho").is_empty());
    }

    #[test]
    fn what_no_client_says_is_refused() {
        let wish = |names: Vec<String>| Wish { deed: Deed::Stop, names }.check();
        assert_eq!(wish(vec!["shop".into()]), Ok(()));
        for names in [vec![], vec![String::new()], vec!["x".repeat(4_097)], vec!["x".into(); 257]] {
            assert!(wish(names).is_err());
        }
    }
}
