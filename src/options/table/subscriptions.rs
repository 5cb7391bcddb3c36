//! Pure. Options by which a vassal is announced to routers.

use super::super::spec::{Kind, OptionSpec};

pub(super) const SUBSCRIPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "subscribe-to",
        Kind::Form("SERVER:KEY[,MODIFIER1[,DIGEST:KEYFILE]]", "/run/router.sock:shop.example"),
        "Announces the vassal to the router that takes subscriptions at SERVER, as who serves KEY, for as long as its command runs.",
    )
    .aliases(&["subscribe", "st"])
    .repeats(),
    OptionSpec::new(
        "subscribe2",
        Kind::Form("server=SERVER,key=KEY,…", "server=/run/router.sock,key=shop.example"),
        "The same by keys: addr, socket, modifier1, modifier2, weight, backup, proto, algo, check, vassal, notify, sni_key, sni_crt, sni_ca, sign (DIGEST:KEYFILE: what it says is signed with that private RSA key).",
    )
    .repeats(),
    OptionSpec::new(
        "subscribe-freq",
        Kind::Int("SECONDS"),
        "Seconds between two announcements; the first ones follow each other faster.",
    )
    .default("10"),
    OptionSpec::new(
        "subscribe-with-modifier1",
        Kind::Int(""),
        "The `modifier1` of announcements that name none: what the router has the vassal do with requests.",
    )
    .default("0"),
    OptionSpec::new(
        "weight",
        Kind::Int(""),
        "The `weight` of announcements that name none: the vassal's share of the requests for its key.",
    )
    .default("1"),
    OptionSpec::new(
        "unsubscribe-on-graceful-reload",
        Kind::Flag,
        "Routers are told that the vassal is gone when it reloads, too.",
    )
    .default("false"),
    OptionSpec::new(
        "subscription-notify-socket",
        Kind::Path,
        "Unix datagram socket to which routers say that they took the vassal up.",
    ),
];
