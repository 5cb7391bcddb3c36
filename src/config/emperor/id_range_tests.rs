use super::*;

fn ranges(lines: &[&str]) -> Result<IdRanges, String> {
    let mut ranges = IdRanges::default();
    lines.iter().try_for_each(|line| ranges.read(line)).map_err(|wrong| wrong.cause)?;
    Ok(ranges)
}

fn span(first: u32, last: u32) -> Span {
    Span { first, last }
}

#[test]
fn each_tenant_has_its_own_part() {
    let ranges = ranges(&["10000-10009  700000 65536", "20000 5 10"]).unwrap();
    let [many, one] = ranges.rules() else { panic!("{ranges:?}") };
    assert_eq!(many.of(10_000), Some(span(700_000, 765_535)));
    assert_eq!(many.of(10_001), Some(span(765_536, 831_071)));
    assert_eq!(many.of(10_009), Some(span(700_000 + 9 * 65_536, 700_000 + 10 * 65_536 - 1)));
    assert_eq!([9_999, 10_010, 0, u32::MAX].map(|uid| many.of(uid)), [None; 4]);
    assert_eq!(one.of(20_000), Some(span(5, 14)));
    assert_eq!([4, 5, 14, 15].map(|id| one.gives(id)), [false, true, true, false]);
    assert_eq!((many.to_string(), one.to_string()), ("10000-10009 700000 65536".into(), "20000 5 10".into()));
}

#[test]
fn no_id_can_be_given_that_makes_the_jail_of_somebody() {
    let last = ranges(&["1-2 2147483646 1"]).unwrap();
    assert_eq!(last.rules()[0].of(2), Some(span(LAST_GIVEN, LAST_GIVEN)));
    let told = ranges(&["1-2 2147483647 1"]).expect_err("2147483648 is one");
    assert!(told.contains("not all between 1 and 2147483647"), "{told}");
}

#[test]
fn a_word_takes_the_place_of_what_stood_before() {
    assert_eq!(ranges(&[]).unwrap(), IdRanges::Auto);
    assert_eq!(ranges(&["7 700000 5", "none"]).unwrap(), IdRanges::None);
    assert_eq!(ranges(&["none", "auto"]).unwrap(), IdRanges::Auto);
    assert_eq!(ranges(&["none", "7 700000 5"]).unwrap().rules().len(), 1);
}

#[test]
fn what_is_no_rule_gives_nothing() {
    for (text, cause) in [
        ("", "neither `auto`, `none`, nor UIDS FIRST COUNT"),
        ("all", "neither"),
        ("7 700000", "neither"),
        ("7 700000 5 6", "neither"),
        ("alice 700000 5", "`alice` is no id"),
        ("7 +700000 5", "`+700000` is no id"),
        ("7 700000 -5", "`-5` is no id"),
        ("7- 700000 5", "`` is no id"),
        ("-7 700000 5", "`` is no id"),
        ("7-8-9 700000 5", "`8-9` is no id"),
        ("9-7 700000 5", "ends before it begins"),
        ("0 700000 5", "root is none"),
        ("0-9 700000 5", "root is none"),
        ("4294967295 700000 5", "root is none"),
        ("4294967296 700000 5", "is no id"),
    ] {
        let told = ranges(&[text]).expect_err(text);
        assert!(told.contains(cause), "{text}: {told}");
    }
}

#[test]
fn nobody_gets_root_nobody_or_an_id_that_there_is_not() {
    for text in
        ["7 0 5", "7 700000 0", "7 4294967290 6", "7-1000000 700000 65536", "1-4294967294 1 4294967294"]
    {
        assert!(ranges(&[text]).expect_err(text).contains("not all between 1 and"), "{text}");
    }
    for text in ["7 65534 1", "7 1000 65536", "7-8 65000 500"] {
        assert!(ranges(&[text]).expect_err(text).contains("is `nobody`"), "{text}");
    }
}

#[test]
fn whoever_is_a_tenant_is_no_id_of_a_tenant() {
    for lines in [
        &["1000-2000 1500 1"][..],
        &["1000-2000 900 1"],
        &["1000 999 2"],
        &["1000 700000 10", "700009 800000 10"],
        &["700009 800000 10", "1000 700000 10"],
    ] {
        let told = ranges(lines).expect_err("overlap");
        assert!(told.contains("would be a tenant, and an id that is given to one"), "{lines:?}: {told}");
    }
}

#[test]
fn no_two_rules_share_a_tenant_or_an_id_and_both_are_named() {
    for (one, other, cause) in [
        (
            "1000-2000 700000000 10",
            "1500 800000 5",
            "uid 1500 has a range already, by `1000-2000 700000000 10`",
        ),
        ("1000 700000 10", "1001 700009 1", "id 700009 is given already, by `1000 700000 10`"),
        ("1001 700009 1", "1000 700000 10", "id 700009 is given already, by `1001 700009 1`"),
        ("1000-1009 700000 10", "1010 700099 7", "id 700099 is given already, by `1000-1009 700000 10`"),
    ] {
        assert_eq!(ranges(&[one, other]).expect_err(one), cause);
    }
    assert!(ranges(&["1000-1009 700000 10", "1010 700100 7"]).is_ok());
}

proptest::proptest! {
    /// Whatever is taken: no two tenants have an id in common, nor is one of them an id of another's.
    #[test]
    fn no_two_tenants_ever_have_an_id_in_common(
        numbers in proptest::collection::vec((1_u32..40, 0_u32..4, 1_u32..200, 1_u32..9), 1..6),
    ) {
        let mut ranges = IdRanges::default();
        for (min, more, first, count) in numbers {
            let _ = ranges.read(&format!("{min}-{} {first} {count}", min + more));
        }
        let all = |uid: u32| ranges.rules().iter().filter_map(move |rule| rule.of(uid)).collect::<Vec<_>>();
        let tenants: Vec<(u32, Span)> = (0..60).flat_map(|uid| all(uid).into_iter().map(move |span| (uid, span))).collect();
        for (index, (uid, span)) in tenants.iter().enumerate() {
            for (other, theirs) in &tenants[index + 1..] {
                proptest::prop_assert!(uid != other && span.common(*theirs).is_none());
            }
            proptest::prop_assert!(tenants.iter().all(|(_, theirs)| !theirs.has(*uid)));
        }
    }
}
