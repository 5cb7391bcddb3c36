//! Pure. What the log keeper may ask of the kernel: what carries bytes between descriptors that it was given; besides, if it writes
//! files, to open and rename them; if it sends datagrams, to reach whoever takes them once he has come back; if it writes to standard
//! error, to put another one in its place.

use jail::plan::Filter;

use super::charter::Sink;
use crate::gateways;

const OF_FILES: &[&str] = &["openat", "renameat", "renameat2", "unlinkat", "getdents64"];
const OF_DATAGRAMS: &[&str] = &["connect"];
/// Which of them an architecture has.
const OF_STDERR: &[&str] = &["dup2", "dup3"];

/// The filter for this place of lines.
pub fn filter(sink: &Sink) -> Option<Filter> {
    gateways::filter::with(match sink {
        Sink::Files => OF_FILES,
        Sink::Journal | Sink::Syslog(_) => OF_DATAGRAMS,
        Sink::Stderr => OF_STDERR,
        Sink::Nowhere => &[],
    })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use jail::plan::Call;
    use syscalls::Sysno;

    use super::*;

    /// Row L4.
    #[test]
    fn it_gets_nothing_new_but_files_where_it_writes_files() {
        let lets = |sink: &Sink, name: &str| {
            let number = Sysno::from_str(name).expect("a call").id().unsigned_abs();
            filter(sink).expect("short").lets(&Call { number, arguments: [0; 6] })
        };
        for name in ["socket", "execve", "ptrace", "openat2", "mount", "kill", "linkat", "setuid"] {
            assert!(!lets(&Sink::Files, name) && !lets(&Sink::Journal, name), "{name}");
        }
        assert!(lets(&Sink::Files, "openat") && !lets(&Sink::Stderr, "openat"));
        assert!(lets(&Sink::Journal, "connect") && !lets(&Sink::Files, "connect"));
    }
}
