//! Limits of a vassal's command: what they are (pure), and how they are put on it.
//!
//! What comes from the Emperor holds for the vassal from its birth. What its own config asks for is put on the command
//! alone, as the last thing before it runs: the master reads configs, removes sockets and ends programs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use jail::plan::{Fence, Filter, Host, Need, SCOPES_SINCE, Scopes, advise};
use jail::run;
use jail::{Capabilities, Namespaces};
use rustix::io::Errno;

use super::notify::Reach;
use super::state::Vassal;
use super::step::Step;
use super::trouble::Trouble;
use crate::config::confine::{Choice, Confinement};
use crate::config::place::{ConfigError, Place, Placed};
use crate::emperor::order::from_vassal::LIMITED;
use crate::seccomp;
use crate::session::Lender;

/// Says which filter a vassal was born under: a word of [`Given`].
pub const FILTER: &str = "LIEGE_SECCOMP";

/// Its value for the default.
pub const STANDARD: &str = "default";

/// Its value where the strict one is added when the phases of root are over.
pub const STRICT_LATER: &str = "default, then strict";

/// Its value where nothing is put on root, and the strict one is put on its command.
pub const STRICT: &str = "strict";

/// That value for a successor under filters that stay.
const KEPT_STRICT: &str = "kept, then strict";

/// What a vassal was born under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given {
    /// Nothing of ours.
    #[default]
    Nothing,
    /// The default; for root of a user namespace, less what its phases need.
    Standard,
    /// The same, until its phases of root are over: then the strict one besides.
    StrictLater,
    /// What the Emperor chose in its place.
    Other,
}

/// What the limits depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The filter at birth.
    pub given: Given,
    /// The Emperor wants the strict one on the command.
    pub strict: bool,
    /// No network namespace of its own.
    pub shares_network: bool,
    /// Version of Landlock; 0 for none.
    pub landlock: u32,
    /// What the filter at birth refuses to root.
    pub refused: Refused,
}

/// Changes that a filter refuses, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused(u8);

/// Of a filter that leaves root as it is.
#[cfg(test)]
pub const NOTHING_REFUSED: Refused = Refused(0);
/// Between the word for a filter and what it refuses.
const WITHOUT: &str = " without ";

impl Refused {
    /// By any of these filters.
    pub fn by(filters: &[Filter]) -> Self {
        let is_refused = |need: &Need| !filters.iter().all(|filter| need.is_let(filter));
        Need::NAMED.map(|(_, need)| need).iter().filter(|need| is_refused(need)).copied().collect()
    }

    /// True for a change that is refused.
    pub fn has(self, need: Need) -> bool {
        self.0 & (1 << need as u8) != 0
    }

    /// The word for a filter, with what it refuses.
    pub fn told(self, word: &str) -> String {
        let names = Need::NAMED.iter().filter(|(_, need)| self.has(*need)).map(|(name, _)| *name);
        match names.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => word.to_owned(),
            names => format!("{word}{WITHOUT}{names}"),
        }
    }

    fn heard(names: &str) -> Self {
        let is_named = |name: &str| names.split(',').any(|one| one == name);
        Need::NAMED.iter().filter(|(name, _)| is_named(name)).map(|(_, need)| *need).collect()
    }
}

impl FromIterator<Need> for Refused {
    fn from_iter<T: IntoIterator<Item = Need>>(needs: T) -> Self {
        Self(needs.into_iter().fold(0, |bits, need| bits | 1 << need as u8))
    }
}

/// One limit of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A filter of ours.
    Filter(Filter),
    /// One that the config names, made for these capabilities.
    Chosen(Choice, Capabilities),
    /// A fence.
    Fence(Fence),
}

impl Around {
    /// Looks at this process, in a jail of these namespaces.
    pub fn look(jail: Namespaces) -> Self {
        Self::of(std::env::var(FILTER).ok().as_deref(), jail)
    }

    /// What the word of a filter and the namespaces of a jail say, on this kernel.
    pub fn of(filter: Option<&str>, jail: Namespaces) -> Self {
        let given = match filter {
            Some(STANDARD) => Given::Standard,
            Some(STRICT_LATER) => Given::StrictLater,
            None | Some(STRICT) => Given::Nothing,
            Some(_) => Given::Other,
        };
        let strict = matches!(filter, Some(STRICT | KEPT_STRICT));
        let refused = filter.and_then(|word| word.split_once(WITHOUT));
        let refused = refused.map_or_else(Refused::default, |(_, names)| Refused::heard(names));
        let (shares_network, landlock) = (!jail.has(Namespaces::NET), run::landlock_version());
        Self { given, strict, shares_network, landlock, refused }
    }
}

/// The word for what a successor of ours, in the same process, is born under: filters stay.
pub fn inherited() -> Option<String> {
    let ours = std::env::var(FILTER).ok();
    match ours.as_deref() {
        Some(STRICT) if !rustix::process::geteuid().is_root() => Some(KEPT_STRICT.to_owned()),
        Some(_) => ours,
        None => (!rustix::process::geteuid().is_root()).then(|| "kept".to_owned()),
    }
}

