use proptest::prelude::*;

use super::*;

fn pool(length: u8) -> Leases {
    let pool = Prefix::new([10, 0, 0, 0].into(), length).unwrap();
    Leases::new(pool, &[[10, 0, 0, 1].into()])
}

fn host(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn nobody(_: IpAddr) -> bool {
    false
}

/// Somebody who has nothing yet.
const NEW: Asker = Asker { uid: 1001, his: 0, all: 0 };

fn of(uid: u32) -> Asker {
    Asker { uid, his: 0, all: 0 }
}

#[test]
fn a_tenant_that_comes_back_has_its_address_again() {
    let mut leases = pool(24);
    assert_eq!(
        (leases.hold("shop", NEW, nobody), leases.hold("blog", NEW, nobody)),
        (Ok(host(2)), Ok(host(3)))
    );
    leases.release("shop");
    assert_eq!(leases.hold("news", NEW, nobody), Ok(host(4)));
    assert_eq!(leases.hold("shop", NEW, nobody), Ok(host(2)));
}

#[test]
fn a_full_pool_gives_the_address_of_who_is_longest_away() {
    let mut leases = pool(29);
    for (tenant, last) in ["a", "b", "c", "d", "e"].into_iter().zip(2..) {
        assert_eq!(leases.hold(tenant, NEW, nobody), Ok(host(last)));
    }
    assert_eq!(leases.hold("f", NEW, nobody), Err(NoneLeft::ForAnybody(leases.pool)));
    leases.release("d");
    leases.release("a");
    leases.release("d");
    assert_eq!(leases.hold("f", NEW, nobody), Ok(host(5)), "d left before a");
    assert_eq!(leases.hold("d", NEW, nobody), Ok(host(2)));
    assert_eq!(leases.hold("a", NEW, nobody), Err(NoneLeft::ForAnybody(leases.pool)));
}

#[test]
fn whoever_goes_on_has_the_address_that_it_had_and_no_other() {
    let mut leases = pool(24);
    assert!(leases.hold_at("shop", host(7)) && leases.hold_at("shop", host(7)));
    assert!(!leases.hold_at("blog", host(7)), "it is somebody's");
    assert!(!leases.hold_at("blog", host(1)) && !leases.hold_at("blog", host(255)), "nobody gets these");
    assert!(!leases.hold_at("blog", [10, 0, 1, 7].into()), "another network");
    assert!(leases.hold_at("shop", host(9)), "and lets the other one go");
    assert!(leases.hold_at("blog", host(7)));
    assert_eq!(leases.hold("news", NEW, nobody), Ok(host(2)));
}

#[test]
fn what_is_given_up_comes_first() {
    let mut leases = pool(29);
    assert_eq!((leases.hold("a", NEW, nobody), leases.hold("b", NEW, nobody)), (Ok(host(2)), Ok(host(3))));
    leases.discard("b");
    assert_eq!(leases.hold("d", NEW, nobody), Ok(host(3)));
    leases.release("a");
    let named: Vec<_> = leases.named("").collect();
    assert_eq!(named, [("a", host(2), false), ("d", host(3), true)]);
    assert_eq!(leases.named("x").count(), 0);
}

/// Row W2.
#[test]
fn what_somebody_else_takes_for_a_while_is_passed_over_for_that_while() {
    let mut leases = pool(29);
    let chosen = |address| [host(2), host(3), host(5)].contains(&address);
    assert_eq!((leases.hold("a", NEW, chosen), leases.hold("b", NEW, chosen)), (Ok(host(4)), Ok(host(6))));
    assert_eq!(leases.hold("c", NEW, chosen), Err(NoneLeft::ForAnybody(leases.pool)));
    leases.release("a");
    assert_eq!(leases.hold("c", NEW, chosen), Ok(host(4)), "longest away");
    assert_eq!(leases.hold("d", NEW, |address| address == host(2)), Ok(host(3)), "one has gone");
    assert_eq!((leases.hold("e", NEW, nobody), leases.hold("f", NEW, nobody)), (Ok(host(2)), Ok(host(5))));
    assert_eq!(leases.hold("g", NEW, nobody), Err(NoneLeft::ForAnybody(leases.pool)));
    assert!(leases.passed.is_empty());
    // The address of somebody who was away is taken; then it is free again.
    leases.discard("d");
    leases.release("e");
    assert_eq!(leases.hold("e", NEW, |address| address == host(2)), Ok(host(3)));
    assert_eq!(leases.hold("g", NEW, nobody), Ok(host(2)));
}

/// Row W2.
#[test]
fn a_user_has_no_more_than_he_leaves_to_others_and_takes_what_is_away_of_his_own_first() {
    let mut leases = pool(24);
    let had = (0..).find(|n| leases.hold(&format!("1001:{n}"), of(1001), nobody).is_err()).unwrap();
    assert_eq!(had, 127, "of 253");
    assert_eq!(leases.hold("1001:x", of(1001), nobody), Err(NoneLeft::ForHim(leases.pool, 1001, 127)));
    assert_eq!(leases.hold("1002:shop", of(1002), nobody), Ok(host(129)));
    leases.release("1002:shop");
    leases.release("1001:5");
    assert_eq!(leases.hold("1001:x", of(1001), nobody), Ok(host(7)), "his own");
    assert_eq!(leases.hold("1002:shop", of(1002), nobody), Ok(host(129)));
    // What he holds without having asked for it here counts, too.
    assert!(leases.hold("1003:a", Asker { uid: 1003, his: 100, all: 228 }, nobody).is_err());
    assert_eq!(leases.hold("1003:a", of(1003), nobody), Ok(host(130)));
}

/// Row W2.
#[test]
fn of_those_who_are_away_the_one_who_has_most_loses_one() {
    let mut leases = pool(29);
    for (tenant, last) in ["1001:a", "1002:a", "1002:b", "1003:a", "1004:a"].into_iter().zip(2..) {
        let uid = tenant[..4].parse().unwrap();
        assert_eq!(leases.hold(tenant, of(uid), nobody), Ok(host(last)));
    }
    ["1001:a", "1002:a", "1002:b"].iter().for_each(|tenant| leases.release(tenant));
    assert_eq!(leases.hold("1005:a", of(1005), nobody), Ok(host(3)));
    assert_eq!(leases.hold("1001:a", of(1001), nobody), Ok(host(2)));
}

#[test]
fn a_pool_of_version_6_is_as_good() {
    let pool = Prefix::new("2001:db8::".parse().unwrap(), 64).unwrap();
    assert_eq!(Leases::new(pool, &[]).hold("shop", NEW, nobody), Ok("2001:db8::1".parse().unwrap()));
}

#[test]
fn a_line_that_is_no_lease_is_refused_with_its_place() {
    for (text, meant) in [
        ("10.0.0.2 shop\nrubbish\n", "rubbish"),
        ("10.0.0 shop\n", "10.0.0 shop"),
        ("10.0.0.2 a%2\n", "10.0.0.2 a%2"),
        ("10.0.0.2 a b\n", "10.0.0.2 a b"),
        ("10.0.0.2 a\n10.0.0.2 b\n", "10.0.0.2 b"),
        ("10.0.0.2 a\n10.0.0.3 a\n", "10.0.0.3 a"),
        ("10.0.0.2 a\n\n", ""),
    ] {
        let wrong = pool(24).read(text).expect_err(text);
        assert_eq!(&text[wrong.span], meant, "{text}");
    }
}

#[test]
fn what_the_pool_has_no_more_is_left_out() {
    let mut leases = pool(24);
    leases.read("10.0.1.5 far\n10.0.0.1 host\n10.0.0.0 network\n10.0.0.9 shop\n").unwrap();
    assert_eq!(leases.text(), "10.0.0.9 shop\n");
    assert_eq!(leases.hold("far", NEW, nobody), Ok(host(2)));
}

proptest! {
    #[test]
    fn no_two_tenants_have_one_address_in_this_life_or_the_next(
        steps in prop::collection::vec((0u8..14, any::<bool>()), 0..200),
        names in prop::collection::vec("\\PC{0,6}", 14),
    ) {
        let mut leases = pool(29);
        let mut held = BTreeMap::new();
        for (who, comes) in steps {
            let tenant = format!("{}{who}", names[usize::from(who)]);
            if comes {
                if let Ok(address) = leases.hold(&tenant, NEW, nobody) {
                    held.insert(tenant.clone(), address);
                }
            } else {
                leases.release(&tenant);
                held.remove(&tenant);
            }
            let different: BTreeSet<_> = held.values().collect();
            prop_assert_eq!(different.len(), held.len());
        }
        let mut next = pool(29);
        prop_assert_eq!(next.read(&leases.text()), Ok(()));
        prop_assert_eq!(next.text(), leases.text());
    }
}
