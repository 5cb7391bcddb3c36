//! What one config has a vassal do: its steps, what comes after them, what it reacts to.

use super::phases::{self, Facts, at_exit, plan};
use super::reactions::Reactions;
use super::sockets;
use super::state::Vassal;
use super::step::Step;
use super::upward;
use crate::config::place::ConfigError;
use crate::config::vassal::VassalConfig;
use crate::config::vassal::daemons::Daemon;
use crate::emperor::event::Digest;
use crate::fetch;

/// All of it.
#[derive(Debug)]
pub struct Course {
    /// What the config says.
    pub config: VassalConfig,
    /// Of the text that it was read from.
    pub digest: Option<Digest>,
    /// What is done up to the command.
    pub steps: Vec<Step>,
    /// What is done after it.
    pub after: Vec<Step>,
    /// What is done meanwhile.
    pub reactions: Reactions,
    /// Where the steps begin that start what it runs.
    begins: usize,
}

impl Course {
    /// Of this config, for a vassal that was born so.
    ///
    /// # Errors
    /// Something that must be there is missing, or may not be done.
    pub fn of(config: VassalConfig, digest: Option<Digest>, facts: &Facts) -> Result<Self, Vec<ConfigError>> {
        let missing = sockets::missing(&config);
        let steps = if missing.is_empty() { plan(&config, facts)? } else { return Err(missing) };
        let begins = steps.len().saturating_sub(phases::last_steps(&config, facts, &steps));
        let (after, reactions) = (at_exit(&config), Reactions::of(&config));
        Ok(Self { config, digest, steps, after, reactions, begins })
    }

    /// Whether this process can go on with a newer one, and somebody would end if it did not: all that it has done before
    /// what it runs would be done again as it is.
    pub fn leads_to(&self, next: &Self, vassal: &Vassal) -> bool {
        let around = |one: &Self| (one.config.env.clone(), one.config.surroundings.clone());
        let same = self.steps[..self.begins] == next.steps[..next.begins] && around(self) == around(next);
        let log = |one: &Self| (super::logs::step(&one.config), one.config.chdir.clone());
        let same = same && (!vassal.companions.has_writer() || log(self) == log(next));
        same && !vassal.companions.is_any() && vassal.daemons.outlive_reload(&next.daemons())
    }

    /// Where the steps begin that start what it runs.
    pub fn last_steps_at(&self) -> usize {
        self.begins
    }

    /// Its daemons.
    pub fn daemons(&self) -> Vec<Daemon> {
        super::daemons::daemons(&self.config).collect()
    }

    /// Whoever did not come to this config by being started with it says that it uses it.
    pub fn say_which(&self, vassal: &Vassal, came_later: bool) {
        if let (true, Some(control)) = (came_later || fetch::has_pipe(), &vassal.control) {
            control.say(&upward::kept(self.digest, &[]));
        }
    }
}
