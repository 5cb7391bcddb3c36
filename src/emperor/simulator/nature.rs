//! Pure. What becomes of one spawn, and how its process behaves.

use super::dice::Dice;
use crate::emperor::event::Exit;
use crate::emperor::order::from_vassal;

/// How far a spawn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There is no process at all.
    NoProcess,
    /// The spawner refuses the config before there is one.
    RefusedBefore,
    /// The spawner refuses the config when there is one already.
    RefusedBorn,
    /// A step fails.
    StepFails,
    /// The process dies without a word before its program runs.
    DiesInSteps,
    /// It finds its config wrong, says so and ends.
    Useless,
    /// Its program runs.
    Runs,
}

/// What a process does when it is told to reload.
#[derive(Clone, Copy, Debug)]
pub enum OnReload {
    /// Ends, after so many ms.
    Ends(u64),
    /// Lives on with the new config, and says that it accepts after so many ms.
    Accepts(u64),
    /// Lives on with the new config, and says nothing.
    Stays,
    /// Does not know what that is.
    Ignores,
}

/// One process. All times in ms.
#[derive(Clone, Debug)]
pub struct Nature {
    pub fate: Fate,
    /// From the order to its birth.
    pub fork_ms: u64,
    /// From birth to its program.
    pub step_ms: u64,
    /// How late the spawner's answers come.
    pub lag_ms: u64,
    /// What it says, and when after its program runs.
    pub speech: Vec<(u64, u8)>,
    /// Heartbeats: how often, and how many.
    pub beats: Option<(u64, u64)>,
    /// How long it may have nothing to do, if it listens, before it says goodbye.
    pub idle_ms: Option<u64>,
    /// How long it may be idle by our own rule, in seconds.
    pub idle_s: Option<u32>,
    /// Its end.
    pub death: Option<(u64, Exit)>,
    /// When it closes its control descriptor.
    pub deaf_ms: Option<u64>,
    /// How long it takes to stop; `None` does not.
    pub stop_ms: Option<u64>,
    pub on_reload: OnReload,
    /// How long SIGKILL takes.
    pub kill_ms: u64,
}

/// Longest time that SIGKILL takes.
pub const KILL_MAX_MS: u64 = 90_000;

impl Nature {
    /// Starts, says that it accepts, stops and reloads when told.
    pub fn good(dice: &mut Dice) -> Self {
        Self {
            fate: Fate::Runs,
            fork_ms: dice.below(3),
            step_ms: dice.below(20),
            lag_ms: dice.below(3),
            speech: vec![(1, from_vassal::SPAWNED), (5, from_vassal::ACCEPTING)],
            beats: None,
            idle_ms: None,
            idle_s: None,
            death: None,
            deaf_ms: None,
            stop_ms: Some(dice.below(500)),
            on_reload: OnReload::Accepts(dice.below(2_000)),
            kill_ms: dice.below(5),
        }
    }

    /// Dies soon after its program runs.
    pub fn crashing(dice: &mut Dice) -> Self {
        let speech = Vec::new();
        Self { speech, death: Some((dice.below(50), Exit::Code(1))), ..Self::good(dice) }
    }

    /// Anything that can happen.
    pub fn any(dice: &mut Dice) -> Self {
        let mut nature = Self::good(dice);
        nature.fate = any_fate(dice);
        nature.step_ms = dice.skewed(15);
        nature.lag_ms = dice.skewed(8);
        nature.speech = any_speech(dice);
        nature.beats = dice.percent(25).then(|| (1 + dice.below(20_000), dice.skewed(10)));
        nature.death = dice.percent(40).then(|| (dice.skewed(24), any_exit(dice)));
        nature.deaf_ms = dice.percent(8).then(|| dice.skewed(20));
        nature.stop_ms = dice.percent(80).then(|| dice.skewed(17));
        nature.on_reload = any_reload(dice);
        nature.kill_ms = if dice.percent(5) { dice.below(KILL_MAX_MS) } else { dice.below(5) };
        nature.idle_ms = dice.percent(25).then(|| 60_000 + dice.skewed(22));
        nature.idle_s = dice.percent(25).then(|| 60 + dice.skewed(12) as u32);
        nature
    }
}

fn any_fate(dice: &mut Dice) -> Fate {
    match dice.below(100) {
        0..4 => Fate::NoProcess,
        4..6 => Fate::RefusedBefore,
        6..8 => Fate::RefusedBorn,
        8..12 => Fate::StepFails,
        12..14 => Fate::DiesInSteps,
        14..18 => Fate::Useless,
        _ => Fate::Runs,
    }
}

fn any_exit(dice: &mut Dice) -> Exit {
    match dice.below(10) {
        0 => Exit::Code(26),
        1..3 => Exit::Code(0),
        3..6 => Exit::Signal(11),
        _ => Exit::Code(1),
    }
}

fn any_reload(dice: &mut Dice) -> OnReload {
    match dice.below(4) {
        0 => OnReload::Ends(dice.skewed(16)),
        1 => OnReload::Accepts(dice.skewed(16)),
        2 => OnReload::Stays,
        _ => OnReload::Ignores,
    }
}

/// Bytes in any order; some are lost, some come twice, some mean nothing, and now and then there is a flood.
fn any_speech(dice: &mut Dice) -> Vec<(u64, u8)> {
    let bytes = [
        from_vassal::SPAWNED,
        from_vassal::ACCEPTING,
        from_vassal::LOYAL,
        from_vassal::HEARTBEAT,
        from_vassal::SOS,
        from_vassal::CONFIG,
        from_vassal::BECOMES,
        from_vassal::USELESS,
        from_vassal::GOODBYE,
    ];
    let count = if dice.percent(2) { 200 } else { dice.below(6) };
    let known = if dice.percent(10) { 9 } else { 8 };
    let becomes = dice.percent(30).then_some((0, from_vassal::BECOMES));
    let others = (0..count).map(|_| (dice.skewed(18), bytes[dice.below(known) as usize]));
    becomes.into_iter().chain(others.collect::<Vec<_>>()).collect()
}
