use caps::Capability;
use jail::plan::standard::{Strictness, standard_namespaces};

use super::*;
use crate::config::hook::Manner;
use crate::spawner::charter::{Filtering, VassalProgram};

const TENANT: Trust = Trust::Tenant(Owner { uid: 1001, gid: 1001 });

/// One of each kind.
const HOOKS: [&str; 4] = ["mount:tmpfs none /a", "mount:none /a /b bind", "hostname:a", "ifup:lo"];

fn charter(phase: Phase) -> Charter {
    let errand = |text: &&str| Errand::parse(phase, Manner::Hook, text).expect(text);
    let namespaces = standard_namespaces();
    Charter {
        privileged: true,
        namespaces,
        errands: HOOKS.iter().map(errand).collect(),
        ..Charter::default()
    }
}

fn jailed(phase: Phase) -> Charter {
    Charter { jail: Some(Strictness::Standard), ..charter(phase) }
}

/// What is wrong with each.
fn told(charter: &Charter, trust: Trust) -> String {
    let one = |errand: &Errand| {
        let verdict =
            judge(charter, trust, errand).map_or("fine".into(), |(cause, cure)| format!("{cause}; {cure}"));
        format!("{}: {verdict}\n", errand.text)
    };
    charter.errands.iter().map(one).collect()
}

fn fine(charter: &Charter, trust: Trust) -> bool {
    told(charter, trust).lines().all(|line| line.ends_with(": fine"))
}

#[test]
fn where_there_is_root_everything_can_be_done() {
    let (phase, user) = (Phase::AsVassal, standard_namespaces().with(Namespaces::USER));
    let strict = |charter| Charter { jail: Some(Strictness::Strict), ..charter };
    for charter in [jailed(phase), strict(jailed(phase)), Charter { namespaces: user, ..charter(phase) }] {
        assert!(fine(&charter, TENANT), "{}", told(&charter, TENANT));
        assert!(fine(&charter, Trust::Trusted), "{}", told(&charter, Trust::Trusted));
    }
    assert!(fine(&charter(phase), Trust::Trusted), "real root");
    for charter in [charter(Phase::AsVassalBeforeDrop), jailed(Phase::AsVassalBeforeDrop)] {
        assert!(fine(&charter, TENANT), "{}", told(&charter, TENANT));
    }
}

