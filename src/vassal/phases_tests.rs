use insta::assert_snapshot;

use super::*;
use crate::config::hook::{Hook, Verb};
use crate::config::place::Place;
use crate::config::vassal::Patch;
use crate::config::vassal::logs::Logs;

const ROOT: Facts = Facts {
    root: true,
    jailed: false,
    own_mounts: false,
    own_hostname: false,
    born: Namespaces::NONE,
    emperor: true,
    permitted: Capabilities(u64::MAX),
    owner: None,
    whole: false,
    outside: false,
    around: Around {
        given: confine::Given::Nothing,
        strict: false,
        shares_network: false,
        landlock: 0,
        refused: confine::NOTHING_REFUSED,
    },
};
const TENANT: Facts = Facts { root: false, permitted: Capabilities::NONE, ..ROOT };

fn placed<T>(value: T) -> Placed<T> {
    Placed { value, place: Place { file: "v.ini".into(), line: 2, column: 1 } }
}

/// A config with a program in every phase, written in the wrong order.
fn everything() -> VassalConfig {
    let phases =
        [Phase::AsUserAtexit, Phase::AsUser, Phase::AsRoot, Phase::InJail, Phase::PostJail, Phase::PreJail];
    VassalConfig {
        command: Some(placed(vec!["serve".into(), "-v".into()])),
        programs: phases.iter().map(|phase| (*phase, placed(format!("{phase:?}")))).collect(),
        uid: Some(placed("web".into())),
        add_gid: vec![placed("adm".into())],
        chdir: Some(placed("/srv".into())),
        sockets: vec![
            placed(Address::Unix("/run/s".into())),
            placed(Address::Tcp(([0, 0, 0, 0], 80).into())),
        ],
        socket_owner: Some(placed("web:www".into())),
        hostname: Some(placed("box".into())),
        logs: Logs::to(placed("log".into())),
        unshare: "fs,net,pid,uts".parse().expect("known namespaces"),
        unshare_at: Some(placed(()).place),
        ..VassalConfig::default()
    }
}

/// The same without a jail of its own.
fn unjailed() -> VassalConfig {
    VassalConfig { unshare: Namespaces::NONE, hostname: None, ..everything() }
}

fn listing(config: &VassalConfig, facts: &Facts) -> String {
    let steps = plan(config, facts).expect("a plan");
    steps.iter().map(|step| format!("{step}\n")).collect()
}

fn causes(config: &VassalConfig, facts: &Facts) -> String {
    let errors = plan(config, facts).expect_err("a refusal");
    errors.iter().map(|error| format!("{error}\n")).collect()
}

