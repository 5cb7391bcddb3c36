use super::World;
use crate::config::check::check;

#[test]
fn each_file_is_judged_by_itself() {
    let world = World::of(&[
        ("emperor.ini", "[uwsgi]\nemperor = /v\n"),
        ("own.ini", "[uwsgi]\ncommand = sleep 1\n"),
        ("app.ini", "[uwsgi]\nplugins = python3\n"),
        ("none.ini", "command = x\n"),
        ("bad.ini", "[uwsgi]\ncommand = 'x\ninclude = gone.ini\n"),
    ]);
    let files: Vec<String> =
        ["emperor.ini", "own.ini", "app.ini", "x.yml", "none.ini", "bad.ini", "gone.ini"]
            .map(str::to_owned)
            .to_vec();
    let report = world.with(|context| check(&files, context));
    assert_eq!(report.exit_code(), 1);
    insta::assert_snapshot!(report, @r"");
    let fine = world.with(|context| check(&files[..3], context));
    assert_eq!(fine.exit_code(), 0);
}
