use std::fmt::Write as _;

use caps::Capability;

use super::*;
use crate::config::confine::{Choice, Confinement};
use crate::config::hook::Verb;
use crate::config::place::Place;
use crate::vassal::confine::{Around, Given, Refused};

/// One of each kind, and where it may be asked for.
const HOOKS: [(Verb, &str); 4] = [
    (Verb::Mount, "tmpfs none /a"),
    (Verb::Mount, "none /a /b bind"),
    (Verb::Hook, "hostname:a"),
    (Verb::Hook, "ifup:lo"),
];

fn placed<T>(value: T) -> Placed<T> {
    Placed { value, place: Place { file: "v.ini".into(), line: 2, column: 1 } }
}

/// Root of a jail, with or without a user namespace.
fn born(user: bool) -> Facts {
    let jail = Namespaces::FS.with(Namespaces::NET).with(Namespaces::UTS);
    Facts {
        root: true,
        jailed: true,
        own_mounts: true,
        own_hostname: true,
        born: if user { jail.with(Namespaces::USER) } else { jail },
        permitted: Capabilities::all(),
        ..Facts::default()
    }
}

fn owned() -> Facts {
    Facts { owner: Some((1001, 1001)), whole: true, ..born(true) }
}

/// A letter for each: `+` for what can be done.
fn letters(config: &VassalConfig, facts: &Facts, when: Phase) -> String {
    let one = |(verb, text): &(Verb, &str)| {
        let hook = placed(Hook::parse(*verb, text).expect("a hook"));
        if refused(config, facts, (when, &hook)).is_none() { '+' } else { '-' }
    };
    HOOKS.iter().map(one).collect()
}

fn cap(list: &[Capability]) -> VassalConfig {
    VassalConfig { cap: Some(placed(Capabilities::of(list))), ..VassalConfig::default() }
}

fn uid() -> VassalConfig {
    VassalConfig { uid: Some(placed("web".into())), ..VassalConfig::default() }
}

fn both() -> VassalConfig {
    VassalConfig { uid: uid().uid, ..cap(&[Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN]) }
}

fn unfiltered() -> VassalConfig {
    let confine = Confinement { no_new_privs: Some(placed(false)), ..Confinement::default() };
    VassalConfig { confine, ..both() }
}

fn least() -> VassalConfig {
    let confine = Confinement { seccomp: Some(placed(Choice::Off)), ..Confinement::default() };
    VassalConfig { confine, ..both() }
}

#[test]
fn each_hook_is_done_while_there_are_rights_and_refused_when_there_are_none() {
    let plain = VassalConfig::default();
    let admin = cap(&[Capability::CAP_SYS_ADMIN]);
    let mut table = String::new();
    for (name, config, facts) in [
        ("root of the host", &plain, born(false)),
        ("with uid", &uid(), born(false)),
        ("with uid and cap", &both(), born(false)),
        ("without a filter", &unfiltered(), born(false)),
        ("with the least one", &least(), born(false)),
        ("with cap", &admin, born(false)),
        ("in a jail", &plain, Facts { whole: true, ..born(false) }),
        ("root of a user namespace", &plain, born(true)),
        ("owner later", &plain, owned()),
        ("owner never, by cap", &admin, owned()),
    ] {
        let of = |when| letters(config, &facts, when);
        writeln!(table, "{name}: {} {} {}", of(Phase::AsRoot), of(Phase::PreApp), of(Phase::AsUserAtexit))
            .expect("memory");
    }
    insta::assert_snapshot!(table, @r"
    root of the host: ++++ ++++ ++++
    with uid: ++++ ---- ----
    with uid and cap: ++++ --++ --++
    without a filter: ++++ ++++ ++++
    with the least one: ++++ ++++ ++++
    with cap: ++++ +++- +++-
    in a jail: ++++ ---- ----
    root of a user namespace: ++++ ++++ ++++
    owner later: ++++ ---- ----
    owner never, by cap: ++++ +++- +++-
    ");
}

#[test]
fn what_is_missing_at_birth_is_missing_in_every_phase() {
    let poor = Facts { permitted: Capabilities::of(&[Capability::CAP_NET_ADMIN]), ..born(true) };
    assert_eq!(letters(&VassalConfig::default(), &poor, Phase::Asap), "---+");
    let refused = [Need::Trees].into_iter().collect();
    let filtered =
        Facts { around: Around { given: Given::Other, refused, ..Around::default() }, ..born(true) };
    assert_eq!(letters(&VassalConfig::default(), &filtered, Phase::AsRoot), "+-++");
    let strict = Refused::by(&[crate::seccomp::strict()]);
    assert_eq!(Around::of(Some(&strict.told("chosen")), Namespaces::NET).refused, strict);
}

#[test]
fn whoever_makes_a_user_namespace_is_root_in_it() {
    let unshare = Namespaces::USER.with(Namespaces::FS).with(Namespaces::UTS);
    let config = VassalConfig { unshare, ..VassalConfig::default() };
    let none = Facts { permitted: Capabilities::NONE, ..born(false) };
    // The network was there before.
    assert_eq!(letters(&config, &none, Phase::AsRoot), "+++-");
    let all = VassalConfig { unshare: unshare.with(Namespaces::NET), ..config };
    assert_eq!(letters(&all, &none, Phase::AsRoot), "++++");
}

#[test]
fn nobody_in_a_user_namespace_changes_the_network_of_the_host() {
    let shared = |user: bool| {
        let facts = born(user);
        Facts { born: facts.born.without(Namespaces::NET), ..facts }
    };
    let of = |user| letters(&VassalConfig::default(), &shared(user), Phase::AsRoot);
    assert_eq!((of(false), of(true)), ("++++".into(), "+++-".into()));
}
