//! Asks a program of the administrator where a vassal listens (`emperor-on-demand-exec`).
//!
//! Its input is the name of a config, which a tenant chose. So no shell sees it, the program runs with the ids of the
//! vassal and no privilege, and what it says counts no more than a file of the vassal's. Nobody waits for it but that vassal.
//! It is the first process of a pid namespace wherever we can make one: whoever it leaves behind ends with it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use caps::Capability;
use jail::plan::Filter;
use jail::run::{Birth, Spawned};
use jail::{Capabilities, Namespaces, Plan, Program, Spec};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};
use rustix::time::Timespec;

use super::addresses::TEXT_MAX;
use super::birth::{SEARCH, c_string};
use super::court::Court;
use super::lookers::Expected;
use super::owners::identity_of;
use super::turns;
use super::walks::read_report;
use super::wire::{Reply, Ticket, cut};
use crate::emperor::event::{Moment, Owner};
use crate::reactor::clock;
use crate::trust::Trust;

/// Most of them that run at once.
const UNDER_WAY_MAX: usize = 16;
/// Most of them for one uid: whose program hangs, who can stop it, holds up himself.
const OWNER_MAX: usize = 4;
/// Most that wait for their turn: each keeps descriptors open here.
const WAITING_MAX: usize = 256;
/// Most of them for one uid.
const OWNER_WAITING_MAX: usize = WAITING_MAX / 8;
/// The longest that one may take, in ms.
const ANSWER_MS: u64 = 5_000;

/// Vassals whose address is asked for.
#[derive(Default)]
pub struct Inquiries {
    under_way: Vec<Inquiry>,
    waiting: VecDeque<(Expected, Asker)>,
    /// What was said, until it is used in the same turn.
    told: Option<(Ticket, Owner, String)>,
}

/// With whose ids it is asked.
#[derive(Clone, Copy)]
struct Asker {
    owner: Owner,
    trust: Trust,
}

struct Inquiry {
    /// Until it has ended, or was given up.
    expected: Option<Expected>,
    owner: Owner,
    process: OwnedFd,
    output: OwnedFd,
    /// Where its first steps are told of, if those took their time.
    report: Option<OwnedFd>,
    plan: Plan,
    until: Moment,
}

impl Inquiries {
    /// Each readable when somebody has ended.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.under_way.iter().map(|inquiry| inquiry.process.as_fd())
    }

    /// What was said of a vassal whose config belongs to this owner.
    ///
    /// # Errors
    /// Somebody else was asked.
    pub fn told_of(&mut self, ticket: Ticket, owner: Owner) -> Result<Option<String>, String> {
        match self.told.take_if(|(told, ..)| *told == ticket) {
            Some((_, asked, text)) if asked == owner => Ok(Some(text)),
            Some(_) => Err("its config changed hands while its address was asked for".into()),
            None => Ok(None),
        }
    }

    fn next(&mut self) -> Option<(Expected, Asker)> {
        // One that was given up and does not end (it may wait for a file system of its owner's) holds up its owner alone.
        if self.under_way.iter().filter(|inquiry| inquiry.expected.is_some()).count() >= UNDER_WAY_MAX {
            return None;
        }
        let owners = self.waiting.iter().map(|(_, asker)| asker.owner.uid);
        let place = turns::next(owners, |uid| self.under_way_of(uid), OWNER_MAX)?;
        self.waiting.remove(place)
    }

    fn under_way_of(&self, uid: u32) -> usize {
        self.under_way.iter().filter(|inquiry| inquiry.owner.uid == uid).count()
    }

    fn is_full_for(&self, uid: u32) -> bool {
        let of = self.waiting.iter().filter(|(_, asker)| asker.owner.uid == uid).count();
        of >= OWNER_WAITING_MAX || self.waiting.len() >= WAITING_MAX
    }

    /// Those who wait behind nothing but what was given up and does not end.
    fn hopeless(&mut self) -> Vec<Ticket> {
        let given_up = self.under_way.iter().filter(|inquiry| inquiry.expected.is_none());
        let given_up: Vec<u32> = given_up.map(|inquiry| inquiry.owner.uid).collect();
        let mut tickets = Vec::new();
        self.waiting.retain(|(expected, asker)| {
            let hopeless = given_up.iter().filter(|uid| **uid == asker.owner.uid).count() >= OWNER_MAX;
            tickets.extend(hopeless.then_some(expected.ticket));
            !hopeless
        });
        tickets
    }

    fn next_deadline(&self) -> Option<Moment> {
        let asked = self.under_way.iter().filter(|inquiry| inquiry.expected.is_some());
        asked.map(|inquiry| inquiry.until).min()
    }

    /// Kills those who take too long; whom they were asked for.
    fn give_up(&mut self, now: Moment) -> Vec<Ticket> {
        let overdue = self.under_way.iter_mut().filter(|inquiry| inquiry.until <= now);
        let given_up = overdue.filter_map(|inquiry| {
            let expected = inquiry.expected.take()?;
            let _ = pidfd_send_signal(&inquiry.process, Signal::KILL);
            Some(expected.ticket)
        });
        let mut given_up: Vec<Ticket> = given_up.collect();
        given_up.extend(self.hopeless());
        given_up
    }

    /// Takes those out who have ended, with the way they did.
    fn ended(&mut self) -> Vec<(Inquiry, Option<WaitIdStatus>)> {
        let mut ended = Vec::new();
        for inquiry in std::mem::take(&mut self.under_way) {
            match waitid(
                WaitId::PidFd(inquiry.process.as_fd()),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            ) {
                Ok(None) | Err(Errno::INTR) => self.under_way.push(inquiry),
                Ok(status) => ended.push((inquiry, status)),
                Err(_) => ended.push((inquiry, None)),
            }
        }
        ended
    }
}