/// True where the config wants programs that gain privileges.
pub fn gains(config: &Confinement) -> bool {
    config.no_new_privs.as_ref().is_some_and(|wanted| !wanted.value)
}

/// The filter of a master that is root no more, or never was.
pub fn of_master(config: &Confinement, around: &Around) -> Option<Filter> {
    match (around.given, choice(config)) {
        (Given::Nothing, Some(Choice::Off | Choice::File(_))) if !around.strict => {
            Some(Filter::setid_files())
        }
        (Given::Nothing, _) => Some(Filter::standard()),
        (Given::Standard | Given::StrictLater | Given::Other, _) => None,
    }
}

/// The filters of a master that was root of a user namespace and is its owner from here on.
pub fn of_owner(around: &Around) -> Vec<Filter> {
    match around.given {
        Given::Standard => vec![Filter::after_root()],
        Given::StrictLater => vec![Filter::after_root(), seccomp::strict()],
        Given::Nothing | Given::Other => Vec::new(),
    }
}

/// The limits of the command of a vassal that is still root, of the host or of a user namespace.
pub fn of_root(config: &Confinement, around: &Around, kept: Capabilities) -> Vec<Limit> {
    let filter = match (around.given, choice(config)) {
        (Given::Standard | Given::StrictLater, _) => Some(Filter::after_root()),
        (Given::Nothing, Some(Choice::Default | Choice::Strict)) => Some(Filter::standard()),
        (Given::Nothing, _) if around.strict => Some(Filter::standard()),
        (Given::Nothing | Given::Other, _) => None,
    };
    let fence = fence(config, around, false).map(Limit::Fence);
    filter.map(Limit::Filter).into_iter().chain(chosen(config, around, kept)).chain(fence).collect()
}

/// The same of one that is not.
pub fn of_user(config: &Confinement, around: &Around, kept: Capabilities) -> Vec<Limit> {
    let fence = fence(config, around, around.given == Given::Nothing).map(Limit::Fence);
    chosen(config, around, kept).chain(fence).collect()
}

fn choice(config: &Confinement) -> Option<&Choice> {
    config.seccomp.as_ref().map(|choice| &choice.value)
}

/// What the Emperor wants, then what the config asks for besides.
fn chosen(config: &Confinement, around: &Around, kept: Capabilities) -> impl Iterator<Item = Limit> + use<> {
    let strict = around.strict || choice(config) == Some(&Choice::Strict);
    let own = choice(config).filter(|choice| matches!(choice, Choice::File(_))).cloned();
    let wanted = strict.then_some(Choice::Strict).into_iter().chain(own);
    wanted.map(move |choice| Limit::Chosen(choice, kept))
}

/// `scoped` is what holds when the config says nothing of abstract sockets, where the kernel can.
fn fence(config: &Confinement, around: &Around, scoped: bool) -> Option<Fence> {
    let can = around.landlock >= SCOPES_SINCE;
    let unasked = scoped && around.shares_network && can;
    let asked = |flag: &Option<Placed<bool>>| flag.as_ref().map(|flag| flag.value);
    let scope = |holds: bool, scope| if holds { scope } else { Scopes::default() };
    let scopes = scope(asked(&config.scope_abstract).unwrap_or(unasked), Scopes::ABSTRACT_SOCKETS)
        .with(scope(asked(&config.scope_signal).unwrap_or(false), Scopes::SIGNALS));
    let paths = |list: &[Placed<PathBuf>]| list.iter().map(|path| path.value.clone()).collect();
    let fence = Fence { read: paths(&config.read), write: paths(&config.write), scopes };
    (fence != Fence::default()).then_some(fence)
}

/// How a command with these limits reaches a socket of its master: a fence around it alone may end abstract names.
pub fn reach(steps: &[Step]) -> Reach {
    let ends = |step: &Step| match step {
        Step::Confine(Limit::Fence(fence)) => fence.scopes.0 & Scopes::ABSTRACT_SOCKETS.0 != 0,
        _ => false,
    };
    if steps.iter().any(ends) { Reach::File } else { Reach::Abstract }
}

/// What an admin should know that he has asked for.
pub fn warnings(config: &Confinement) -> Vec<ConfigError> {
    let gains = config.no_new_privs.as_ref().filter(|wanted| !wanted.value);
    let cause = "programs of this vassal may gain privileges, and no filter of system calls is on them";
    gains.map(|wanted| ConfigError::at(&wanted.place, cause)).into_iter().collect()
}

