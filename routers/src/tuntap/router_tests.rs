use core::net::IpAddr;

use super::super::policy::Admission;
use super::super::prefix::Prefix;
use super::super::rule::Rule;
use super::super::tally::Tally;
use super::*;

#[path = "router_lending_tests.rs"]
mod lending;
#[path = "router_simulation_tests.rs"]
mod simulation;

const SHOP: u32 = 1001;
const BLOG: u32 = 1002;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A packet of version 4 or 6 with what TCP would have behind it, from port 1000 to port 80.
fn packet(source: &str, destination: &str, flags: u8) -> Vec<u8> {
    let mut header = vec![0x03, 0xe8, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags];
    header.extend([0; 6]);
    [ip(address(source), address(destination)), header].concat()
}

fn ip(source: IpAddr, destination: IpAddr) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0][..], &source.octets(), &destination.octets()].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            [&[0x60, 0, 0, 0, 0, 20, 6, 64][..], &source.octets(), &destination.octets()].concat()
        }
        (_, _) => panic!("two versions in one packet"),
    }
}

fn syn(source: &str, destination: &str) -> Vec<u8> {
    packet(source, destination, 0x02)
}

fn settings(policy: Policy, admission: Admission) -> Settings {
    Settings {
        policy,
        admission,
        hosts: vec![address("10.0.0.1"), address("2001:db8::1")],
        networks: vec![
            Prefix::new(address("10.0.0.0"), 24).unwrap(),
            Prefix::new(address("2001:db8::"), 64).unwrap(),
        ],
        nameservers: Vec::new(),
        peers_max: 100,
        peers_of_user_max: 10,
    }
}

fn rules(rules: &[&str]) -> Vec<Rule> {
    rules.iter().map(|rule| Rule::firewall(rule).unwrap()).collect()
}

fn chains(settings: &Settings, [incoming, outgoing]: [&[&str]; 2]) -> Chains {
    let chain = |direction, texts| settings.chain(direction, rules(texts)).unwrap();
    let (incoming, outgoing) = (chain(Direction::In, incoming), chain(Direction::Out, outgoing));
    Chains { incoming, outgoing, routes: None }
}

fn router(policy: Policy, admission: Admission, texts: [&[&str]; 2]) -> Router {
    let settings = settings(policy, admission);
    let chains = chains(&settings, texts);
    Router::new(settings, chains)
}

/// A router as uWSGI's is.
fn open() -> Router {
    router(Policy::Allow, Admission::Open, [&[], &[]])
}

/// A router of tenants, two of whom have addresses.
fn granted(policy: Policy, texts: [&[&str]; 2]) -> Router {
    let mut router = router(policy, Admission::Granted, texts);
    router.give(Grant::parse("uid=1001 addr=10.0.0.5,2001:db8::5 name=shop").unwrap()).unwrap();
    router.give(Grant::parse("uid=1002 addr=10.0.0.6,2001:db8::6 name=blog").unwrap()).unwrap();
    router
}

fn upload(router: &mut Router, id: PeerId, texts: &[&str]) {
    let record = |text: &&str| {
        let (direction, rule) = Rule::device(text).unwrap();
        Record::new(direction, &rule).unwrap().bytes()
    };
    router.upload(id, texts.iter().map(record).collect::<Vec<_>>().as_flattened()).unwrap();
}

fn drop_of(reason: Reason) -> Verdict {
    Verdict::Drop(reason)
}

#[test]
fn the_first_packet_of_whoever_was_given_nothing_says_who_it_is() {
    let mut router = open();
    let id = router.connect(SHOP).unwrap();
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), drop_of(Reason::NoPeer));
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(id));
    assert_eq!(router.from_peer(id, &syn("2001:db8::5", "2001:db8:1::1")), Verdict::Tun);
    assert_eq!(router.from_tun(&syn("2001:db8:1::1", "2001:db8::5")), Verdict::Peer(id));
}

/// Row W2.
#[test]
fn the_first_holder_keeps_its_address_until_it_leaves() {
    let mut router = open();
    let (holder, thief) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    router.from_peer(holder, &syn("10.0.0.5", "192.0.2.1"));
    for _ in 0..2 {
        assert_eq!(router.from_peer(thief, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::Spoofed));
        assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(holder));
    }
    router.disconnect(holder);
    assert_eq!(router.from_peer(thief, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(thief));
}