#[test]
fn what_a_tenant_has_no_right_to_is_refused_with_its_cure() {
    insta::assert_snapshot!(told(&charter(Phase::AsVassal), TENANT), @r#"
    mount:tmpfs none /a: is for root of the vassal's own user namespace, and this vassal is none; add "user" to emperor-use-clone, leave the default jail on, or use hook-as-vassal-before-drop
    mount:none /a /b bind: is for root of the vassal's own user namespace, and this vassal is none; add "user" to emperor-use-clone, leave the default jail on, or use hook-as-vassal-before-drop
    hostname:a: is for root of the vassal's own user namespace, and this vassal is none; add "user" to emperor-use-clone, leave the default jail on, or use hook-as-vassal-before-drop
    ifup:lo: is for root of the vassal's own user namespace, and this vassal is none; add "user" to emperor-use-clone, leave the default jail on, or use hook-as-vassal-before-drop
    "#);
    let wrapped = Charter { program: VassalProgram::Path("/bin/true".into()), ..jailed(Phase::AsVassal) };
    insta::assert_snapshot!(told(&wrapped, TENANT), @r#"
    mount:tmpfs none /a: is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this; use hook-as-vassal-before-drop, which has the administrator's rights
    mount:none /a /b bind: is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this; use hook-as-vassal-before-drop, which has the administrator's rights
    hostname:a: is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this; use hook-as-vassal-before-drop, which has the administrator's rights
    ifup:lo: is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this; use hook-as-vassal-before-drop, which has the administrator's rights
    "#);
    let listed = Some(Capabilities::of(&[Capability::CAP_NET_ADMIN, Capability::CAP_SETFCAP]));
    let listed = Charter { vassal_capabilities: listed, ..jailed(Phase::AsVassal) };
    insta::assert_snapshot!(told(&listed, TENANT), @r#"
    mount:tmpfs none /a: needs `sys_admin`, which is in no list; list it in `emperor-cap`, or use hook-as-vassal-before-drop
    mount:none /a /b bind: needs `sys_admin`, which is in no list; list it in `emperor-cap`, or use hook-as-vassal-before-drop
    hostname:a: needs `sys_admin`, which is in no list; list it in `emperor-cap`, or use hook-as-vassal-before-drop
    ifup:lo: fine
    "#);
    let given_up = Charter { identity: Some(Owner { uid: 1, gid: 1 }), ..charter(Phase::AsVassal) };
    assert_eq!(told(&given_up, Trust::Trusted), told(&charter(Phase::AsVassal), TENANT));
}

#[test]
fn what_the_filter_of_birth_refuses_is_refused_before() {
    let user = standard_namespaces().with(Namespaces::USER);
    let strict = Filtering::Strict(crate::seccomp::strict());
    insta::assert_snapshot!(told(&Charter { namespaces: user, filtering: strict, ..charter(Phase::AsVassal) }, TENANT), @r#"
    mount:tmpfs none /a: is refused by the filter of system calls that the vassal is born with; use hook-as-vassal-before-drop, which has the administrator's rights
    mount:none /a /b bind: is refused by the filter of system calls that the vassal is born with; use hook-as-vassal-before-drop, which has the administrator's rights
    hostname:a: is refused by the filter of system calls that the vassal is born with; use hook-as-vassal-before-drop, which has the administrator's rights
    ifup:lo: fine
    "#);
}

#[test]
fn the_network_of_the_host_is_nobodys_in_a_user_namespace() {
    let namespaces = Namespaces::USER.with(Namespaces::FS).with(Namespaces::UTS);
    for phase in [Phase::AsVassal, Phase::AsVassalBeforeDrop] {
        let charter = Charter { namespaces, ..charter(phase) };
        assert!(told(&charter, TENANT).ends_with(&format!("ifup:lo: {OUTSIDE}; {ADD_NET}\n")));
    }
}

#[test]
fn before_the_drop_counts_what_the_spawner_keeps() {
    let capabilities = Some(Capabilities::of(&[Capability::CAP_SETUID]));
    let poor = Charter { capabilities, ..charter(Phase::AsVassalBeforeDrop) };
    assert!(
        told(&poor, TENANT)
            .contains("hostname:a: needs `sys_admin`, which is in no list; list it in `cap` of the Emperor")
    );
    let ordinary = Charter { privileged: false, ..charter(Phase::AsVassalBeforeDrop) };
    assert!(!fine(&ordinary, Trust::Trusted));
    let namespaces = ordinary.namespaces.with(Namespaces::USER);
    assert!(fine(&Charter { namespaces, ..ordinary }, Trust::Trusted));
}

#[test]
fn an_emperor_is_refused_only_what_none_of_its_vassals_could_have() {
    let lenient = charter(Phase::AsVassal);
    assert!(unfit_for_all(&lenient).is_none() && unfit(&lenient, TENANT).is_some());
    let tyrant = Charter { tyrant: true, ..lenient };
    assert_eq!(unfit_for_all(&tyrant).expect("refused").errand.text, HOOKS[0]);
}

#[test]
fn who_joins_a_jail_without_root_has_no_right_in_it() {
    let errand = |text: &str| Errand::parse(Phase::AsEmperorSetns, Manner::Hook, text).expect(text);
    let errands =
        ["uts,user hostname:a", "fs,user mount:tmpfs none /a", "uts hostname:a"].map(errand).to_vec();
    let with_root = Charter { errands: errands.clone(), ..jailed(Phase::AsVassal) };
    assert!(fine(&with_root, TENANT), "{}", told(&with_root, TENANT));
    let program = VassalProgram::Path("/bin/true".into());
    insta::assert_snapshot!(told(&Charter { program, ..with_root }, TENANT), @r#"
    uts,user hostname:a: is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this; leave out `user`: then it is done with the administrator's rights
    fs,user mount:tmpfs none /a: is for root, and there is none in a jail with a program, a profile or an `emperor-cap` like this; use hook-as-vassal-before-drop, which has the administrator's rights
    uts hostname:a: fine
    "#);
}
