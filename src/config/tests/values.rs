use crate::config::emperor::Source;
use crate::config::quantity::*;
use crate::config::values::*;
use crate::config::vassal::Address;

#[test]
fn flags() {
    for yes in ["", "true", "True", "yes", "on", "1"] {
        assert_eq!(flag(yes), Ok(true), "{yes}");
    }
    for no in ["false", "FALSE", "no", "off", "0"] {
        assert_eq!(flag(no), Ok(false), "{no}");
    }
    for odd in ["disabled", "n", "00", "2", "truee", "-1"] {
        assert_eq!(flag(odd), Ok(true), "{odd}");
        assert!(odd_flag(odd).is_some(), "{odd}");
    }
    assert_eq!(odd_flag("Off"), None);
}

#[test]
fn numbers() {
    assert_eq!(count("4294967295"), Ok(4_294_967_295));
    for bad in ["", "-1", "+1", " 1", "1s", "0x10", "4294967296", "99999999999999999999", "1.5", "١"] {
        assert!(count(bad).is_err(), "{bad}");
    }
}

#[test]
fn times() {
    let table = [
        ("30", 30_000),
        ("1.5s", 1_500),
        ("2m", 120_000),
        ("500ms", 500),
        ("1h", 3_600_000),
        ("0.25", 250),
        ("1.5d", 129_600_000),
        ("0", 0),
        ("4294967295", 4_294_967_295_000),
    ];
    for (text, ms) in table {
        assert_eq!(seconds(text), Ok(ms), "{text}");
    }
    assert_eq!(milliseconds("30"), Ok(30));
    assert_eq!(milliseconds("4294967295"), Ok(4_294_967_295));
    let bad = [
        "",
        "-1",
        "+1",
        " 1",
        "1 s",
        "0x10",
        "4294967296",
        "99999999999999999999",
        "1.5.1",
        "1.",
        ".5",
        "1sec",
        "1S",
        "0.5ms",
        "1.2345s",
        "١",
        "s",
        "213503982335d",
    ];
    for bad in bad {
        assert!(seconds(bad).is_err(), "{bad}");
    }
    assert!(milliseconds("4294967296").is_err());
}

#[test]
fn sizes() {
    assert_eq!(size("4096"), Ok(4096));
    assert_eq!((size("64K"), size("1m"), size("2G")), (Ok(64 << 10), Ok(1 << 20), Ok(2 << 30)));
    assert_eq!(size("16777215T"), Ok(16_777_215 << 40));
    for bad in ["", "K", "-1", "1 K", "1.5M", "1KB", "1x", "16777216T", "99999999999999999999"] {
        assert!(size(bad).is_err(), "{bad}");
    }
}

#[test]
fn modes() {
    assert_eq!(mode("660"), Ok(0o660));
    assert_eq!(mode("0666"), Ok(0o666));
    for bad in ["", "66", "888", "rwx", "00660", "+66"] {
        assert!(mode(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_vassal_never_becomes_root_by_a_number() {
    for bad in [
        "",
        "0",
        "00",
        "+0",
        "-1",
        " 0",
        "0 ",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "a b",
        "a:b",
        "\u{1b}",
    ] {
        assert!(vassal_identity(bad).is_err(), "{bad:?}");
    }
    for good in ["1", "33", "65534", "4294967294", "www-data", "0x", "shop_1"] {
        assert_eq!(vassal_identity(good), Ok(good.to_owned()));
    }
    assert_eq!(identity("0"), Ok("0".to_owned()));
}

#[test]
fn addresses() {
    let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
    let table = [
        (":3031", tcp("0.0.0.0:3031")),
        ("127.0.0.1:3031", tcp("127.0.0.1:3031")),
        ("[::1]:3031", tcp("[::1]:3031")),
        ("/run/a:b.sock", Address::Unix("/run/a:b.sock".into())),
        ("run/a.sock", Address::Unix("run/a.sock".into())),
        ("@name", Address::Abstract("name".into())),
        ("fd://3", Address::Inherited(3)),
        ("fd://255", Address::Inherited(255)),
    ];
    for (text, wanted) in table {
        assert_eq!(address(text), Ok(wanted));
    }
    for bad in ["", "@", ":", ":70000", ":+80", "localhost:80", "1.2.3:80", "::1:80", &"x".repeat(108)]
        .into_iter()
        .chain(["fd://", "fd://2", "fd://256", "fd://+3", "fd://x"])
    {
        assert!(address(bad).is_err(), "{bad}");
    }
}

#[test]
fn sources() {
    let table = [
        ("/etc/vassals", Source::Dir("/etc/vassals".into())),
        ("vassals", Source::Dir("vassals".into())),
        ("dir:///srv/*", Source::Dir("/srv/*".into())),
        ("/srv/*/liege.ini", Source::Glob("/srv/*/liege.ini".into())),
        ("glob:///srv/x", Source::Glob("/srv/x".into())),
        ("/etc/one.ini", Source::Glob("/etc/one.ini".into())),
    ];
    for (text, wanted) in table {
        assert_eq!(source(text), Ok(wanted), "{text}");
    }
    for bad in ["", "pg://host=x", "dir://", "glob://"] {
        assert!(source(bad).is_err(), "{bad}");
    }
}

#[test]
fn words_pairs_and_names() {
    assert_eq!(words("a 'b c' d\\ e"), Ok(vec!["a".into(), "b c".into(), "d e".into()]));
    for bad in ["", "  ", "'a", "# only a comment"] {
        assert!(words(bad).is_err(), "{bad}");
    }
    assert_eq!(pair("A=b=c"), Ok(("A".into(), "b=c".into())));
    assert!(pair("=b").is_err() && pair("A").is_err());
    assert!(hostname("foobar").is_ok() && hostname("a b").is_err() && hostname(&"a".repeat(65)).is_err());
    assert!(
        ownership("a:b").is_ok()
            && ownership("a").is_ok()
            && ownership("a:").is_err()
            && ownership("a:b:c").is_err()
    );
    assert!(suffix(".conf").is_ok() && suffix("conf").is_err() && suffix(".").is_err());
}
