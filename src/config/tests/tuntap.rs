use std::net::IpAddr;

use routers::tuntap::Policy;

use super::{load_text, sentences};
use crate::config::emperor::tuntap::Router;
use crate::config::vassal::Address;

fn routers(text: &str) -> Vec<Router> {
    let loaded = load_text(&format!("[uwsgi]\nemperor = /v\n{text}"));
    let config = loaded.emperor().unwrap_or_else(|errors| panic!("{}", sentences(&errors)));
    config.tuntap.routers(config.tyrant)
}

fn told(text: &str) -> String {
    sentences(&load_text(&format!("[uwsgi]\nemperor = /v\n{text}")).emperor().expect_err("wrong"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_router_of_uwsgis_manual_is_open_and_allows_everything() {
    let [router] = &routers("tuntap-router = emperor0 /run/tuntap.socket\n")[..] else { panic!("one") };
    assert_eq!((router.device.as_str(), router.socket.to_str()), ("emperor0", Some("/run/tuntap.socket")));
    assert_eq!((router.policy, router.open, router.credentials), (Policy::Allow, true, false));
    assert_eq!((router.mtu, router.mtu_beyond, router.queue_bytes), (65_000, 1500, 256 << 10));
    assert!(router.stats.is_none() && router.gateway.is_none() && router.addresses.is_empty());
}

#[test]
fn the_four_words_of_a_router_may_be_quoted_and_parted_by_tabs() {
    let text = "tuntap-router = emperor0\t'/run/router' 127.0.0.1:1717  192.0.2.1:5000\n\
                tuntap-router-stats = /ignored\ntuntap-router-gateway = 192.0.2.9:1\n";
    let [router] = &routers(text)[..] else { panic!("one") };
    assert_eq!(router.socket.to_str(), Some("/run/router"));
    assert_eq!(router.stats, Some(Address::Tcp("127.0.0.1:1717".parse().unwrap())));
    assert_eq!(router.gateway, Some("192.0.2.1:5000".parse().unwrap()), "its own line counts more");
}

#[test]
fn tenants_get_what_they_were_given_and_see_nobody() {
    let [router] = &routers("emperor-tyrant = true\ntuntap-router = emperor0 /s\n")[..] else {
        panic!("one")
    };
    assert_eq!((router.policy, router.open), (Policy::Standard, false));
    let text = "tuntap-router = emperor0 /s\ntuntap-router-peer = uid=1001 addr=10.0.0.5\n";
    assert_eq!((routers(text)[0].policy, routers(text)[0].open), (Policy::Allow, false));
    let open = format!("{text}tuntap-router-admission = open\n");
    assert!(routers(&open)[0].open);
}

#[test]
fn what_is_said_behind_a_device_is_said_of_that_router_alone() {
    let text = "tuntap-router = a0 /a\ntuntap-router = b0 /b\ntuntap-router-mtu = 9000\n\
                tuntap-router-mtu = @b0 1400\ntuntap-router-firewall-out = deny any 10.0.0.0/8\n\
                tuntap-router-firewall-out = @a0 allow any any\ntuntap-router-stats = @b0 @stats\n\
                tuntap-router-stats = @a0 /stats\ntuntap-router-address = @a0 10.0.0.1/24\n";
    let [a, b] = &routers(text)[..] else { panic!("two") };
    assert_eq!((a.mtu, a.mtu_beyond, b.mtu, b.mtu_beyond), (9000, 1500, 1400, 1400));
    assert_eq!(a.firewall_out, ["deny any 10.0.0.0/8", "allow any any"]);
    assert_eq!(b.firewall_out, ["deny any 10.0.0.0/8"]);
    assert_eq!(b.stats, Some(Address::Abstract("stats".into())));
    assert_eq!(a.stats, Some(Address::Unix("/stats".into())));
    assert_eq!((a.addresses.clone(), b.addresses.len()), (vec![(ip("10.0.0.1"), 24)], 0));
}

#[test]
fn a_small_buffer_holds_two_packets_all_the_same() {
    let queue = |value: &str| {
        routers(&format!("tuntap-router = a0 /a\ntuntap-router-buffer = {value}\n"))[0].queue_bytes
    };
    assert_eq!((queue("8192"), queue("1M")), (131_078, 1 << 20));
}

#[test]
fn an_emperors_config_of_uwsgis_manual_is_taken_as_it_is() {
    let text = "[uwsgi]\ntuntap-router = emperor0 /run/tuntap.socket\nexec-as-root = ifconfig emperor0 192.168.0.1 netmask 255.255.255.0 up\n\
                exec-as-root = iptables -t nat -F\nexec-as-root = echo 1 > /proc/sys/net/ipv4/ip_forward\n\
                emperor-tyrant = true\nemperor-use-clone = ipc,uts,fs,pid,net\nemperor = /etc/vassals\n";
    let config = load_text(text).emperor().unwrap_or_else(|errors| panic!("{}", sentences(&errors)));
    let named: Vec<String> = config.errands.iter().map(|errand| errand.value.named()).collect();
    assert_eq!(named[1], "exec-as-root `iptables -t nat -F`");
    assert!(config.errands.iter().all(|errand| errand.value.phase == jail::Phase::EmperorStart));
    assert!(told("exec-as-root =\n").contains("a.ini:3:15: `exec-as-root`: needs a value"));
}

#[test]
fn every_mistake_is_told_where_it_stands() {
    insta::assert_snapshot!(told(
        "tuntap-router = emperor0\ntuntap-router = emperor00000000000 /s\ntuntap-router = a0 127.0.0.1:3031\n\
         tuntap-router = a/0 /s\ntuntap-router = a0 @x\ntuntap-router = a0 /s host:80\ntuntap-router = a0 /s /t 1.2.3.4\n\
         tuntap-router = a0 /s /t 1.2.3.4:5 more\ntuntap-router = a0 localhost:80\ntuntap-router = a0 '/my s'\n"
    ));
    insta::assert_snapshot!(told(
        "tuntap-router = a0 /a\ntuntap-router-firewall-in = drop 10.0.0.0/8 any\n\
         tuntap-router-firewall-out = @a0   allow 10.0.0.0/33 any\ntuntap-router-route = any any 10.0.0.1\n\
         tuntap-router-peer = uid=shop addr=10.0.0.5\ntuntap-router-policy = strict\ntuntap-router-admission = all\n\
         tuntap-router-address = 10.0.0.0/24\ntuntap-router-address = 10.0.0.1\ntuntap-router-address = 10.0.0.1/40\n\
         tuntap-router-mtu = 576\ntuntap-router-nameserver = 127.0.0.53\ntuntap-router-peers = 0\n\
         tuntap-router-queue = 1g\ntuntap-use-credentials = my_function\ntuntap-router-allow-spoof\n\
         tuntap-router-gateway = :0\ntuntap-router-mtu = @way-too-long-a-name 1500\n"
    ));
}

#[test]
fn what_no_line_alone_shows_is_told() {
    insta::assert_snapshot!(told(
        "tuntap-router = a0 /a\ntuntap-router = a0 /b\ntuntap-router = c0 /a\ntuntap-router-mtu = @d0 1500\n\
         tuntap-router-address = @a0 10.0.0.1/24\ntuntap-router-peer = @a0 uid=1 addr=10.0.0.1,10.0.0.2\n\
         tuntap-router-peer = uid=2 addr=10.0.0.2\ntuntap-router-leases = /l\ntuntap-router-route = @c0 any any 10.1.1.1:5\n"
    ));
    insta::assert_snapshot!(told("tuntap-router-policy = deny\ntuntap-use-credentials = true\n"));
    let many = "tuntap-router-firewall-in = deny any any\n".repeat(4097);
    assert!(told(&format!("tuntap-router = a0 /a\n{many}")).contains("a.ini:4100:29: more than 4096 rules"));
    let doors: String = (0..17).map(|one| format!("tuntap-router = d{one} /s{one}\n")).collect();
    assert!(told(&doors).contains("a.ini:19:17: an Emperor has at most 16 routers"));
}
