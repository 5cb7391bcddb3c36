use jail::Capabilities;

use super::*;
use crate::config::vassal::VassalKind;

fn config(text: &str) -> VassalConfig {
    match crate::config::tests::load_text(&format!("[uwsgi]\ncommand = a\n{text}")).vassal() {
        Ok(VassalKind::Own(config)) => *config,
        other => panic!("{other:?}"),
    }
}

/// Root of the host.
fn root(born: Namespaces) -> Facts {
    Facts { root: true, jailed: !born.is_empty(), born, permitted: Capabilities::all(), ..Facts::default() }
}

fn told(text: &str, facts: &Facts) -> String {
    refusals(&config(text), facts).iter().map(|error| format!("{error}\n")).collect()
}

fn plan(text: &str, facts: &Facts) -> String {
    match super::super::phases::plan(&config(text), facts) {
        Ok(steps) => steps.iter().map(|step| format!("{step}\n")).collect(),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    }
}

const WEB: &str = "uid = 54321
gid = 54322
unshare = fs,pid
net = veth:eth0@web0 bridge=br0 mtu=1400
net = macvlan:lan@enp1s0 mode=private mac=02:00:00:00:00:01
net-address = 10.0.0.2/24@eth0
net-address = fd00::2/64@eth0
net-route = default via 10.0.0.1
net-route = 10.1.0.0/16 dev lan
wait-for-interface = tun0
exec-post-jail = make tun0
exec-as-root = use it
";

#[test]
fn interfaces_come_with_the_jail_and_addresses_once_all_of_them_are_there() {
    insta::assert_snapshot!(plan(WEB, &root(Namespaces::NONE)), @r"
    keep a way to the network outside
    unshare fs,net,pid
    make all mounts private
    bring lo up
    give the jail veth eth0, its other end web0 outside in bridge br0, mtu 1400
    give the jail macvlan lan on enp1s0, mode private, mac 02:00:00:00:00:01
    give up the way to the network outside
    bring eth0 up
    bring lan up
    go on as PID 1 of the new pid namespace
    run exec-post-jail `make tun0`
    wait for interface tun0, at most 60 s
    set address 10.0.0.2/24 of eth0
    set address fd00::2/64 of eth0
    set route default via 10.0.0.1
    set route 10.1.0.0/16 dev lan
    run exec-as-root `use it`
    reduce the bounding set to none
    become uid=54321 gid=54322 (keeps capabilities: none)
    forbid new privileges
    filter system calls (the default: docs/filters.md)
    start `a`
    ");
}

#[test]
fn who_was_born_outside_of_the_hosts_network_uses_the_way_that_it_was_lent() {
    let born = Facts { outside: true, ..root(Namespaces::NET.with(Namespaces::PID)) };
    let link = "net = veth:eth0@web0\nexec-pre-jail = first\n";
    insta::assert_snapshot!(plan(link, &born), @r"
    run exec-pre-jail `first`
    give the jail veth eth0, its other end web0 outside
    give up the way to the network outside
    bring eth0 up
    start `a`
    ");
}

#[test]
fn what_birth_has_made_is_not_made_again() {
    let born = root(Namespaces::NET);
    assert!(!plan("net = lo\n", &born).contains("unshare"));
    assert!(plan("net = none\n", &born).contains("bring lo down\n"));
    assert!(!plan("net = none\n", &root(Namespaces::NONE)).contains("bring lo"));
    assert!(plan("net = lo\n", &root(Namespaces::NONE)).contains("unshare net\nbring lo up\n"));
}

#[test]
fn only_root_of_the_host_gives_what_is_the_hosts_n3() {
    let link = "net = veth:eth0@web0\n";
    assert_eq!(told(link, &root(Namespaces::NONE)), "");
    assert!(told(link, &root(Namespaces::USER)).contains("for root of the host"));
    assert!(told(link, &Facts::default()).contains("for root of the host"));
    assert!(told(link, &root(Namespaces::NET)).contains("leave \"net\" out of emperor-use-clone"));
    let lent = |born: Namespaces| Facts { outside: true, ..root(born) };
    assert_eq!(told(link, &lent(Namespaces::NET)), "");
    assert!(told(link, &lent(Namespaces::NET.with(Namespaces::USER))).contains("for root of the host"));
    assert!(told(link, &Facts { root: false, ..lent(Namespaces::NET) }).contains("for root of the host"));
}

#[test]
fn nobody_changes_the_network_of_the_host_by_it() {
    let address = "net-address = 10.0.0.2/24@eth0\nnet-route = default via 10.0.0.1\n";
    assert_eq!(told(address, &root(Namespaces::NONE)).matches("the whole host").count(), 2);
    assert_eq!(told(&format!("unshare = net\n{address}"), &root(Namespaces::NONE)), "");
    assert_eq!(told(address, &root(Namespaces::NET.with(Namespaces::USER))), "");
    assert_eq!(told(address, &Facts::default()).matches("needs root").count(), 2);
    assert!(told("net = lo\n", &Facts::default()).contains("`net` needs root"));
    assert_eq!(told("net = lo\n", &Facts { born: Namespaces::NET, ..Facts::default() }), "");
}
