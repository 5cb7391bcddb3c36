use insta::assert_snapshot;
use jail::Capabilities;
use jail::plan::{Clock, ClockOffset};

use super::*;
use crate::config::place::Place;
use crate::config::vassal::rootfs::RootWish;
use crate::config::vassal::separation::Separation;
use crate::vassal::phases::plan;

fn placed<T>(value: T) -> Placed<T> {
    Placed { value, place: Place { file: "v.ini".into(), line: 2, column: 1 } }
}

fn root() -> Facts {
    Facts { root: true, permitted: Capabilities(u64::MAX), ..Facts::default() }
}

fn set(names: &str) -> Namespaces {
    names.parse().expect("known namespaces")
}

/// Everything at once, with a program in the phases between.
fn everything() -> VassalConfig {
    let phases = [Phase::Asap, Phase::PreJail, Phase::PostJail, Phase::AsRoot, Phase::AsUser];
    VassalConfig {
        command: Some(placed(vec!["serve".into()])),
        programs: phases.iter().map(|phase| (*phase, placed(phase.name().to_owned()))).collect(),
        uid: Some(placed("web".into())),
        unshare: set("fs,pid,time"),
        hostname: Some(placed("box".into())),
        separation: Separation {
            later: Some(placed(set("uts,net,pid"))),
            reforks: vec![Refork::AsUser, Refork::PostJail, Refork::AsRoot],
            clocks: vec![placed(ClockOffset { clock: Clock::Boottime, seconds: -60 })],
            join: Some(placed("/run/other".into())),
            serve: Some(placed("/run/ours".into())),
            skip: vec!["mnt".into()],
            ..Separation::default()
        },
        ..VassalConfig::default()
    }
}

fn listing(config: &VassalConfig) -> String {
    let steps = plan(config, &root()).expect("a plan");
    steps.iter().map(|step| format!("{step}\n")).collect()
}

fn causes(config: &VassalConfig, facts: &Facts) -> String {
    plan(config, facts).expect_err("a refusal").iter().map(|error| format!("{error}\n")).collect()
}

#[test]
fn each_separation_stands_in_its_place() {
    assert_snapshot!(listing(&everything()));
}

#[test]
fn the_post_jail_phase_takes_place_where_it_is_asked_for() {
    let bare = |post_jail| VassalConfig {
        unshare: Namespaces::NONE,
        hostname: None,
        separation: Separation { post_jail, reforks: vec![Refork::PostJail], ..Separation::default() },
        ..everything()
    };
    assert!(listing(&bare(true)).contains("post-jail`\ngo on in a child (refork-post-jail)"));
    assert!(!listing(&bare(false)).contains("post-jail"));
}

#[test]
fn what_is_served_is_taken_early_where_that_is_asked_for() {
    let with = |preopen| VassalConfig {
        separation: Separation { preopen, ..everything().separation },
        rootfs: crate::config::vassal::rootfs::RootfsConfig {
            root: Some(placed(RootWish::Chroot("/srv".into()))),
            ..Default::default()
        },
        ..everything()
    };
    let at = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    for (preopen, early) in [(true, true), (false, false)] {
        let text = listing(&with(preopen));
        assert_eq!(at(&text, "take our namespaces but mnt") < at(&text, "/srv"), early, "{text}");
        assert!(at(&text, "/srv") < at(&text, "serve our namespaces on /run/ours (mode 0600)"), "{text}");
    }
}

#[test]
fn what_would_reach_others_is_refused() {
    let chrooted = VassalConfig {
        unshare: Namespaces::NONE,
        hostname: None,
        rootfs: crate::config::vassal::rootfs::RootfsConfig {
            root: Some(placed(RootWish::Chroot("/srv".into()))),
            ..Default::default()
        },
        separation: Separation {
            later: Some(placed(set("fs,user"))),
            clocks: everything().separation.clocks,
            ..Separation::default()
        },
        ..everything()
    };
    assert_snapshot!(causes(&chrooted, &root()));
    let tenant = Facts { root: false, permitted: Capabilities::NONE, ..root() };
    let told = causes(&everything(), &tenant);
    for option in ["unshare2", "setns"] {
        assert!(told.contains(&format!("{option} needs root of the vassal's own user namespace")), "{told}");
    }
}

/// A mount of a later phase may be made in the later namespace, one of an earlier phase not.
#[test]
fn a_later_namespace_counts_for_later_phases() {
    let config = VassalConfig {
        unshare: Namespaces::NONE,
        separation: Separation { later: Some(placed(set("fs"))), ..Separation::default() },
        ..VassalConfig::default()
    };
    assert!(owns(&config, &Facts::default(), Phase::AsRoot, Namespaces::FS));
    assert!(!owns(&config, &Facts::default(), Phase::PostJail, Namespaces::FS));
    assert!(!owns(&config, &Facts::default(), Phase::AsRoot, Namespaces::NET));
}
