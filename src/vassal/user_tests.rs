use jail::Capabilities;

use super::super::phases::plan;
use super::*;
use crate::config::vassal::VassalKind;

fn told(text: &str) -> String {
    told_of(text, Namespaces::NONE)
}

fn told_of(text: &str, born: Namespaces) -> String {
    let Ok(VassalKind::Own(config)) =
        crate::config::tests::load_text(&format!("[uwsgi]\ncommand = a\n{text}")).vassal()
    else {
        panic!("{text}")
    };
    let (own_mounts, own_hostname) = (born.has(Namespaces::FS), born.has(Namespaces::UTS));
    let root = Facts {
        root: true,
        permitted: Capabilities::all(),
        born,
        own_mounts,
        own_hostname,
        ..Facts::default()
    };
    match plan(&config, &root) {
        Ok(steps) => steps.iter().map(|step| format!("{step}\n")).collect(),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    }
}

#[test]
fn a_user_namespace_comes_before_all_that_is_to_belong_to_it() {
    insta::assert_snapshot!(told(
        "uid = 33\ngid = 33\nunshare = fs,user,uts,pid,net,time\nunshare-id-map = 0 100000 1000\nhostname = box\nexec-as-root = id\n"
    ));
}

#[test]
fn without_a_map_its_root_is_who_the_vassal_was() {
    let [first, later] = ["unshare", "unshare2"].map(|option| told(&format!("{option} = user\n")));
    assert_eq!(first, later);
    assert_eq!(first, "enter a new user namespace as its root, 0 is 0 outside\nstart `a`\n");
}

#[test]
fn what_cannot_be_in_a_user_namespace_is_refused_with_its_cure() {
    let refused = [
        "unshare-id-map = 0 1 1\n",
        "unshare = user\nunshare2 = user\n",
        "unshare2 = user\nchroot = /srv\nuid = 33\nunshare-id-map = 0 0 100\n",
        "unshare = user\nunshare-id-map = 1 1 1\n",
        "unshare = user\nuid = web\n",
        "unshare = user\nuid = 33\ngid = 100\nunshare-id-map = 0 0 100\n",
        "unshare = user,fs,pid\nnet = veth:eth0@web0\n",
    ];
    insta::assert_snapshot!(refused.map(|text| format!("{text}{}", told(text))).join("\n"));
}

#[test]
fn what_belongs_to_the_namespace_of_birth_is_not_changed_from_within() {
    let refused = [
        "unshare = user\nhostname = box\n",
        "unshare = user\nbind = /a:/b\n",
        "unshare = user\nhook-post-jail = mount:tmpfs none /mnt\n",
        "unshare2 = user\nhook-as-root = mount:tmpfs none /mnt\n",
        "unshare = user\njail = standard\n",
    ];
    let born = Namespaces::FS.with(Namespaces::UTS);
    insta::assert_snapshot!(refused.map(|text| format!("{text}{}", told_of(text, born))).join("\n"));
    for text in
        ["unshare = user,uts\nhostname = box\n", "unshare2 = user\nhook-post-jail = mount:tmpfs none /mnt\n"]
    {
        assert!(told_of(text, born).contains("start `a`"), "{text}");
    }
}
