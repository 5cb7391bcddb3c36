//! Pure. Options of the routers between jails and the world.

use super::super::spec::{Kind, OptionSpec};

pub(super) const ROUTERS: &[OptionSpec] = &[
    OptionSpec::new(
        "tuntap-router",
        Kind::Form("DEVICE SOCKET [STATS] [GATEWAY]", "emperor0 /run/tuntap.socket"),
        "A router: a network device on the host, and the unix socket that jails reach it by; stats, and a UDP address:port for other routers. All others of these options mean every router, or after `@DEVICE ` the one with that device.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-router-address",
        Kind::Form("[@DEVICE ]ADDRESS/LENGTH", "10.0.0.1/24"),
        "Address of its device and the network of its peers; brings the device up. Version 4 or 6.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-router-peer",
        Kind::Form("[@DEVICE ]uid=UID addr=ADDRESS,… [name=NAME]", "uid=1001 addr=10.0.0.5"),
        "Addresses of a user, which nobody else gets, and his name in rules and stats.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-router-admission",
        Kind::Form("[@DEVICE ]open|granted", "granted"),
        "Who gets an address: whoever comes first with one that was given to nobody, or only whom it was given to.",
    )
    .default("granted for tyrants and beside tuntap-router-peer, else open"),
    OptionSpec::new(
        "tuntap-router-policy",
        Kind::Form("[@DEVICE ]allow|deny|standard", "deny"),
        "What holds where no rule is written: everything, nothing, or the world without host, neighbours, metadata and private networks.",
    )
    .default("standard for tyrants, else allow"),
    OptionSpec::new(
        "tuntap-router-firewall-in",
        Kind::Form("[@DEVICE ]allow|deny [SOURCE DESTINATION] […]", "deny 0.0.0.0 10.0.0.3"),
        "Rule for packets to peers; the first one that fits decides. More words: proto, sport, dport, established, peer.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-router-firewall-out",
        Kind::Form("[@DEVICE ]allow|deny [SOURCE DESTINATION] […]", "deny any any proto tcp dport 25"),
        "The same for packets from peers.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-router-route",
        Kind::Form("[@DEVICE ]SOURCE DESTINATION ADDRESS:PORT", "any 10.1.0.0/16 192.0.2.1:5000"),
        "Packets of peers that go to another router, each as one datagram of UDP.",
    )
    .repeats(),
    OptionSpec::new(
        "tuntap-router-gateway",
        Kind::Form("[@DEVICE ]ADDRESS:PORT", "192.0.2.1:5000"),
        "Where datagrams of other routers come in, and those to them come from.",
    ),
    OptionSpec::new(
        "tuntap-router-stats",
        Kind::Form("[@DEVICE ]ADDRESS", "/run/tuntap.stats"),
        "Where its stats are served, as JSON.",
    ),
    OptionSpec::new(
        "tuntap-router-mtu",
        Kind::Form("[@DEVICE ]BYTES", "9000"),
        "Bytes of the longest packet between jails and host.",
    )
    .default("65000"),
    OptionSpec::new(
        "tuntap-router-mtu-beyond",
        Kind::Form("[@DEVICE ]BYTES", "1400"),
        "Bytes of the longest packet to whatever is behind the host.",
    )
    .default("1500"),
    OptionSpec::new(
        "tuntap-router-nameserver",
        Kind::Form("[@DEVICE ]ADDRESS", "192.0.2.53"),
        "Whom jails are told to ask for names.",
    )
    .repeats()
    .default("those of the host"),
    OptionSpec::new(
        "tuntap-router-leases",
        Kind::Form("[@DEVICE ]FILE", "/var/lib/liege/leases"),
        "File in which is kept who has got which address, so that he gets it again after a restart of the Emperor.",
    ),
    OptionSpec::new("tuntap-router-peers", Kind::Form("[@DEVICE ]NUMBER", "77"), "Most peers at once.")
        .default("4096"),
    OptionSpec::new(
        "tuntap-router-peers-of-user",
        Kind::Form("[@DEVICE ]NUMBER", "77"),
        "Most peers of one user at once.",
    )
    .default("256"),
    OptionSpec::new(
        "tuntap-router-queue",
        Kind::Form("[@DEVICE ]SIZE", "1m"),
        "Bytes that wait for a peer that reads through its socket; never less than two of the longest packets.",
    )
    .aliases(&["tuntap-router-buffer"])
    .default("256k"),
];

pub(super) const BOTH: &[OptionSpec] = &[OptionSpec::new(
    "tuntap-use-credentials",
    Kind::Flag,
    "A client of uWSGI says who it is before anything else, and the kernel checks it: demanded by the Emperor's routers, done by a vassal.",
)];