/// Row W2.
#[test]
fn nobody_takes_an_address_of_the_host_of_the_link_or_of_another_network() {
    let mut router = open();
    router.give(Grant::parse("uid=1002 addr=10.0.0.6").unwrap()).unwrap();
    let id = router.connect(SHOP).unwrap();
    for source in ["10.0.0.1", "169.254.7.7", "10.0.1.5", "192.0.2.9"] {
        assert_eq!(router.from_peer(id, &syn(source, "192.0.2.1")), drop_of(Reason::NotGranted), "{source}");
    }
    assert_eq!(router.from_peer(id, &syn("fe80::5", "2001:db8:1::1")), drop_of(Reason::NotGranted));
    assert_eq!(
        router.from_peer(id, &syn("10.0.0.6", "192.0.2.1")),
        drop_of(Reason::Spoofed),
        "it was given away"
    );
}

/// Row W2.
#[test]
fn an_address_that_is_given_is_taken_from_whoever_came_first() {
    let mut router = open();
    let (first, owner) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    assert_eq!(router.from_peer(first, &syn("10.0.0.6", "192.0.2.1")), Verdict::Tun);
    router.give(Grant::parse("uid=1002 addr=10.0.0.6").unwrap()).unwrap();
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.6")), drop_of(Reason::NoPeer));
    assert_eq!(router.from_peer(first, &syn("10.0.0.6", "192.0.2.1")), drop_of(Reason::Spoofed));
    assert_eq!(router.from_peer(owner, &syn("10.0.0.6", "192.0.2.1")), Verdict::Tun);
    let of_the_host = Grant::parse("uid=1003 addr=10.0.0.1").unwrap();
    assert_eq!(router.give(of_the_host).map_err(|wrong| wrong.owner), Err("the host".into()));
}

/// Row W2.
#[test]
fn nobody_takes_the_address_of_a_server_that_all_use() {
    let mut settings = settings(Policy::Standard, Admission::Open);
    settings.networks.clear();
    let chains = chains(&settings, [&[], &[]]);
    let mut router = Router::new(settings, chains);
    let id = router.connect(SHOP).unwrap();
    assert_eq!(router.from_peer(id, &syn("192.0.2.53", "192.0.2.1")), drop_of(Reason::NotGranted));
}

/// Row W3.
#[test]
fn a_peer_sends_from_its_own_addresses_alone() {
    for mut router in [open(), granted(Policy::Standard, [&[], &[]])] {
        let id = router.connect(SHOP).unwrap();
        assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
        assert_eq!(router.from_peer(id, &syn("2001:db8::5", "2001:db8:1::1")), Verdict::Tun);
        for source in ["10.0.0.7", "10.0.0.1", "192.0.2.7"] {
            assert_eq!(router.from_peer(id, &syn(source, "192.0.2.1")), drop_of(Reason::Spoofed), "{source}");
        }
        for source in ["2001:db8::7", "2001:db8::1", "fe80::5"] {
            assert_eq!(
                router.from_peer(id, &syn(source, "2001:db8:1::1")),
                drop_of(Reason::Spoofed),
                "{source}"
            );
        }
        let all = router.accounts().all();
        assert_eq!(all.map(|(_, account)| account.sent.dropped[Reason::Spoofed.index()]).sum::<u64>(), 6);
    }
}

#[test]
fn what_a_kernel_says_by_itself_ends_nobody() {
    let mut router = open();
    let id = router.connect(SHOP).unwrap();
    assert_eq!(router.from_peer(id, &syn("::", "ff02::16")), drop_of(Reason::Multicast));
    assert_eq!(router.from_peer(id, &syn("0.0.0.0", "255.255.255.255")), drop_of(Reason::Multicast));
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
}

#[test]
fn a_tenant_has_what_was_given_to_it_before_its_first_packet() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    let id = router.connect(SHOP).unwrap();
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(id));
    assert_eq!(router.from_tun(&syn("2001:db8:1::1", "2001:db8::5")), Verdict::Peer(id));
}

/// Row W2.
#[test]
fn a_tenant_that_was_given_an_address_takes_no_other_one() {
    let mut router = granted(Policy::Allow, [&[], &[]]);
    let id = router.connect(SHOP).unwrap();
    assert_eq!(router.from_peer(id, &syn("10.0.0.6", "192.0.2.1")), drop_of(Reason::Spoofed));
    assert_eq!(router.from_peer(id, &syn("10.0.0.7", "192.0.2.1")), drop_of(Reason::Spoofed));
    assert_eq!(router.connect(1003), Err(Refused::NotGranted(1003)));
}

