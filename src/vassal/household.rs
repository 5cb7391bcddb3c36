//! Daemons of the Emperor itself: one process of ours minds them beside all vassals, as the master of a vassal minds those of it.

use std::fs::File;
use std::io::Read;
use std::os::fd::RawFd;
use std::process::ExitCode;

use jail::sys;
use serde::{Deserialize, Serialize};

use super::control::{Control, Word};
use super::daemons::{self, Wanted};
use super::notify::Reach;
use super::programs;
use super::state::Vassal;
use super::tell::Teller;
use super::trouble::{Trouble, number};
use super::watch::{Happening, until};
use crate::config::vassal::daemons::Daemon;
use crate::daemons::Leaving;
use crate::emperor::order::{from_vassal, to_vassal};
use crate::leftovers;

/// `argv[0]` of this role; nothing in an environment or a file can choose it.
pub const ROLE: &str = "liege daemons";
/// Where it finds its way to the Emperor.
pub const CONTROL_FD: RawFd = 3;
/// Where it finds what it is told.
pub const PAPERS_FD: RawFd = 4;
/// Longest text of that, in bytes.
const PAPERS_MAX: u64 = 16 << 20;

/// What it is told at its birth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Papers {
    /// In the order in which they are started.
    pub daemons: Vec<Daemon>,
    /// How long each may take to end that says nothing of it.
    pub mercy_ms: u64,
}

impl Papers {
    /// The longest time that one of them may take to end.
    pub fn grace_max_ms(&self) -> u64 {
        self.daemons.iter().map(|daemon| daemon.rules(Some(self.mercy_ms)).grace_ms).max().unwrap_or(0)
    }

    fn wanted(self) -> Vec<Wanted> {
        let mercy_ms = Some(self.mercy_ms);
        let wanted =
            |daemon: Daemon| Wanted { rules: daemon.rules(mercy_ms), daemon, reach: Reach::Abstract };
        self.daemons.into_iter().map(wanted).collect()
    }
}

/// Minds them until the Emperor says that it ends, or is gone; with status 0 also where a control daemon has ended.
///
/// Must: be called before this process opens any descriptor, starts any thread or drops any right.
pub fn main() -> ExitCode {
    let teller = Teller::about("daemons");
    match live(&teller) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            teller.trouble(&trouble);
            ExitCode::FAILURE
        }
    }
}

fn live(teller: &Teller) -> Result<(), Trouble> {
    sys::close_on_exec_from_first().map_err(|errno| Trouble::errno("close inherited descriptors", errno))?;
    let adopt = |fd| sys::adopt(fd).map_err(|errno| Trouble::errno("hear the Emperor", errno));
    let (control, papers) = (adopt(CONTROL_FD)?, adopt(PAPERS_FD)?);
    let wanted = read(papers.into())?.wanted();
    let mut vassal = Vassal::new(Some(Control::new(control)), Vec::new(), teller.clone(), Vec::new())?;
    leftovers::adopt_orphans();
    let outcome = mind(&mut vassal, &wanted);
    leftovers::kill_all();
    outcome
}

fn read(file: File) -> Result<Papers, Trouble> {
    let mut bytes = Vec::new();
    let read = file.take(PAPERS_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Trouble::errno("read what daemons there are to be", number(&error)))?;
    postcard::from_bytes(&bytes)
        .map_err(|error| Trouble::new(format!("cannot tell what daemons there are to be: {error}")))
}

/// Starts all of them, and at each reload those anew that do not survive it.
fn mind(vassal: &mut Vassal, wanted: &[Wanted]) -> Result<(), Trouble> {
    let all: Vec<Daemon> = wanted.iter().map(|one| one.daemon.clone()).collect();
    loop {
        wanted.iter().for_each(|one| daemons::start(vassal, one));
        vassal.send(from_vassal::ACCEPTING);
        if next_leaving(vassal)? == Leaving::Stop {
            return daemons::leave(vassal, Leaving::Stop, &[]);
        }
        daemons::leave(vassal, Leaving::Reload, &all)?;
        // A word that came meanwhile: nobody begins anew who is to end.
        if vassal.interrupted.as_ref().is_some_and(ends) {
            return daemons::leave(vassal, Leaving::Stop, &[]);
        }
    }
}

/// Whether that is the Emperor's word that they end, or his end.
fn ends(happening: &Happening) -> bool {
    matches!(happening, Happening::Emperor(_)) && programs::is_stop(happening)
}

/// Until they are to end. What a signal says is nothing to us: whoever ends a service signals everybody in it at once, and it
/// is the Emperor who says when its daemons end.
fn next_leaving(vassal: &mut Vassal) -> Result<Leaving, Trouble> {
    loop {
        daemons::mind(vassal);
        let happening = match vassal.interrupted.take() {
            Some(happening) => happening,
            None if vassal.daemons.take_shutdown() => return Ok(Leaving::Stop),
            None if vassal.reload.take().is_some() => return Ok(Leaving::Reload),
            None => vassal.next(vassal.daemons.next_deadline().map(until))?,
        };
        if ends(&happening) {
            return Ok(Leaving::Stop);
        }
        match happening {
            Happening::Emperor(Word::Byte(to_vassal::RELOAD, _)) => return Ok(Leaving::Reload),
            Happening::Child => drop(programs::reap_all(vassal, None)),
            Happening::Emperor(_) | Happening::Signal(_) | Happening::Other | Happening::Deadline => {}
        }
    }
}
