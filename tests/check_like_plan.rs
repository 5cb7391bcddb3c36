//! `liege check` and `liege plan` judge a config alike: what one refuses, so does the other, in the same words.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::path::{Path, PathBuf};

use common::{ALICE, Emperor, Tree, liege};

/// Whose it is, and what it says.
const CONFIGS: [(u32, &str); 43] = [
    (0, "command = x"),
    (0, "module = app"),
    (0, "comand = x"),
    (0, "command = x\nexec-as-root = true"),
    (ALICE, "command = x\nexec-as-root = true"),
    (0, "command = x\nunshare = fs"),
    (ALICE, "command = x\nunshare = fs"),
    (0, "command = x\nhostname = box"),
    (0, "command = x\nunshare = uts\nhostname = box"),
    (0, "command = x\nmount-as-root = tmpfs none /mnt"),
    (0, "command = x\nunshare = fs\nmount-as-root = tmpfs none /mnt"),
    (0, "command = x\nunshare = fs\nuid = 61001\nhook-pre-app = mount:tmpfs none /mnt"),
    (0, "command = x\nunshare = fs\nuid = 61001\ncap = sys_admin\nhook-as-user = umount:/mnt"),
    (ALICE, "command = x\nhook-as-user = ifup:lo"),
    (0, "command = x\nrootfs = /srv"),
    (0, "command = x\nunshare = fs\nrootfs = /srv\nuid = 61001"),
    (ALICE, "command = x\nrootfs = /srv"),
    (0, "command = x\nunshare = fs\ntmpfs = /a\ntmpfs = /a"),
    (0, "command = x\nunshare = fs\nbind = relative:/a"),
    (0, "command = x\nunshare = fs\nproc"),
    (0, "command = x\nunshare = fs\nbind = /srv:/data:idmap=100000"),
    (0, "command = x\nunshare = user,fs\nuid = 0\nbind = /srv:/data:idmap=0-9@5"),
    (ALICE, "command = x\nbind = /srv:/data:idmap"),
    (0, "command = x\nunshare = user\nunshare-id-map = 5 100000 10"),
    (0, "command = x\nunshare-id-map = 0 100000 10"),
    (0, "command = x\nunshare = user\nuid = 70000"),
    (0, "command = x\nchroot = /srv"),
    (0, "command = x\nchroot = /srv\nuid = 61001"),
    (0, "command = x\ncgroup = a"),
    (ALICE, "command = x\ncgroup = a"),
    (ALICE, "command = x\ncap = sys_admin"),
    (0, "command = x\ngid = 61001"),
    (0, "command = x\nseccomp = off"),
    (ALICE, "command = x\nno-new-privs = false"),
    (0, "command = x\nunshare2 = fs"),
    (ALICE, "command = x\nsetns = /run/a"),
    (0, "command = x\ntime-offset = boottime 5"),
    (0, "command = x\njail = standard"),
    (ALICE, "command = x\njail = none"),
    (ALICE, "command = x\njail = strict"),
    (0, "command = x\nunshare = fs\nuid = 61001\nrootfs = /nowhere/root"),
    (0, "command = x\nunshare = fs\nuid = 61001\nbind = /nowhere/data:/srv"),
    (ALICE, "command = x\nrootfs = /srv\ntmpfs = /nowhere/in/it"),
];

/// Under whom; nothing is an Emperor without options.
const EMPERORS: [Option<&str>; 7] = [
    None,
    Some("emperor-tyrant = true"),
    Some("emperor-use-clone = fs,net,pid,uts,user"),
    Some("emperor-tyrant = true\njail = strict\nemperor-cap = chown,setfcap"),
    Some("emperor-use-clone = fs\nmount-as-vassal = tmpfs none /mnt"),
    Some("emperor-tyrant = true\nemperor-use-clone = pid"),
    Some("emperor-use-clone = fs,user\nemperor-seccomp = strict"),
];

struct Verdict {
    fine: bool,
    said: String,
}

