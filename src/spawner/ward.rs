//! Pure. Who was made and not yet buried.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use jail::plan::Knob;

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
    /// The limits of its cgroup.
    pub knobs: Rc<[Knob]>,
}

/// Everybody who was made and not yet buried.
#[derive(Debug, Default)]
pub struct Wards(HashMap<Ticket, Ward>);

impl Wards {
    /// Takes one in.
    pub fn add(&mut self, ticket: Ticket, ward: Ward) {
        self.0.insert(ticket, ward);
    }

    /// The ward of this ticket.
    pub fn get(&self, ticket: Ticket) -> Option<&Ward> {
        self.0.get(&ticket)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Ward> {
        self.0.get_mut(&ticket)
    }

    /// Lets one go.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Ward> {
        self.0.remove(&ticket)
    }

    /// Everybody.
    pub fn each(&self) -> impl Iterator<Item = (&Ticket, &Ward)> {
        self.0.iter()
    }
}
