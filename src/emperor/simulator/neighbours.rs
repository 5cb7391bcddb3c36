//! Pure. Two runs that differ in nothing but how some vassals behave: the others must not notice.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::nature::Nature;
use super::world::{Config, World};
use crate::emperor::event::{Fingerprint, Key, Moment, MonitorId, Owner};
use crate::emperor::order::from_vassal;
use crate::emperor::policy::Policy;
use crate::emperor::snapshot::VassalView;

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

/// When each healthy vassal was started, if it does not wait for a connection: the crashing ones are there first, the healthy ones come one by one, and
/// some of these share their owner with crashing ones.
fn starts(seed: u64, nurture: super::world::Nurture) -> BTreeMap<String, Option<Moment>> {
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
        .map(|view| (view.key.name.to_string(), view.first_run))
        .collect()
}

#[test]
fn a_healthy_vassal_is_started_as_if_nobody_else_had_ever_crashed() {
    for seed in 0..20 {
        let undisturbed = starts(seed, all_good);
        assert_eq!(undisturbed.len(), HEALTHY as usize);
        assert!(undisturbed.values().flatten().count() > HEALTHY as usize / 2, "most are started");
        assert_eq!(starts(seed, others_crash), undisturbed, "seed {seed}");
    }
}

/// The others say whatever bytes there are, and as many; so do the zergs that they get by that.
fn others_babble(world: &World, key: &Key, dice: &mut Dice) -> Nature {
    let mut nature = all_good(world, key, dice);
    if !key.name.starts_with("healthy") {
        let sos = |dice: &mut Dice| (dice.below(30_000), from_vassal::SOS);
        let any = |dice: &mut Dice| (dice.below(30_000), dice.below(256) as u8);
        nature.speech = (0..40).map(|_| if dice.percent(50) { sos(dice) } else { any(dice) }).collect();
    }
    nature
}

/// What has become of one vassal, as far as it is decided here.
type Fate = (Option<Moment>, Option<Moment>, u32, u32, &'static str);

/// What becomes of the healthy vassals while the others live like that, and how many zergs there were.
fn fates(seed: u64, nurture: super::world::Nurture) -> (BTreeMap<String, Fate>, u32) {
    let policy = Policy { seed, starting_max: 2, tenant_max: 40, broodlord: 2, ..Policy::default() };
    let mut world = World::new(seed, policy, nurture);
    (0..OTHERS).for_each(|number| appear(&mut world, &format!("other{number}"), 1_000 + number % 7));
    world.run_until(Moment(0).plus_ms(8_000));
    for number in 0..HEALTHY {
        appear(&mut world, &format!("healthy{number}"), 1_000 + number % 20);
        world.run_until(world.now.plus_ms(u64::from(number % 13)));
    }
    world.run_until(world.now.plus_ms(40_000));
    let (last_id, views) = (world.emperor.last_id, world.emperor.snapshot().vassals.into_iter());
    let healthy = views.filter(|view| view.key.name.starts_with("healthy"));
    let fate = |view: VassalView| {
        (view.key.name.to_string(), (view.first_run, view.last_run, view.attempts, view.deaths, view.state))
    };
    (healthy.map(fate).collect(), last_id - HEALTHY - OTHERS)
}

/// Row C8 of the attacks: what a vassal says is felt by itself alone.
#[test]
fn whatever_bytes_a_vassal_sends_its_neighbours_fare_as_if_it_said_nothing() {
    for seed in 0..20 {
        let (undisturbed, none) = fates(seed, all_good);
        assert_eq!((undisturbed.len(), none), (HEALTHY as usize, 0));
        let (disturbed, zergs) = fates(seed, others_babble);
        assert!(zergs > OTHERS, "seed {seed}: {zergs} zergs");
        assert_eq!(disturbed, undisturbed, "seed {seed}");
    }
}
