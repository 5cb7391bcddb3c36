//! Pure. Options of a vassal's network, and of what it waits for.

use super::super::spec::{Kind, OptionSpec};

pub(super) const NET: &[OptionSpec] = &[
    OptionSpec::new(
        "net",
        Kind::Form("none|lo|KIND:NAME[@OUTSIDE]|ADDRESS/LENGTH[,…] via ROUTER|auto via ROUTER [KEY=VALUE…]", "lo"),
        "A network of its own: `none` with nothing, `lo` with `lo` alone, or an interface of the host: veth:eth0@web0 bridge=br0, macvlan:eth0@enp1s0, ipvlan:…, move:enp2s0; mac= and mtu= with each. Or one by a router of the Emperor's (`tuntap-router`): 10.0.0.2/24 via emperor0, auto via emperor0; dev=, mtu=, dns=, route=none.",
    )
    .repeats()
    .default("the Emperor's"),
    OptionSpec::new(
        "net-address",
        Kind::Form("ADDRESS/LENGTH[@NAME]", "10.0.0.2/24@eth0"),
        "Address of an interface in the vassal's own network; without a name, of the only `net`.",
    )
    .repeats(),
    OptionSpec::new(
        "net-route",
        Kind::Form("NETWORK|default [via GATEWAY] [dev NAME]", "default via 10.0.0.1"),
        "Route of the vassal's own network.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-device",
        Kind::Form("NAME[ SOCKET]", "uwsgi0 /run/tuntap.socket"),
        "A tun device in the vassal's own network, whose packets go to the router on that socket, of liege or uWSGI; its address is set by a program, or by `net-address`.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-device-rule",
        Kind::Form(
            "in|out SOURCE[/LENGTH] DESTINATION[/LENGTH] allow|deny|route|gateway [ADDRESS:PORT]",
            "out 10.0.0.2 192.0.2.0/24 deny",
        ),
        "Rule that the router is asked to hold the vassal's own packets against.",
    )
    .repeats(),
];

pub(super) const WAITS: &[OptionSpec] = &[
    OptionSpec::new(
        "wait-for-interface",
        Kind::Text,
        "Network interface that has to be there before addresses are set and the as-root phase begins.",
    )
    .aliases(&["wait-interface", "wait-for-iface", "wait-iface"])
    .repeats(),
    OptionSpec::new(
        "wait-for-interface-timeout",
        Kind::Form("SECS", "5"),
        "Longest wait for each interface, in seconds.",
    )
    .aliases(&["wait-interface-timeout", "wait-for-iface-timeout", "wait-iface-timeout"])
    .default("60"),
    OptionSpec::new(
        "wait-for-fs",
        Kind::Path,
        "File of any kind that has to be there before the as-root phase.",
    )
    .repeats(),
    OptionSpec::new("wait-for-file", Kind::Path, "The same for a regular file.").repeats(),
    OptionSpec::new("wait-for-dir", Kind::Path, "The same for a directory.").repeats(),
    OptionSpec::new("wait-for-mountpoint", Kind::Path, "The same for something that is mounted there.")
        .repeats(),
    OptionSpec::new(
        "wait-for-fs-timeout",
        Kind::Int("SECONDS"),
        "Longest wait for each file, directory or mount, in seconds.",
    )
    .default("60"),
    OptionSpec::new(
        "wait-for-socket",
        Kind::Address,
        "Address that somebody has to listen on before the command is started.",
    )
    .repeats(),
    OptionSpec::new(
        "wait-for-socket-timeout",
        Kind::Int("SECONDS"),
        "Longest wait for each listener, in seconds.",
    )
    .default("60"),
];
