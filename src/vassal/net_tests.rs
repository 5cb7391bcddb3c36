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

const ROUTED: &str = "uid = 54321
gid = 54322
net = 10.0.0.2/24,fd00::2/64 via emperor0
net = auto via /run/other.socket dev=lan0 mtu=1400 dns=none route=none
tuntap-device = uwsgi0 /run/tuntap.socket
tuntap-device-rule = out 10.1.2.3/24 0.0.0.0 deny
tuntap-device = spare0
net-address = 10.9.0.2/24@uwsgi0
unshare = fs,pid
hook-post-jail = exec:use it
rootfs = /r
";

#[test]
fn networks_by_routers_are_there_before_the_post_jail_phase_and_name_servers_once_files_are_its_own() {
    insta::assert_snapshot!(plan(ROUTED, &root(Namespaces::NONE)), @r"
    unshare fs,net,pid
    make all mounts private
    bring lo up
    go on as PID 1 of the new pid namespace
    give the jail tun0, a network by router emperor0, with address 10.0.0.2/24, fd00::2/64, known as uid=54321 gid=54322
    give the jail lan0, a network by router /run/other.socket, with an address that it chooses, mtu 1400, no default route, known as uid=54321 gid=54322
    make the device uwsgi0, its packets to the router on /run/tuntap.socket, one rule, known as uid=54321 gid=54322
    make the device spare0
    bring uwsgi0 up
    do hook-post-jail `exec:use it`
    look up uid=54321 gid=54322
    build the file system
        root: /r (nosuid,nodev)
        leave the old root behind
        read back what was mounted
    write the name servers of the network to /etc/resolv.conf
    set address 10.9.0.2/24 of uwsgi0
    reduce the bounding set to none
    become uid=54321 gid=54322 (keeps capabilities: none)
    forbid new privileges
    filter system calls (the default: docs/filters.md)
    start `a`
    ");
}

#[test]
fn where_mounts_are_everybodys_name_servers_stay_as_they_are() {
    let born = root(Namespaces::NET);
    assert!(plan("net = auto via emperor0\n", &born).contains("leave /etc/resolv.conf as it is"));
    assert!(!plan("net = auto via emperor0 dns=none\n", &born).contains("resolv.conf"));
    assert!(told("net = auto via emperor0 dns=192.0.2.1\n", &born).contains("would be the whole host's"));
    let own = "unshare = fs\nnet = auto via emperor0\nresolv-conf = 192.0.2.1\n";
    assert!(!plan(own, &born).contains("write the name servers"), "the config says them itself");
    let both = own.replace("emperor0", "emperor0 dns=192.0.2.1");
    assert!(told(&both, &born).contains("`dns` beside `resolv-conf`"));
}

#[test]
fn who_makes_a_device_is_root_of_its_network_and_known_as_who_he_will_be() {
    let via = "net = auto via emperor0\n";
    assert_eq!(told(via, &root(Namespaces::NONE)), "");
    assert_eq!(told(via, &root(Namespaces::USER)), "");
    assert!(
        told(via, &Facts::default()).contains("`net = … via` needs root of the vassal's own user namespace")
    );
    let device = "tuntap-device = uwsgi0 /r\n";
    assert!(told(device, &root(Namespaces::NONE)).contains("the whole host"));
    assert_eq!(told(device, &root(Namespaces::NET)), "");
    assert!(told(device, &Facts::default()).contains("`tuntap-device` needs root"));
    let user = format!("uid = 54321\ngid = 54322\n{via}");
    assert!(plan(&user, &root(Namespaces::NET)).contains("known as uid=54321 gid=54322"));
    assert!(
        !plan(&user, &root(Namespaces::NET.with(Namespaces::USER))).contains("known as"),
        "he is his owner"
    );
    assert!(
        plan(&format!("unshare2 = net\n{device}"), &root(Namespaces::NET))
            .contains("would leave the network")
    );
}
