//! The commands of `docs/tour.md`, with what they print, on a host of their own: its networks, its users and the places where configs, logs
//! and sockets are, are nobody else's.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use common::{Emperor, LIEGE, PATIENCE, Start, Tree};

/// A host where all that the tour touches is empty or a copy. `$0` is the tree of the test, which stays where it is.
const HOST: &str = r#"set -e
mount --make-rprivate /
cp -a /etc "$0/etc"
mount --bind "$0/etc" /etc
mkdir "$0/kept"
mount --bind "$0" "$0/kept"
for place in /srv /home /root /var/log /run; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
mkdir "/srv/kept"
mount --move "$0/kept" /srv/kept
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p "$0"
mount --move /srv/kept "$0"
rmdir /srv/kept
ip link set lo up
echo ready
exec sleep infinity
"#;

/// What the page has of a command: who types it, what, and what is printed, if that is looked at.
#[derive(Debug)]
struct Line {
    by_root: bool,
    command: String,
    answer: Vec<String>,
}

fn lines(page: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("    ")) {
        let (root, tenant) = (line.strip_prefix("# "), line.strip_prefix("alice$ "));
        match (root.or(tenant), lines.last_mut()) {
            (Some(command), _) => {
                let (by_root, command) = (root.is_some(), command.to_owned());
                lines.push(Line { by_root, command, answer: Vec::new() });
            }
            (None, Some(line_above)) => line_above.answer.push(line.to_owned()),
            (None, None) => panic!("an answer to nothing: {line}"),
        }
    }
    lines
}

/// The host; it ends with this.
struct Host {
    process: Child,
}

impl Host {
    fn begin(tree: &Tree) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--net", "sh", "-c", HOST]);
        command.arg(tree.path("")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut said = [0; 6];
        process.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        Self { process }
    }

    /// These words before a program run it on this host, in a clone of the repository.
    fn entered(&self, tree: &Tree) -> Vec<String> {
        let pid = self.process.id().to_string();
        let path = format!(
            "PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            tree.path("bin").display()
        );
        let clone = format!("--chdir={}", tree.path("clone").display());
        let words = [
            "nsenter",
            "--target",
            &pid,
            "--mount",
            "--net",
            "env",
            "-i",
            &clone,
            "HOME=/root",
            "TERM=xterm",
            &path,
        ];
        words.map(str::to_owned).to_vec()
    }

    fn run(&self, tree: &Tree, line: &Line) -> Output {
        let entered = self.entered(tree);
        let mut command = Command::new(&entered[0]);
        command.args(&entered[1..]);
        if !line.by_root {
            command.args(["setpriv", "--reuid", "alice", "--regid", "alice", "--clear-groups"]);
        }
        // Whoever attaches does so at a terminal.
        match line.command.starts_with("liege attach") {
            true => command.args(["script", "-qec", &line.command, "/dev/null"]),
            false => command.args(["sh", "-c", &format!("exec 2>&1; {}", line.command)]),
        };
        command.stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What only looks is tried again until it has come about.
fn only_looks(command: &str) -> bool {
    [
        "curl ",
        "ssh ",
        "liege status",
        "liege why",
        "liege tail",
        "liege exec",
        "liege attach",
        "liege net",
        "liege check",
    ]
    .iter()
    .any(|one| command.starts_with(one))
}

/// Whether this was printed: `…` within a line stands for anything, as a line for any lines, and blanks are blanks.
fn fits(wanted: &[&str], told: &[&str]) -> bool {
    match (wanted.split_first(), told.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) if fits(rest, told) => true,
        (Some((&"…", _)), Some((_, others))) => fits(wanted, others),
        (Some((line, rest)), Some((other, others))) => line_fits(line, other) && fits(rest, others),
        _ => false,
    }
}

fn line_fits(wanted: &str, told: &str) -> bool {
    let even = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (wanted, told) = (even(wanted), even(told));
    let pattern: Vec<&str> = wanted.split('…').map(str::trim).collect();
    let (first, last) = (pattern[0], pattern[pattern.len() - 1]);
    let Some(mut rest) = told.strip_prefix(first) else { return false };
    if pattern.len() == 1 {
        return rest.is_empty();
    }
    for part in &pattern[1..pattern.len() - 1] {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn patterns_fit_what_they_should() {
    for (wanted, told, fit) in [
        (&["a … c"][..], &["a  b   c"][..], true),
        (&["a … c"], &["a b d"], false),
        (&["a"], &["a", "b"], false),
        (&["…", "b"], &["x", "a", "b"], true),
        (&["a", "…"], &["a"], true),
        (&[], &["a"], false),
    ] {
        assert_eq!(fits(wanted, told), fit, "{wanted:?} {told:?}");
    }
}

/// Tries a line until it says what the page has, or, where it would do something twice, once.
fn try_line(host: &Host, tree: &Tree, line: &Line) {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = String::from_utf8(host.run(tree, line).stdout).unwrap();
        let mut told: Vec<&str> = text.lines().collect();
        let mut wanted: Vec<&str> = line.answer.iter().map(String::as_str).collect();
        // Of several who are told, whoever is ready first is told of first.
        if !wanted.contains(&"…") {
            told.sort_unstable();
            wanted.sort_unstable();
        }
        if fits(&wanted, &told) {
            return;
        }
        let again = only_looks(&line.command) && Instant::now() < until;
        assert!(again, "{}\n--- the page:\n{}\n--- told:\n{text}", line.command, line.answer.join("\n"));
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
}

fn is_there(program: &str) -> bool {
    ["/usr/bin", "/usr/sbin"].iter().any(|directory| Path::new(directory).join(program).exists())
}

/// The Emperor of the page, on its host.
fn reign(host: &Host, tree: Tree) -> Emperor {
    let entered = host.entered(&tree);
    let words: Vec<&str> = entered.iter().map(String::as_str).collect();
    Start::without_stats(tree).program(&words).options(&["liege", "--ini", "/etc/liege/emperor.ini"]).start()
}

#[test]
fn the_tour_is_as_its_page_says() {
    for program in ["uwsgi_python3", "redis-server", "dropbear", "ssh", "curl", "script"] {
        if !is_there(program) {
            return eprintln!("skipped: {program} is not installed");
        }
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(sources.join("docs/tour.md")).unwrap();
    let tenant = std::fs::read_to_string(sources.join("examples/tour/tenant.ini")).unwrap();
    let shown = &tenant[tenant.find("[uwsgi]").unwrap()..];
    assert!(page.contains(&format!("```ini\n{shown}```")), "the page shows another config");
    let tree = Tree::new();
    ["bin", "clone"].iter().for_each(|name| _ = tree.dir(name));
    common::lend_program(LIEGE, tree.path("bin/liege"));
    let examples = tree.path("clone/examples");
    let copied = Command::new("cp").arg("-r").arg(sources.join("examples")).arg(examples).status();
    assert!(copied.unwrap().success());
    let lines = lines(&page);
    let begin = lines.iter().position(|line| line.command.starts_with("liege --ini")).unwrap();
    let host = Host::begin(&tree);
    lines[..begin].iter().for_each(|line| try_line(&host, &tree, line));
    let mut emperor = reign(&host, tree);
    emperor.wait_for_line(|line| line.contains("router=emperor0") && line.contains("serves"));
    lines[begin + 1..].iter().for_each(|line| try_line(&host, &emperor.tree, line));
    assert!(emperor.wait().success());
    drop(host);
    emperor.stop();
}
