//! Who a process is and what it may do, to the last bit.

use jail::Phase;
use jail::plan::{Capabilities, Identity, Spec};

use crate::stage::{TENANT, field, jailed, outcome, output, shell, spec, tenant};

const STATUS: &str = "cat /proc/self/status";
const ZERO: &str = "0000000000000000";

pub fn a_tenant_is_exactly_what_was_asked_for() {
    for status in [output(&tenant(STATUS)), output(&jailed(STATUS))] {
        assert_eq!(field(&status, "Uid"), [TENANT; 4].map(|id| id.to_string()).join(" "));
        assert_eq!(field(&status, "Gid"), [TENANT + 1; 4].map(|id| id.to_string()).join(" "));
        assert_eq!(field(&status, "Groups"), format!("{} {}", TENANT + 2, TENANT + 3));
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&status, set), ZERO, "{set}");
        }
        assert_eq!(field(&status, "NoNewPrivs"), "1");
    }
}

pub fn kept_capabilities_are_in_all_sets_and_no_other_is() {
    let keep: Capabilities = "net_bind_service,kill".parse().unwrap();
    let status = output(&Spec { keep, bounding: Some(keep), ..tenant(STATUS) });
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, set), format!("{:016x}", keep.0), "{set}");
    }
    assert_eq!(field(&status, "Uid").split(' ').next(), Some(TENANT.to_string().as_str()));
}

pub fn groups_of_the_spawner_are_never_passed_on() {
    let groups = |identity: &Identity| {
        let inner = Spec { identity: Some(identity.clone()), ..spec(STATUS) };
        field(&output(&inner), "Groups")
    };
    let many = Identity { uid: TENANT, gid: TENANT, groups: vec![4, 27, 42] };
    assert_eq!(groups(&many), "4 27 42");
    assert_eq!(groups(&Identity { groups: Vec::new(), ..many }), "");
}

pub fn no_id_is_no_identity() {
    let good = Identity { uid: TENANT, gid: TENANT, groups: Vec::new() };
    let bad = [
        Identity { uid: u32::MAX, ..good.clone() },
        Identity { gid: u32::MAX, ..good.clone() },
        Identity { groups: vec![u32::MAX], ..good },
    ];
    for identity in bad {
        let outcome = outcome(&Spec { identity: Some(identity), ..spec("echo alive") });
        assert_eq!(outcome.failure.map(|failure| failure.detail), Some("4294967295 is no id".into()));
        assert_eq!(outcome.output, "");
    }
}

/// A hook is all it takes to be born with a memory of one's own.
pub fn both_kinds_of_birth_give_the_same_process() {
    let keep: Capabilities = "kill".parse().unwrap();
    let identity = Some(Identity { uid: 0, gid: TENANT, groups: vec![TENANT] });
    let script = "grep -Ev 'Pid|NSpid|Tgid|ctxt|Vm|Rss|Ngid|NSsid|NSpgid|NStgid|Mems|Cpus' /proc/self/status; ls -l /proc/self/fd | wc -l; env; pwd";
    let shared = Spec { identity, keep, no_new_privs: true, ..jailed(script) };
    let apart = Spec { hooks: vec![(Phase::AsVassalBeforeDrop, shell(":"))], ..shared.clone() };
    let waits = |spec: &Spec| jail::plan::plan(spec).can_wait();
    assert_eq!((waits(&shared), waits(&apart)), (false, true));
    assert_eq!(output(&shared), output(&apart));
}

pub fn signals_are_as_in_a_fresh_process() {
    for spec in [spec(STATUS), tenant(STATUS)] {
        let status = output(&spec);
        for set in ["SigBlk", "SigIgn", "ShdPnd"] {
            assert_eq!(field(&status, set), ZERO, "{set}");
        }
    }
    // The runtime of Rust ignores SIGPIPE, so there was something to reset, and it is not reset in ourselves.
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = u64::from_str_radix(&field(&own, "SigIgn"), 16).unwrap();
    assert!(ignored & 1 << (libc::SIGPIPE - 1) != 0, "{ignored:x}");
    assert_eq!(field(&own, "SigBlk"), ZERO);
}
