//! The option language, read by the real uWSGI and by us: each line of the tables is asked of both.

use std::io;
use std::path::Path;

use super::{pairs, real_uwsgi, sentences, typed};
use crate::cli::world::Surroundings;
use crate::config::load;
use crate::config::place::Texts;
use crate::config::probe::Probes;
use crate::config::source::{Host, Origin, Unread, Variable, World};
use crate::options::{Scope, Standing, standing};

/// What both see as their environment.
const VARIABLES: [(&str, &str); 4] = [("HOME", "/root"), ("FOO", "bar"), ("EMPTY", ""), ("SPACED", "p q")];

type Options = Vec<(String, String)>;

/// The real machine, with a fixed environment.
struct Here {
    surroundings: Surroundings,
    reloads: Option<&'static str>,
}

impl World for Here {
    fn read(&self, name: &str) -> io::Result<Origin> {
        self.surroundings.read(name)
    }

    fn variable(&self, name: &str) -> Option<String> {
        let known = VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        known.or(self.reloads.filter(|_| name == "UWSGI_RELOADS")).map(str::to_owned)
    }

    fn variables(&self, directory: &str) -> Result<Vec<Variable>, Unread> {
        self.surroundings.variables(directory)
    }

    fn host(&self) -> &Host {
        self.surroundings.host()
    }

    fn probes(&self) -> &dyn Probes {
        self.surroundings.probes()
    }
}

/// A directory with files that the configs name as `DIR/…`.
struct Room {
    directory: tempfile::TempDir,
    reloads: Option<&'static str>,
}

impl Room {
    fn new() -> Self {
        let room = Self { directory: tempfile::tempdir().unwrap(), reloads: None };
        room.write("lines.txt", "one\n\n  two  \nthree");
        room.write("word.txt", "word\n");
        room.write("words.txt", "%(base)-word\n");
        room.write("empty.txt", "");
        room.write("bare.ini", "[uwsgi]\nenv = LOOP=%(_)\nenv = IS=%n %N %o\n");
        room.write("heir.ini", "[uwsgi]\nenv = HEIR=%n\n");
        room.write("section.ini", "[one]\nenv = S=1%x\n[two]\nenv = S=2%x\n");
        room.write("glob/b", "");
        room.write("glob/a", "");
        room.write("glob/c.d/x", "");
        room
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("DIR", &self.path().to_string_lossy())).unwrap();
    }

    fn file(&self, config: &str) -> String {
        self.write("t.ini", &format!("[uwsgi]\n{config}\n"));
        self.path().join("t.ini").to_string_lossy().into_owned()
    }

    /// Options as uWSGI prints them; `None` when it refuses the file.
    fn uwsgis(&self, file: &str) -> Option<Options> {
        let reloads = self.reloads.map(|value| ("UWSGI_RELOADS", value));
        let variables: Vec<_> = VARIABLES.into_iter().chain(reloads).collect();
        let pair = |line: &String| {
            let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
            (key.to_owned(), value.trim_end().to_owned())
        };
        let lines = real_uwsgi::shown(&["--ini", file], &variables)?;
        Some(lines.iter().map(pair).filter(|(key, _)| counts(key)).collect())
    }

    fn ours(&self, file: &str) -> Options {
        let world = Here { surroundings: Surroundings::named(), reloads: self.reloads };
        let loaded = load(vec![typed(1, "ini", file)], Texts::default(), &world);
        assert_eq!(sentences(&loaded.errors), "");
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        pairs(&loaded).into_iter().filter(|(key, _)| counts(key)).map(owned).collect()
    }

    fn both(&self, config: &str) -> (Options, Options) {
        let file = self.file(config);
        (self.uwsgis(&file).expect("a config that uwsgi takes"), self.ours(&file))
    }
}

/// Words of the language itself and placeholders are shown by uWSGI, and are gone when ours is loaded.
fn counts(key: &str) -> bool {
    !matches!(standing(key), Standing::Unknown)
        && !matches!(standing(key), Standing::Ours(group, _) if group.scope == Scope::General)
}

