//! User namespaces: by an ordinary user for itself, and by root for a tenant.

use jail::plan::{Extent, Identity, Spec, UserMap};
use jail::run::Birth;

use crate::roles;
use crate::stage::{TENANT, field, namespaces, output, run, tenant};

pub fn an_ordinary_user_makes_a_jail_of_its_own() {
    let plan = roles::plan("user", vec![(2, 2)]);
    assert_eq!(run(&plan, &Birth::default()), (Some(0), None));
}

/// Root inside is the tenant outside, groups are exactly those asked for, and the host's root is nowhere.
pub fn a_tenants_map_is_written_from_outside() {
    let script = "cat /proc/self/status /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; mount -t tmpfs none /mnt && echo mounted";
    let inner = Spec {
        namespaces: namespaces("fs,net,ipc,pid,uts,user"),
        proc: true,
        user_map: Some(UserMap {
            uid: vec![Extent::one(0, TENANT)],
            gid: vec![Extent::one(0, TENANT)],
            groups: true,
        }),
        identity: Some(Identity { uid: 0, gid: 0, groups: vec![0] }),
        keep: "sys_admin".parse().unwrap(),
        bounding: Some("sys_admin".parse().unwrap()),
        ..tenant(script)
    };
    let status = output(&inner);
    assert_eq!((field(&status, "Uid"), field(&status, "Groups")), ("0 0 0 0".into(), "0".into()));
    let tail: Vec<String> = status
        .lines()
        .rev()
        .take(4)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        tail,
        ["mounted".to_owned(), "allow".into(), format!("0 {TENANT} 1"), format!("0 {TENANT} 1")]
    );
}

pub fn a_spawner_that_is_not_root_maps_another_user() {
    let plan = roles::plan("keeper", vec![(2, 2)]);
    assert_eq!(run(&plan, &Birth::default()), (Some(0), None));
}
