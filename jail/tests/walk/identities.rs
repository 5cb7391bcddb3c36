//! Who a process is and what it may do, to the last bit.

use std::fs::File;
use std::os::fd::AsRawFd;

use jail::plan::{Capabilities, Filter, Identity, Spec};
use jail::{Namespaces, Phase};

use jail::plan::plan;
use jail::run::{Birth, Spawned, spawn};
use rustix::event::PollFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};

use crate::roles;
use crate::stage::{
    Paper, TENANT, field, jailed, outcome, output, ready, reap, run, settle, shell, spec, tenant,
};

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
    let script = "grep -E '^(Umask|Uid|Gid|Groups|Sig[PBIC]|Shd|Cap|NoNew|Seccomp)' /proc/self/status; ls -l /proc/self/fd | wc -l; env; pwd";
    let jailed = jailed(script);
    // A network of its own would be made apart, too.
    let namespaces = jailed.namespaces.without(Namespaces::NET);
    let shared = Spec {
        identity,
        keep,
        no_new_privs: true,
        filters: vec![Filter::setid_files()],
        namespaces,
        ..jailed
    };
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

pub fn what_a_process_sheds_is_gone() {
    let paper = Paper::new();
    let plan = roles::plan("shed", vec![(paper.raw(), 5), (2, 2)]);
    assert_eq!(run(&plan, &Birth::default()), (Some(0), None));
    let status = paper.read();
    let keep: Capabilities = "setuid,setgid".parse().unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, set), format!("{:016x}", keep.0), "{set}");
    }
    assert_eq!(field(&status, "Uid"), [TENANT; 4].map(|id| id.to_string()).join(" "));
    assert_eq!(field(&status, "Groups"), TENANT.to_string());
}

/// A vassal that has the tenant's ids, but is still our program, on its way to its own.
fn on_the_way() -> (jail::Born, std::os::fd::OwnedFd, File) {
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let hooks = vec![(Phase::AsVassal, shell("echo here; read line"))];
    let descriptors = vec![(wait.as_raw_fd(), 0), (tell.as_raw_fd(), 1), (2, 2)];
    let spec = Spec {
        hooks,
        descriptors,
        no_new_privs: true,
        filters: vec![Filter::setid_files()],
        ..tenant("exit 7")
    };
    let Spawned::Walking(born, report) = spawn(&plan(&spec), &Birth::default()).unwrap() else {
        panic!("it has a hook and must walk by itself");
    };
    ready(&told, PollFlags::IN);
    (born, report, File::from(go))
}

pub fn nobody_looks_into_a_child_on_its_way() {
    let (born, report, go) = on_the_way();
    let pid = born.pid;
    let held = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert_eq!(held, 5, "0, 1, 2, the way to report, and its own hook");
    let script = format!(
        "id -u; for f in mem environ fd/0 maps; do cat /proc/{pid}/$f 2>/dev/null && echo $f; done; ls /proc/{pid}/fd 2>/dev/null; true"
    );
    assert_eq!(output(&tenant(&script)), format!("{TENANT}\n"));
    drop(go);
    let (born, failure) = settle(Spawned::Walking(born, report));
    // The hook's `read` fails at the end of its input.
    assert_eq!(
        (reap(&born), failure.map(|failure| failure.cause())),
        (Some(126), Some("exit status 1".into()))
    );
}

pub fn a_tenant_that_stops_its_child_stops_nobody_elses() {
    let (born, report, mut go) = on_the_way();
    assert_eq!(output(&tenant(&format!("kill -STOP {}; echo stopped", born.pid))), "stopped\n");
    assert_eq!(output(&tenant("echo a neighbour")), "a neighbour\n");
    pidfd_send_signal(&born.pidfd, Signal::CONT).unwrap();
    std::io::Write::write_all(&mut go, b"\n").unwrap();
    let (born, failure) = settle(Spawned::Walking(born, report));
    assert_eq!((reap(&born), failure), (Some(7), None));
}
