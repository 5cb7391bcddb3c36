//! Pure. The rules that an Emperor decides by.

use std::collections::BTreeSet;

use super::event::Owner;

/// What the options say; times in milliseconds, 0 where a limit is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `emperor-throttle`: the delay after the second death in a row; doubled by each further one.
    pub throttle_ms: u64,
    /// `emperor-max-throttle`: the longest delay.
    pub max_throttle_ms: u64,
    /// `emperor-graceful-shutdown`: whoever is told to stop may finish his work first.
    pub graceful_shutdown: bool,
    /// `emperor-no-blacklist`: deaths are followed by no growing delay (see [`super::pacing::back_off_ms`]).
    pub no_blacklist: bool,
    /// `emperor-curse-tolerance`: from the request to end until SIGKILL.
    pub curse_tolerance_ms: u64,
    /// `emperor-required-heartbeat`: longest silence of a vassal that has sent a heartbeat; 0: not asked for.
    pub required_heartbeat_ms: u64,
    /// `reload-mercy` of the Emperor: longest wait for the vassals when everything stops.
    pub reload_mercy_ms: u64,
    /// `emperor-tenant-max`: most vassals of one owner other than root; 0: no limit.
    pub tenant_max: u32,
    /// `emperor-broodlord`: most zergs of one vassal; 0: none.
    pub broodlord: u32,
    /// Most first-class starts under way; crash-looping vassals have half as many slots of their own.
    pub starting_max: u32,
    /// A start that was ordered this long ago and is not answered gives its slot back.
    pub slow_order_ms: u64,
    /// A start whose process was born this long ago and still takes its steps gives its slot back.
    pub slow_start_ms: u64,
    /// Longest silence of the spawner while an answer of it is due.
    pub silence_ms: u64,
    /// The same while everything stops.
    pub last_silence_ms: u64,
    /// `emperor-wait-for-command`: every vassal waits for a command but those of these names.
    pub waiting: Option<BTreeSet<String>>,
    /// Vassals are run by another program than our vassal master.
    pub foreign: bool,
    /// Where the jitter of the back-off comes from.
    pub seed: u64,
    /// As whom vassals run.
    pub ids: Ids,
}

impl Policy {
    /// Whether a vassal of this name waits for a command before it is started.
    pub fn suspends(&self, name: &str) -> bool {
        self.waiting.as_ref().is_some_and(|but| !but.contains(name))
    }
}

/// As whom vassals run, whoever owns their configs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ids {
    /// As the owner.
    #[default]
    Owners,
    /// Those of root's configs as this one (`uid` and `gid` of the Emperor), others as their owner.
    InsteadOfRoot(Owner),
    /// All as the ordinary user who runs everything.
    All(Owner),
}

impl Ids {
    /// Who runs the config of this owner. The spawner decides it by the same rule.
    pub fn of(self, owner: Owner) -> Owner {
        match self {
            Self::All(ids) => ids,
            // A tenant's is never root's.
            Self::InsteadOfRoot(ids) if owner.uid == 0 => ids,
            Self::InsteadOfRoot(_) | Self::Owners => owner,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            throttle_ms: 1_000,
            max_throttle_ms: 180_000,
            graceful_shutdown: false,
            no_blacklist: false,
            curse_tolerance_ms: 30_000,
            required_heartbeat_ms: 30_000,
            reload_mercy_ms: 30_000,
            tenant_max: 0,
            broodlord: 0,
            starting_max: 16,
            slow_order_ms: 1_000,
            slow_start_ms: 10_000,
            silence_ms: 30_000,
            last_silence_ms: 10_000,
            waiting: None,
            foreign: false,
            seed: 0,
            ids: Ids::default(),
        }
    }
}
