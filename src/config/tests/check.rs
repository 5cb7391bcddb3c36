use std::path::PathBuf;

use super::Files;
use crate::config::check::{Report, Unseen, Verdict, check};

/// A machine with uwsgi.
fn found(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from("/usr/bin").join(name))
}

fn checked(files: &[(&str, &str)]) -> Report {
    let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    check(&names, &Files::of(files), &found)
}

#[test]
fn each_file_is_judged_by_itself() {
    let world = Files::of(&[
        ("emperor.ini", "[uwsgi]\nemperor = /v\n"),
        ("own.ini", "[uwsgi]\ncommand = sleep 1\n"),
        ("app.ini", "[uwsgi]\nplugins = python3\n"),
        ("x.yml", "uwsgi:\n  module: app\n"),
        ("none.ini", "command = x\n"),
        ("bad.ini", "[uwsgi]\ncommand = 'x\ninclude = gone.ini\n"),
    ]);
    let files: Vec<String> =
        ["emperor.ini", "own.ini", "app.ini", "none.ini", "bad.ini", "gone.ini"].map(str::to_owned).to_vec();
    let report = check(&files, &world, &found);
    assert_eq!(report.exit_code(), 1);
    insta::assert_snapshot!("each_file_is_judged_by_itself", report.to_string());
    let fine = check(&files[..3], &world, &found);
    assert_eq!(fine.exit_code(), 0);
}

#[test]
fn what_becomes_of_each_option_is_told_with_its_reason() {
    let vassal = "[uwsgi]\nmaster = true\ndie-on-term = true\ncommand = /srv/shop/bin/shop\nuid = shop\n\
        exec-as-root = /home/shop/setup\nchmod-socket = 666\nsocket = /tmp/%n.sock\nenv = A=1\nenv = B=2\n";
    let emperor = "[uwsgi]\nmaster = true\nprocesses = 2\nemperor = /v\nemperor-freq = 5\nemperor-stats = :9191\n\
        emperor-nofollow = true\n";
    let report = checked(&[("shop.ini", vassal), ("emperor.ini", emperor)]);
    insta::assert_snapshot!("what_becomes_of_each_option_is_told_with_its_reason", report.to_string());
    insta::assert_snapshot!("the_report_for_machines", format!("{:#}", report.json()));
}

/// What would run a tenant's program to know it would run it as whoever checks.
#[test]
fn a_program_is_not_run_and_neither_called_right_nor_wrong() {
    let files = [
        ("gen.ini", "#!/bin/sh\necho '[uwsgi]'\necho 'command = true'\n"),
        ("binary.ini", "\x7fELF\x02\x01"),
        // A comment for ini, and all its options are there.
        ("plain.ini", "#!/usr/bin/liege --ini\n[uwsgi]\ncommand = true\n"),
    ];
    let report = checked(&files);
    assert_eq!(report.exit_code(), 0);
    let verdicts: Vec<&Verdict> = report.0.iter().map(|finding| &finding.verdict).collect();
    assert_eq!(
        verdicts,
        [
            &Verdict::Unseen(Unseen::Program),
            &Verdict::Unseen(Unseen::Program),
            &Verdict::Own(Some("true".into()))
        ]
    );
    let text = report.to_string();
    assert!(text.starts_with("gen.ini: NOT CHECKED, a program"), "{text}");
    assert_eq!(report.json()["files"][0]["verdict"], "unseen");
}

#[test]
fn what_only_uwsgi_reads_is_never_wrong() {
    let app = "[uwsgi]\nplugins = python3,php\nwsgi-fle = x.py\nmodule = shop\nemperor-broodlord = 3\n\
        base = /srv\nchdir = %(base)\nx-mine = 1\nsocket = 0.0.0.0:3031\nphp-docroot = /srv\n";
    let files = [("app.ini", app)];
    let names = ["app.ini".to_owned()];
    let report = check(&names, &Files::of(&files), &|_: &str| None);
    assert_eq!(report.exit_code(), 0);
    insta::assert_snapshot!("what_only_uwsgi_reads_is_never_wrong", report.to_string());
}

#[test]
fn what_a_vassal_can_do_without_does_not_make_it_uwsgis() {
    let program = |text: &str| checked(&[("a.ini", text)]).to_string();
    let ours = "OK, a vassal run by liege";
    assert!(program("[uwsgi]\nmaster = 1\nunprivileged-binary-patch = /bin/sshd\n").contains(ours));
    assert!(program("[uwsgi]\nvacuum = 1\ncommand = sleep 1\n").contains(ours));
    assert!(program("[uwsgi]\nmaster = 1\nsocket = /run/s\n").contains("run by uwsgi"));
    assert!(program("[uwsgi]\nmaster = 1\nhttp-socket = :80\ncommand = x\n").contains("for uwsgi, but"));
}

#[test]
fn what_is_carried_out_while_reading_is_judged_too() {
    let shop = "[uwsgi]\nset = base=/srv\nfor = 1 2 3\ninclude = more.ini\nendfor =\nif-env = HOME\nchdir = %(base)\n\
        endif =\nfallback-config = safe.ini\ncommand = sleep 1\n";
    let more = "[uwsgi]\nset-ph = x=1\nenv = A=%(x)\n";
    let files = [("shop.ini", shop), ("more.ini", more)];
    let names = ["shop.ini".to_owned()];
    let report = check(&names, &Files::of(&files), &found);
    insta::assert_snapshot!("what_is_carried_out_while_reading_is_judged_too", report.to_string());
    let judged = report.0[0].options.iter().map(|judged| format!("{} {}", judged.place, judged.option.name));
    insta::assert_snapshot!("every_line_is_judged_once", judged.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_config_that_exits_is_no_config_without_a_program() {
    let report = checked(&[("a.ini", "[uwsgi]\nfallback-config = b.ini\nexit = 3\n")]);
    assert_eq!(report.exit_code(), 0);
    insta::assert_snapshot!("a_config_that_exits_is_no_config_without_a_program", report.to_string());
    assert_eq!(report.json()["files"][0]["exit"], 3);
    assert_eq!(report.json()["files"][0]["fallback"], "b.ini");
}

#[test]
fn pairs_that_uwsgi_would_misread_are_told_with_their_column() {
    let text = |value: &str| format!("[uwsgi]\nmodule = app\n{value}\n");
    let said = |value: &str| checked(&[("a.ini", &text(value))]).to_string();
    for (value, wanted) in [
        (
            "attach-daemon2 = cmd=sleep 1,pidfle=/run/p",
            "a.ini:3:30: `attach-daemon2`: no key is called `pidfle`",
        ),
        (
            "attach-daemon2 = cmd=x,stopsignal=QUIT",
            "a.ini:3:35: `attach-daemon2`: `stopsignal` takes a number",
        ),
        ("attach-daemon2 = cmd=x,uid=www", "a.ini:3:28: `attach-daemon2`: `uid` takes a number"),
        ("subscribe2 = server=:1,key=a,wieght=2", "did you mean `weight`?"),
    ] {
        assert!(said(value).contains(wanted), "{value}: {}", said(value));
    }
    for fine in [
        "attach-daemon2 = cmd=echo a\\,b,freq=3,daemonize,touch=/a;/b",
        "subscribe2 = server=:1,key=a,weight=2",
    ] {
        assert!(!said(fine).contains("warning"), "{fine}: {}", said(fine));
    }
}
