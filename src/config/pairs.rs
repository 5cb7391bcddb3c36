//! Pure. Values made of `key=value` in a config that uwsgi reads: it skips a key that it does not know, and takes a
//! word for 0 where it wants a number, without saying so.

use super::keyval::{self, Fault, Pair};
use super::load::{ERRORS_MAX, Loaded};
use super::place::{ConfigError, Entry};
use super::values::{Wrong, integer};

/// The keys that one option knows.
struct Shape {
    option: &'static str,
    /// Of numbers.
    numbers: &'static [&'static str],
    /// Of anything else.
    others: &'static [&'static str],
}

const SHAPES: [Shape; 2] = [
    Shape {
        option: "attach-daemon2",
        numbers: &[
            "freq",
            "gid",
            "max_throttle",
            "reload_signal",
            "reloadsignal",
            "stop_signal",
            "stopsignal",
            "uid",
        ],
        others: &[
            "chdir",
            "cmd",
            "command",
            "control",
            "daemon",
            "daemonize",
            "exec",
            "notifypid",
            "ns_pid",
            "pidfile",
            "stdin",
            "touch",
        ],
    },
    Shape {
        option: "subscribe2",
        numbers: &["backup", "modifier1", "modifier2", "socket", "weight"],
        others: &[
            "addr", "address", "algo", "check", "inactive", "key", "proto", "server", "sign", "sni_ca",
            "sni_crt", "sni_key", "vassal",
        ],
    },
];

impl Loaded {
    /// What uwsgi would read otherwise than it was meant, each with its line: for a config that it reads.
    pub fn misread(&self) -> Vec<ConfigError> {
        let wrong = self.entries.iter().filter_map(|entry| judge(entry).err());
        self.texts.explain(wrong.take(ERRORS_MAX).collect())
    }
}

fn judge(entry: &Entry) -> Result<(), ConfigError> {
    let Some(shape) = SHAPES.iter().find(|shape| shape.option == entry.key) else { return Ok(()) };
    let known = [shape.numbers, shape.others].concat();
    let pairs = keyval::parse(&entry.value, &known);
    let read = pairs.and_then(|pairs| pairs.iter().try_for_each(|pair| check_number(pair, shape)));
    read.map_err(|fault| fault.at(entry))
}

fn check_number(pair: &Pair, shape: &Shape) -> Result<(), Fault> {
    if !shape.numbers.contains(&pair.key.as_str()) {
        return Ok(());
    }
    let fault = |wrong: Wrong| {
        let cause = format!("`{}` takes a number: {}", pair.key, wrong.cause);
        Fault { offset: pair.value_offset, wrong: Wrong { cause, ..wrong } }
    };
    integer(&pair.value).map(drop).map_err(fault)
}
