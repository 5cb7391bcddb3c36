use proptest::prelude::*;

use super::super::packet::Piece;
use super::*;

fn packet(source: &str, destination: &str) -> Packet {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    let ports = Some((1000, 80));
    Packet { source, destination, protocol: Some(TCP), ports, piece: Piece::Whole, established: false }
}

fn means(rule: &str, (source, destination): (&str, &str)) -> bool {
    Rule::firewall(rule).unwrap().matches(&packet(source, destination), "shop")
}

#[test]
fn a_rule_of_uwsgi_means_what_its_manual_says() {
    assert!(means("deny 10.0.0.2 192.0.2.1", ("10.0.0.2", "192.0.2.1")));
    assert!(!means("deny 10.0.0.2 192.0.2.1", ("10.0.0.3", "192.0.2.1")));
    assert!(means("allow 10.0.0.77/24 192.0.2.0/24", ("10.0.0.2", "192.0.2.9")));
    assert!(!means("allow 10.0.0.77/24 192.0.2.0/24", ("10.0.1.2", "192.0.2.9")));
    assert!(means("deny", ("10.0.0.2", "192.0.2.1")));
    assert!(means("deny 0.0.0.0 192.0.2.1", ("198.51.100.7", "192.0.2.1")));
    assert!(means("deny 10.0.0.0/0 0.0.0.0/0", ("198.51.100.7", "192.0.2.1")), "no bit is compared");
    assert!(means("deny 0.0.0.0 0.0.0.0", ("2001:db8::1", "2001:db8::2")), "anybody is anybody");
}

#[test]
fn a_rule_may_ask_for_more() {
    let both = ("10.0.0.2", "192.0.2.1");
    for fits in
        ["proto tcp", "proto 6", "dport 80", "dport 1-80", "sport 1000", "peer shop", "proto tcp dport 80-81"]
    {
        assert!(means(&format!("deny any any {fits}"), both), "{fits}");
        assert!(means(&format!("deny {fits}"), both), "{fits}");
    }
    for other in
        ["proto udp", "proto icmpv6", "dport 81", "dport 0-79", "sport 80", "peer blog", "established"]
    {
        assert!(!means(&format!("deny any any {other}"), both), "{other}");
    }
    let answer = Packet { established: true, ..packet("10.0.0.2", "192.0.2.1") };
    assert!(Rule::firewall("allow established").unwrap().matches(&answer, "shop"));
    assert!(means("deny 2001:db8::/32 ::/0", ("2001:db8:1::1", "::2")));
    assert!(!means("deny any ::/0", both));
}

/// Row W3.
#[test]
fn a_fragment_without_ports_fits_no_rule_that_asks_for_them() {
    let later = Packet { ports: None, piece: Piece::Later, ..packet("10.0.0.2", "192.0.2.1") };
    assert!(!Rule::firewall("allow any any dport 80").unwrap().matches(&later, "shop"));
    assert!(Rule::firewall("allow any any proto tcp").unwrap().matches(&later, "shop"));
}

/// Each mistake with what it is about.
const MISTAKES: [(&str, &str); 34] = [
    ("", ""),
    ("Deny", "Deny"),
    ("drop 10.0.0.1 10.0.0.2", "drop"),
    ("reject", "reject"),
    ("deny 10.0.0.1", ""),
    ("deny 10.0.0.1 10.0.0.2/33", "33"),
    ("deny 10.0.0.1/ 10.0.0.2", ""),
    ("deny 10.0.0.1/-1 10.0.0.2", "-1"),
    ("deny 10.0.0.1/255.0.0.0 10.0.0.2", "255.0.0.0"),
    ("deny 10.0.0 10.0.0.2", "10.0.0"),
    ("deny 10.0.0.01 10.0.0.2", "10.0.0.01"),
    ("deny example.com 10.0.0.2", "example.com"),
    ("deny 10.0.0.1/8/8 10.0.0.2", "8/8"),
    ("deny 0.0.0.0/8 10.0.0.2", "0.0.0.0/8"),
    ("deny 10.0.0.1 10.0.0.2 10.0.0.3", "10.0.0.3"),
    ("deny any 2001:db8::/129", "129"),
    ("deny 10.0.0.1 2001:db8::1", ""),
    ("deny any any proto", ""),
    ("deny any any proto smtp", "smtp"),
    ("deny any any proto 256", "256"),
    ("deny any any dport http", "http"),
    ("deny any any dport 65536", "65536"),
    ("deny any any dport 90-80", "90-80"),
    ("deny any any dport 80-", ""),
    ("deny any any dport -80", ""),
    ("deny any any dport 80,81", "80,81"),
    ("deny any any dport 80 dport 81", "dport"),
    ("deny any any proto icmp dport 80", ""),
    ("deny any any proto udp established", ""),
    ("deny any any peer", ""),
    ("deny any any log", "log"),
    ("deny any", ""),
    ("deny proto", ""),
    ("gateway 10.0.0.1 10.0.0.2 1.2.3.4:5", "gateway"),
];

#[test]
fn each_mistake_is_shown_where_it_stands() {
    for (text, meant) in MISTAKES {
        let wrong = Rule::firewall(text).expect_err(text);
        assert_eq!(&text[wrong.span.clone()], meant, "{text}: {wrong}");
        assert!(!wrong.cause.is_empty() && !wrong.cure.is_empty());
    }
}

#[test]
fn a_route_has_a_gateway() {
    let route = Rule::route("10.0.0.0/24 192.0.2.0/24 198.51.100.1:5000").unwrap();
    assert_eq!(route.action, Action::Gateway("198.51.100.1:5000".parse().unwrap()));
    assert!(route.matches(&packet("10.0.0.2", "192.0.2.1"), ""));
    for (text, meant) in [
        ("10.0.0.0/24 192.0.2.0/24", ""),
        ("10.0.0.0/24 192.0.2.0/24 198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/24 192.0.2.0/24 198.51.100.1:0", "198.51.100.1:0"),
        ("10.0.0.0/24 192.0.2.0/24 0.0.0.0:5000", "0.0.0.0:5000"),
        ("10.0.0.0/24", ""),
    ] {
        assert_eq!(&text[Rule::route(text).expect_err(text).span], meant, "{text}");
    }
}

#[test]
fn a_rule_of_a_device_has_a_direction() {
    let (direction, rule) = Rule::device("in 10.0.0.0/24 0.0.0.0 deny").unwrap();
    assert_eq!((direction, rule.action, rule.destination), (Direction::In, Action::Deny, None));
    let (_, rule) = Rule::device("out any 10.1.0.0/16 route 1.2.3.4:5000").unwrap();
    assert_eq!(rule.action, Action::Gateway("1.2.3.4:5000".parse().unwrap()));
    for (text, meant) in [
        ("up any any deny", "up"),
        ("in any any drop", "drop"),
        ("out any any route", ""),
        ("out any any gateway 1.2.3.4", "1.2.3.4"),
        ("out any any gateway [::1]:5", "[::1]:5"),
        ("out any 2001:db8::1 deny", "2001:db8::1"),
        ("out any any deny 1.2.3.4:5000", "1.2.3.4:5000"),
    ] {
        assert_eq!(&text[Rule::device(text).expect_err(text).span], meant, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(allow|deny|[a-z]{0,4})? ?([0-9.:/a-f]{0,12} ?){0,3}( proto| dport| peer|é)* ?[0-9-]{0,6}") {
        for wrong in [Rule::firewall(&text).err(), Rule::route(&text).err(), Rule::device(&text).err()].into_iter().flatten() {
            prop_assert!(text.get(wrong.span).is_some());
        }
    }
}
