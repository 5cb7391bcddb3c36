use super::Files;
use crate::config::check::check;

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
        ["emperor.ini", "own.ini", "app.ini", "x.yml", "none.ini", "bad.ini", "gone.ini"]
            .map(str::to_owned)
            .to_vec();
    let report = check(&files, &world);
    assert_eq!(report.exit_code(), 1);
    insta::assert_snapshot!(report, @r"
    emperor.ini: OK, an Emperor
    own.ini: OK, a vassal run by liege
    app.ini: OK, a vassal run by uwsgi, because of `plugins`
    x.yml: OK, a vassal run by uwsgi, because of `module`
    error: none.ini: this config runs nothing
      say what runs: command = PROGRAM ARGUMENTS
    warning: none.ini: no section [uwsgi]
      begin the file with [uwsgi]: what stands before a section is not read
    error: bad.ini:3:11: cannot read `gone.ini`: entity not found
      include = gone.ini
                ^
    error: bad.ini:2:11: `command`: a quote or backslash is not closed
      command = 'x
                ^
      close it, or put a backslash before it
    error: command line:1:1: cannot read `gone.ini`: entity not found
      gone.ini
      ^
    ");
    let fine = check(&files[..3], &world);
    assert_eq!(fine.exit_code(), 0);
}