impl Court {
    /// Whether a program is to be asked before this vassal gets its listener.
    pub(super) fn must_ask(&self, expected: &Expected) -> bool {
        let told = self.inquiries.told.as_ref().is_some_and(|(ticket, ..)| *ticket == expected.ticket);
        self.charter.asks() && expected.zerg.is_none() && expected.listener.is_none() && !told
    }

    /// Asks, now or when its turn has come.
    pub(super) fn inquire(&mut self, expected: Expected, (owner, trust): (Owner, Trust)) -> Vec<Reply> {
        if self.inquiries.is_full_for(owner.uid) {
            return failed(expected.ticket, "too many wait to be asked about");
        }
        self.inquiries.waiting.push_back((expected, Asker { owner, trust }));
        self.mind_inquiries(false)
    }

    /// Hears those who have ended if there are any, gives those up who take too long, and begins the next ones.
    pub(super) fn mind_inquiries(&mut self, ended: bool) -> Vec<Reply> {
        let mut replies = Vec::new();
        if ended {
            for (inquiry, status) in self.inquiries.ended() {
                replies.extend(self.conclude(inquiry, status));
            }
        }
        for ticket in self.inquiries.give_up(clock::now()) {
            replies.extend(failed(ticket, &format!("it did not answer within {ANSWER_MS} ms")));
        }
        while let Some((expected, asker)) = self.inquiries.next() {
            let ticket = expected.ticket;
            match self.begin(expected, asker) {
                Ok(inquiry) => self.inquiries.under_way.push(inquiry),
                Err(sentence) => replies.extend(failed(ticket, &sentence)),
            }
        }
        replies
    }

    /// Goes on with the start of a vassal about which somebody has answered.
    fn conclude(&mut self, inquiry: Inquiry, status: Option<WaitIdStatus>) -> Vec<Reply> {
        let answer = self.answer_of(&inquiry, status);
        let Some(expected) = inquiry.expected else { return Vec::new() };
        match answer {
            Ok(text) => {
                self.inquiries.told = Some((expected.ticket, inquiry.owner, text));
                let replies = self.spawn(expected);
                self.inquiries.told = None;
                replies
            }
            Err(sentence) => failed(expected.ticket, &sentence),
        }
    }

