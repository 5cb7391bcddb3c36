//! Pure. Who was made and not yet buried.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use jail::plan::Knob;

use super::jailing::Inside;
use super::wire::Ticket;
use crate::emperor::event::Owner;
use crate::trust::Trust;

/// A process that was made.
#[derive(Debug)]
pub struct Ward {
    /// Its pid. The emperor reaps it only before it says `Bury`, so until then the number is its own.
    pub pid: i32,
    /// A descriptor of it, kept only where there is no cgroup to end everybody at once, or its namespaces are to be entered.
    pub pidfd: Option<OwnedFd>,
    /// True when it has a cgroup of its own: without a pid namespace nothing else holds its descendants.
    pub leaf: bool,
    /// The vassal as people know it.
    pub name: String,
    /// Whose config it runs.
    pub owner: Owner,
    /// What that config is worth.
    pub trust: Trust,
    /// Who it was born as in its user namespace: the program of its own attributes may have decided that.
    pub inside: Inside,
    /// The limits of its cgroup.
    pub knobs: Rc<[Knob]>,
}

/// Everybody who was made and not yet buried.
#[derive(Debug, Default)]
pub struct Wards {
    known: HashMap<Ticket, Ward>,
    pids: HashSet<i32>,
}

impl Wards {
    /// Takes one in.
    pub fn add(&mut self, ticket: Ticket, ward: Ward) {
        self.pids.insert(ward.pid);
        self.known.insert(ticket, ward);
    }

    /// The ward of this ticket.
    pub fn get(&self, ticket: Ticket) -> Option<&Ward> {
        self.known.get(&ticket)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Ward> {
        self.known.get_mut(&ticket)
    }

    /// Whether the process of this pid is one of them.
    pub fn has(&self, pid: i32) -> bool {
        self.pids.contains(&pid)
    }

    /// Lets one go.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Ward> {
        let ward = self.known.remove(&ticket)?;
        self.pids.remove(&ward.pid);
        Some(ward)
    }

    /// Everybody.
    pub fn each(&self) -> impl Iterator<Item = (&Ticket, &Ward)> {
        self.known.iter()
    }
}