#[test]
fn a_tenant_of_several_peers_gives_each_its_address() {
    let mut router = router(Policy::Allow, Admission::Granted, [&[], &[]]);
    router.give(Grant::parse("uid=1001 addr=10.0.0.5 name=shop").unwrap()).unwrap();
    router.give(Grant::parse("uid=1001 addr=10.0.0.7,10.0.0.8 name=blog").unwrap()).unwrap();
    let ids = [(); 3].map(|()| router.connect(SHOP).unwrap());
    for (id, source) in ids.into_iter().zip(["10.0.0.8", "10.0.0.5", "10.0.0.7"]) {
        assert_eq!(router.from_peer(id, &syn(source, "192.0.2.1")), Verdict::Tun, "{source}");
        assert_eq!(router.from_tun(&syn("192.0.2.1", source)), Verdict::Peer(id));
    }
    assert_eq!(router.from_peer(ids[1], &syn("10.0.0.8", "192.0.2.1")), drop_of(Reason::Spoofed));
    let given = Grant::parse("uid=1002 addr=10.0.0.9,10.0.0.8").unwrap();
    assert_eq!(router.give(given), Err(GivenTwice { address: address("10.0.0.8"), owner: "blog".into() }));
}

#[test]
fn a_tenant_that_comes_back_before_it_has_left_gets_its_addresses_when_it_has() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    let (old, new) = (router.connect(SHOP).unwrap(), router.connect(SHOP).unwrap());
    assert_eq!(router.from_peer(new, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::Spoofed));
    router.disconnect(old);
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(new));
    assert_eq!(router.from_peer(new, &syn("2001:db8::5", "2001:db8:1::1")), Verdict::Tun);
}

#[test]
fn a_connection_that_has_ended_is_nobody() {
    let mut router = open();
    let old = router.connect(SHOP).unwrap();
    router.disconnect(old);
    let new = router.connect(BLOG).unwrap();
    router.disconnect(old);
    assert_eq!(router.from_peer(old, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::NoPeer));
    assert_eq!(router.from_peer(new, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
}

/// Row W6.
#[test]
fn nobody_takes_all_places() {
    let mut router = open();
    let ids: Vec<PeerId> = (0..10).map(|_| router.connect(SHOP).unwrap()).collect();
    assert_eq!(router.connect(SHOP), Err(Refused::Greedy(SHOP, 10)));
    (0..90).for_each(|uid| assert!(router.connect(2000 + uid).is_ok()));
    assert_eq!(router.connect(BLOG), Err(Refused::Crowded(100)));
    router.disconnect(ids[3]);
    assert!(router.connect(SHOP).is_ok());
}

#[test]
fn a_packet_that_is_denied_registers_nobody() {
    let mut router =
        router(Policy::Allow, Admission::Open, [&[], &["deny 10.0.0.9 any", "deny peer 10.0.0.8"]]);
    let id = router.connect(SHOP).unwrap();
    for source in ["10.0.0.9", "10.0.0.8"] {
        assert_eq!(router.from_peer(id, &syn(source, "192.0.2.1")), drop_of(Reason::Denied), "{source}");
        assert_eq!(router.from_tun(&syn("192.0.2.1", source)), drop_of(Reason::NoPeer));
    }
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
}

/// Row W5.
#[test]
fn a_tenant_reaches_the_world_and_nobody_near() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    let id = router.connect(SHOP).unwrap();
    router.connect(BLOG).unwrap();
    for world in ["192.0.2.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "11.0.0.1"] {
        assert_eq!(router.from_peer(id, &syn("10.0.0.5", world)), Verdict::Tun, "{world}");
    }
    for near in [
        "10.0.0.1",
        "10.0.0.6",
        "10.0.0.200",
        "10.9.9.9",
        "169.254.169.254",
        "192.168.1.1",
        "172.16.0.1",
        "172.31.9.9",
        "100.64.0.1",
        "192.0.0.9",
        "198.18.0.1",
        "240.0.0.1",
    ] {
        assert_eq!(router.from_peer(id, &syn("10.0.0.5", near)), drop_of(Reason::Denied), "{near}");
    }
    assert_eq!(router.from_peer(id, &syn("2001:db8::5", "2001:db8:1::1")), Verdict::Tun);
    for near in [
        "2001:db8::1",
        "2001:db8::6",
        "fd00:ec2::254",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "2002:a00:1::1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::c0a8:101",
        "64:ff9b:1::1",
    ] {
        assert_eq!(router.from_peer(id, &syn("2001:db8::5", near)), drop_of(Reason::Denied), "{near}");
    }
}

/// Row W5.
#[test]
fn answers_go_to_whoever_has_asked_but_not_to_neighbours_or_the_link() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    let id = router.connect(SHOP).unwrap();
    router.connect(BLOG).unwrap();
    for (flags, verdict) in [(0x12, Verdict::Tun), (0x10, Verdict::Tun), (0x02, drop_of(Reason::Denied))] {
        for near in ["10.0.0.1", "192.168.1.1"] {
            assert_eq!(router.from_peer(id, &packet("10.0.0.5", near, flags)), verdict, "{near} {flags:#x}");
        }
        for never in ["10.0.0.6", "10.0.0.77", "169.254.169.254"] {
            assert_eq!(
                router.from_peer(id, &packet("10.0.0.5", never, flags)),
                drop_of(Reason::Denied),
                "{never}"
            );
        }
    }
}

