//! Pure. Vassals on demand that are called, fall idle, crash and get new configs: every start has its call.

use super::dice::Dice;
use super::nature::Nature;
use super::world::{Config, World};
use crate::emperor::event::{Exit, Key, Moment, MonitorId, VassalId};
use crate::emperor::policy::Policy;

const SLEEPERS: usize = 12;
const CALLS: u64 = 400;

/// Idle by our own rule, by a goodbye of its own, or never; and one in three crashes.
fn restless(_: &World, _: &Key, dice: &mut Dice) -> Nature {
    let mut nature = Nature::good(dice);
    match dice.below(3) {
        0 => nature.idle_s = Some(1 + dice.below(120) as u32),
        1 => nature.idle_ms = Some(1_000 + dice.below(120_000)),
        _ => {}
    }
    nature.death = dice.percent(33).then(|| (dice.below(600_000), Exit::Signal(11)));
    nature
}

/// Names that are on demand from the first, each of them waiting for a connection.
fn asleep(seed: u64) -> (World, Vec<Key>) {
    let mut world = World::new(seed, Policy { seed, ..Policy::default() }, restless);
    let names = (0..).map(|number| Key { monitor: MonitorId(0), name: format!("s{number}").into() });
    let keys: Vec<Key> = names.filter(|key| world.address(key) > 0).take(SLEEPERS).collect();
    keys.iter().for_each(|key| world.write_new(key));
    world.run_until(Moment(0).plus_ms(60_000));
    assert_eq!(world.listeners.len(), SLEEPERS);
    (world, keys)
}

fn attempts(world: &World, id: VassalId) -> u32 {
    world.emperor.vassals[&id].attempt
}

/// Whether a connection that comes now has to lead to a start.
fn sleeps(world: &World, id: VassalId) -> bool {
    !world.is_served(id) && !world.listeners[&id].is_waited_at()
}

/// Other content for the same owner.
fn rewrite(world: &mut World, key: &Key) {
    let fingerprint = world.new_fingerprint();
    let config = world.configs[key].clone();
    world.put(key, Config { fingerprint, ..config });
}

/// Starts of each that are owed to connections, and those that there were.
fn starts(seed: u64) -> (Vec<u32>, Vec<u32>) {
    let (mut world, keys) = asleep(seed);
    let ids: Vec<VassalId> = keys.iter().map(|key| world.emperor.ids[key]).collect();
    let mut owed: Vec<u32> = ids.iter().map(|id| attempts(&world, *id)).collect();
    for _ in 0..CALLS {
        let pause = world.dice.skewed(17);
        world.run_until(world.now.plus_ms(pause));
        let one = world.dice.below(SLEEPERS as u64) as usize;
        if world.dice.percent(15) {
            rewrite(&mut world, &keys[one]);
        } else {
            owed[one] += u32::from(sleeps(&world, ids[one]));
            world.call(&keys[one]);
        }
    }
    // As long as the longest delay after a death.
    world.run_until(world.now.plus_ms(2 * world.policy.max_throttle_ms));
    assert_eq!(world.listeners.len(), SLEEPERS, "seed {seed}: a listener was closed");
    (owed, ids.iter().map(|id| attempts(&world, *id)).collect())
}

#[test]
fn a_connection_while_no_process_runs_leads_to_exactly_one_start() {
    for seed in 0..20 {
        let (owed, given) = starts(seed);
        assert!(owed.iter().sum::<u32>() > 2 * SLEEPERS as u32, "seed {seed}: {owed:?}");
        assert_eq!(given, owed, "seed {seed}");
    }
}