/// What this vassal may not ask for, and what its kernel cannot do.
pub fn refusals(config: &Confinement, around: &Around, root: bool) -> Vec<ConfigError> {
    let mut refusals = Vec::new();
    let inherits = around.given != Given::Nothing || around.strict;
    if let Some(off) = config.seccomp.as_ref().filter(|choice| inherits && choice.value == Choice::Off) {
        let cause = "a vassal's `seccomp` adds to the filter of its Emperor and takes nothing away";
        refusals.push(refusal(&off.place, cause, "`emperor-seccomp = off` in the Emperor's config"));
    }
    if let Some(open) = config.scope_abstract.as_ref().filter(|wanted| inherits && !wanted.value) {
        let cause = "abstract sockets of the host are closed to vassals on its network";
        refusals.push(refusal(&open.place, cause, "let the socket have a file"));
    }
    if let Some(gains) = config.no_new_privs.as_ref().filter(|wanted| (inherits || !root) && !wanted.value) {
        let cause = "only a trusted config can turn `no-new-privs` off";
        refusals.push(refusal(
            &gains.place,
            cause,
            "leave it out, or let the config and all above it be root's",
        ));
    }
    refusals.extend(beyond_the_kernel(config, around));
    refusals
}

/// What was asked for by name holds, or nothing runs.
fn beyond_the_kernel(config: &Confinement, around: &Around) -> Option<ConfigError> {
    let fence = fence(config, around, false).filter(|fence| fence.needs() > around.landlock)?;
    let files = config.read.iter().chain(&config.write).map(|path| &path.place);
    let flags = [&config.scope_abstract, &config.scope_signal].into_iter().flatten().map(|flag| &flag.place);
    let place = files.chain(flags).next()?;
    let cause = match around.landlock {
        0 => "this kernel has no Landlock".to_owned(),
        version => {
            format!("this kernel has version {version} of Landlock, and version {} is needed", fence.needs())
        }
    };
    Some(refusal(place, &cause, "see `liege doctor`, or leave the option out"))
}

fn refusal(place: &Place, cause: &str, cure: &str) -> ConfigError {
    ConfigError::at(place, cause).cure(cure)
}

/// Limits that are ready to be put on a process.
#[derive(Debug, Default)]
pub struct Ready {
    fences: Vec<OwnedFd>,
    filters: Vec<Filter>,
    lender: Option<Lender>,
}

/// Makes a limit ready, with the rights that we have now.
///
/// # Errors
/// A profile or a path that cannot be used, or an Emperor who cannot be told: he would let others in without it.
pub fn prepare(vassal: &mut Vassal, limit: &Limit) -> Result<(), Trouble> {
    match limit {
        Limit::Filter(filter) => vassal.confinement.filters.push(*filter),
        Limit::Chosen(choice, kept) => {
            vassal.confinement.filters.extend(seccomp::load(choice, *kept).map_err(Trouble::new)?);
        }
        Limit::Fence(fence) => vassal.confinement.fences.push(build(fence)?),
    }
    let told = vassal.control.as_ref().map_or(Ok(()), |control| control.must_send(LIMITED));
    told.map_err(|errno| Trouble::errno("tell the Emperor of the limits of its config", errno))
}

fn build(fence: &Fence) -> Result<OwnedFd, Trouble> {
    run::build(fence).map_err(|failure| {
        let advice = advise(&jail::Step::Landlock(fence.clone()), failure.errno, &Host::default());
        Trouble { advice, ..Trouble::new(format!("cannot make a fence of Landlock: {}", failure.cause())) }
    })
}

impl Ready {
    /// What they need open until they are put on.
    pub fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        self.fences.iter()
    }

    /// Puts them on this process, for ever.
    ///
    /// Must: be the last thing before a program is run.
    ///
    /// # Errors
    /// Those of `seccomp(2)` and `landlock_restrict_self(2)`.
    pub fn put_on(&self) -> Result<(), Errno> {
        if self.fences.is_empty() && self.filters.is_empty() {
            return Ok(());
        }
        // Without it the kernel takes neither from a process that is not root.
        rustix::thread::set_no_new_privs(true)?;
        self.fences.iter().try_for_each(|fence| run::go_behind(fence.as_fd()))?;
        self.filters.iter().try_for_each(run::filter)
    }

    /// From here on they are told to whoever enters the jail and asks on this channel.
    pub fn lend_by(&mut self, channel: Option<OwnedFd>) {
        self.lender = channel.and_then(Lender::new);
    }

    /// Where he asks.
    pub fn lender(&self) -> Option<BorrowedFd<'_>> {
        self.lender.as_ref().map(AsFd::as_fd)
    }

    /// Tells them to whoever has asked.
    pub fn lend(&mut self) {
        let (filters, fences) = (&self.filters, &self.fences);
        self.lender = self.lender.take().filter(|lender| lender.answer(filters, fences));
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Filter(filter) => write!(f, "filter system calls of the command ({})", filter.refused),
            Self::Chosen(Choice::File(path), _) => {
                write!(f, "filter system calls of the command by {}", path.display())
            }
            Self::Chosen(..) => f.write_str("filter system calls of the command (strict)"),
            Self::Fence(fence) => write!(f, "fence the command ({fence})"),
        }
    }
}

#[cfg(test)]
#[path = "confine_tests.rs"]
mod tests;
