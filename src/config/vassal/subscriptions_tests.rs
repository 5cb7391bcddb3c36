use super::*;

fn read_short(text: &str) -> Subscription {
    short(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.cause))
}

fn tcp(text: &str) -> Address {
    Address::Tcp(text.parse().expect("an address"))
}

#[test]
fn a_server_ends_where_its_key_begins() {
    for (text, server, key) in [
        ("127.0.0.1:5000:shop.example", tcp("127.0.0.1:5000"), "shop.example"),
        ("127.0.0.1:5000:shop.example:8080", tcp("127.0.0.1:5000"), "shop.example:8080"),
        ("[::1]:5000:shop.example", tcp("[::1]:5000"), "shop.example"),
        ("/run/router.sock:shop.example", Address::Unix("/run/router.sock".into()), "shop.example"),
        ("/run/router.sock:shop.example:8080", Address::Unix("/run/router.sock".into()), "shop.example:8080"),
        ("@router:shop.example/mount", Address::Abstract("router".into()), "shop.example/mount"),
    ] {
        let read = read_short(text);
        assert_eq!((read.server, read.key.as_str(), read.socket), (server, key, 0), "{text}");
    }
}

#[test]
fn what_stands_around_a_key_counts() {
    let read = read_short("1=/run/r:shop.example,9");
    assert_eq!((read.socket, read.modifier1, read.signing), (1, Some(9), None));
    let signed = read_short("/run/r:shop.example,9,SHA256:/key.pem");
    assert_eq!((signed.modifier1, &signed.signing), (Some(9), &signing("SHA256:/key.pem").ok()));
    let long = long("server=/run/r,key=k,sign=SHA256:/key.pem").expect("valid");
    assert_eq!(long.signing, signed.signing);
}

#[test]
fn what_is_no_subscription_is_refused() {
    let long_key = format!("/run/r:{}", "x".repeat(256));
    for text in [
        "",
        "/run/r",
        "127.0.0.1:5000",
        "[::1]:5000",
        "/run/r:",
        "r:k",
        "example.com:5000:k",
        "fd://3:k",
        "=0=/run/r:k",
        "x=/run/r:k",
        "/run/r:k,256",
        "/run/r:k,",
        "/run/r:k,0,SHA1:/key.pem",
        "/run/r:@/keys",
        long_key.as_str(),
    ] {
        assert!(short(text).is_err(), "{text}");
    }
    for text in [
        "key=k",
        "server=/run/r",
        "server=run/r,key=k",
        "server=/run/r,key=k,sign=SHA1:/k",
        "server=/run/r,key=k,odd=1",
        "server=/run/r,key=k,weight=heavy",
        "server=/run/r,key=k,modifier2=256",
        "server=/run/r,key=k,addr=",
    ] {
        assert!(long(text).is_err(), "{text}");
    }
    assert!(frequency("0").is_err() && frequency("86401").is_err());
}

#[test]
fn every_field_is_said_once_and_the_rest_has_its_default() {
    let mut all = Subscriptions { modifier1: 5, weight: Some(3), ..Subscriptions::default() };
    let one = long("server=/run/r,key=k,addr=/out/s,proto=http,backup=1,sni_key=/k").expect("valid");
    let said = |all: &Subscriptions, one: &Subscription| {
        let fields = all.fields(one, "/out/s");
        fields.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
    };
    let first =
        "key=k address=/out/s modifier1=5 cores=1 load=0 weight=3 modifier2=0 proto=http backup=1 sni_key=/k";
    assert_eq!(said(&all, &one), first);
    all.notify = Some("/run/told".into());
    let two = long("server=/run/r,key=k,modifier1=7,modifier2=1,weight=2").expect("valid");
    let second =
        "key=k address=/out/s modifier1=7 cores=1 load=0 weight=2 proto=uwsgi notify=/run/told modifier2=1";
    assert_eq!(said(&all, &two), second);
}
