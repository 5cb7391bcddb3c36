//! What a vassal finds in its hands.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{ALICE, Emperor, Tree};
use crate::pair::Pair;

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

#[test]
fn spike() {
    let pair = Pair::start(
        |tree| fill(tree, 0),
        &["--emperor-wrapper", "TREE/shell", "--emperor-extra-extension", ".conf", "--vassal-set", "k=v", "--vassals-inherit-before", "/before",
          "--vassals-include-before", "/b", "--emperor-throttle", "0"], &[],
    );
    let [theirs, ours] = pair.each(|emperor| dump(emperor, "a.ini"));
    for key in theirs.keys() {
        eprintln!("{key}\n   {}\n   {}", theirs[key], ours[key]);
    }
    let [theirs, ours] = pair.each(|emperor| emperor.wait_for_line(|line| line.starts_with("IGNORED")));
    eprintln!("{theirs} {ours}");
    
}
