use super::*;

/// A host that lacks nothing.
fn whole() -> Seen {
    let names = NAMESPACES.iter().chain(&["time"]).map(|name| (*name).to_owned());
    Seen {
        root: true,
        release: "6.12.1".into(),
        kernel: (6, 12),
        filters: true,
        landlock: 6,
        ranges: Some(Ok(true)),
        user_max: Some(15_000),
        namespaces: names.collect(),
        cgroup: Cgroup {
            mount: Some("/sys/fs/cgroup".into()),
            writable: true,
            controllers: CONTROLLERS.iter().map(|name| (*name).to_owned()).collect(),
            ..Cgroup::default()
        },
        knobs: PROTECTED.into_iter().chain([(FORWARD, 1)]).collect(),
        ..Seen::default()
    }
}

/// Names of all that is not there, with their cures.
fn lacks(seen: &Seen, state: State) -> Vec<(&'static str, String)> {
    let lacking = judge(seen).into_iter().filter(|one| one.state == state);
    lacking.map(|one| (one.name, one.cure.expect("each has its cure"))).collect()
}

fn missing_one(seen: &Seen) -> String {
    match &lacks(seen, State::Missing)[..] {
        [(name, cure)] => format!("{name}: {cure}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_host_lacks_nothing() {
    assert!(judge(&whole()).iter().all(|one| one.state == State::Ok && one.cure.is_none()));
}

#[test]
fn a_host_without_dropbear_is_told_what_it_is_for_and_which_package_has_it() {
    let bare = Seen { dropbear_lacks: vec!["dropbear", "dropbearkey"], ..whole() };
    assert_eq!(lacks(&bare, State::Optional), [("dropbear", "apt install dropbear-bin".to_owned())]);
    let found = judge(&bare).into_iter().find(|one| one.name == "dropbear").expect("it is told").found;
    assert!(found.starts_with("no dropbear, dropbearkey: `ssh = PORT` starts no ssh server"), "{found}");
}

#[test]
fn a_devpts_without_a_group_is_told_where_there_is_tty() {
    let bare = Seen { pts_lacks: Some(5), ..whole() };
    let cure = "mount -o remount,gid=5,mode=620 /dev/pts".to_owned();
    assert_eq!(lacks(&bare, State::Optional), [("terminals", cure)]);
    let line =
        |options: &str| format!("29 26 0:26 / /dev/pts rw,relatime shared:3 - devpts devpts {options}\n");
    let root = "26 1 8:1 / / rw - ext4 /dev/sda1 rw\n";
    assert_eq!(names_group(&format!("{root}{}", line("rw,gid=5,mode=620,ptmxmode=000"))), Some(true));
    assert_eq!(names_group(&line("rw,mode=600,ptmxmode=000")), Some(false));
    // The last one is seen.
    assert_eq!(names_group(&format!("{}{}", line("rw"), line("rw,gid=5"))), Some(true));
    assert_eq!(names_group(root), None);
}

#[test]
fn each_way_to_forbid_user_namespaces_has_its_own_cure() {
    let forbidden = || Seen { user: Some("EPERM".into()), root: false, ..whole() };
    let cure = |seen: Seen| missing_one(&seen);
    assert!(cure(Seen { user_max: Some(0), ..forbidden() }).contains("user.max_user_namespaces=15000"));
    assert!(
        cure(Seen { user_clone_off: true, ..forbidden() }).contains("kernel.unprivileged_userns_clone=1")
    );
    assert!(cure(Seen { container: Some("docker".into()), ..forbidden() }).contains("docker container"));
    assert!(cure(forbidden()).contains("CONFIG_USER_NS"));
}

#[test]
fn the_profile_that_forbids_user_namespaces_is_named_with_the_rule_that_it_needs() {
    let held = Seen { user: Some("EACCES".into()), profile: Some("held-back".into()), ..whole() };
    let told = lacks(&held, State::Missing);
    assert_eq!(told.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["user namespaces", "apparmor"]);
    assert!(
        told.iter().all(|(_, cure)| cure.contains("`held-back`") && cure.contains("`userns,`")),
        "{told:?}"
    );
}

#[test]
fn ubuntu_restricts_users_and_not_root() {
    let ubuntu = Seen { apparmor: true, ..whole() };
    assert_eq!(lacks(&ubuntu, State::Missing), []);
    assert!(missing_one(&Seen { root: false, ..ubuntu }).contains("apparmor_restrict_unprivileged_userns=0"));
}

#[test]
fn an_old_kernel_is_told_what_it_lacks() {
    let debian_12 = Seen { kernel: (6, 1), landlock: 2, ..whole() };
    assert_eq!(lacks(&debian_12, State::Optional).len(), 1);
    let old = Seen { kernel: (5, 10), landlock: 0, namespaces: Vec::new(), filters: false, ..whole() };
    let names: Vec<&str> = lacks(&old, State::Missing).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["kernel", "mount_setattr, idmapped mounts", "seccomp", "namespaces"]);
}

#[test]
fn where_nobody_has_a_range_of_ids_it_is_told_how_to_get_one() {
    let told = lacks(&Seen { ranges: Some(Ok(false)), ..whole() }, State::Optional);
    assert!(matches!(&told[..], [("id ranges", cure)] if cure.contains("usermod --add-subuids")), "{told:?}");
    let open = Seen { ranges: Some(Err("cannot trust /etc/subuid".into())), ..whole() };
    assert!(missing_one(&open).contains("emperor-id-range = none"));
}

#[test]
fn cgroups_and_knobs_are_looked_at_one_by_one() {
    assert!(missing_one(&Seen { cgroup: Cgroup::default(), ..whole() }).contains("mount -t cgroup2"));
    let foreign = Cgroup { writable: false, ..whole().cgroup };
    assert!(missing_one(&Seen { cgroup: foreign, ..whole() }).contains("Delegate=yes"));
    let open = Seen { knobs: vec![("fs/protected_hardlinks", 0), (FORWARD, 1)], ..whole() };
    assert_eq!(missing_one(&open), "protected_hardlinks: sysctl -w fs.protected_hardlinks=1");
    let closed = Seen { knobs: Vec::new(), tun: Some("ENOENT".into()), ..whole() };
    let optional: Vec<&str> = lacks(&closed, State::Optional).into_iter().map(|(name, _)| name).collect();
    assert_eq!(optional, ["/dev/net/tun", "ip_forward"]);
}

#[test]
fn controllers_are_missing_for_two_reasons_each_with_its_cure() {
    let with = |cgroup: Cgroup| lacks(&Seen { cgroup, ..whole() }, State::Optional);
    let none = || Cgroup { controllers: vec!["pids".into()], ..whole().cgroup };
    assert_eq!(
        with(none()),
        [(
            "cgroup controllers",
            "echo '+cpu +io +memory' >cgroup.subtree_control in the cgroup above".into()
        )]
    );
    let bound = with(Cgroup { bound: vec!["io"], ..none() });
    assert!(bound[0].1.contains("unified_cgroup_hierarchy=1"), "{bound:?}");
}

#[test]
fn a_cgroup_shared_with_others_is_told() {
    let shared = Seen { cgroup: Cgroup { others: 2, ..whole().cgroup }, ..whole() };
    assert!(matches!(&lacks(&shared, State::Optional)[..], [("cgroup of its own", _)]));
}
