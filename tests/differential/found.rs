//! What a vassal finds in its hands.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{ALICE, Emperor, Tree};
use crate::pair::{Pair, documented};

/// What only a shell sees: Python ignores signals of its own.
const SHELL: &str = r#"sed -n "s/^SigIgn:\t/IGNORED /p" /proc/self/status
exec /usr/bin/python3 -IS "${0%/*}/look.py" "$@""#;

const LOOK: &str = r"import ctypes, json, os, resource, sys

status = dict(line.split(':\t', 1) for line in open('/proc/self/status').read().splitlines())
signal = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(signal))


def kind(number):
    try:
        return os.readlink(f'/proc/self/fd/{number}').split(':')[0]
    except FileNotFoundError:
        return None


control = int(os.environ['UWSGI_EMPEROR_FD'])
descriptors = {n: kind(n) for n in sorted(map(int, os.listdir('/proc/self/fd'))) if kind(n)}
seen = {
    'cwd': os.getcwd(),
    'argv': sys.argv[1:],
    'control': descriptors.pop(control),
    'descriptors': {str(n): kind for n, kind in descriptors.items()},
    'ids': [os.getresuid(), os.getresgid(), os.getgroups()],
    'blocked': status['SigBlk'],
    'death signal': signal.value,
    'parent': os.getppid(),
    'priority': os.nice(0),
    'umask': status['Umask'],
    'limits': resource.getrlimit(resource.RLIMIT_NOFILE),
    'capabilities': [status[name] for name in ('CapPrm', 'CapEff', 'CapInh', 'CapAmb')],
    'no new privileges': status['NoNewPrivs'],
    'session': os.getsid(0) == os.getpid(),
    'group': os.getpgid(0) == os.getpid(),
    'environment': dict(os.environ),
}
name = sys.argv[sys.argv.index('k=v') + 2]
os.write(1, f'DUMP {name} {json.dumps(seen)}\n'.encode())
os.read(control, 1)
";

const NAMES: [&str; 7] = ["a.ini", "b.xml", "c.yml", "d.yaml", "e.json", "f.js", "g.conf"];

type Dump = BTreeMap<String, Value>;

fn fill(tree: &Tree, owner: u32) {
    tree.script("shell", SHELL);
    std::fs::write(tree.path("look.py"), LOOK).unwrap();
    for name in NAMES {
        tree.vassal_of(owner, name, "");
    }
}

/// What the vassal of a name found.
fn dump(emperor: &Emperor, name: &str) -> Dump {
    let first = format!("DUMP {name} ");
    let line = emperor.wait_for_line(|line| line.starts_with(&first));
    let text = line[first.len()..].replace(&emperor.tree.path("").display().to_string(), "TREE/");
    serde_json::from_str(&text).unwrap()
}

const OPTIONS: [&str; 14] = [
    "--emperor-wrapper",
    "TREE/shell",
    "--emperor-extra-extension",
    ".conf",
    "--vassals-inherit-before",
    "/inherited-before",
    "--vassals-include-before",
    "/included-before",
    "--vassal-set",
    "k=v",
    "--vassals-inherit",
    "/inherited",
    "--vassals-include",
    "/included",
];
/// What both leave alone, or give alike.
const SAME: [&str; 12] = [
    "cwd",
    "argv",
    "control",
    "descriptors",
    "ids",
    "blocked",
    "death signal",
    "priority",
    "umask",
    "limits",
    "capabilities",
    "no new privileges",
];

fn is_child_of(emperor: &Emperor, dump: &Dump) -> bool {
    dump["parent"] == emperor.process.pid
}

#[test]
fn a_vassal_finds_the_same_in_its_hands_whatever_its_suffix() {
    let pair = Pair::start(|tree| fill(tree, 0), &OPTIONS, &[]);
    for name in NAMES {
        let [theirs, ours] = pair.each(|emperor| dump(emperor, name));
        for key in SAME {
            assert_eq!(ours[key], theirs[key], "{name}: {key}");
        }
        assert!(is_child_of(&pair.ours, &ours) && is_child_of(&pair.theirs, &theirs));
        assert_environment(&ours["environment"], &theirs["environment"]);
        documented("| session, process group, terminal | the Emperor's | its own |");
        assert_eq!([&ours["session"], &theirs["session"]], [true, false]);
        assert_eq!([&ours["group"], &theirs["group"]], [true, false]);
    }
    documented("| SIGPIPE | ignored | as in any fresh process |");
    let ignored = pair.each(|emperor| emperor.wait_for_line(|line| line.starts_with("IGNORED ")));
    // Theirs may have more from whoever started it.
    let [theirs, ours] = ignored.map(|line| u64::from_str_radix(&line["IGNORED ".len()..], 16).unwrap());
    let sigpipe = 1 << (rustix::process::Signal::PIPE.as_raw() - 1);
    assert_eq!((theirs & sigpipe, ours), (sigpipe, 0));
}

/// Nothing that theirs would not find; what makes it a vassal.
fn assert_environment(ours: &Value, theirs: &Value) {
    documented("| environment of a vassal | the Emperor's | clean");
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    for (name, value) in ours.iter().filter(|(name, _)| *name != "UWSGI_EMPEROR_FD") {
        assert_eq!(theirs.get(name), Some(value), "{name}");
    }
    assert!(ours.contains_key("UWSGI_EMPEROR_FD"));
}

#[test]
fn a_tenants_vassal_has_his_ids_and_no_capability_under_either() {
    let options = [&OPTIONS[..], &["--emperor-tyrant"]].concat();
    let pair = Pair::start(|tree| fill(tree, ALICE), &options, &["--jail=none"]);
    let [theirs, ours] = pair.each(|emperor| dump(emperor, "a.ini"));
    for key in ["cwd", "argv", "control", "descriptors", "ids", "blocked", "umask", "limits", "capabilities"]
    {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(ours["capabilities"], Value::from(vec!["0000000000000000"; 4]));
    documented(
        "| the Emperor is killed | vassals die by a signal, or notice the end of their pipe | the same, and in tyrant mode too",
    );
    assert_eq!([&ours["death signal"], &theirs["death signal"]], [9, 0]);
    documented("| `no_new_privs` | not set | set for tenants |");
    assert_eq!([&ours["no new privileges"], &theirs["no new privileges"]], ["1", "0"]);
}