const ALIKE: &[&str] = &[
    // Lines.
    "env = A=b ; c\n; env = B\n# env = C\n  env   =   D=1  \nenv=E=f=g",
    "chdir2 = /a\nchdir2 = /b\nprocname",
    // Magic variables.
    "env = A=%n|%s|%e|%p|%d|%c|%o|%x\nenv = B=%0|%1",
    "env = A=%N|%S|%E|%P|%D|%C|%O|%X",
    "env = A=%v|%h|%k|%u|%U|%g|%G",
    "env = A=%j|%J|%i|%I\nenv = B=50%%|%%n|%%%%",
    "%cenv = 1\nname = %n\nenv = A=%(name)",
    "include = DIR/bare.ini\nini = DIR/section.ini:two\nini = DIR/section.ini:one",
    // Variables and files in values.
    "env = A=$(FOO)$(HOME)\nenv = B=x$(EMPTY)y\nenv = C=$(NOPE)\nenv = D=$(FOO",
    "env = A=$($(X))\nenv = B=($(FOO))",
    "env = A=@(DIR/word.txt)\nenv = B=x@(DIR/word.txt)y@(DIR/word.txt)\nenv = C=[@(DIR/empty.txt)]",
    "base = /srv\nenv = A=@(DIR/words.txt)",
    // Options in values.
    "env = A=x%(later)\nlater = 5\nlater = 6\nenv = B=%(later)%(later)\nenv = C=%(none)",
    "base = /srv\nroot = x%(base)\nenv = A=x%(root)\nchdir2 = /%(env)",
    // Calculations.
    "v = 5\nw = text\nenv = A=%(v + 1)|%(v - 7)|%(v * 3)|%(v / 2)|%(v / 0)",
    "v = 5\nenv = A=%(v ++)|%(v --)|%(v ++ ++)|%(v++)|%(v+1)|%( v )|%(v +1)",
    "v = 5\nw = text\nenv = A=%(v + 1 * 2)|%(w v)|%(v w)|%(w + 1)|%(w w w)|%(v - v w)|%(v w + 1)",
    "v = 5\nenv = A=%(none + 1)|%(none v)|%(1 2)|%(2 + 2)|%(-5 + 3)|%(v + )|%(+ v)|%(v + + 1)|%(- 5)",
    "env = A=%(9223372036854775807 + 1)|%(99999999999999999999 + 0)|%(4611686018427387904 * 4)",
    // Placeholders and set.
    "set = p=1\nset = chdir2=/x\nset-placeholder = q=2\nset-ph = r=3\nset = e=\nset = f=a=b\nenv = A=%(p)%(q)%(r)[%(e)]%(f)",
    "for = a b\nset = k=%(_)\nset-ph = l=%(_)\nendfor =\nenv = A=%(k)%(l)",
    // Loops.
    "for = a  b,c\nenv = A=%(_)\nenv = B=%(_)%(_)\nendfor =",
    "for = a%n b\nenv = A=%(_)%n\nend-for =\nfor =\nenv = B=1\nend =\nfor = x x\nprocname = y\nend =",
    "for = $(FOO) %(x) $(SPACED) @(DIR/word.txt)\nenv = A=%(_)\nendfor =\nx = y z",
    "for-times = 3\nenv = A=%(_)\nendfor =\nfor-times = 0\nenv = B=%(_)\nendfor =",
    "for-glob = DIR/glob/*\nenv = A=%(_)\nendfor =\nfor-glob = DIR/none/*\nenv = B=%(_)\nendfor =",
    "for-glob = DIR/glob/[ab]\nenv = A=%(_)\nendfor =\nfor-glob = DIR/*/a\nenv = B=%(_)\nendfor =",
    "for-readline = DIR/lines.txt\nenv = A=[%(_)]\nendfor =\nfor-readline = DIR/none.txt\nenv = B=1\nendfor =",
    "for = bare bare\ninclude = DIR/%(_).ini\nendfor =\nenv = A=1",
    "for = heir bare\ninherit = DIR/%(_).ini\nendfor =\nenv = A=1",
    // Conditions on options.
    "name = shop\nif-opt = name=shop\nenv = A=%(_)\nendif =\nif-opt = name=other\nenv = B=1\nendif =",
    "name = shop\nif-opt = name\nenv = A=%(_)\nend =\nif-opt = none\nenv = B=1\nend-if =",
    "if-opt = later\nenv = A=1\nendif =\nlater = 1\nif-not-opt = later\nenv = B=1\nendif =",
    "chdir2 = /x\nif-not-opt = chdir2=/y\nenv = A=%(_)\nendif =\nif-not-opt = none\nenv = B=%(_)\nendif =",
    "if-not-opt = x\nx = 1\nenv = A=1\nendif =\nif-opt = x\nenv = B=%(_)\nendif =",
    "first = 1\nfirst = 2\nif-opt = first=1\nenv = A=%(_)\nendif =\nif-opt = first=2\nenv = B=%(_)\nendif =",
    // Conditions on the environment.
    "if-env = FOO\nenv = A=%(_)\nendif =\nif-env = FOO=bar\nenv = B=%(_)\nendif =\nif-env = FOO=x\nenv = C=1\nendif =",
    "ifenv = EMPTY\nenv = A=[%(_)]\nend =\nif-not-env = FOO\nenv = B=1\nend =\nif-not-env = NOPE\nenv = C=%(_)\nend =",
    "if-reload =\nenv = A=1\nendif =\nif-not-reload =\nenv = B=[%(_)]\nendif =",
    // Conditions on the host.
    "if-hostname = %h\nenv = A=%(_)\nendif =\nif-not-hostname = %h\nenv = B=1\nendif =",
    "if-hostname-match = ^.+$\nenv = A=%(_)\nendif =\nif-not-hostname-match = ^~$\nenv = B=%(_)\nendif =",
    "if-plugin = nope\nenv = A=1\nendif =\nifplugin = nope\nenv = B=1\nendif =\nif-not-plugin = nope\nenv = C=%(_)\nendif =",
    // Conditions on files.
    "if-exists = DIR\nenv = A=%(_)\nendif =\nifexists = DIR/none\nenv = B=1\nendif =\nif-not-exists = DIR/none\nenv = C=%(_)\nendif =",
    "if-file = DIR\nenv = A=1\nendif =\nif-file = DIR/word.txt\nenv = B=%(_)\nendif =\nif-not-file = DIR\nenv = C=%(_)\nendif =",
    "if-dir = DIR\nenv = A=%(_)\nendif =\nifdir = DIR/word.txt\nenv = B=1\nendif =\nif-not-dir = DIR/word.txt\nenv = C=%(_)\nendif =",
    "if-file = /dev/null\nenv = A=1\nendif =\nif-directory = /dev/null\nenv = B=1\nendif =\nif-exists = /dev/null\nenv = C=1\nendif =",
    // Declared options.
    "declare-option = site=set-ph=zz=$1;set=chdir2=/$2/$1\nsite = one two\nenv = A=%(zz)",
    "declare-option = on=set=procname=x\non = true",
    // Lists.
    "blacklist = chdir2 umask\nenv = A=1\nend-blacklist =\nchdir2 = /x",
    "blacklist = chdir2\nblacklist = umask\nchdir2 = /x\nend-blacklist =",
    "whitelist = env chdir2 pidfile\nenv = A=1\nchdir2 = /",
    "strict = true\nenv = A=1",
];

