//! The life of a vassal, from its arguments to its exit status.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use jail::run::NetworkEnd;
use jail::sys;
use rustix::process::geteuid;

use super::again::View;
use super::control::Control;
use super::course::Course;
use super::duties::Newest;
use super::master::Outcome;
use super::phases::Facts;
use super::source::{Reading, Source};
use super::state::Vassal;
use super::step::Step;
use super::tell::Teller;
use super::trouble::{Trouble, number};
use super::walk::{End, take_alone, walk};
use super::{again, born, confine, daemons, logs, master, patch, sockets, terminals, tuntap, upward};
use crate::config::Loaded;
use crate::config::place::ConfigError;
use crate::config::vassal::{VassalConfig, VassalKind};
use crate::daemons::Leaving;
use crate::emperor::event::Digest;
use crate::{fallback, fetch, leftovers};

/// Number of the descriptor on which the Emperor opened our config.
const CONFIG_FD: &str = "LIEGE_CONFIG_FD";

/// Runs the vassal that these arguments (without the name of the program) describe; `loaded` is what its config
/// says, if that has been read.
///
/// Must: be called before this process opens any descriptor, starts any thread or drops any right.
pub fn main(arguments: Vec<OsString>, loaded: Option<Loaded>) -> ExitCode {
    let source = Source::new(arguments);
    let teller = Teller::new(&source.name());
    let status = run(&source, loaded, &teller).unwrap_or_else(|trouble| {
        teller.trouble(&trouble);
        1
    });
    ExitCode::from(status)
}

fn run(source: &Source, loaded: Option<Loaded>, teller: &Teller) -> Result<u8, Trouble> {
    sys::close_on_exec_from_first().map_err(|errno| Trouble::errno("close inherited descriptors", errno))?;
    let control = inherited(patch::EMPEROR_FD)?;
    let (reading, in_stead) = match loaded {
        Some(loaded) => (Reading::of(&loaded, teller), false),
        None => first_config(source, teller, control.as_ref())?,
    };
    let fallback = Fallback { file: reading.fallback, teller };
    if let Some(status) = reading.exit {
        return Ok(if status == 1 { fallback.instead_of(status, control.as_ref()) } else { status });
    }
    match reading.kind {
        Ok(VassalKind::Uwsgi(option)) => {
            settle()?;
            let failed = patch::become_uwsgi(&source.arguments(), control.as_ref(), &option);
            teller.trouble(&failed);
            upward::trouble(control.as_ref(), &failed.to_string());
            Ok(fallback.instead_of(1, control.as_ref()))
        }
        Ok(VassalKind::Own(config)) => {
            let first = First { config: *config, digest: reading.digest, in_stead };
            own(first, source, control, fallback)
        }
        Err(errors) => {
            teller.errors(&errors);
            upward::errors(control.as_ref(), &errors);
            if reading.useless {
                upward::useless(control.as_ref());
            }
            Ok(fallback.instead_of(1, control.as_ref()))
        }
    }
}

/// What uwsgi gets from a master that is root of a user namespace: its owner's ids, and his limits.
fn settle() -> Result<(), Trouble> {
    let facts = born::facts(true);
    let (Some(owner), Some(nest)) = (facts.owner, born::prepare(&facts)?) else { return Ok(()) };
    born::become_owner(nest, owner)?;
    let steps = confine::of_owner(&facts.around).into_iter().map(Step::Filter);
    // Again: the change of ids cleared it.
    [Step::NoNewPrivs, Step::DieWithParent].into_iter().chain(steps).try_for_each(|step| take_alone(&step))
}

/// The config to go on with when the first one is of no use, if there is one.
struct Fallback<'a> {
    file: Option<String>,
    teller: &'a Teller,
}

impl Fallback<'_> {
    /// Becomes a vassal with that config. Comes back with `status` only when that is not possible.
    ///
    /// Must: be called when nothing of the first config runs any more.
    fn instead_of(&self, status: u8, control: Option<&impl AsFd>) -> u8 {
        let Some(file) = &self.file else { return status };
        self.teller.fallen(file);
        if let Some(error) = fallback::take_over(file, control.map(AsFd::as_fd)) {
            self.teller.trouble(&Trouble::errno(format!("start again with {file}"), number(&error)));
        }
        status
    }
}

