//! The life of a vassal, from its arguments to its exit status.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use jail::{Phase, sys};

use super::control::Control;
use super::master::Outcome;
use super::phases::{Facts, plan};
use super::source::Source;
use super::state::Vassal;
use super::step::Step;
use super::tell::Teller;
use super::trouble::Trouble;
use super::walk::{End, walk};
use super::{born, leftovers, master, patch};
use crate::config::place::ConfigError;
use crate::config::vassal::{VassalConfig, VassalKind};
use crate::fetch;

/// Number of the descriptor on which the Emperor opened our config.
const CONFIG_FD: &str = "LIEGE_CONFIG_FD";

/// Runs the vassal that these arguments (without the name of the program) describe.
///
/// Must: be called before this process opens any descriptor, starts any thread or drops any right.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let source = Source::new(arguments);
    let teller = Teller::new(&source.name());
    let status = run(&source, &teller).unwrap_or_else(|trouble| {
        teller.trouble(&trouble);
        1
    });
    ExitCode::from(status)
}

fn run(source: &Source, teller: &Teller) -> Result<u8, Trouble> {
    sys::close_on_exec_from_first().map_err(|errno| Trouble::errno("close inherited descriptors", errno))?;
    let control = inherited(patch::EMPEROR_FD)?;
    match first_config(source, teller)? {
        Ok(VassalKind::Uwsgi(option)) => {
            Err(patch::become_uwsgi(&source.arguments(), control.as_ref(), &option))
        }
        Ok(VassalKind::Own(config)) => own(*config, source, control, teller),
        Err(errors) => Ok(refused(&errors, teller)),
    }
}

/// The descriptor of the config is closed as soon as it was read.
fn first_config(source: &Source, teller: &Teller) -> Result<Result<VassalKind, Vec<ConfigError>>, Trouble> {
    let opened = inherited(CONFIG_FD)?.map(File::from);
    Ok(source.read(opened.as_ref(), |warnings| teller.warnings(warnings)))
}

fn inherited(variable: &str) -> Result<Option<OwnedFd>, Trouble> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    let number = text.to_str().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| Trouble::new(format!("{variable} is no descriptor number")))?;
    sys::adopt(number)
        .map(Some)
        .map_err(|errno| Trouble::errno(format!("use descriptor {number} of {variable}"), errno))
}

fn refused(errors: &[ConfigError], teller: &Teller) -> u8 {
    teller.errors(errors);
    1
}

/// A life of our own: phases, command, and what comes after it.
struct Life<'a> {
    source: &'a Source,
    teller: &'a Teller,
    facts: Facts,
    steps: Vec<Step>,
    after: Vec<String>,
}

fn own(
    config: VassalConfig,
    source: &Source,
    control: Option<OwnedFd>,
    teller: &Teller,
) -> Result<u8, Trouble> {
    let facts = born::facts(control.is_some());
    let steps = match plan(&config, &facts) {
        Ok(steps) => steps,
        Err(errors) => return Ok(refused(&errors, teller)),
    };
    let at_exit = config.programs.iter().filter(|(phase, _)| *phase == Phase::AsUserAtexit);
    let after = at_exit.map(|(_, program)| program.value.clone()).collect();
    let mut vassal = Vassal::new(control.map(Control::new), source.arguments(), config.env)?;
    Ok(Life { source, teller, facts, steps, after }.live(&mut vassal, 0))
}

impl Life<'_> {
    /// Goes on with this step, and leaves nothing behind at the end.
    fn live(&self, vassal: &mut Vassal, from: usize) -> u8 {
        leftovers::adopt_orphans();
        let outcome = self.go_on(vassal, from).unwrap_or_else(|trouble| {
            self.teller.trouble(&trouble);
            Outcome::Status(1)
        });
        leftovers::kill_all();
        // Socket files go with their sockets.
        vassal.sockets.clear();
        match outcome {
            Outcome::Status(status) => status,
            // Nobody else would find the config again.
            Outcome::Renew if fetch::has_pipe() => {
                self.teller.trouble(&patch::become_us(vassal));
                1
            }
            Outcome::Renew => 0,
        }
    }

    fn go_on(&self, vassal: &mut Vassal, from: usize) -> Result<Outcome, Trouble> {
        match walk(vassal, &self.steps, from, |vassal, next| self.live(vassal, next))? {
            End::Behind(child) => master::stand_before(vassal, child).map(Outcome::Status),
            End::Command(pid) => {
                let outcome = master::mind(vassal, pid, |config| self.check(config))?;
                master::take_terminal();
                master::after(vassal, &self.after, self.teller);
                Ok(outcome)
            }
        }
    }

    /// Whether a vassal could be started with the config as it is now. Tells what is wrong with it.
    fn check(&self, config: Option<OwnedFd>) -> bool {
        let opened = config.map(File::from);
        let kind = self.source.read(opened.as_ref(), |warnings| self.teller.warnings(warnings));
        let judged = kind.and_then(|kind| match kind {
            VassalKind::Own(config) => plan(&config, &self.facts).map(drop),
            VassalKind::Uwsgi(_) => Ok(()),
        });
        let Err(errors) = judged else { return true };
        self.teller.errors(&errors);
        self.teller.kept();
        false
    }
}
