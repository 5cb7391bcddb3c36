//! Plans as text: what `liege plan` prints.

use std::ffi::CString;

use insta::assert_snapshot;

use super::*;

fn program(line: &str) -> Program {
    let argv: Vec<CString> = line.split(' ').map(|word| CString::new(word).unwrap()).collect();
    Program::Path { file: argv[0].clone(), search: Vec::new(), argv }
}

fn tenant() -> Spec {
    Spec {
        identity: Some(Identity { uid: 1000, gid: 1000, groups: vec![1000, 33] }),
        bounding: Some(Capabilities::NONE),
        no_new_privs: true,
        filters: vec![Filter::setid_files()],
        dies_with_parent: true,
        session: true,
        directory: Some(7),
        descriptors: vec![(9, 2), (9, 1), (12, 5)],
        program: program("/usr/bin/app --serve"),
        ..Spec::default()
    }
}

fn all() -> Namespaces {
    "fs,net,ipc,pid,uts,cgroup".parse().unwrap()
}

#[test]
fn a_plain_process_only_gets_its_descriptors() {
    let spec = Spec { program: program("/bin/true"), ..Spec::default() };
    assert_snapshot!(plan(&spec), @r"
    step 0: make a process
    step 1: reset signals
    step 2: arrange descriptors (/dev/null on 0,1,2)
    step 3: exec /bin/true
    ");
}

#[test]
fn a_tenant_loses_rights_in_the_one_order_that_works() {
    assert_snapshot!(plan(&tenant()), @r"
    step 0: make a process
    step 1: start a session
    step 2: ask for death with the parent (SIGKILL)
    step 3: reset signals
    step 4: enter the working directory
    step 5: arrange descriptors (only 1,2,5, /dev/null on 0)
    step 6: reduce the bounding set (keeping none)
    step 7: become uid 1000 (gid 1000, groups 1000,33, capabilities none)
    step 8: set no_new_privs
    step 9: ask for death with the parent (SIGKILL)
    step 10: filter system calls (no setuid or setgid files)
    step 11: exec /usr/bin/app (--serve)
    ");
}

#[test]
fn a_jail_has_every_namespace() {
    let hostname = Some("shop".into());
    let spec = Spec { namespaces: all(), proc: true, hostname, ..tenant() };
    assert_snapshot!(plan(&spec), @r"
    step 0: make a process in new namespaces fs,ipc,pid,uts
    step 1: start a session
    step 2: ask for death with the parent (SIGKILL)
    step 3: make new namespaces cgroup
    step 4: make new namespaces net
    step 5: make all mounts private
    step 6: mount proc on /proc (nosuid,nodev,noexec)
    step 7: bring lo up
    step 8: set the host name to shop
    step 9: reset signals
    step 10: set nosuid on all mounts
    step 11: enter the working directory
    step 12: arrange descriptors (only 1,2,5, /dev/null on 0)
    step 13: reduce the bounding set (keeping none)
    step 14: become uid 1000 (gid 1000, groups 1000,33, capabilities none)
    step 15: set no_new_privs
    step 16: ask for death with the parent (SIGKILL)
    step 17: filter system calls (no setuid or setgid files)
    step 18: exec /usr/bin/app (--serve)
    ");
}

#[test]
fn a_pooled_network_is_joined_and_not_made() {
    let spec = Spec { namespaces: all(), network: Network::Pooled(11), ..tenant() };
    assert_snapshot!(plan(&spec), @r"
    step 0: make a process in new namespaces fs,ipc,pid,uts
    step 1: start a session
    step 2: ask for death with the parent (SIGKILL)
    step 3: make new namespaces cgroup
    step 4: join a network namespace of the pool
    step 5: make all mounts private
    step 6: reset signals
    step 7: set nosuid on all mounts
    step 8: enter the working directory
    step 9: arrange descriptors (only 1,2,5, /dev/null on 0)
    step 10: reduce the bounding set (keeping none)
    step 11: become uid 1000 (gid 1000, groups 1000,33, capabilities none)
    step 12: set no_new_privs
    step 13: ask for death with the parent (SIGKILL)
    step 14: filter system calls (no setuid or setgid files)
    step 15: exec /usr/bin/app (--serve)
    ");
}

#[test]
fn a_user_namespace_is_mapped_before_all_that_needs_rights() {
    let user_map =
        Some(UserMap { uid: vec![Extent::one(0, 1000)], gid: vec![Extent::one(0, 1000)], groups: false });
    let identity = Some(Identity { uid: 0, gid: 0, groups: Vec::new() });
    let namespaces = all().with(Namespaces::USER);
    let spec = Spec { namespaces, network: Network::Pooled(11), user_map, identity, ..tenant() };
    assert_snapshot!(plan(&spec), @r"
    step 0: make a process in new namespaces fs,ipc,pid,uts,user
    step 1: start a session
    step 2: ask for death with the parent (SIGKILL)
    step 3: map user and group ids (uid 0 is 1000 outside, gid 0 is 1000 outside, no setgroups)
    step 4: make new namespaces cgroup
    step 5: make new namespaces net
    step 6: make all mounts private
    step 7: bring lo up
    step 8: reset signals
    step 9: set nosuid on all mounts
    step 10: enter the working directory
    step 11: arrange descriptors (only 1,2,5, /dev/null on 0)
    step 12: reduce the bounding set (keeping none)
    step 13: become uid 0 (gid 0, groups stay, capabilities none)
    step 14: set no_new_privs
    step 15: ask for death with the parent (SIGKILL)
    step 16: filter system calls (no setuid or setgid files)
    step 17: exec /usr/bin/app (--serve)
    ");
}

#[test]
fn hooks_stand_on_both_sides_of_the_drop() {
    let hooks = vec![
        (Phase::AsVassal, program("/bin/touch /tmp/ready")),
        (Phase::AsVassalBeforeDrop, program("/sbin/ip link")),
        (Phase::AsVassalBeforeDrop, program("/bin/echo second")),
    ];
    assert_snapshot!(plan(&Spec { hooks, ..tenant() }), @r"
    step 0: make a process
    step 1: start a session
    step 2: ask for death with the parent (SIGKILL)
    step 3: reset signals
    step 4: run exec-as-vassal-before-drop /sbin/ip (link)
    step 5: run exec-as-vassal-before-drop /bin/echo (second)
    step 6: enter the working directory
    step 7: arrange descriptors (only 1,2,5, /dev/null on 0)
    step 8: reduce the bounding set (keeping none)
    step 9: become uid 1000 (gid 1000, groups 1000,33, capabilities none)
    step 10: set no_new_privs
    step 11: ask for death with the parent (SIGKILL)
    step 12: filter system calls (no setuid or setgid files)
    step 13: run exec-as-vassal /bin/touch (/tmp/ready)
    step 14: exec /usr/bin/app (--serve)
    ");
}

#[test]
fn what_would_touch_the_host_is_left_out() {
    let spec = Spec {
        proc: true,
        hostname: Some("shop".into()),
        network: Network::Pooled(3),
        user_map: Some(UserMap { uid: vec![Extent::one(0, 0)], gid: vec![Extent::one(0, 0)], groups: true }),
        program: program("/bin/true"),
        ..Spec::default()
    };
    assert_eq!(plan(&spec), plan(&Spec { program: program("/bin/true"), ..Spec::default() }));
}

#[test]
fn a_child_shares_our_memory_only_while_nobody_else_has_power_over_it() {
    let fresh = Spec { program: program("/bin/true"), namespaces: all(), ..Spec::default() };
    assert!(plan(&fresh).can_wait(), "a network takes its time");
    let ours = Spec { network: Network::Pooled(3), ..fresh };
    assert!(!plan(&ours).can_wait());
    assert!(plan(&tenant()).can_wait());
    let hooks = vec![(Phase::AsVassalBeforeDrop, program("/bin/sleep 9"))];
    assert!(plan(&Spec { hooks, ..ours }).can_wait());
}

#[test]
fn a_failure_is_told_with_its_place_and_its_cure() {
    let spec = Spec { namespaces: all(), proc: true, ..tenant() };
    let plan = plan(&spec);
    let step = plan.steps.iter().position(|step| *step == Step::MountProc).unwrap() as u16 + 1;
    let host = Host { root: true, container: Some("docker".into()), ..Host::default() };
    let told = Failure { step, errno: libc::EPERM, detail: String::new() }.sentence(&plan, &host);
    assert_snapshot!(told, @r"cannot mount proc on /proc: EPERM (step 6 of 17); advice: a fresh proc needs one that is wholly visible: in a container, unmask /proc (docker: --security-opt systempaths=unconfined), or leave `fs` or `pid` out");
    let told =
        Failure { step: 0, errno: libc::EPERM, detail: String::new() }.sentence(&plan, &Host::default());
    assert_snapshot!(told, @r"cannot make a process in new namespaces fs,ipc,pid,uts: EPERM (step 0 of 17); advice: run as root, or add `user` to emperor-use-clone");
}

#[test]
fn ubuntu_is_told_what_to_type() {
    let host = Host { apparmor_restricts_user: true, ..Host::default() };
    let map = Step::MapUser(UserMap {
        uid: vec![Extent::one(0, 1000)],
        gid: vec![Extent::one(0, 1000)],
        groups: false,
    });
    let told = Failure { step: 1, errno: libc::EACCES, detail: "uid_map".into() }.about(&map, &host);
    assert_snapshot!(told, @r"cannot map user and group ids: EACCES: uid_map; advice: AppArmor restricts user namespaces here: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or an AppArmor profile for liege with the rule `userns,`");
}

#[test]
fn a_profile_of_apparmor_refuses_with_eacces_and_nothing_else() {
    let host = Host { root: true, apparmor_profile: Some("held-back".into()), ..Host::default() };
    let told = advise_birth(Namespaces::USER, libc::EACCES, &host).unwrap_or_default();
    assert!(told.contains("`held-back`") && told.contains("`userns,`"), "{told}");
    assert_eq!(advise_birth(Namespaces::USER, libc::EPERM, &host), None);
}

#[test]
fn each_refusal_of_a_user_namespace_has_its_own_cure() {
    let ask = |host: Host| advise_birth(Namespaces::USER, libc::EPERM, &host).unwrap_or_default();
    assert!(
        ask(Host { user_clone_off: true, ..Host::default() }).contains("kernel.unprivileged_userns_clone=1")
    );
    assert!(ask(Host { user_max: Some(0), ..Host::default() }).contains("user.max_user_namespaces=15000"));
    assert!(ask(Host { container: Some("docker".into()), ..Host::default() }).contains("docker container"));
    assert_eq!(ask(Host::default()), "");
}

#[test]
fn a_missing_capability_is_named_with_the_list_that_leaves_it_out() {
    let chosen = Capabilities(u64::MAX);
    let host = Host { root: true, container: Some("docker".into()), left_out: chosen, ..Host::default() };
    let ask = |step: &Step, host: &Host| advise(step, libc::EPERM, host).unwrap_or_default();
    let told = ask(&Step::LoopbackUp, &host);
    assert_snapshot!(told, @"CAP_NET_ADMIN is missing: add `net_admin` to `cap`, or to CapabilityBoundingSet= of the service");
    let told = ask(&Step::PrivateMounts, &Host { left_out: Capabilities::NONE, ..host.clone() });
    assert_snapshot!(told, @"CAP_SYS_ADMIN is missing: give it to this docker container, and list `sys_admin` in `cap` if that is set");
    let told = ask(&Step::Bound(Capabilities::NONE), &Host { vassal: true, ..host.clone() });
    assert_snapshot!(told, @"CAP_SETPCAP is missing: add `setpcap` to `emperor-cap`, or to CapabilityBoundingSet= of the service");
    assert!(ask(&Step::MountProc, &host).contains("`sys_admin`"));
    assert!(advise_birth(Namespaces::default(), libc::EPERM, &host).unwrap().contains("`sys_admin`"));
}

#[test]
fn words_of_a_tenant_cannot_steer_a_terminal() {
    let step = Step::Exec(program("/srv/\u{1b}[2Jx\n"));
    assert_snapshot!(step, @r"exec /srv/\u{1b}[2Jx\n");
}

#[test]
fn settings_are_made_before_the_child_is_somebody_else() {
    let settings =
        vec![Setting::Keyring, Setting::Umask(0o22), Setting::Limit(Resource::Core, Limit::no_core(0))];
    let user_map =
        Some(UserMap { uid: vec![Extent::one(0, 1000)], gid: vec![Extent::one(0, 1000)], groups: true });
    let spec = Spec { settings, user_map, namespaces: Namespaces::USER, ..tenant() };
    let text = plan(&spec).to_string();
    let first: Vec<&str> = text.lines().take(7).collect();
    assert_snapshot!(first.join("\n"), @r"
    step 0: make a process in new namespaces user
    step 1: start a session
    step 2: ask for death with the parent (SIGKILL)
    step 3: join a new session keyring
    step 4: set umask to 0022
    step 5: limit core to 0:0
    step 6: map user and group ids (uid 0 is 1000 outside, gid 0 is 1000 outside)
    ");
}