/// The descriptor of the config is closed as soon as it was read. Where it is wrong, and the process before us has taken another
/// one to go on with, it is that one: so a mistake made while it ended disturbs nobody. Whether it is so.
fn first_config(
    source: &Source,
    teller: &Teller,
    control: Option<&OwnedFd>,
) -> Result<(Reading, bool), Trouble> {
    let opened = inherited(CONFIG_FD)?.map(File::from);
    let accepted = inherited(born::ACCEPTED)?.map(File::from);
    let newest = source.read(opened.as_ref(), teller);
    let Some(accepted) = accepted else { return Ok((newest, false)) };
    let facts = born::facts(control.is_some());
    let Some(errors) = wrong(&newest, &facts) else { return Ok((newest, false)) };
    let before = source.read(Some(&accepted), teller);
    if before.exit.is_some() || wrong(&before, &facts).is_some() {
        return Ok((newest, false));
    }
    teller.errors(&errors);
    teller.kept();
    upward::not_used(control, newest.digest, &errors);
    Ok((before, true))
}

/// Why nothing can be started with it, if so.
fn wrong(reading: &Reading, facts: &Facts) -> Option<Vec<ConfigError>> {
    match &reading.kind {
        _ if reading.exit.is_some() => None,
        Ok(VassalKind::Uwsgi(_)) => None,
        Ok(VassalKind::Own(config)) => Course::of((**config).clone(), reading.digest, facts).err(),
        Err(errors) => Some(errors.clone()),
    }
}

fn inherited(variable: &str) -> Result<Option<OwnedFd>, Trouble> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    let number = text.to_str().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| Trouble::new(format!("{variable} is no descriptor number")))?;
    sys::adopt(number)
        .map(Some)
        .map_err(|errno| Trouble::errno(format!("use descriptor {number} of {variable}"), errno))
}

/// The config that a life begins with.
struct First {
    config: VassalConfig,
    digest: Option<Digest>,
    /// It is not the one that the Emperor has: that one is wrong.
    in_stead: bool,
}

/// A life of our own: phases, command, and what comes after it.
struct Life<'a> {
    source: &'a Source,
    teller: &'a Teller,
    facts: Facts,
    fallback: Fallback<'a>,
    course: Course,
    /// That is not what its file says by now.
    in_stead: bool,
}

fn own(
    First { config, digest, in_stead }: First,
    source: &Source,
    control: Option<OwnedFd>,
    fallback: Fallback<'_>,
) -> Result<u8, Trouble> {
    let teller = fallback.teller;
    let facts = born::facts(control.is_some());
    let outside = inherited(born::OUTSIDE)?.map(NetworkEnd::lent).transpose();
    let outside = outside.map_err(|errno| Trouble::errno("use the way to the network outside", errno))?;
    let routers = tuntap::inherited()?;
    let course = match Course::of(config, digest, &facts) {
        Ok(course) => course,
        Err(errors) => {
            teller.errors(&errors);
            upward::errors(control.as_ref(), &errors);
            return Ok(fallback.instead_of(1, control.as_ref()));
        }
    };
    let config = &course.config;
    teller.warnings(&confine::warnings(&config.confine));
    let variables = config.env.clone();
    let mut vassal = Vassal::new(control.map(Control::new), source.arguments(), teller.clone(), variables)?;
    if vassal.control.is_some() {
        vassal.sockets.extend(sockets::Listening::handed());
    }
    config.surroundings.unset.iter().for_each(|name| vassal.unset_variable(name));
    // Whoever has no use for it has it no longer.
    vassal.routers = if is_routed(config) { routers } else { Vec::new() };
    vassal.outside = outside.filter(|_| !config.net.links.is_empty());
    vassal.shells.clone_from(&config.surroundings.shells);
    vassal.nest = born::prepare(&facts)?;
    Ok(Life { source, teller, facts, fallback, course, in_stead }.live(&mut vassal, 0))
}

fn leaving(outcome: Outcome) -> Leaving {
    match outcome {
        Outcome::Status(_) => Leaving::Stop,
        Outcome::Renew => Leaving::Reload,
    }
}

/// Whether it has to do with a router.
fn is_routed(config: &VassalConfig) -> bool {
    !config.net.vias.is_empty() || !config.tuntap.devices.is_empty()
}