#[test]
fn every_phase_stands_once_in_its_place() {
    assert_snapshot!(listing(&everything(), &ROOT), @r#"
    run exec-pre-jail `PreJail`
    run exec-in-jail `InJail`
    unshare fs,net,pid,uts
    make all mounts private
    bring lo up
    go on as PID 1 of the new pid namespace
    set host name box
    run exec-post-jail `PostJail`
    run exec-as-root `AsRoot`
    bind /run/s (mode 0660, owner web:www)
    bind 0.0.0.0:80
    reduce the bounding set to none
    become uid=web add-gid=adm (keeps capabilities: none)
    forbid new privileges
    filter system calls (the default: docs/filters.md)
    die when the Emperor dies
    run exec-as-user `AsUser`
    change directory to /srv
    log to log
    start `serve -v`
    "#);
}

fn hook(phase: Phase, verb: Verb, text: &str) -> (Phase, Placed<Hook>) {
    (phase, placed(Hook::parse(verb, text).expect("a hook")))
}

#[test]
fn within_a_phase_hooks_come_first_and_programs_last() {
    let hooks = vec![
        hook(Phase::AsRoot, Verb::Umount, "/b rec"),
        hook(Phase::AsRoot, Verb::Mount, "proc none /proc"),
        hook(Phase::AsUserAtexit, Verb::Hook, "print:bye"),
        hook(Phase::Accepting1Once, Verb::Hook, "print:5"),
        hook(Phase::Accepting, Verb::Hook, "print:4"),
        hook(Phase::PostApp, Verb::Hook, "print:3"),
        hook(Phase::PreApp, Verb::Hook, "!print:2"),
        hook(Phase::AsRoot, Verb::Hook, "mkdir:/a"),
        hook(Phase::Asap, Verb::Hook, "print:1"),
    ];
    let programs = vec![(Phase::AsRoot, placed("true".into()))];
    let config = VassalConfig { hooks, programs, sockets: Vec::new(), ..everything() };
    assert_snapshot!(listing(&config, &ROOT), @r"
    do hook-asap `print:1`
    unshare fs,net,pid,uts
    make all mounts private
    bring lo up
    go on as PID 1 of the new pid namespace
    set host name box
    do hook-as-root `mkdir:/a`
    do mount-as-root `proc none /proc`
    do umount-as-root `/b rec`
    run exec-as-root `true`
    reduce the bounding set to none
    become uid=web add-gid=adm (keeps capabilities: none)
    forbid new privileges
    filter system calls (the default: docs/filters.md)
    die when the Emperor dies
    change directory to /srv
    log to log
    do hook-pre-app (hidden)
    start `serve -v`
    do hook-post-app `print:3`
    do hook-accepting `print:4`
    do hook-accepting1-once `print:5`
    ");
    let after: Vec<String> = at_exit(&config).iter().map(ToString::to_string).collect();
    assert_eq!(after, ["do hook-as-user-atexit `print:bye`"]);
    assert!(
        plan(&config, &ROOT).expect("a plan").iter().all(|step| step.failure() != Some("a failure is told"))
    );
    assert_eq!(at_exit(&config)[0].failure(), Some("a failure is told"));
}

#[test]
fn no_hook_changes_the_host_or_needs_what_is_not_there() {
    let hooks = vec![
        hook(Phase::InJail, Verb::Mount, "proc none /proc"),
        hook(Phase::AsRoot, Verb::Hook, "hostname:box"),
        hook(Phase::AsRoot, Verb::Hook, "mkdir:/a"),
    ];
    let config = VassalConfig { hooks, programs: Vec::new(), ..unjailed() };
    assert_snapshot!(causes(&config, &ROOT), @r#"
    v.ini:2:1: this would change the mounts of the whole host
      add "fs" to emperor-use-clone, or `unshare = fs` and use a later phase
    v.ini:2:1: this would rename the whole host
      add "uts" to emperor-use-clone, or `unshare = uts` and use a later phase
    "#);
    assert!(plan(&config, &Facts { own_mounts: true, own_hostname: true, ..ROOT }).is_ok());
    assert_snapshot!(causes(&config, &Facts { own_mounts: true, own_hostname: true, ..TENANT }), @r#"
    v.ini:2:1: mount-in-jail `proc none /proc` needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    v.ini:2:1: hook-as-root `hostname:box` needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    v.ini:2:1: hook-as-root `mkdir:/a` needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    "#);
}

#[test]
fn root_without_a_uid_stays_root() {
    let config = VassalConfig { uid: None, add_gid: Vec::new(), ..unjailed() };
    assert_snapshot!(listing(&config, &Facts { emperor: false, ..ROOT }), @r#"
    run exec-pre-jail `PreJail`
    run exec-in-jail `InJail`
    run exec-as-root `AsRoot`
    bind /run/s (mode 0660, owner web:www)
    bind 0.0.0.0:80
    run exec-as-user `AsUser`
    change directory to /srv
    log to log
    start `serve -v`
    "#);
    let config = VassalConfig {
        cap: Some(placed(Capabilities(1))),
        sockets: Vec::new(),
        programs: Vec::new(),
        ..config
    };
    assert_snapshot!(listing(&config, &ROOT), @r#"
    reduce the bounding set to chown
    reduce capabilities to chown
    die when the Emperor dies
    change directory to /srv
    log to log
    start `serve -v`
    "#);
}

#[test]
fn a_jail_by_birth_is_one_for_the_programs() {
    let config = unjailed();
    let post_jail = |facts: &Facts| listing(&config, facts).contains("exec-post-jail");
    assert!(post_jail(&Facts { jailed: true, ..ROOT }) && !post_jail(&ROOT));
}

#[test]
fn a_program_in_our_place_is_the_last_step() {
    let patch = Some(placed(Patch::Program("shell".into())));
    let config = VassalConfig { privileged_patch: patch.clone(), ..everything() };
    assert_snapshot!(listing(&config, &ROOT), @r#"
    run exec-pre-jail `PreJail`
    become `shell`
    "#);
    let config = VassalConfig { unprivileged_patch: patch, ..everything() };
    assert_eq!(listing(&config, &ROOT).lines().last(), Some("become `shell`"));
}

#[test]
fn a_tenant_keeps_his_ids() {
    let programs = vec![(Phase::AsUser, placed("date".into()))];
    let config = VassalConfig { programs, ..unjailed() };
    assert_snapshot!(listing(&config, &TENANT), @r#"
    bind /run/s (mode 0660, owner web:www)
    bind 0.0.0.0:80
    check that we are uid=web add-gid=adm
    forbid new privileges
    filter system calls (the default: docs/filters.md)
    die when the Emperor dies
    run exec-as-user `date`
    change directory to /srv
    log to log
    start `serve -v`
    "#);
}

#[test]
fn what_needs_root_is_refused_to_others_with_its_place() {
    let config = VassalConfig { cap: Some(placed(Capabilities(1))), ..everything() };
    assert_snapshot!(causes(&config, &TENANT), @r#"
    v.ini:2:1: exec-as-root needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    v.ini:2:1: hostname needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    v.ini:2:1: unshare needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    v.ini:2:1: cap needs root of the vassal's own user namespace
      add "user" to emperor-use-clone
    "#);
}

#[test]
fn nobody_renames_the_host() {
    let config = VassalConfig { unshare: Namespaces::NONE, ..everything() };
    assert_snapshot!(causes(&config, &ROOT), @r#"
    v.ini:2:1: `hostname` would rename the whole host
      add "uts" to emperor-use-clone, or `unshare = uts`
    "#);
    assert!(plan(&config, &Facts { own_hostname: true, ..ROOT }).is_ok());
}

#[test]
fn a_group_needs_a_user() {
    let config = VassalConfig { uid: None, ..unjailed() };
    assert!(causes(&config, &ROOT).contains("a group without a user"));
}
