//! The process that does it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use jail::run::REPORT_FD;
use jail::{Namespaces, sys};

use super::brief::{Brief, Which, read_from};
use super::inside::{self, Jail};
use super::report;
use crate::config::hook::{Action, Errand, Task};
use crate::vassal::state::Vassal;
use crate::vassal::tell::Teller;
use crate::vassal::trouble::Trouble;
use crate::vassal::watch::now;
use crate::vassal::{hooks, programs};

/// Seconds after which a process that is stuck in a system call is ended, beyond those of its brief.
const GRACE_S: u32 = 5;
/// Of `vassals-start-hook`.
const DIRECTORY: &str = "UWSGI_VASSALS_DIR";

/// Does what the brief on standard input says. The arguments (without the name of the program) say which of it, for which vassal.
///
/// Must: be called before this process opens any descriptor.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let outcome = Duty::taken(arguments).and_then(|mut duty| duty.go());
    outcome.unwrap_or_else(|trouble| {
        report::tell("", &trouble);
        ExitCode::FAILURE
    })
}

/// Everything that such a process knows.
struct Duty {
    brief: Brief,
    which: Which,
    name: String,
    directory: String,
    report: Option<OwnedFd>,
    jail: Option<Jail>,
    vassal: Vassal,
}

impl Duty {
    fn taken(arguments: Vec<OsString>) -> Result<Self, Trouble> {
        let report = sys::adopt(REPORT_FD).ok();
        let jail = Jail::adopted()?;
        sys::close_on_exec_from_first()
            .map_err(|errno| Trouble::errno("close inherited descriptors", errno))?;
        let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
        let which = words.next().and_then(|word| Which::parse(&word));
        let which = which.ok_or_else(|| Trouble::new("this program is none to be started by hand"))?;
        let (name, directory) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let brief: Brief = read_from(rustix::stdio::stdin())
            .map_err(|errno| Trouble::errno("read what is to be done", errno))?;
        sys::alarm(brief.bound_s.saturating_add(GRACE_S));
        let mut vassal = Vassal::new(None, Vec::new(), Teller::new(&name), Vec::new())?;
        vassal.end_by(Some(now().plus_ms(u64::from(brief.bound_s) * 1000)));
        Ok(Self { brief, which, name, directory, report, jail, vassal })
    }

    fn go(&mut self) -> Result<ExitCode, Trouble> {
        match self.which {
            Which::One(number) => self.one(number),
            Which::Strict => Ok(self.strict()),
            Which::All => Ok(self.all()),
            Which::Awaited => self.awaited(),
        }
    }

    fn one(&mut self, number: usize) -> Result<ExitCode, Trouble> {
        let errands = self.brief.errands.clone();
        let errand = errands.get(number).ok_or_else(|| Trouble::new("its brief does not say what to do"))?;
        for earlier in &errands[..number] {
            self.repeat(earlier);
        }
        match self.carry_out(errand) {
            Ok(None) => Ok(ExitCode::SUCCESS),
            Ok(Some(status)) => Ok(self.failed(&format!("it ends the start, with status {status}"))),
            Err(trouble) if is_told(errand) => {
                report::tell(&self.name, &trouble);
                Ok(ExitCode::SUCCESS)
            }
            Err(trouble) => Ok(self.failed(&report::short(&trouble, &errand.named()))),
        }
    }

    /// Each of a phase has a process of its own, and begins where the one before it would have left it.
    fn repeat(&mut self, earlier: &Errand) {
        if let Ok(Task::Hook(_, hook)) = earlier.task()
            && matches!(hook.action, Action::Enter(_) | Action::PutEnv(..))
        {
            // When it was done itself, its failure was the end.
            let _ = hooks::carry_out(&mut self.vassal, earlier.phase, &hook);
        }
    }

    fn strict(&mut self) -> ExitCode {
        for errand in self.brief.errands.clone() {
            match self.carry_out(&errand) {
                Ok(None) => {}
                Ok(Some(0)) => return ExitCode::SUCCESS,
                Ok(Some(status)) => {
                    return self.failed(&format!("{} was reached, with status {status}", errand.named()));
                }
                Err(trouble) => return self.failed(&trouble.to_string()),
            }
        }
        ExitCode::SUCCESS
    }

    fn failed(&self, detail: &str) -> ExitCode {
        report::fail(self.report.as_ref(), detail);
        ExitCode::FAILURE
    }

    fn all(&mut self) -> ExitCode {
        for errand in self.brief.errands.clone() {
            match self.carry_out(&errand) {
                Ok(None) => {}
                Ok(Some(_)) => break,
                Err(trouble) => report::tell(&self.name, &trouble),
            }
        }
        ExitCode::SUCCESS
    }

    /// All of it is done, as in uWSGI, whatever becomes of the first one.
    fn awaited(&mut self) -> Result<ExitCode, Trouble> {
        let socket = self.report.take().ok_or_else(|| Trouble::new("no vassal waits"))?;
        if !report::await_vassal(&socket) {
            return Ok(ExitCode::FAILURE);
        }
        let mut first = None;
        for errand in self.brief.errands.clone() {
            let failure = match self.carry_out(&errand) {
                Ok(None) => continue,
                Ok(Some(status)) => {
                    Trouble::new(format!("{}: it ends the start, with status {status}", errand.named()))
                }
                Err(trouble) => trouble,
            };
            match first {
                None => first = Some(report::short(&failure, &errand.option())),
                Some(_) => report::tell(&self.name, &failure),
            }
        }
        report::answer(&socket, first.as_deref());
        Ok(if first.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// A status ends whatever comes after it.
    fn carry_out(&mut self, errand: &Errand) -> Result<Option<u8>, Trouble> {
        let named = errand.named();
        let task =
            errand.task().map_err(|wrong| Trouble::new(format!("cannot do {named}: {}", wrong.cause)))?;
        let vassal = &mut self.vassal;
        match task {
            Task::Hook(Namespaces::NONE, hook) => hooks::carry_out(vassal, errand.phase, &hook),
            Task::Hook(namespaces, hook) => {
                let jail = self.jail.as_ref().ok_or_else(|| Trouble::new("its vassal has ended before"))?;
                inside::carry_out(vassal, (&self.name, errand.phase), (namespaces, &hook), jail)
                    .map(|()| None)
            }
            Task::Shell(text) => {
                let environment = vassal.environment();
                programs::run(vassal, &named, &text, environment).map(|()| None)
            }
            Task::Program(program) => {
                let mut environment = vassal.environment();
                environment.set(DIRECTORY, &self.directory);
                programs::run_program(vassal, &named, &[&program, &argument(&self.name)], environment)
                    .map(|()| None)
            }
        }
    }
}

/// A name that begins like an option is given as the path that it is.
fn argument(name: &str) -> String {
    if name.starts_with('-') { format!("./{name}") } else { name.to_owned() }
}

fn is_told(errand: &Errand) -> bool {
    errand.manner == crate::config::hook::Manner::Program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row I7.
    #[test]
    fn no_name_of_a_vassal_is_an_option_of_a_program() {
        for (name, given) in
            [("a.ini", "a.ini"), ("-rf.ini", "./-rf.ini"), ("--", "./--"), ("/v/-x.ini", "/v/-x.ini")]
        {
            assert_eq!(argument(name), given);
        }
    }
}
