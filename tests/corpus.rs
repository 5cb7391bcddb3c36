//! Configs after the patterns of the manual and of real platforms (`tests/corpus`), read by the real uwsgi and by us:
//! option by option they have to mean the same. What uwsgi cannot read (toml) is compared with its twin in ini.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::Tree;

/// What both see as their environment.
const VARIABLES: [(&str, &str); 2] = [("HOME", "/home/shop"), ("PATH", "/usr/bin:/bin")];
/// Words of the language, which have done their work: uwsgi shows them all the same, we do not.
const SPOKEN: [&str; 17] = [
    "ini",
    "xml",
    "yaml",
    "json",
    "include",
    "inherit",
    "set",
    "set-placeholder",
    "else",
    "end",
    "endif",
    "end-if",
    "endfor",
    "end-for",
    "declare-option",
    "declare-option2",
    "strict",
];
/// Configs that do not mean the same, and what `docs/differences.md` says of it.
const DIFFERENT: [(&str, &str); 7] = [
    ("form/declared.ini", "What a declared option stands for is shown"),
    ("logic/else.ini", "`else` is read, which uWSGI 2.0 has not"),
    ("corners/vanish.ini", "`%x` with an `x` that means nothing stays as it is"),
    ("corners/default.ini", "The default in `$(NAME:-default)` is all that follows"),
    ("corners/inherits.ini", "`inherit`ed files see `$(…)`, `@(…)` and `%(…)`"),
    ("corners/bracket.ini", "the name of a section ends at its bracket"),
    ("corners/list.yml", "| yaml section deeper in the file; a list of mappings |"),
];
/// Fewer would be no corpus.
const CONFIGS_MIN: usize = 90;

type Options = Vec<(String, String)>;

/// A config as we understand it.
struct Ours {
    options: Options,
    placeholders: Options,
}

/// A copy of the configs, and of liege, where everybody may read: this checkout may lie in somebody's home.
struct Corpus(Tree);

impl Corpus {
    fn new() -> Self {
        let tree = Tree::new();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        let copied = Command::new("cp").arg("-a").arg(ours).arg(tree.path("corpus")).status().unwrap();
        assert!(copied.success());
        Self(tree)
    }

    fn top(&self) -> PathBuf {
        self.0.path("corpus")
    }

    fn liege(&self) -> String {
        self.0.liege().to_str().unwrap().to_owned()
    }
}

/// Every config but those that others include.
fn configs(corpus: &Corpus) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![corpus.top()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(OsStr::to_str) {
                None if path.is_dir() && !path.ends_with("parts") => open.push(path),
                Some("ini" | "xml" | "yml" | "json" | "toml") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Runs in the directory of the config, as nobody: whatever a config asks for, there is no right to do it.
fn run(config: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]).args(arguments);
    command.env_clear().envs(VARIABLES).stdin(Stdio::null());
    command.current_dir(config.parent().unwrap()).output().unwrap()
}

/// What uwsgi shows; it then ends, because it cannot write its pid.
fn uwsgis(config: &Path) -> Options {
    let option = match config.extension().unwrap().to_str().unwrap() {
        "yml" => "--yaml",
        "xml" => "--xml",
        "json" => "--json",
        _ => "--ini",
    };
    let name = config.file_name().unwrap().to_str().unwrap();
    let output = run(
        config,
        "uwsgi",
        &["--show-config", option, name, "--pidfile2", "/nonexistent/pid", "--pidfile", "/nonexistent/pid"],
    );
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let shown = said.split_once("[uwsgi]\n").and_then(|(_, rest)| rest.split_once(";end of configuration"));
    let (shown, _) = shown.unwrap_or_else(|| panic!("{}: uwsgi shows nothing: {said}", config.display()));
    let pair = |line: &str| {
        let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
        (key.to_owned(), value.to_owned())
    };
    shown.lines().map(pair).filter(|(key, _)| is_option(key)).collect()
}

