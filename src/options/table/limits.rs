//! Pure. Options that limit a vassal.

use super::super::spec::{Kind, OptionSpec};

const SIZES: Kind = Kind::Form("SOFT[:HARD]", "64M:128M");
const NUMBERS: Kind = Kind::Form("SOFT[:HARD]", "64:128");

pub(super) const PROCESS: &[OptionSpec] = &[
    OptionSpec::new("limit-as", Kind::Form("MEBIBYTES", "77"), "Address space of each process in mebibytes, or with a unit: 512M."),
    size("rlimit-as", "Address space of each process in bytes or with K, M, G, T; one number is soft and hard limit; `unlimited` is none."),
    size("rlimit-core", "Size of a core in bytes; see `core`."),
    number("rlimit-cpu", "Seconds of CPU time of each process: SIGXCPU at the soft limit, SIGKILL at the hard one."),
    size("rlimit-data", "Data segment of each process in bytes: heap and private memory."),
    size("rlimit-fsize", "Size of a file that is written, in bytes."),
    number("rlimit-locks", "File locks; Linux takes no notice of it."),
    size("rlimit-memlock", "Memory that is kept from being swapped out, in bytes."),
    size("rlimit-msgqueue", "POSIX message queues of the vassal's user, in bytes."),
    number("rlimit-nice", "How far nice may be lowered without rights, as 20 less the nice value: 1 to 40."),
    number("rlimit-nofile", "Open descriptors of each process."),
    number("rlimit-nproc", "Processes and threads that the vassal's user may have; root is not held to it."),
    size("rlimit-rss", "Resident memory; Linux takes no notice of it: use `memory-max` of the Emperor."),
    number("rlimit-rtprio", "Highest real-time priority that may be taken without rights."),
    number("rlimit-rttime", "Microseconds that a real-time process may run without waiting."),
    number("rlimit-sigpending", "Signals that may be queued for the vassal's user."),
    size("rlimit-stack", "Stack of each process in bytes."),
    OptionSpec::new("core", Kind::Form("SIZE", "64M"), "Largest core in bytes or with a unit; `off` is none, also for a program of core_pattern.")
        .default("off"),
    OptionSpec::new("nice", Kind::Form("NUMBER", "7"), "Priority for the CPU, -20 (first) to 19 (last); below that of the Emperor needs CAP_SYS_NICE.")
        .default("the Emperor's, at least 0"),
    OptionSpec::new("ionice", Kind::Form("CLASS[:LEVEL]", "best-effort:7"), "Priority for disks: `idle`, `best-effort:LEVEL` or `realtime:LEVEL`, level 0 (first) to 7 (last)."),
    OptionSpec::new("oom-score-adj", Kind::Form("NUMBER", "500"), "Who is killed first when memory runs out, -1000 (never) to 1000; lower than before needs CAP_SYS_RESOURCE.")
        .default("the Emperor's, at least 0"),
    OptionSpec::new("securebits", Kind::Form("NAME,…", "noroot"), "What being root is worth inside: `noroot`, `no-setuid-fixup`, each also with `-locked`; needs CAP_SETPCAP."),
    OptionSpec::new("cpus", Kind::Form("LIST", "0"), "Processors that the vassal may run on, such as `0,2-3`.")
        .default("the Emperor's"),
    OptionSpec::new("cgroup", Kind::Form("PATH", "/sys/fs/cgroup/pids/x"), "Cgroup of version 1 that a vassal of root makes and enters, below one that is there.")
        .repeats(),
    OptionSpec::new("cgroup-opt", Kind::Form("FILE=VALUE", "pids.max=7"), "Written to a file of each `cgroup` that has it.").repeats(),
    OptionSpec::new("cgroup-dir-mode", Kind::Mode, "Mode of the directory of each `cgroup`, octal.").default("700"),
];

const fn size(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec::new(name, SIZES, help)
}

const fn number(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec::new(name, NUMBERS, help)
}

/// Of the cgroup of each vassal: the administrator's alone, and so the Emperor's.
pub(super) const CGROUP: &[OptionSpec] = &[
    OptionSpec::new("memory-max", Kind::Form("SIZE", "64M"), "Memory of each vassal, its files in tmpfs and its page cache included, in bytes or with K, M, G, T; beyond it somebody in it is killed.")
        .default("max"),
    OptionSpec::new("memory-high", Kind::Form("SIZE", "48M"), "Memory beyond which a vassal is slowed down and has to give some back.")
        .default("max"),
    OptionSpec::new("swap-max", Kind::Form("SIZE", "0"), "Swap of each vassal.").default("max"),
    OptionSpec::new("oom-group", Kind::Flag, "When memory runs out the whole vassal is killed, not one process of it.")
        .default("false"),
    OptionSpec::new("cpu-max", Kind::Form("SHARE", "50%"), "CPU time of each vassal: `50%` of a processor, `1.5` processors, or `200ms/1s`.")
        .default("max"),
    OptionSpec::new("cpu-weight", Kind::Form("WEIGHT", "77"), "Share of the CPU when there is not enough for all, 1 to 10000.")
        .default("100"),
    OptionSpec::new("pids-max", Kind::Form("NUMBER", "77"), "Processes and threads of each vassal; further ones fail with EAGAIN.")
        .default("max"),
    OptionSpec::new("io-max", Kind::Form("DEVICE KEY=VALUE…", "8:0 rbps=1M"), "What each vassal may take of a disk, per second: /dev/sda rbps=10M wbps=10M riops=100 wiops=100.")
        .repeats(),
    OptionSpec::new("io-weight", Kind::Form("WEIGHT", "77"), "Share of the disks when there is not enough for all, 1 to 10000.")
        .default("100"),
    OptionSpec::new("emperor-limits", Kind::Path, "File with these limits for single vassals: sections named after patterns of vassals or `uid=USER`; a change holds at once."),
];
