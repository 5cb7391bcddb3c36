//! Walks real plans on the running kernel, as root: what each process then is, read from `/proc`.
//!
//! `spawn` is for processes with one thread, which the usual test runner is not: so this is its own.
//! `cargo test -p jail --test walk NAME…` runs the tests whose names contain one of the words.

#![expect(clippy::unwrap_used, reason = "tests end where something is not as it should be")]

mod boundaries;
mod deaths;
mod descriptors;
mod exchanges;
mod failures;
mod identities;
mod leaks;
mod pools;
mod races;
mod roles;
mod stage;
mod users;

use std::panic::catch_unwind;
use std::process::ExitCode;

type Test = (&'static str, fn());

/// Lists functions as tests, under their own names.
macro_rules! tests {
    ($($room:ident :: $name:ident),* $(,)?) => {
        &[$((concat!(stringify!($room), "::", stringify!($name)), $room::$name as fn())),*]
    };
}

const TESTS: &[Test] = tests![
    boundaries::each_namespace_is_another_one,
    boundaries::a_jail_has_its_own_proc_host_name_and_loopback,
    boundaries::a_cgroup_namespace_begins_at_the_leaf,
    boundaries::mounts_made_inside_are_not_seen_outside,
    identities::a_tenant_is_exactly_what_was_asked_for,
    identities::kept_capabilities_are_in_all_sets_and_no_other_is,
    identities::groups_of_the_spawner_are_never_passed_on,
    identities::no_id_is_no_identity,
    identities::both_kinds_of_birth_give_the_same_process,
    identities::signals_are_as_in_a_fresh_process,
    identities::what_a_process_sheds_is_gone,
    identities::nobody_looks_into_a_child_on_its_way,
    identities::a_tenant_that_stops_its_child_stops_nobody_elses,
    descriptors::exactly_the_listed_ones_are_open,
    descriptors::descriptors_may_change_places,
    descriptors::a_directory_closed_to_the_tenant_is_entered_by_descriptor,
    descriptors::missing_standard_descriptors_are_opened,
    descriptors::parcels_carry_descriptors_and_refuse_what_is_too_long,
    failures::a_missing_program_is_told_alike_by_both_kinds_of_birth,
    failures::a_name_is_searched_as_execvp_does,
    failures::a_failing_hook_ends_the_jail_with_its_status,
    failures::hooks_run_in_order_with_the_environment_and_none_of_our_descriptors,
    failures::a_walking_child_holds_nothing_that_no_step_needs,
    failures::a_refused_birth_is_step_0,
    failures::an_impossible_descriptor_is_refused,
    deaths::a_tenant_dies_with_its_parent,
    deaths::a_sibling_dies_with_the_emperor,
    deaths::a_cgroup_is_killed_whole,
    deaths::the_kill_switch_works_in_unprivileged_hands,
    deaths::what_a_dead_owner_left_is_swept_and_what_a_living_one_has_is_not,
    users::an_ordinary_user_makes_a_jail_of_its_own,
    users::a_tenants_map_is_written_from_outside,
    users::a_spawner_that_is_not_root_maps_another_user,
    pools::pooled_networks_are_distinct_and_up,
    pools::a_pool_leaves_the_caller_at_home,
    pools::our_program_in_memory_cannot_be_changed,
    races::a_tenants_attacks_between_ids_and_exec_are_all_refused,
    exchanges::a_place_that_is_exchanged_is_met_or_refused_each_time,
    exchanges::a_source_that_is_exchanged_shows_the_tenants_file_each_time,
    exchanges::devices_are_made_in_no_directory_but_ours,
    exchanges::whoever_looks_first_and_mounts_by_name_loses,
    leaks::two_thousand_spawns_leave_nothing_behind,
];

fn main() -> ExitCode {
    if let Some(role) = roles::asked_for() {
        return role();
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if !rustix::process::geteuid().is_root() {
        println!("walk: SKIPPED, all {} tests: they need root", TESTS.len());
        return ExitCode::SUCCESS;
    }
    let chosen =
        TESTS.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word)));
    let failed: Vec<&str> = chosen.filter(|test| !passes(test)).map(|(name, _)| *name).collect();
    println!("walk: {} failed {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes((name, test): &Test) -> bool {
    let passed = catch_unwind(test).is_ok();
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}
