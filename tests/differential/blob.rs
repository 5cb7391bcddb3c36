//! A config that its Emperor hands over: the argument, the head and the text, up to the longest that a head can count.

use std::path::Path;
use std::process::Command;

use crate::common::{Emperor, LIEGE, Start, Tree};
use crate::pair::UWSGI;

const PLUGIN: &str = "/usr/lib/uwsgi/plugins/emperor_zeromq_plugin.so";
/// The one for which the distribution packages modules.
const PYTHON: &str = "/usr/bin/python3";
/// Longest text whose length the 16 bits of a head can tell.
const LONGEST: usize = 65_535;

const READ: &str = r"import hashlib, os

pipe = os.fdopen(int(os.environ['UWSGI_EMPEROR_FD_CONFIG']), 'rb')
head = pipe.read(4)
text = pipe.read(head[1] + 256 * head[2])
os.write(1, f'HANDED {sys.argv[1:]} {list(head)} {hashlib.sha256(text).hexdigest()}\n'.encode())
os.read(int(os.environ['UWSGI_EMPEROR_FD']), 1)
";
const TELL: &str = include_str!("../programs/tell.py");

fn text() -> String {
    let lines: String = (0..LONGEST / 8).map(|number| format!("# line {number}\n")).collect();
    let mut text = format!("[uwsgi]\n{lines}");
    text.truncate(LONGEST);
    text
}

fn reader(tree: &Tree) -> String {
    let path = tree.script("reader", "");
    std::fs::write(&path, format!("#!{PYTHON} -IS\nimport sys\n{READ}")).unwrap();
    path.display().to_string()
}

fn handed(emperor: &Emperor) -> String {
    emperor.wait_for_line(|line| line.starts_with("HANDED"))
}

fn theirs() -> String {
    let tree = Tree::new();
    let address = format!("ipc://{}", tree.path("messages").display());
    let source = format!("zmq://{address}");
    let reader = reader(&tree);
    let options = ["--plugins", "emperor_zeromq", "--emperor", &source, "--binary-path", &reader];
    let mut emperor = Start::bare(tree).program(&[UWSGI]).options(&options).start();
    emperor.expect_no_tidy_end();
    emperor.wait_for_line(|line| line.contains("starting uWSGI Emperor"));
    let file = emperor.tree.path("text");
    std::fs::write(&file, text()).unwrap();
    let told = Command::new(PYTHON).args(["-c", TELL, &address, "x.ini"]).arg(file).status().unwrap();
    assert!(told.success());
    handed(&emperor)
}

fn ours() -> String {
    let tree = Tree::new();
    let reader = reader(&tree);
    tree.place(&tree.vassals().join("x.ini"), 0, &text());
    let options = ["--emperor-config-pipe", "--binary-path", &reader];
    handed(&Start::in_tree(tree).program(&[LIEGE]).options(&options).start())
}

#[test]
fn the_longest_config_that_a_head_can_count_is_handed_over_alike() {
    let has_zmq = Command::new(PYTHON).args(["-c", "import zmq"]).output().unwrap().status.success();
    if !has_zmq || !Path::new(PLUGIN).exists() {
        println!("skipped: needs {PLUGIN} and python3-zmq");
        return;
    }
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(theirs);
        (ours(), theirs.join().unwrap())
    });
    assert_eq!(ours, theirs);
    assert!(ours.contains("['--ini', 'emperor://x.ini'] [115, 255, 255, 0]"), "{ours}");
}