/// Row W5.
#[test]
fn a_rule_opens_a_way_to_a_neighbour() {
    let mut router =
        granted(Policy::Standard, [&["deny any 10.0.0.5"], &["allow 10.0.0.5 10.0.0.6 dport 80"]]);
    let (shop, blog) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "10.0.0.6")), Verdict::Peer(blog));
    assert_eq!(router.from_peer(blog, &syn("10.0.0.6", "10.0.0.5")), drop_of(Reason::Denied));
    assert_eq!(router.accounts().get("blog").unwrap().received.passed, Tally { packets: 1, bytes: 40 });
}

/// Row W5.
#[test]
fn a_neighbour_outside_of_all_networks_is_a_neighbour() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    router.give(Grant::parse("uid=1003 addr=203.0.113.7").unwrap()).unwrap();
    let (shop, _) = (router.connect(SHOP).unwrap(), router.connect(1003).unwrap());
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "203.0.113.7")), drop_of(Reason::Neighbour));
}

/// Row W5.
#[test]
fn nothing_goes_without_a_rule_where_the_policy_is_to_deny() {
    let mut router = granted(Policy::Deny, [&["allow any any peer shop"], &["allow any 192.0.2.1"]]);
    let (shop, blog) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
    assert_eq!(router.from_peer(blog, &syn("10.0.0.6", "192.0.2.2")), drop_of(Reason::Denied));
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(shop));
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.6")), drop_of(Reason::Denied));
}

/// Row W3.
#[test]
fn nobody_outside_has_the_address_of_a_peer() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    router.connect(SHOP).unwrap();
    router.connect(BLOG).unwrap();
    assert_eq!(router.from_tun(&syn("10.0.0.6", "10.0.0.5")), drop_of(Reason::Spoofed));
}

#[test]
fn peers_of_an_open_router_meet_through_the_host_alone() {
    let mut router = open();
    let (shop, blog) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    router.from_peer(blog, &syn("10.0.0.6", "192.0.2.1"));
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "10.0.0.6")), Verdict::Tun);
    assert_eq!(router.from_tun(&syn("10.0.0.5", "10.0.0.6")), Verdict::Peer(blog));
}

/// Row W4.
#[test]
fn rules_of_a_peer_narrow_what_it_can_do_and_nothing_else() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    let (shop, blog) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    upload(&mut router, shop, &["out any any allow", "in any any allow"]);
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "10.0.0.6")), drop_of(Reason::Denied));
    upload(&mut router, shop, &["out any 192.0.2.1 deny", "in 192.0.2.2 any deny"]);
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::OwnRule));
    assert_eq!(router.from_tun(&syn("192.0.2.2", "10.0.0.5")), drop_of(Reason::OwnRule));
    assert_eq!(router.from_peer(blog, &syn("10.0.0.6", "192.0.2.1")), Verdict::Tun);
    assert_eq!(router.from_tun(&syn("192.0.2.2", "10.0.0.6")), Verdict::Peer(blog));
    upload(&mut router, shop, &[]);
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
}

/// A router with a way to another one.
fn routed() -> (Router, SocketAddr) {
    let settings = settings(Policy::Allow, Admission::Open);
    let route = Rule::route("any 192.0.2.0/24 198.51.100.1:5000").unwrap();
    let mut chains = chains(&settings, [&["deny 192.0.2.66 any"], &[]]);
    chains.routes = Some(Chain::new(vec![route], Vec::new(), Action::Allow).unwrap());
    (Router::new(settings, chains), "198.51.100.1:5000".parse().unwrap())
}

