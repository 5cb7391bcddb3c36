//! Pure. Options of a vassal's file system.

use super::super::spec::{Kind, OptionSpec};

pub(super) const ROOTFS: &[OptionSpec] = &[
    OptionSpec::new(
        "rootfs",
        Kind::Root,
        "Directory that becomes `/`, nosuid and nodev; `ro` after it: read-only, `overlay`: changes go to memory; `idmap`: as with `bind`. Needs an `fs` namespace, as all of these do.",
    )
    .default("the Emperor's"),
    OptionSpec::new(
        "bind",
        Kind::Bind,
        "File or directory of the host, and where it is seen inside; nosuid and nodev. Flags: ro, rw, noexec, nosuid, nodev, suid, dev, rbind (with all mounts below it), idmap[=ID] (files of this id on disk, root's if none, are seen as the vassal's), idmap=FIRST-LAST@SEEN (files of these ids on disk are seen as of SEEN and those behind it).",
    )
    .repeats(),
    OptionSpec::new(
        "tmpfs",
        Kind::Memory,
        "Private memory mounted here, gone with the vassal; bytes at most, with k, m or g (default: a tenth of the machine's).",
    )
    .repeats(),
    OptionSpec::new("proc", Kind::Flag, "A `/proc` of its own, in which users do not see each other's processes; needs a `pid` namespace."),
    OptionSpec::new(
        "dev",
        Kind::Device,
        "`minimal`: null, zero, full, random, urandom, tty, own terminals and `/dev/shm`; `host`: the host's `/dev`.",
    ),
    OptionSpec::new("mask", Kind::Path, "File or directory in whose place nothing is seen.").repeats(),
    OptionSpec::new("readonly", Kind::Path, "File or directory inside that nobody writes to.").repeats(),
    OptionSpec::new(
        "etc-hosts",
        Kind::Hosts,
        "`/etc/hosts` inside: `host` is a copy of the host's, `generate` knows `localhost` and `hostname`.",
    ),
    OptionSpec::new(
        "resolv-conf",
        Kind::Resolvers,
        "`/etc/resolv.conf` inside: `host` is a copy of the host's, else addresses of name servers.",
    ),
    OptionSpec::new(
        "chroot",
        Kind::Path,
        "Directory that becomes `/`, as it is; in an `fs` namespace nothing else is left.",
    ),
    OptionSpec::new(
        "pivot-root",
        Kind::Pivot,
        "New root, and the directory in it where the as-root programs find the old one, which is left behind after them.",
    )
    .aliases(&["pivot_root"]),
    OptionSpec::new(
        "namespace",
        Kind::Namespace,
        "Namespaces fs, pid, ipc and uts, this root with its own `/proc`, and a host name.",
    )
    .aliases(&["ns"]),
    OptionSpec::new("namespace-keep-mount", Kind::Keep, "What `namespace` keeps of the host, at the same path or at another.")
        .repeats(),
    OptionSpec::new("namespace-net", Kind::Text, "`namespace` makes a network too, with `lo` up; the value names nothing.")
        .aliases(&["ns-net"]),
];