#[test]
fn a_config_means_what_it_means_to_uwsgi() {
    if !real_uwsgi::is_here() {
        return;
    }
    let room = Room::new();
    for config in ALIKE {
        let (theirs, ours) = room.both(config);
        assert_eq!(ours, theirs, "\n{config}");
    }
}

#[test]
fn a_second_start_of_uwsgi_is_a_reload_for_both() {
    if !real_uwsgi::is_here() {
        return;
    }
    let room = Room { reloads: Some("0"), ..Room::new() };
    let (theirs, ours) =
        room.both("if-reload =\nenv = A=1\nendif =\nif-not-reload =\nenv = B=[%(_)]\nendif =");
    assert_eq!(ours, theirs);
    assert_eq!(ours, [("env".to_owned(), "A=1".to_owned())]);
}

#[test]
fn a_skeleton_is_called_as_its_link_by_both() {
    if !real_uwsgi::is_here() {
        return;
    }
    let room = Room::new();
    let _skeleton = room.file("env = A=%n|%s|%p|%d|%o|%e|%j|%i|%N");
    let link = room.path().join("shop.test.ini");
    std::os::unix::fs::symlink("t.ini", &link).unwrap();
    let link = link.to_string_lossy();
    assert_eq!(Some(room.ours(&link)), room.uwsgis(&link));
    assert!(room.ours(&link)[0].1.starts_with("A=shop.test|shop.test.ini|"));
}