/// Row W4.
#[test]
fn a_peer_sends_no_datagrams_from_the_host_but_to_gateways_of_the_administrator() {
    let (mut router, gateway) = routed();
    let id = router.connect(SHOP).unwrap();
    upload(
        &mut router,
        id,
        &["out any 203.0.113.0/24 gateway 198.51.100.1:5000", "out any 203.0.0.0/16 route 127.0.0.1:53"],
    );
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "203.0.113.1")), Verdict::Gateway(gateway));
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "203.0.7.1")), drop_of(Reason::NoGateway));
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.9")), Verdict::Gateway(gateway));
    assert_eq!(router.from_peer(id, &syn("10.0.0.5", "8.8.8.8")), Verdict::Tun);
}

#[test]
fn a_route_may_be_of_one_peer_alone() {
    let settings = settings(Policy::Allow, Admission::Open);
    let route = Rule::route("any any 198.51.100.1:5000 peer 10.0.0.6").unwrap();
    // In that chain, the same number is of somebody else.
    let mut chains = chains(&settings, [&[], &["allow peer 10.0.0.5", "allow peer 10.0.0.6"]]);
    chains.routes = Some(Chain::new(vec![route], Vec::new(), Action::Allow).unwrap());
    let mut router = Router::new(settings, chains);
    let (shop, blog) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    let gateway = Verdict::Gateway("198.51.100.1:5000".parse().unwrap());
    for _ in 0..2 {
        assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
        assert_eq!(router.from_peer(blog, &syn("10.0.0.6", "192.0.2.1")), gateway);
    }
}

#[test]
fn packets_of_other_routers_are_judged_like_all() {
    let (mut router, gateway) = routed();
    let id = router.connect(SHOP).unwrap();
    router.from_peer(id, &syn("10.0.0.5", "8.8.8.8"));
    upload(&mut router, id, &["in 192.0.2.77 any deny"]);
    assert_eq!(router.from_gateway(&syn("192.0.2.9", "10.0.0.5"), gateway), Verdict::Peer(id));
    assert_eq!(router.from_gateway(&syn("192.0.2.66", "10.0.0.5"), gateway), drop_of(Reason::Denied));
    assert_eq!(router.from_gateway(&syn("192.0.2.77", "10.0.0.5"), gateway), drop_of(Reason::OwnRule));
    assert_eq!(router.from_gateway(&syn("10.0.0.5", "10.0.0.5"), gateway), drop_of(Reason::Spoofed));
    let stranger = "198.51.100.1:5001".parse().unwrap();
    assert_eq!(router.from_gateway(&syn("192.0.2.9", "10.0.0.5"), stranger), drop_of(Reason::Stranger));
}

#[test]
fn what_a_tenant_has_sent_is_known_when_it_comes_back() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    for _ in 0..3 {
        let id = router.connect(SHOP).unwrap();
        router.from_peer(id, &syn("10.0.0.5", "192.0.2.1"));
        router.from_peer(id, &syn("10.0.0.5", "10.0.0.1"));
        router.from_tun(&syn("192.0.2.1", "10.0.0.5"));
        router.undelivered(id, 40, Reason::QueueFull);
        router.disconnect(id);
        router.undelivered(id, 40, Reason::QueueFull);
    }
    let shop = router.accounts().get("shop").unwrap();
    assert_eq!(shop.sent.passed, Tally { packets: 3, bytes: 120 });
    assert_eq!((shop.sent.dropped_packets(), shop.sent.dropped[Reason::Denied.index()]), (3, 3));
    assert_eq!(
        (shop.received.passed, shop.received.dropped[Reason::QueueFull.index()]),
        (Tally::default(), 3)
    );
}

#[test]
fn other_rules_hold_at_once_and_know_who_is_there() {
    let mut router = granted(Policy::Standard, [&[], &[]]);
    let (shop, blog) = (router.connect(SHOP).unwrap(), router.connect(BLOG).unwrap());
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
    let settings = settings(Policy::Standard, Admission::Granted);
    router.replace(chains(&settings, [&[], &["deny peer shop"]]));
    assert_eq!(router.from_peer(shop, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::Denied));
    assert_eq!(router.from_peer(blog, &syn("10.0.0.6", "192.0.2.1")), Verdict::Tun);
    assert_eq!(router.chains().outgoing.unmatched().packets, 2, "it goes on counting");
}
