//! Pure. What holds where an administrator has written no rule: `tuntap-router-policy`.

use core::net::IpAddr;

use super::chain::{Chain, TooManyRules};
use super::prefix::Prefix;
use super::rule::{Action, Direction, Rule};
use super::standard;

/// What a peer may do without a rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Everything, as with uWSGI; whether peers reach each other is the host's to say.
    Allow,
    /// Nothing.
    Deny,
    /// The world, but nobody near: not the host, other tenants, metadata, private networks.
    Standard,
}

/// Who gets an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever comes first with one that was given to nobody, as with uWSGI.
    Open,
    /// Whom the administrator gave one.
    Granted,
}

/// What a router is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What holds without a rule.
    pub policy: Policy,
    /// Who gets an address.
    pub admission: Admission,
    /// All addresses of the host: no peer gets one, and the standard policy keeps peers from what listens there.
    pub hosts: Vec<IpAddr>,
    /// Networks of the peers; with none, whoever comes first may have any address if everything is allowed.
    pub networks: Vec<Prefix>,
    /// Whom the standard policy lets peers ask for names.
    pub nameservers: Vec<IpAddr>,
    /// Most peers at once.
    pub peers_max: usize,
    /// Most peers of one user at once.
    pub peers_of_user_max: usize,
}

impl Policy {
    /// The value of `tuntap-router-policy`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            "standard" => Some(Self::Standard),
            _ => None,
        }
    }
}

impl Settings {
    /// A chain of the administrator's rules and what this policy adds to them.
    ///
    /// # Errors
    /// Too many rules.
    pub fn chain(&self, direction: Direction, rules: Vec<Rule>) -> Result<Chain, TooManyRules> {
        match (self.policy, direction) {
            (Policy::Allow, _) | (Policy::Standard, Direction::In) => {
                Chain::new(rules, Vec::new(), Action::Allow)
            }
            (Policy::Deny, _) => Chain::new(rules, Vec::new(), Action::Deny),
            (Policy::Standard, Direction::Out) => Chain::new(rules, standard::outgoing(self), Action::Allow),
        }
    }
}
