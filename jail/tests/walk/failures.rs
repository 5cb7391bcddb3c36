//! What fails is told with its step and its errno, alike by both kinds of birth.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;

use jail::plan::{Program, Spec, plan};
use jail::run::{Birth, spawn};
use jail::{Phase, Step};

use crate::stage::{Outcome, c, namespaces, outcome, output, shell, spec, tenant};

/// What the plan says about the step that failed, and the cause.
fn told(spec: &Spec) -> (String, String) {
    let Outcome { failure, output, status } = outcome(spec);
    let failure = failure.unwrap_or_else(|| panic!("it must fail, not give {output:?} {status:?}"));
    assert_eq!((output.as_str(), status), ("", Some(126)));
    (plan(spec).deed(failure.step).unwrap(), failure.cause())
}

fn program(file: &str, search: &[&str]) -> Program {
    Program::Path { file: c(file), search: search.iter().map(|one| c(one)).collect(), argv: vec![c(file)] }
}

pub fn a_missing_program_is_told_alike_by_both_kinds_of_birth() {
    let shared = Spec { program: program("/no/such", &[]), ..spec("") };
    let apart = Spec { hooks: vec![(Phase::AsVassal, shell(":"))], ..shared.clone() };
    let wanted = ("exec /no/such".to_owned(), "ENOENT".to_owned());
    assert_eq!((told(&shared), told(&apart)), (wanted.clone(), wanted));
}

pub fn a_name_is_searched_as_execvp_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    File::create(directory.path().join("true"))
        .unwrap()
        .set_permissions(PermissionsExt::from_mode(0o644))
        .unwrap();
    let named = |name: &str, search: &[&str]| Spec { program: program(name, search), ..spec("") };
    assert_eq!(output(&named("true", &["/nowhere", path, "/bin"])), "");
    assert_eq!(told(&named("true", &["/nowhere", path])).1, "EACCES");
    assert_eq!(told(&named("true", &["/nowhere"])).1, "ENOENT");
    assert_eq!(told(&named("true", &[])).1, "ENOENT");
    assert_eq!(told(&named("", &["/bin"])).1, "ENOENT");
}

pub fn a_failing_hook_ends_the_jail_with_its_status() {
    let with =
        |phase: Phase, script: &str| Spec { hooks: vec![(phase, shell(script))], ..tenant("echo alive") };
    for phase in [Phase::AsVassalBeforeDrop, Phase::AsVassal] {
        assert_eq!(told(&with(phase, "exit 3")).1, "exit status 3");
        assert_eq!(told(&with(phase, "kill -9 $$")).1, "killed by signal 9");
        let missing = Spec { hooks: vec![(phase, program("/no/hook", &[]))], ..tenant("echo alive") };
        assert_eq!(told(&missing), (format!("run exec-{} /no/hook", phase.name()), "ENOENT".into()));
    }
}

pub fn hooks_run_in_order_with_the_environment_and_none_of_our_descriptors() {
    let paper = tempfile::NamedTempFile::new().unwrap();
    let path = paper.path().to_str().unwrap();
    paper.as_file().set_permissions(PermissionsExt::from_mode(0o666)).unwrap();
    // `ls` opens one more than it was given, on the way to the list.
    let script = |name: &str| {
        shell(&format!("(echo {name} $MARK; id -u; exec ls -1 /proc/self/fd | tail -n +4) >> {path}"))
    };
    let hooks = vec![
        (Phase::AsVassal, script("third")),
        (Phase::AsVassalBeforeDrop, script("first")),
        (Phase::AsVassalBeforeDrop, script("second")),
    ];
    assert_eq!(output(&Spec { hooks, ..tenant("echo done") }), "done\n");
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, "first here\n0\n3\nsecond here\n0\n3\nthird here\n54321\n3\n");
}

pub fn a_refused_birth_is_step_0() {
    // A descriptor that is no cgroup: the kernel refuses before there is a process.
    let file = File::open("/dev/null").unwrap();
    let birth = Birth { cgroup: Some(std::os::fd::AsFd::as_fd(&file)), ..Birth::default() };
    let spec = Spec { namespaces: namespaces("uts"), ..spec("") };
    let failure = spawn(&plan(&spec), &birth).unwrap_err().0;
    assert_eq!((failure.step, failure.errno), (0, libc::EBADF));
    let host = jail::plan::Host::default();
    assert_eq!(
        failure.sentence(&plan(&spec), &host),
        "cannot make a process in new namespaces uts: EBADF (step 0 of 4)"
    );
}

pub fn an_impossible_descriptor_is_refused() {
    for there in [-1, i32::MAX] {
        let (_, cause) = told(&Spec { descriptors: vec![(0, there)], ..spec("echo alive") });
        assert_eq!(cause, "no program can be given a descriptor of that number");
    }
    let (deed, cause) = told(&Spec { descriptors: vec![(9_999, 5)], ..spec("echo alive") });
    assert_eq!((deed, cause), (Step::Descriptors(Vec::new()).deed(), "EBADF: descriptor 9999".into()));
}

pub fn a_walking_child_holds_nothing_that_no_step_needs() {
    let ours = File::open("/dev/zero").unwrap();
    let hook = shell(
        "for fd in /proc/$PPID/fd/*; do readlink $fd; done | grep -c zero > /dev/null && exit 9; exit 0",
    );
    let with = |descriptors| Spec {
        hooks: vec![(Phase::AsVassalBeforeDrop, hook.clone())],
        descriptors,
        ..spec(":")
    };
    assert_eq!(output(&with(Vec::new())), "");
    let needed = std::os::fd::AsRawFd::as_raw_fd(&ours);
    assert_eq!(
        outcome(&with(vec![(needed, 5)])).failure.map(|failure| failure.cause()),
        Some("exit status 9".into())
    );
}