/// Config, what we make of it instead, and why.
const DIFFERENT: &[(&str, &[&str], &str)] = &[
    ("env = A=100%\nenv = B=%z", &["A=100%", "B=%z"], "what stands for nothing is not swallowed"),
    ("procname = %(a)\na = %(b)\nb = 1", &["1"], "a value that begins with a name is looked up again, too"),
    (
        "env = A=$(NOPE:-my-host:90)",
        &["A=my-host:90"],
        "uWSGI 2.0 has no defaults; the whole rest is the default",
    ),
    (
        "p = bar\nif-opt = p=$(FOO)\nenv = A=1\nendif =",
        &["A=1"],
        "options are compared by their value, not by how it was written",
    ),
    (
        "d = DIR\nif-dir = %(d)\nenv = A=1\nendif =",
        &["A=1"],
        "conditions see the variables and options before them",
    ),
    ("n = 2\nfor-times = %(n)\nenv = A=%(_)\nendfor =", &["A=1", "A=2"], "and so do loops"),
    ("set = p = 1\nenv = A=%(p)", &["A=1"], "spaces around the `=` do not belong to the name"),
    ("if-env = NOPE\nenv = A=1\nelse =\nenv = A=2\nendif =", &["A=2"], "uWSGI 2.0 has no `else`"),
    (
        "if-env = NOPE\nif-env = FOO\nendif =\nenv = A=1\nendif =\nenv = B=1",
        &["B=1"],
        "the end of an inner block does not end the outer one",
    ),
    ("env = A=@(DIR/names.txt)", &["A=@(DIR/word.txt)x"], "what a file contains names no further source"),
    ("env = A=[@(DIR/dos.txt)]", &["A=[word]"], "a line may end in CR and LF"),
    (
        "declare-option = site=set=chdir2=/$1;set=procname=$10\nsite = a b c d e f g h i j",
        &["/a", "j"],
        "`$10` is the tenth word, not the first and a zero",
    ),
];

#[test]
fn where_we_differ_from_uwsgi_it_is_on_purpose() {
    if !real_uwsgi::is_here() {
        return;
    }
    let room = Room::new();
    room.write("names.txt", "@(DIR/word.txt)x\n");
    room.write("dos.txt", "word\r\n");
    for (config, wanted, why) in DIFFERENT {
        let (theirs, ours) = room.both(config);
        let values: Vec<&str> = ours.iter().map(|(_, value)| value.as_str()).collect();
        let wanted: Vec<String> =
            wanted.iter().map(|value| value.replace("DIR", &room.path().to_string_lossy())).collect();
        assert_eq!(values, wanted, "{why}:\n{config}");
        assert_ne!(ours, theirs, "no difference any more: {why}:\n{config}");
    }
}

/// Configs that end a start, in both.
const REFUSED: &[&str] = &[
    "set = nothing",
    "strict = true\nnone = 1",
    "set = p=1\nstrict = true\nenv = A=%(p)",
    "blacklist = env\nenv = A=1",
    "whitelist = chdir2\nenv = A=1",
    "env = A=@(DIR/none.txt)",
    "include = DIR/none.ini",
    "declare-option = none",
    "set-ph = chdir2=/x",
];

#[test]
fn what_uwsgi_refuses_is_refused() {
    if !real_uwsgi::is_here() {
        return;
    }
    let room = Room::new();
    for config in REFUSED {
        let file = room.file(config);
        let world = Here { surroundings: Surroundings::named(), reloads: None };
        let loaded = load(vec![typed(1, "ini", &file)], Texts::default(), &world);
        assert_eq!(loaded.errors.len(), 1, "{config}: {}", sentences(&loaded.errors));
        assert_eq!(room.uwsgis(&file), None, "{config}");
    }
}