fn planned(emperor: Option<&Path>, config: &Path) -> Verdict {
    let named: Vec<&str> = emperor.iter().flat_map(|path| ["--ini", path.to_str().unwrap()]).collect();
    let output = liege(&[&["plan"], &named[..], &[config.to_str().unwrap()]].concat());
    Verdict { fine: output.status.success(), said: String::from_utf8(output.stderr).unwrap() }
}

fn checked(emperor: Option<&Path>, config: &Path) -> Verdict {
    let named: Vec<&str> = emperor.iter().map(|path| path.to_str().unwrap()).collect();
    let output = liege(&[&["check"], &named[..], &[config.to_str().unwrap()]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    Verdict { fine: output.status.success(), said }
}

/// The sentences of a refusal, without who says them.
fn assert_alike(emperor: Option<&Path>, config: &Path, about: &str) -> bool {
    let (planned, checked) = (planned(emperor, config), checked(emperor, config));
    assert_eq!(planned.fine, checked.fine, "{about}\nplan: {}check: {}", planned.said, checked.said);
    if planned.fine {
        return true;
    }
    let sentences = planned.said.strip_prefix("liege: ").unwrap();
    assert!(!sentences.trim().is_empty(), "{about}");
    let lacking: Vec<&str> = sentences.lines().filter(|line| !checked.said.contains(line.trim())).collect();
    assert!(lacking.is_empty(), "{about}\n{lacking:#?}\ncheck: {}", checked.said);
    false
}

fn emperors_config(tree: &Tree, lines: &str) -> PathBuf {
    let path = tree.path("emperor.ini");
    tree.place(&path, 0, &format!("[uwsgi]\nemperor = {}\n{lines}\n", tree.vassals().display()));
    path
}

#[test]
fn what_plan_refuses_check_refuses_in_the_same_words() {
    let tree = Tree::new();
    let mut verdicts = [0; 2];
    for lines in EMPERORS {
        let emperor = lines.map(|lines| emperors_config(&tree, lines));
        for (owner, text) in CONFIGS {
            let config = tree.vassal_of(owner, "x.ini", &format!("{text}\n"));
            let fine = assert_alike(emperor.as_deref(), &config, &format!("{lines:?} {owner} {text}"));
            verdicts[usize::from(fine)] += 1;
        }
    }
    assert!(verdicts.iter().all(|count| *count > 30), "{verdicts:?}: a table of both");
}

#[test]
fn what_is_wrong_with_the_emperors_own_config_is_told_alike() {
    let tree = Tree::new();
    let config = tree.vassal("x.ini", "command = x\n");
    for lines in [
        "emperor-tyrant = true\nemperor-use-clone = fs\nmount-as-vassal = tmpfs none /mnt",
        "emperor-use-clone = user\nhook-as-vassal = ifup:lo",
        "mount-as-vassal = tmpfs none /mnt",
        "uid = nobody-of-this-name",
        "emperor-seccomp = /nowhere/profile.json",
        "vassal-set = x",
    ] {
        let emperor = emperors_config(&tree, lines);
        assert!(!assert_alike(Some(&emperor), &config, lines), "{lines}");
    }
}

#[test]
fn a_config_that_others_can_write_is_refused_by_both() {
    let tree = Tree::new();
    let config = tree.vassal("x.ini", "command = x\n");
    assert!(assert_alike(None, &config, "root's"));
    std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    assert!(!assert_alike(None, &config, "everybody's"));
}

/// The birth fails with it too, unless something has brought it by then.
#[test]
fn what_a_root_is_to_be_built_on_has_to_be_there() {
    let tree = Tree::new();
    let (root, brought) = (tree.path("root"), tree.path("brought"));
    let body =
        format!("command = /bin/true\nunshare = fs\nuid = 61001\ngid = 61001\nrootfs = {}\n", root.display());
    let config = tree.vassal("x.ini", &body);
    assert!(checked(None, &config).said.contains(&format!("x.ini:6:10: {} is not there", root.display())));
    assert!(!assert_alike(None, &config, &body));
    let emperor = Emperor::start(tree, &[]);
    emperor.wait_for("x.ini", &format!("ENOENT: {}", root.display()));
    let bring =
        format!("{body}exec-post-jail = mkdir -p {} && touch {}\n", root.display(), brought.display());
    let config = emperor.tree.vassal("x.ini", &bring);
    assert!(assert_alike(None, &config, &bring));
    common::eventually("what is brought", || brought.exists().then_some(()));
}

/// The start of the daemon says it in the same sentence.
#[test]
fn whom_a_daemon_is_to_become_has_to_be_there() {
    let tree = Tree::new();
    let daemon = "attach-daemon2 = name=jobs,cmd=/bin/true";
    let before = "uid = 61001\ngid = 61002\n";
    let unknown_user = "daemon jobs: there is no user `nosuchuser`";
    let unknown_group = "daemon jobs: there is no group `nosuchgroup`";
    let odd = [
        ("user.ini", "", "uid=nosuchuser", unknown_user, "`useradd --system nosuchuser`"),
        ("group.ini", "", "uid=61001,gid=nosuchgroup", unknown_group, "`groupadd --system nosuchgroup`"),
        ("nobodys.ini", "", "uid=61001", "daemon jobs: uid 61001 is nobody's", "add `gid`"),
        ("late.ini", before, "uid=nosuchuser,gid=61002", unknown_user, "leave `uid` out of the vassal's"),
        (
            "other.ini",
            before,
            "uid=61003,gid=61002",
            "daemon jobs: uid = 61003: this vassal runs as uid 61001",
            "leave `uid`",
        ),
    ];
    for (name, first, ids, cause, cure) in odd {
        let config = tree.vassal(name, &format!("{first}{daemon},{ids}\n"));
        let place = format!("{name}:{}:18: {cause}", 2 + first.lines().count());
        let said = checked(None, &config).said;
        assert!(said.contains(&place) && said.contains(cure), "{said}");
        assert!(!assert_alike(None, &config, name));
    }
    // Who is there, and who may be made, or may have another name, by then.
    for (first, ids) in [
        ("", "uid=61001,gid=61002"),
        ("", "uid=daemon"),
        (before, "uid=61001,gid=61002"),
        ("exec-pre-jail = useradd nosuchuser\n", "uid=nosuchuser"),
        ("unshare = fs\nbind = /etc/hostname:/etc/passwd\n", "uid=nosuchuser"),
        ("unshare = fs\nrootfs = /srv\n", "uid=nosuchuser"),
    ] {
        let config = tree.vassal("fine.ini", &format!("{first}{daemon},{ids}\n"));
        assert!(assert_alike(None, &config, first));
        std::fs::remove_file(config).unwrap();
    }
    // The Emperor's own.
    let own = emperors_config(&tree, &format!("{daemon},uid=nosuchuser"));
    let said = checked(None, &own).said;
    assert!(said.contains(&format!("emperor.ini:3:18: {unknown_user}")), "{said}");
    let own =
        emperors_config(&tree, &format!("hook-emperor-start = exec:/bin/true\n{daemon},uid=nosuchuser"));
    assert!(checked(None, &own).fine);
    let emperor = Emperor::start(tree, &[]);
    odd.iter().for_each(|(name, _, _, cause, _)| _ = emperor.wait_for(name, cause));
}

/// What is said of this config where `/usr/sbin` is empty.
fn checked_without_sbin(config: &Path) -> String {
    let check = format!("mount -t tmpfs none /usr/sbin && exec {} check {}", common::LIEGE, config.display());
    let output =
        std::process::Command::new("unshare").args(["--mount", "sh", "-c", &check]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// It is started all the same, and says it in these words: somebody may bring one.
#[test]
fn ssh_without_a_dropbear_is_warned_of() {
    let tree = Tree::new();
    let (bare, full) = (tree.path("bare"), tree.path("full"));
    ["bare/usr/bin", "full/usr/sbin"]
        .iter()
        .for_each(|name| std::fs::create_dir_all(tree.path(name)).unwrap());
    std::fs::write(full.join("usr/sbin/dropbear"), "").unwrap();
    std::os::unix::fs::symlink("usr/bin", bare.join("bin")).unwrap();
    let with = |lines: &str| tree.vassal("x.ini", &format!("ssh = 2201\n{lines}\n"));
    let warning = "warning: DIR/x.ini:2:7: there is no dropbear, neither in the jail nor on the host\n  ssh = 2201\n        ^\n  apt install dropbear-bin\n";
    let warning = warning.replace("DIR", &tree.vassals().display().to_string());
    let root = |path: &Path| format!("unshare = fs\nrootfs = {}", path.display());
    for lines in ["", "env = PATH=/usr/sbin:/bin", &root(&bare)] {
        let said = checked_without_sbin(&with(lines));
        assert!(said.contains(&warning), "{lines}: {said}");
        // By the host's, or lent.
        let said = checked(None, &with(lines)).said;
        assert!(!said.contains("there is no dropbear"), "{lines}: {said}");
    }
    // Where nobody can know.
    for lines in [
        "env = PATH=/opt/bin",
        "exec-pre-jail = apt install dropbear-bin",
        "unshare = fs\nbind = /srv:/usr/sbin",
        &root(&full),
        &format!("{}\nbind = /usr:/usr", root(&bare)),
    ] {
        let said = checked_without_sbin(&with(lines));
        assert!(!said.contains("there is no dropbear"), "{lines}: {said}");
    }
    let said = checked(None, &with("env = PATH=/usr/bin:/bin")).said;
    assert!(said.contains(&warning), "{said}");
}

/// It may be meant, and is started.
#[test]
fn an_ssh_server_for_the_hosts_root_is_warned_of() {
    let tree = Tree::new();
    let warning = "x.ini:2:7: without `uid` this is an ssh server for root, on the addresses of the host";
    let said = |owner, lines: &str| {
        let config = tree.vassal_of(owner, "x.ini", &format!("ssh = 2201\n{lines}\n"));
        let Verdict { fine, said } = checked(None, &config);
        assert!(fine, "{said}");
        said
    };
    assert!(said(0, "").contains(warning) && said(0, "unshare = fs,pid").contains(warning));
    for (owner, lines) in
        [(0, "uid = 61001\ngid = 61001"), (0, "unshare = net"), (0, "unshare = user"), (ALICE, "")]
    {
        let said = said(owner, lines);
        assert!(!said.contains("ssh server for root"), "{owner} {lines}: {said}");
    }
}

/// Each vassal is judged by the Emperor that was named before it.
#[test]
fn an_emperors_config_rules_those_behind_it() {
    let tree = Tree::new();
    let config = tree.vassal_of(ALICE, "x.ini", "command = x\nexec-as-root = true\n");
    let emperor = emperors_config(&tree, "emperor-tyrant = true");
    let (config, emperor) = (config.to_str().unwrap(), emperor.to_str().unwrap());
    let codes = [vec![emperor, config], vec![config, emperor], vec![config]];
    let codes = codes.map(|files| liege(&[&["check"], &files[..]].concat()).status.code());
    assert_eq!(codes, [Some(0), Some(1), Some(1)]);
}

/// Each is named by its start in the same sentence.
#[test]
fn what_a_vassal_is_started_with_has_to_be_there() {
    let tree = Tree::new();
    let dir = tree.vassals();
    let missing = "cannot run `/usr/bin/nosuchprogram`: ENOENT";
    let odd = [
        ("program.ini", "command = /usr/bin/nosuchprogram", "2:11", missing),
        ("merged.ini", "command = /bin/nosuchprogram", "2:11", "cannot run `/bin/nosuchprogram`: ENOENT"),
        ("inert.ini", "command = /etc/passwd", "2:11", "cannot run `/etc/passwd`: EACCES"),
        ("directory.ini", "command = /etc -v", "2:11", "cannot run `/etc`: EACCES"),
        ("relative.ini", "command = ./run.sh", "2:11", "cannot run `./run.sh`: ENOENT"),
        (
            "below.ini",
            "chdir = /usr\ncommand = bin/nosuchprogram",
            "3:11",
            "cannot run `bin/nosuchprogram`: ENOENT",
        ),
        ("user.ini", "command = /bin/true\nuid = nobodyhere", "3:7", "there is no user `nobodyhere`"),
        (
            "group.ini",
            "command = /bin/true\nuid = 61001\ngid = nobodyhere",
            "4:7",
            "there is no group `nobodyhere`",
        ),
        (
            "added.ini",
            "command = /bin/true\nuid = 61001\ngid = 61001\nadd-gid = nobodyhere",
            "5:11",
            "there is no group `nobodyhere`",
        ),
        (
            "chdir.ini",
            "command = /bin/true\nchdir = /no/such",
            "3:9",
            "cannot change directory to /no/such: ENOENT",
        ),
        (
            "log.ini",
            "command = /bin/true\nlogto = /no/such/x.log",
            "3:9",
            "cannot log to /no/such/x.log: ENOENT",
        ),
        (
            "daemon.ini",
            "command = /bin/sleep 1000\nattach-daemon = /usr/bin/nosuchprogram -x",
            "3:17",
            missing,
        ),
    ];
    for (name, lines, place, cause) in odd {
        let config = tree.vassal(name, &format!("{lines}\n"));
        let verdict = checked(None, &config);
        let told = format!("error: {}/{name}:{place}: ", dir.display());
        let line = verdict.said.lines().find(|line| line.starts_with(&told));
        assert!(!verdict.fine && line.is_some_and(|line| line.contains(cause)), "{name}: {}", verdict.said);
        assert!(!assert_alike(None, &config, name));
    }
    // It may be otherwise by then.
    let root = tree.path("root");
    std::fs::create_dir_all(root.join("usr/bin")).unwrap();
    let in_root = format!("unshare = fs\nrootfs = {}\ncommand = /usr/bin/nosuchprogram", root.display());
    for (lines, cause) in [
        ("command = nosuchprogram", "cannot run `nosuchprogram`: ENOENT"),
        ("exec-pre-jail = true\ncommand = /usr/bin/nosuchprogram", missing),
        (
            "hook-as-root = exec:true\ncommand = /bin/true\nchdir = /no/such",
            "cannot change directory to /no/such",
        ),
        ("exec-pre-jail = true\ncommand = /bin/true\nuid = nobodyhere", "there is no user `nobodyhere`"),
        (&in_root, missing),
    ] {
        let config = tree.vassal("later.ini", &format!("{lines}\n"));
        let said = checked(None, &config).said;
        let warned = |line: &str| line.starts_with("warning: ") && line.contains(cause);
        assert!(said.lines().any(warned), "{lines}: {said}");
        assert!(assert_alike(None, &config, lines));
        std::fs::remove_file(config).unwrap();
    }
    // Nobody can know, or it is there.
    let link = dir.join("link");
    std::os::unix::fs::symlink("/usr/bin/env", &link).unwrap();
    for lines in [
        "command = /bin/sh -c :",
        "command = true",
        "command = ./link",
        "unshare = fs\nbind = /srv:/usr/bin\ncommand = /usr/bin/nosuchprogram",
        "unshare = fs\nbind = /etc/hostname:/etc/passwd\ncommand = /bin/true\nuid = nobodyhere\ngid = 61001",
        "unshare = fs\njail = standard\ncommand = /run/nosuchprogram",
        "env = PATH=/opt/bin:/usr/bin\ncommand = env",
        "command = /bin/true\nlogto = x.log\nchdir = /srv",
        "command = /bin/true\nuid = daemon",
        "setns = /run/nosuch\ncommand = /usr/bin/nosuchprogram",
    ] {
        let config = tree.vassal("fine.ini", &format!("{lines}\n"));
        let verdict = checked(None, &config);
        let about = ["cannot ", "there is no "];
        assert!(
            verdict.fine && !about.iter().any(|word| verdict.said.contains(word)),
            "{lines}: {}",
            verdict.said
        );
        std::fs::remove_file(config).unwrap();
    }
    let emperor = Emperor::start(tree, &[]);
    odd.iter().for_each(|(name, _, _, cause)| _ = emperor.wait_for(name, cause));
}
