use super::*;

const NONE: Capabilities = Capabilities::NONE;

fn around(given: Given) -> Around {
    Around { given, shares_network: true, landlock: 7, ..Around::default() }
}

fn placed<T>(value: T) -> Placed<T> {
    Placed { value, place: Place { file: "v.ini".into(), line: 2, column: 1 } }
}

fn choosing(choice: Choice) -> Confinement {
    Confinement { seccomp: Some(placed(choice)), ..Confinement::default() }
}

fn words(limits: &[Limit]) -> Vec<String> {
    limits.iter().map(ToString::to_string).collect()
}

fn causes(config: &Confinement, around: &Around, root: bool) -> Vec<String> {
    refusals(config, around, root).into_iter().map(|error| error.cause).collect()
}

#[test]
fn a_master_that_gave_up_root_is_under_the_default_unless_its_config_chooses() {
    let file = || choosing(Choice::File("p.json".into()));
    let master =
        |config: &Confinement| of_master(config, &around(Given::Nothing)).map(|filter| filter.refused);
    let (standard, least) = (Filter::standard().refused, Filter::setid_files().refused);
    assert_eq!(master(&Confinement::default()), Some(standard));
    assert_eq!(master(&choosing(Choice::Strict)), Some(standard));
    assert_eq!(master(&choosing(Choice::Off)), Some(least));
    assert_eq!(master(&file()), Some(least));
    for given in [Given::Standard, Given::Other] {
        assert_eq!(of_master(&file(), &around(given)), None, "it has one already");
    }
}

#[test]
fn what_a_tenant_chooses_comes_on_top() {
    let strict = words(&of_user(&choosing(Choice::Strict), &around(Given::Standard), NONE));
    assert_eq!(strict, ["filter system calls of the command (strict)"]);
    assert_eq!(of_user(&Confinement::default(), &around(Given::Standard), NONE), []);
    let off = causes(&choosing(Choice::Off), &around(Given::Standard), false);
    assert!(off[0].contains("takes nothing away"), "{off:?}");
    assert_eq!(causes(&choosing(Choice::Off), &around(Given::Nothing), true), Vec::<String>::new());
}

#[test]
fn root_of_a_user_namespace_loses_mounts_with_its_command() {
    let mut narrow = around(Given::Standard);
    narrow.shares_network = false;
    assert_eq!(of_root(&Confinement::default(), &narrow, NONE), [Limit::Filter(Filter::after_root())]);
    assert_eq!(of_root(&Confinement::default(), &around(Given::Nothing), NONE), []);
    let asked = of_root(&choosing(Choice::Default), &around(Given::Nothing), NONE);
    assert_eq!(asked, [Limit::Filter(Filter::standard())]);
}

#[test]
fn abstract_sockets_of_the_hosts_network_are_closed_where_the_kernel_can() {
    let fenced = |around: Around| words(&of_user(&Confinement::default(), &around, NONE));
    let shared = around(Given::Nothing);
    assert_eq!(fenced(shared), ["fence the command (no abstract sockets outside)"]);
    assert_eq!(fenced(Around { shares_network: false, ..shared }), Vec::<String>::new());
    assert_eq!(fenced(Around { landlock: 5, ..shared }), Vec::<String>::new());
    let open = Confinement { scope_abstract: Some(placed(false)), ..Confinement::default() };
    assert_eq!(of_user(&open, &shared, NONE), []);
    assert_eq!(causes(&open, &around(Given::Standard), false).len(), 1);
}

#[test]
fn what_was_asked_for_by_name_holds_or_nothing_runs() {
    let files = Confinement { read: vec![placed("/usr".into())], ..Confinement::default() };
    let scoped = Confinement { scope_signal: Some(placed(true)), ..Confinement::default() };
    let told = |config, landlock| causes(config, &Around { landlock, ..around(Given::Standard) }, false);
    assert_eq!(told(&files, 0), ["this kernel has no Landlock"]);
    assert_eq!(told(&files, 2), ["this kernel has version 2 of Landlock, and version 3 is needed"]);
    assert_eq!(told(&scoped, 5), ["this kernel has version 5 of Landlock, and version 6 is needed"]);
    assert_eq!([told(&files, 3), told(&scoped, 6)], [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn only_a_trusted_config_runs_programs_that_gain() {
    let config = Confinement { no_new_privs: Some(placed(false)), ..Confinement::default() };
    assert!(gains(&config) && !gains(&Confinement::default()));
    let refused = |given, root| !causes(&config, &around(given), root).is_empty();
    assert_eq!(
        [refused(Given::Nothing, true), refused(Given::Nothing, false), refused(Given::Standard, true)],
        [false, true, true]
    );
}

#[test]
fn what_the_emperor_wants_strict_is_so_for_root_and_after_it() {
    let strict = Around { strict: true, ..around(Given::Nothing) };
    let default = Confinement::default();
    assert_eq!(words(&of_root(&default, &strict, NONE)).len(), 2, "the default and the strict one");
    assert_eq!(
        words(&of_user(&default, &strict, NONE)),
        words(&of_user(&choosing(Choice::Strict), &strict, NONE))
    );
    assert_eq!(of_master(&choosing(Choice::Off), &strict), Some(Filter::standard()));
    assert_eq!(causes(&choosing(Choice::Off), &strict, true).len(), 1, "nothing is taken away");
}