    fn answer_of(&self, inquiry: &Inquiry, status: Option<WaitIdStatus>) -> Result<String, String> {
        if let Some(Err(failure)) = inquiry.report.as_ref().map(read_report) {
            return Err(failure.sentence(&inquiry.plan, &self.host));
        }
        match status.and_then(|status| status.exit_status()) {
            Some(0) => {}
            Some(status) => return Err(format!("it ended with status {status}")),
            None => return Err("it was killed".into()),
        }
        let mut text = [0; TEXT_MAX + 1];
        let length = match rustix::io::read(&inquiry.output, &mut text) {
            Ok(length) => length,
            // Somebody it left behind has it open, and nothing was said.
            Err(Errno::AGAIN) => 0,
            Err(errno) => return Err(format!("cannot read what it says: {errno}")),
        };
        if length > TEXT_MAX {
            return Err(format!("it says more than {TEXT_MAX} bytes"));
        }
        let text = std::str::from_utf8(&text[..length]).map_err(|_| "it says what is no UTF-8".to_owned())?;
        Ok(text.to_owned())
    }

    fn begin(&self, expected: Expected, asker: Asker) -> Result<Inquiry, String> {
        let cannot = |errno: Errno| format!("cannot make a pipe: {errno}");
        let (output, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(cannot)?;
        ioctl_fionbio(&output, true).map_err(cannot)?;
        let plan = jail::plan::plan(&self.asker(&expected, asker.trust, theirs.as_raw_fd()));
        let cgroup = self.shared.as_ref().map(AsFd::as_fd);
        let spawned = jail::run::spawn(&plan, &Birth { cgroup, ..Birth::default() });
        let (born, report) = match spawned.map_err(|error| error.0.sentence(&plan, &self.host))? {
            Spawned::Running(born) => (born, None),
            Spawned::Walking(born, report) => (born, Some(report)),
            Spawned::Failed(born, failure) => {
                let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
                return Err(failure.sentence(&plan, &self.host));
            }
        };
        let until = clock::now().plus_ms(ANSWER_MS);
        Ok(Inquiry {
            expected: Some(expected),
            owner: asker.owner,
            process: born.pidfd,
            output,
            report,
            plan,
            until,
        })
    }

    /// The process that is asked: the vassal's ids, nothing of ours.
    fn asker(&self, expected: &Expected, trust: Trust, output: i32) -> Spec {
        let charter = &self.charter;
        let identity = identity_of(charter, trust);
        let can_bound = charter.capabilities.is_none_or(|kept| kept.has(Capability::CAP_SETPCAP));
        let dropped = identity.is_some();
        let words = charter.on_demand.iter().flat_map(|rules| &rules.program);
        let argv: Vec<_> = words.chain([&expected.name]).map(|word| c_string(word)).collect();
        let variable = format!("UWSGI_VASSAL_CONFIG={}", expected.name);
        let environment = charter.environment.iter().chain([&variable]).map(|one| c_string(one)).collect();
        Spec {
            namespaces: if has_sys_admin() { Namespaces::PID } else { Namespaces::NONE },
            dies_with_parent: true,
            session: true,
            bounding: (dropped && can_bound).then_some(Capabilities::NONE),
            no_new_privs: dropped,
            filters: if dropped { vec![Filter::standard()] } else { Vec::new() },
            settings: charter.settings.clone(),
            identity,
            descriptors: vec![(self.null.as_raw_fd(), 0), (output, 1), (2, 2)],
            program: Program::Path {
                file: argv[0].clone(),
                search: SEARCH.iter().map(|directory| c_string(directory)).collect(),
                argv,
            },
            environment,
            ..Spec::default()
        }
    }

    pub(super) fn inquiries_patience(&self) -> Option<Timespec> {
        let left = self.inquiries.next_deadline()?.0.saturating_sub(clock::now().0);
        Timespec::try_from(std::time::Duration::from_nanos(left)).ok()
    }
}

/// Whether we may make namespaces without a user namespace, in which the asker would have no other ids.
fn has_sys_admin() -> bool {
    caps::has_cap(None, caps::CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

fn failed(ticket: Ticket, sentence: &str) -> Vec<Reply> {
    vec![Reply::Failed(ticket, cut(&format!("emperor-on-demand-exec: {sentence}")))]
}
