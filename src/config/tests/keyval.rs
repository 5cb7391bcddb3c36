use super::typed;
use crate::config::keyval::{Fault, parse};

const KNOWN: [&str; 4] = ["cmd", "freq", "control", "stopsignal"];

fn read(text: &str) -> Vec<(String, String)> {
    let pairs = parse(text, &KNOWN).expect("understood");
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

fn fault(text: &str) -> Fault {
    parse(text, &KNOWN).expect_err("refused")
}

#[test]
fn pairs_are_split_as_the_predecessor_splits_them() {
    let table = [
        ("cmd=redis,freq=5", vec![("cmd", "redis"), ("freq", "5")]),
        ("cmd=echo a\\,b c\\\\d,freq=5", vec![("cmd", "echo a,b c\\d"), ("freq", "5")]),
        ("cmd=sh \\\"x\\\" \\$HOME", vec![("cmd", "sh \"x\" $HOME")]),
        ("cmd=a=b", vec![("cmd", "a=b")]),
        ("cmd=x\\\\,freq=5", vec![("cmd", "x\\"), ("freq", "5")]),
        ("cmd= x ", vec![("cmd", " x ")]),
        (" cmd=x, freq=5,", vec![("cmd", "x"), ("freq", "5")]),
        ("cmd=,control", vec![("cmd", ""), ("control", "true")]),
        ("", vec![]),
    ];
    for (text, wanted) in table {
        let wanted: Vec<(String, String)> =
            wanted.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(read(text), wanted, "{text}");
    }
}

#[test]
fn each_pair_knows_where_it_was_written() {
    let pairs = parse(" cmd=a\\,b, freq=5,control", &KNOWN).expect("understood");
    let offsets: Vec<(usize, usize)> =
        pairs.iter().map(|pair| (pair.key_offset, pair.value_offset)).collect();
    assert_eq!(offsets, [(1, 5), (11, 16), (18, 25)]);
}

#[test]
fn a_fault_has_its_column_and_its_cure() {
    let table = [
        ("cmd=a,frq=5", 6, "no key is called `frq`", "did you mean `freq`?"),
        ("cmd=a,b c", 6, "no key is called `b c`", "known are: cmd, freq, control, stopsignal"),
        ("cmd=a,=5", 6, "no key before `=`", "write: KEY=VALUE"),
        ("cmd=a,cmd=b", 6, "`cmd` is given twice", "leave out one of the two"),
        ("cmd=a\\", 5, "nothing behind the backslash", "for a backslash"),
        ("c\\=d=x", 0, "no key is called `c=d`", "did you mean `cmd`?"),
    ];
    for (text, offset, cause, cure) in table {
        let fault = fault(text);
        assert_eq!((fault.offset, fault.wrong.cause.as_str()), (offset, cause), "{text}");
        assert!(
            fault.wrong.cure.as_deref().unwrap_or_default().contains(cure),
            "{text}: {:?}",
            fault.wrong.cure
        );
    }
    let entry = typed(3, "attach-daemon2", "cmd=a,frq=5");
    let error = fault("cmd=a,frq=5").at(&entry);
    assert_eq!(error.place.map(|place| (place.line, place.column)), Some((3, 7)));
}

proptest::proptest! {
    #[test]
    fn what_was_escaped_comes_back(value in ".{0,40}") {
        let escaped: String = value.chars().flat_map(|one| ['\\', one]).collect();
        let pairs = read(&format!("freq=1,cmd={escaped}"));
        proptest::prop_assert_eq!(&pairs[1].1, &value);
    }

    #[test]
    fn no_text_is_too_odd_to_be_judged(text in ".{0,200}") {
        let end = text.len();
        match parse(&text, &KNOWN) {
            Ok(pairs) => proptest::prop_assert!(pairs.iter().all(|pair| pair.value_offset <= end)),
            Err(fault) => proptest::prop_assert!(fault.offset <= end),
        }
    }
}
