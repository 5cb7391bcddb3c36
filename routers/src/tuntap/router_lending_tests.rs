//! Addresses that are lent and taken back, hosts that change, names that may be asked for.

use super::*;

fn lend(router: &mut Router, uid: u32, name: &str, last: u8) -> Result<(), GivenTwice> {
    let addresses = vec![[10, 0, 0, last].into(), format!("2001:db8::{last:x}").parse().unwrap()];
    router.lend(Grant { uid, addresses, name: name.into() })
}

fn standard() -> Router {
    router(Policy::Standard, Admission::Open, [&[], &[]])
}

/// Row W2.
#[test]
fn what_is_lent_waits_for_its_tenant() {
    let mut router = standard();
    lend(&mut router, SHOP, "1001/a", 5).unwrap();
    lend(&mut router, SHOP, "1001/b", 6).unwrap();
    let thief = router.connect(BLOG).unwrap();
    assert_eq!(router.from_peer(thief, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::Spoofed));
    assert_eq!(router.take(thief, &[address("10.0.0.6")]), Err((address("10.0.0.6"), Reason::Spoofed)));
    assert!(!router.settle(thief, "1001/a"), "it is another user's");
    // A user has nothing of what he is lent before he says which of his peers it is.
    let second = router.connect(SHOP).unwrap();
    assert!(router.peers().get(second).unwrap().addresses().is_empty());
    assert!(router.settle(second, "1001/b"));
    assert_eq!(
        router.peers().get(second).unwrap().addresses(),
        [address("10.0.0.6"), address("2001:db8::6")]
    );
    assert_eq!(router.peers().get(second).unwrap().name(), "1001/b");
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), drop_of(Reason::NoPeer));
    let first = router.connect(SHOP).unwrap();
    assert!(router.settle(first, "1001/a") && !router.settle(thief, "1001/a"));
    assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(first));
}

#[test]
fn whoever_is_lent_something_may_choose_beside_it() {
    let mut router = standard();
    lend(&mut router, SHOP, "1001/a", 5).unwrap();
    let (lent, chosen) = (router.connect(SHOP).unwrap(), router.connect(SHOP).unwrap());
    assert!(router.settle(lent, "1001/a"));
    assert_eq!(router.take(chosen, &[address("10.0.0.9")]), Ok(()));
    assert_eq!(router.take(chosen, &[address("10.0.0.1")]), Err((address("10.0.0.1"), Reason::Spoofed)));
}

#[test]
fn where_nobody_chooses_a_lease_lets_its_tenant_in() {
    let mut router = router(Policy::Standard, Admission::Granted, [&[], &[]]);
    assert_eq!(router.connect(SHOP), Err(Refused::NotGranted(SHOP)));
    lend(&mut router, SHOP, "1001/a", 5).unwrap();
    let id = router.connect(SHOP).unwrap();
    assert!(router.settle(id, "1001/a"));
    router.disconnect(id);
    router.withdraw(SHOP, "1001/a");
    assert_eq!(router.connect(SHOP), Err(Refused::NotGranted(SHOP)));
}

#[test]
fn what_was_taken_back_is_somebody_elses() {
    let mut router = standard();
    for round in 0..100 {
        lend(&mut router, SHOP, "1001/a", 5).unwrap();
        let id = router.connect(SHOP).unwrap();
        assert!(router.settle(id, "1001/a"), "{round}");
        assert!(lend(&mut router, BLOG, "1002/b", 5).is_err());
        router.withdraw(BLOG, "1001/a");
        assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.1")), Verdict::Tun);
        router.withdraw(SHOP, "1001/a");
        lend(&mut router, BLOG, "1002/b", 5).unwrap();
        let other = router.connect(BLOG).unwrap();
        assert!(router.settle(other, "1002/b"));
        assert_eq!(router.from_peer(id, &syn("10.0.0.5", "192.0.2.1")), drop_of(Reason::Spoofed));
        assert_eq!(router.from_tun(&syn("192.0.2.1", "10.0.0.5")), Verdict::Peer(other));
        router.disconnect(id);
        router.disconnect(other);
        router.withdraw(BLOG, "1002/b");
    }
    assert!(router.peers().owner(address("10.0.0.5")).is_none());
}

/// Row W2.
#[test]
fn what_becomes_the_hosts_is_held_by_nobody() {
    let mut router = standard();
    let id = router.connect(SHOP).unwrap();
    assert_eq!(router.take(id, &[address("10.0.0.9")]), Ok(()));
    assert_eq!(router.from_peer(id, &syn("10.0.0.9", "203.0.113.7")), Verdict::Tun);
    router.set_hosts(vec![address("10.0.0.1"), address("10.0.0.9"), address("203.0.113.7")]).unwrap();
    assert_eq!(router.peers().holder(address("10.0.0.9")), None);
    assert_eq!(router.take(id, &[address("10.0.0.9")]), Err((address("10.0.0.9"), Reason::NotGranted)));
    assert_eq!(router.take(id, &[address("10.0.0.8")]), Ok(()));
    assert_eq!(router.from_peer(id, &syn("10.0.0.8", "203.0.113.7")), drop_of(Reason::Denied));
    router.set_hosts(vec![address("10.0.0.1")]).unwrap();
    assert_eq!(router.from_peer(id, &syn("10.0.0.8", "203.0.113.7")), Verdict::Tun);
}

#[test]
fn rules_go_on_counting_when_hosts_change() {
    let mut router = router(Policy::Standard, Admission::Open, [&[], &["allow any 192.0.2.1"]]);
    let id = router.connect(SHOP).unwrap();
    router.from_peer(id, &syn("10.0.0.9", "192.0.2.1"));
    router.set_hosts(vec![address("10.0.0.1"), address("10.0.0.2")]).unwrap();
    let (rule, met) = router.chains().outgoing.rules().next().unwrap();
    assert_eq!((rule, met.packets), (&Rule::firewall("allow any 192.0.2.1").unwrap(), 1));
    let many = (0..=u16::MAX).map(|number| IpAddr::from([10, 1, (number >> 8) as u8, number as u8]));
    assert!(router.set_hosts(many.collect()).is_err());
    assert_eq!(router.settings().hosts.len(), 2, "all stays as it was");
}

/// Row W5.
#[test]
fn names_may_be_asked_for_at_the_host_and_nothing_else() {
    let settings =
        Settings { nameservers: vec![address("10.0.0.1")], ..settings(Policy::Standard, Admission::Open) };
    let chains = chains(&settings, [&[], &[]]);
    let mut router = Router::new(settings, chains);
    let id = router.connect(SHOP).unwrap();
    let mut question = syn("10.0.0.9", "10.0.0.1");
    question[22..24].copy_from_slice(&53_u16.to_be_bytes());
    assert_eq!(router.from_peer(id, &question), Verdict::Tun);
    assert_eq!(router.from_peer(id, &syn("10.0.0.9", "10.0.0.1")), drop_of(Reason::Denied));
}

#[test]
fn what_was_counted_before_is_counted_on() {
    let mut router = router(Policy::Allow, Admission::Granted, [&[], &[]]);
    router.give(Grant::parse("uid=1001 addr=10.0.0.5 name=shop").unwrap()).unwrap();
    let mut account = Account::default();
    account.sent.passed.count(1000);
    router.restore("shop", account);
    let id = router.connect(SHOP).unwrap();
    router.from_peer(id, &syn("10.0.0.5", "192.0.2.1"));
    assert_eq!(router.accounts().get("shop").unwrap().sent.passed, Tally { packets: 2, bytes: 1040 });
}
