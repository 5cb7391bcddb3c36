//! Takes in who was born by a fork server, once it is proven to be the vassal.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use jail::Spec;
use jail::plan::Knob;
use jail::run::{Born, pid_of};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::packet::{self, Along};
use super::proof::{Claim, Seen, Wanted};
use super::speaker::{Asked, ask};
use super::{Door, lost};
use crate::spawner::birth;
use crate::spawner::charter::VassalProgram;
use crate::spawner::court::Court;
use crate::spawner::enroll::running;
use crate::spawner::envoys::{Errand, Mission, Word, Work};
use crate::spawner::owners::{identity_of, own_ids};
use crate::spawner::summons::Summons;
use crate::spawner::wire::{Jailed, Reply, Ticket};
use crate::trust::{Examined, proc_path};

/// What a vassal is called to whom it is not ours to run.
const PROGRAM: &str = "uwsgi";

/// A vassal that a fork server was asked for.
pub struct Commission {
    ticket: Ticket,
    name: String,
    config: Examined,
    wanted: Wanted,
    knobs: Rc<[Knob]>,
    door: Door,
}

impl Commission {
    /// The process that was asked for.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whose it is.
    pub fn uid(&self) -> u32 {
        self.config.owner.uid
    }

    /// A sentence with the server at its head.
    pub fn sentence(&self, predicate: &str) -> String {
        format!("its fork server {} {predicate}", self.door)
    }
}

/// What a fork server is to be asked.
pub struct Question<'a> {
    /// Where it is.
    pub door: Door,
    /// The config is a program.
    pub is_program: bool,
    /// How we would make the vassal.
    pub spec: &'a Spec,
    /// The config, where it comes through a pipe.
    pub config: Option<&'a OwnedFd>,
}

impl Court {
    /// Has a fork server asked for a vassal.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::spawner) fn commission(
        &mut self,
        summons: &Summons<'_>,
        config: Examined,
        question: Question<'_>,
    ) -> Result<(), String> {
        let Question { door, is_program, spec, config: piped } = question;
        let refused = |reason: &str| format!("its fork server {door} is not asked: {reason}");
        if let Some(reason) = lost(&self.charter) {
            return Err(refused(reason));
        }
        if self.cgroup.is_none() {
            return Err(refused("without a cgroup nothing would hold together what it makes"));
        }
        let along = Along { config: piped.is_some(), listener: summons.listener.is_some() };
        let argv = self.named_to_others(summons, (is_program, piped.is_some()));
        let request = packet::request(&argv, along).ok_or_else(|| refused("the command line is too long"))?;
        let emperor = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        let own = own_ids();
        let trusted = vec![self.charter.owner_of(config.trust, own).uid, own.uid, 0];
        let asked = Asked { door: door.clone(), request, trusted, emperor };
        let lent = [Some(summons.control), piped.map(AsFd::as_fd), summons.listener];
        let kept = lent.into_iter().flatten().map(|one| one.try_clone_to_owned()).collect::<Result<_, _>>();
        let kept: Vec<OwnedFd> = kept.map_err(|error| refused(&format!("no descriptor is left: {error}")))?;
        let identity = identity_of(&self.charter, config.trust);
        let mission = Mission::Commission(Box::new(Commission {
            ticket: summons.ticket,
            name: summons.name.clone(),
            wanted: Wanted::of(spec, own, emperor),
            knobs: self.limits.of(&summons.name, config.owner.uid),
            config,
            door,
        }));
        let work: Work = Box::new(move |kept| {
            let lent: Vec<BorrowedFd<'_>> = kept.iter().map(AsFd::as_fd).collect();
            match ask(&asked, &lent) {
                Ok((claim, process)) => (Word::Claim(claim), Some(process)),
                Err(predicate) => (Word::Failed(predicate), None),
            }
        });
        self.send_envoy(mission, Errand { identity, kept, work })
    }

    /// The command line of a vassal for somebody who is in another directory.
    fn named_to_others(&self, summons: &Summons<'_>, (is_program, piped): (bool, bool)) -> Vec<String> {
        let link = rustix::fs::readlink(proc_path(summons.directory), Vec::new()).unwrap_or_default();
        let directory = if piped { String::new() } else { format!("{}/", link.to_string_lossy()) };
        let file = format!("{}{directory}{}", birth::scheme(&self.charter, is_program), summons.file);
        let program = match &self.charter.program {
            VassalProgram::Own => PROGRAM,
            VassalProgram::Path(path) => path,
            VassalProgram::First(paths, main) => &paths[*main],
        };
        self.charter.arguments.argv(program, &file)
    }

    /// Takes in who says to be the vassal.
    ///
    /// Must not: signal, move or enroll a process before it is proven; what is looked at is held by a descriptor, and was
    /// there before and after.
    ///
    /// # Errors
    /// A sentence. The process is left alone: whose it is, is not known.
    pub(in crate::spawner) fn adopt(
        &mut self,
        commission: Commission,
        claim: Claim,
        process: OwnedFd,
    ) -> Result<Vec<Reply>, String> {
        let sentence = |predicate: &str| commission.sentence(predicate);
        let pid = claim.sender;
        let gone = || sentence("made a process that has ended");
        let seen = look(pid).ok_or_else(gone)?;
        if pid_of(process.as_fd()) != Some(pid) || !is_alive(&process) {
            return Err(gone());
        }
        if self.wards.has(pid) {
            return Err(sentence("answers with a process that is a vassal already"));
        }
        commission.wanted.judge(claim, &seen).map_err(|predicate| sentence(&predicate))?;
        let ticket = commission.ticket;
        let leaf = self.cgroup_of(ticket, &commission.knobs);
        let moved = leaf.and_then(|leaf| {
            let leaf = leaf.ok_or("there is no cgroup")?;
            jail::run::move_tree(&leaf, process.as_fd())
                .map_err(|errno| format!("cannot move it to its cgroup: {errno}"))
        });
        if let Err(why) = moved.and_then(|()| if is_alive(&process) { Ok(()) } else { Err(gone()) }) {
            // Never killed: with a number that was given anew a stranger may have come there.
            self.bury_leaf(ticket);
            return Err(why);
        }
        let running = running(ticket, &commission.config, Jailed::FarFromHere);
        let Commission { name, config, knobs, .. } = commission;
        let inside = self.charter.inside(config.trust);
        self.enroll(ticket, (name, &config), Born { pid, pidfd: process }, (inside, knobs));
        Ok(vec![Reply::Born(ticket, pid), running])
    }
}

fn look(pid: i32) -> Option<Seen> {
    let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).ok();
    let text = |file| read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Seen::parse(&text("status")?, &text("stat")?)
}

fn is_alive(process: &OwnedFd) -> bool {
    let mut set = [PollFd::new(process, PollFlags::IN)];
    matches!(poll(&mut set, Some(&Timespec::default())), Ok(0))
}