fn is_option(key: &str) -> bool {
    let given = ["show-config", "pidfile", "pidfile2"];
    let logic = key.starts_with("if-") || key.starts_with("for");
    !given.contains(&key) && !SPOKEN.contains(&key) && (!logic || key.starts_with("fork"))
}

fn ours(corpus: &Corpus, config: &Path) -> Ours {
    let name = config.file_name().unwrap().to_str().unwrap();
    let output = run(config, &corpus.liege(), &["show-config", "--json", name]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", config.display());
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |option: &serde_json::Value, name: &str| option[name].as_str().unwrap().to_owned();
    let pairs = |list: &str| {
        let options = shown[list].as_array().unwrap().iter();
        let options = options.map(|option| (text(option, "name"), text(option, "value")));
        options.filter(|(key, _)| is_option(key)).collect()
    };
    Ours { options: pairs("options"), placeholders: pairs("placeholders") }
}

/// A flag without a value, with an empty one, and one that is true are the same to whoever reads them.
fn meant(options: Options) -> Options {
    let yes =
        |value: String| if ["true", "1", ""].contains(&value.as_str()) { "1".to_owned() } else { value };
    options.into_iter().map(|(key, value)| (key, yes(value.trim_end().to_owned()))).collect()
}

#[test]
fn every_config_means_to_us_what_it_means_to_uwsgi() {
    common::demand_root();
    if Command::new("uwsgi").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: there is no uwsgi");
        return;
    }
    let corpus = Corpus::new();
    let configs = configs(&corpus);
    assert!(configs.len() >= CONFIGS_MIN, "{} configs", configs.len());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (name, row) in DIFFERENT {
        assert!(page.contains(row), "docs/differences.md does not say of {name}: {row}");
    }
    let mut differ = String::new();
    for config in configs.iter().filter(|config| config.extension() != Some(OsStr::new("toml"))) {
        let (theirs, ours) = (meant(uwsgis(config)), ours(&corpus, config));
        assert!(!theirs.is_empty(), "{}: nothing to compare", config.display());
        let ours = (meant(ours.options), meant(ours.placeholders));
        let is_placeholder = |key: &str| ours.1.iter().any(|(name, _)| name == key);
        let (placeholders, options) = theirs.into_iter().partition(|(key, _)| is_placeholder(key));
        let alike = ours == (options, placeholders);
        let different = DIFFERENT.iter().any(|(name, _)| config.ends_with(name));
        if alike == different {
            differ += &format!("{}\n  uwsgi: {:?}\n  liege: {ours:?}\n", config.display(), uwsgis(config));
        }
    }
    assert!(differ.is_empty(), "{differ}");
}

#[test]
fn one_config_in_five_formats_is_one_config() {
    common::demand_root();
    let corpus = Corpus::new();
    let in_ini = meant(ours(&corpus, &corpus.top().join("formats/shop.ini")).options);
    assert!(in_ini.contains(&("chdir".into(), "/srv/shop/www".into())), "{in_ini:?}");
    for format in ["xml", "yml", "json", "toml"] {
        let other = ours(&corpus, &corpus.top().join("formats").join(format!("shop.{format}")));
        assert_eq!(meant(other.options), in_ini, "{format}");
    }
}

/// What people run, other than what only shows the language.
const REAL: [&str; 4] = ["emperor", "hosting", "manual", "skeleton"];

#[test]
fn nothing_in_a_real_config_is_taken_for_a_typing_error() {
    common::demand_root();
    let is_real = |config: &&PathBuf| REAL.iter().any(|kind| config.parent().unwrap().ends_with(kind));
    let corpus = Corpus::new();
    let configs = configs(&corpus);
    let real: Vec<&PathBuf> = configs.iter().filter(is_real).collect();
    assert!(real.len() > 30, "{}", real.len());
    for config in real {
        let name = config.file_name().unwrap().to_str().unwrap();
        let output = run(config, &corpus.liege(), &["check", name]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let taken = said.contains("did you mean") || said.contains("unknown option");
        assert!(!taken && said.contains(name), "{}: {said}", config.display());
    }
}
