//! Pure. Rules in their order, what holds when none of them means a packet, and how often each did.

use std::collections::HashMap;

use super::compiled::{Compiled, RULES_MAX};
use super::packet::Packet;
use super::rule::{Action, Rule};
use super::tally::Tally;

/// More rules than a chain may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} rules are more than the {RULES_MAX} of a chain")]
pub struct TooManyRules(pub usize);

/// A chain of the firewall, or the routes.
#[derive(Debug)]
pub struct Chain {
    rules: Vec<Rule>,
    /// How many of them an administrator has written; standard rules follow.
    explicit: usize,
    compiled: Compiled,
    policy: Action,
    hits: Vec<Tally>,
    unmatched: Tally,
}

/// What a chain says about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of it.
    pub action: Action,
    /// Whether an administrator has written that rule.
    pub explicit: bool,
}

impl Chain {
    /// An administrator's rules, standard rules behind them, and what holds behind those.
    ///
    /// # Errors
    /// Too many.
    pub fn new(mut rules: Vec<Rule>, standard: Vec<Rule>, policy: Action) -> Result<Self, TooManyRules> {
        let explicit = rules.len();
        rules.extend(standard);
        if rules.len() > RULES_MAX {
            return Err(TooManyRules(rules.len()));
        }
        let compiled = Compiled::new(&rules);
        let hits = vec![Tally::default(); rules.len()];
        Ok(Self { rules, explicit, compiled, policy, hits, unmatched: Tally::default() })
    }

    /// This chain with the counts of an older one: equal rules go on counting.
    #[must_use]
    pub fn succeed(mut self, older: &Self) -> Self {
        let known: HashMap<&Rule, Tally> = older.rules().collect();
        for (rule, hits) in self.rules.iter().zip(&mut self.hits) {
            *hits = known.get(rule).copied().unwrap_or_default();
        }
        self.unmatched = older.unmatched;
        self
    }

    /// The administrator's rules alone.
    pub fn written(&self) -> &[Rule] {
        &self.rules[..self.explicit]
    }

    /// What becomes of a packet of the peer with this number, and counts it.
    pub fn judge(&mut self, packet: &Packet, peer: Option<u32>, bytes: usize) -> Judgement {
        let Some(index) = self.compiled.find(packet, peer) else {
            self.unmatched.count(bytes);
            return Judgement { action: self.policy, explicit: false };
        };
        self.hits[index].count(bytes);
        Judgement { action: self.rules[index].action, explicit: index < self.explicit }
    }

    /// The number of a peer by its name, for `judge`.
    pub fn peer(&self, name: &str) -> Option<u32> {
        self.compiled.peer(name)
    }

    /// All rules, each with what it has met.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, Tally)> {
        self.rules.iter().zip(self.hits.iter().copied())
    }

    /// What no rule has met.
    pub fn unmatched(&self) -> Tally {
        self.unmatched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    use super::super::packet::Piece;

    fn packet(destination: [u8; 4]) -> Packet {
        Packet {
            source: IpAddr::from([10, 0, 0, 2]),
            destination: destination.into(),
            protocol: Some(17),
            ports: Some((1000, 53)),
            piece: Piece::Whole,
            established: false,
        }
    }

    fn chain(rules: &[&str], policy: Action) -> Chain {
        let rules = rules.iter().map(|rule| Rule::firewall(rule).unwrap()).collect();
        Chain::new(rules, vec![Rule::firewall("deny any 192.168.0.0/16").unwrap()], policy).unwrap()
    }

    #[test]
    fn the_first_rule_that_means_a_packet_holds_and_counts_it() {
        let mut chain = chain(&["deny any 192.0.2.1", "allow any 192.0.2.0/24"], Action::Deny);
        let denied = Judgement { action: Action::Deny, explicit: true };
        assert_eq!(chain.judge(&packet([192, 0, 2, 1]), None, 60), denied);
        let allowed = Judgement { action: Action::Allow, explicit: true };
        assert_eq!(chain.judge(&packet([192, 0, 2, 2]), None, 70), allowed);
        let hits: Vec<Tally> = chain.rules().map(|(_, hits)| hits).collect();
        let once = |bytes| Tally { packets: 1, bytes };
        assert_eq!(hits, [once(60), once(70), Tally::default()]);
    }

    #[test]
    fn the_policy_holds_where_no_rule_does() {
        for policy in [Action::Allow, Action::Deny] {
            let mut chain = chain(&[], policy);
            let judgement = chain.judge(&packet([198, 51, 100, 1]), None, 60);
            assert_eq!(judgement, Judgement { action: policy, explicit: false });
            assert_eq!(chain.unmatched(), Tally { packets: 1, bytes: 60 });
        }
    }

    #[test]
    fn standard_rules_come_behind_those_of_an_administrator() {
        let address = packet([192, 168, 1, 1]);
        let denied = Judgement { action: Action::Deny, explicit: false };
        assert_eq!(chain(&[], Action::Allow).judge(&address, None, 60), denied);
        let opened = Judgement { action: Action::Allow, explicit: true };
        assert_eq!(chain(&["allow any 192.168.1.1"], Action::Allow).judge(&address, None, 60), opened);
    }

    #[test]
    fn rules_that_stay_go_on_counting() {
        let mut old = chain(&["deny any 192.0.2.1", "allow any 192.0.2.2"], Action::Deny);
        old.judge(&packet([192, 0, 2, 2]), None, 60);
        let new = chain(&["allow any 192.0.2.2", "allow any 192.0.2.3"], Action::Deny).succeed(&old);
        let packets: Vec<u64> = new.rules().map(|(_, hits)| hits.packets).collect();
        assert_eq!(packets, [1, 0, 0]);
    }

    #[test]
    fn a_chain_has_a_longest_length() {
        let rules = vec![Rule::all(Action::Allow); RULES_MAX + 1];
        let refused = Chain::new(rules.clone(), Vec::new(), Action::Allow).expect_err("one too many");
        assert_eq!(refused, TooManyRules(RULES_MAX + 1));
        assert!(Chain::new(rules[1..].to_vec(), Vec::new(), Action::Allow).is_ok());
    }
}
