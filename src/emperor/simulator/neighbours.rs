//! Pure. Two runs that differ in nothing but how some vassals behave: the others must not notice.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::nature::Nature;
use super::world::{Config, World};
use crate::emperor::event::{Fingerprint, Key, Moment, MonitorId, Owner};
use crate::emperor::policy::Policy;

const HEALTHY: u32 = 60;
const OTHERS: u32 = 120;

fn all_good(_: &World, _: &Key, dice: &mut Dice) -> Nature {
    Nature::good(dice)
}

/// The others crash, and in their steps they are as slow as they can be.
fn others_crash(world: &World, key: &Key, dice: &mut Dice) -> Nature {
    if key.name.starts_with("healthy") { all_good(world, key, dice) } else { Nature::crashing(dice) }
}

fn appear(world: &mut World, name: &str, uid: u32) {
    let key = Key { monitor: MonitorId(0), name: name.into() };
    let config = Config { fingerprint: Fingerprint(1), owner: Owner { uid, gid: uid }, refusal: None };
    world.configs.insert(key.clone(), config);
    world.look(&key);
}

/// When each healthy vassal was started: the crashing ones are there first, the healthy ones come one by one, and
/// some of these share their owner with crashing ones.
fn starts(seed: u64, nurture: super::world::Nurture) -> BTreeMap<String, Moment> {
    let policy = Policy { seed, starting_max: 2, throttle_ms: 20, max_throttle_ms: 40, ..Policy::default() };
    let mut world = World::new(seed, policy, nurture);
    (0..OTHERS).for_each(|number| appear(&mut world, &format!("other{number}"), 1_000 + number % 7));
    world.run_until(Moment(0).plus_ms(20_000));
    for number in 0..HEALTHY {
        appear(&mut world, &format!("healthy{number}"), 1_000 + number % 20);
        world.run_until(world.now.plus_ms(u64::from(number % 13)));
    }
    world.run_until(world.now.plus_ms(20_000));
    let first_runs = world.emperor.snapshot().vassals.into_iter();
    first_runs
        .filter(|view| view.key.name.starts_with("healthy"))
        .map(|view| (view.key.name.to_string(), view.first_run.expect("it was started")))
        .collect()
}

#[test]
fn a_healthy_vassal_is_started_as_if_nobody_else_had_ever_crashed() {
    for seed in 0..20 {
        let undisturbed = starts(seed, all_good);
        assert_eq!(undisturbed.len(), HEALTHY as usize);
        assert_eq!(starts(seed, others_crash), undisturbed, "seed {seed}");
    }
}