impl Life<'_> {
    /// Goes on with this step, and leaves nothing behind at the end.
    fn live(&self, vassal: &mut Vassal, from: usize) -> u8 {
        leftovers::adopt_orphans();
        let outcome = self.go_on(vassal, from);
        if let Err(trouble) = &outcome {
            self.teller.trouble(trouble);
            upward::trouble(vassal.control.as_ref(), &trouble.to_string());
        }
        logs::end(vassal);
        leftovers::kill_all();
        // Socket files go with their sockets.
        vassal.sockets.clear();
        vassal.served.clear();
        vassal.pooled.clear();
        vassal.terminals = terminals::Bound::default();
        vassal.proxy = None;
        vassal.notified = None;
        match outcome {
            Ok(Outcome::Status(status)) => status,
            // Nobody else would find the config again.
            // Who has given up what he was born with cannot begin anew: his Emperor does it.
            Ok(Outcome::Renew)
                if fetch::has_pipe() && self.facts.can_begin_anew() && !is_routed(&self.course.config) =>
            {
                self.teller.trouble(&patch::become_us(vassal));
                1
            }
            Ok(Outcome::Renew) => 0,
            Err(_) => self.fallback.instead_of(1, vassal.control.as_ref()),
        }
    }

    fn go_on(&self, vassal: &mut Vassal, from: usize) -> Result<Outcome, Trouble> {
        let (mut newer, mut from): (Option<Course>, usize) = (None, from);
        loop {
            let course = newer.as_ref().unwrap_or(&self.course);
            let newest = RefCell::new(None);
            let outcome = match self.take(vassal, course, (from, &newest)) {
                Ok(outcome) => outcome,
                Err(trouble) => {
                    daemons::leave(vassal, Leaving::Stop, &[])?;
                    return Err(trouble);
                }
            };
            let next =
                newest.take().filter(|next| outcome == Outcome::Renew && course.leads_to(next, vassal));
            let kept = next.as_ref().map(Course::daemons).unwrap_or_default();
            daemons::leave(vassal, leaving(outcome), &kept)?;
            let status = master::after(vassal, &course.after, self.teller);
            match (status, next) {
                (Some(status), _) => return Ok(Outcome::Status(status)),
                (None, _) if outcome == Outcome::Renew && vassal.interrupted.is_some() => {
                    return Ok(Outcome::Status(0));
                }
                (None, None) => return Ok(outcome),
                (None, Some(next)) => (from, newer) = (next.last_steps_at(), Some(next)),
            }
            vassal.start_over();
        }
    }

    /// Takes the steps of a course, and minds what they have started.
    fn take(
        &self,
        vassal: &mut Vassal,
        course: &Course,
        (from, newest): (usize, &RefCell<Option<Course>>),
    ) -> Result<Outcome, Trouble> {
        let end = walk(vassal, &course.steps, from, |vassal, next| self.live(vassal, next))?;
        // Whatever takes a way to a router has taken it.
        vassal.routers.clear();
        let check = |config| self.check(config, course, newest);
        match end {
            End::Behind(child) => master::stand_before(vassal, child).map(Outcome::Status),
            End::Command(pid) => {
                self.say_which(vassal, course);
                upward::serves(vassal);
                let outcome = master::mind(vassal, pid, (&course.reactions, course.config.health), check)?;
                terminals::finish(vassal);
                master::take_terminal();
                Ok(outcome)
            }
            End::Serving => {
                self.say_which(vassal, course);
                master::serve(vassal, &course.reactions, check)
            }
            End::Exit(status) => Ok(Outcome::Status(status)),
        }
    }

    /// Of the first one nothing is to be said where it takes the place of another: why that is so was said.
    fn say_which(&self, vassal: &Vassal, course: &Course) {
        let is_first = std::ptr::eq(course, &self.course);
        if !(is_first && self.in_stead) {
            course.say_which(vassal, !is_first);
        }
    }

    /// What the config is as it is now, and what the Emperor is to be told of it. Tells what is wrong with it.
    fn check(
        &self,
        config: Option<OwnedFd>,
        course: &Course,
        newest: &RefCell<Option<Course>>,
    ) -> (Newest, Option<Vec<u8>>) {
        let opened = config.map(File::from);
        let reading = again::read(self.source, opened.as_ref(), self.view(), self.teller);
        // What cannot be known here is found out by whoever starts us again.
        let Some(reading) = reading.filter(|reading| reading.exit.is_none()) else {
            newest.take();
            return (Newest::Good, None);
        };
        let digest = reading.digest;
        let judged = reading.kind.and_then(|kind| match kind {
            VassalKind::Own(config) => {
                let same = *config == course.config;
                newest.replace(Some(Course::of(*config, digest, &self.facts)?));
                let takes = upward::takes(digest);
                Ok(match same {
                    true => (Newest::Same, Some([upward::kept(digest, &[]), takes].concat())),
                    false => (Newest::Good, Some(takes).filter(|words| !words.is_empty())),
                })
            }
            VassalKind::Uwsgi(_) => {
                newest.take();
                Ok((Newest::Good, None))
            }
        });
        // One that is wrong is none: what was read before it stays the newest.
        judged.unwrap_or_else(|errors| {
            self.teller.errors(&errors);
            self.teller.kept();
            (Newest::Bad, Some(upward::kept(digest, &errors)))
        })
    }

    fn view(&self) -> View {
        if self.course.steps.iter().any(Step::changes_root) {
            View::Elsewhere
        } else if self.facts.root && !geteuid().is_root() {
            View::Less
        } else {
            View::Same
        }
    }
}
