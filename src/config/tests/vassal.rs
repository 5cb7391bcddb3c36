use super::emperor::sample;
use super::{Files, load_text, sentences, typed};
use crate::config::load::ERRORS_MAX;
use crate::config::vassal::health::Readiness;
use crate::config::vassal::{Patch, VassalConfig, VassalKind};
use crate::options::{Scope, options};

pub(super) fn read(text: &str) -> VassalConfig {
    match load_text(&format!("[uwsgi]\n{text}")).vassal() {
        Ok(VassalKind::Own(config)) => *config,
        other => panic!("{other:?}"),
    }
}

pub fn refused(text: &str) -> String {
    sentences(&load_text(&format!("[uwsgi]\n{text}")).vassal().expect_err("wrong"))
}

#[test]
fn a_config_of_the_manual_is_read_as_it_is() {
    let config = read(
        "exec-as-root = hostname foobar\nexec-as-root = umount /proc\nexec-as-root = mount -t proc none /proc\n\
         uid = kratos\ngid = kratos\nsocket = /tmp/%n.socket\n",
    );
    let programs: Vec<&str> = config.programs.iter().map(|(_, program)| program.value.as_str()).collect();
    assert_eq!(programs, ["hostname foobar", "umount /proc", "mount -t proc none /proc"]);
    assert_eq!(config.uid.expect("given").value, "kratos");
    assert_eq!(config.sockets.len(), 1);
    assert_eq!(config.command, None);
}

#[test]
fn a_program_may_take_our_place() {
    let config = read("unprivileged-binary-patch-arg = ps aux\nprivileged-binary-patch = /bin/x\n");
    assert_eq!(config.unprivileged_patch.expect("given").value, Patch::Shell("ps aux".into()));
    assert_eq!(config.privileged_patch.expect("given").value, Patch::Program("/bin/x".into()));
    insta::assert_snapshot!(refused("unprivileged-binary-patch = a\nunprivileged-binary-patch-arg = b\n"), @r"
    a.ini:3:1: `unprivileged-binary-patch-arg`: another program takes the vassal's place already (a.ini:2:29)
      unprivileged-binary-patch-arg = b
      ^
      leave out one of the two
    ");
}

#[test]
fn a_mode_of_sockets_may_be_left_out() {
    assert_eq!(read("socket = x\nchmod-socket\n").socket_mode, Some(0o666));
    assert_eq!(read("socket = x\nchmod = 600\n").socket_mode, Some(0o600));
    assert_eq!(read("socket = x\n").socket_mode, None);
}

#[test]
fn every_option_of_the_table_has_an_effect() {
    for (group, option) in options().filter(|(group, _)| matches!(group.scope, Scope::Vassal | Scope::Both)) {
        let line = format!("{} = {}\n", option.name, sample(option.kind));
        let base = match option.name {
            "pty-exec" => "uid = 1\nsocket = x\n",
            "pty-log" | "pty-input" => "uid = 1\ncommand = a\npty-socket = x\n",
            "log-keep" | "log-compress" | "log-backupname" => {
                "uid = 1\ncommand = a\nlogto = base\nlog-maxsize = 1M\n"
            }
            _ => "uid = 1\ncommand = a\nlogto = base\n",
        };
        let line = if option.name == "pty-exec" { format!("pty-socket = x\n{line}") } else { line };
        assert_ne!(read(&format!("{base}{line}")), read(base), "{}: {line}", group.heading);
    }
}

#[test]
fn an_option_of_the_application_server_makes_it_a_vassal_of_uwsgi() {
    let kind = |text: &str| load_text(&format!("[uwsgi]\n{text}")).vassal();
    assert_eq!(kind("socket = x\nmodule = app\n"), Ok(VassalKind::Uwsgi("module".into())));
    let anything =
        "for = a b\nset = %(_ + 1)\nendfor =\nbase = @(exec://id)\nwsgi-file = x\ntypo = 1\nuid = 0\n";
    assert_eq!(kind(anything), Ok(VassalKind::Uwsgi("wsgi-file".into())));
    let world = Files::of(&[("x.yml", "uwsgi:\n  module: app\n"), ("y.yml", "uwsgi:\n  command: app\n")]);
    let foreign = world.load_entries(vec![typed(1, "yaml", "x.yml")]);
    assert_eq!(foreign.vassal(), Ok(VassalKind::Uwsgi("module".into())));
    let ours = world.load_entries(vec![typed(1, "yaml", "y.yml")]);
    assert!(matches!(ours.vassal(), Ok(VassalKind::Own(_))));
}

#[test]
fn a_command_next_to_the_application_server_is_an_error() {
    insta::assert_snapshot!(refused("command = a\nmodule = b\n"), @r"
    a.ini:3:1: `module` is for uwsgi, but `command` (a.ini:2:1) runs another program
      module = b
      ^
      leave out one of the two
    ");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    insta::assert_snapshot!(
        refused("comand = x\nuid = 0\nemperor-tyrant = true\nemperor-freq = 3\ndrop-after-apps = y\nchmod-socket = rw\nunshare = fs,nte\nzzzzzz = 1\n"),
        @r"
        a.ini:2:1: unknown option `comand`
          comand = x
          ^
          did you mean `command`?
        a.ini:3:7: `uid`: `0` is root
          uid = 0
                ^
          use an id other than 0, or leave the option out
        a.ini:4:1: `emperor-tyrant` is an option of the Emperor, not of a vassal
          emperor-tyrant = true
          ^
          move it to the Emperor's config
        a.ini:5:1: `emperor-freq` is an option of the Emperor, not of a vassal
          emperor-freq = 3
          ^
          move it to the Emperor's config
        a.ini:6:1: `drop-after-apps` is not supported yet
          drop-after-apps = y
          ^
          leave it out, or have vassals run by uwsgi: `binary-path` in the Emperor's config
        a.ini:7:16: `chmod-socket`: `rw` is no mode
          chmod-socket = rw
                         ^
          use three or four octal digits, such as 660
        a.ini:8:11: `unshare`: unknown namespace `nte`: fs, net, ipc, pid, uts, user, cgroup, time
          unshare = fs,nte
                    ^
          did you mean `net`?
        a.ini:9:1: unknown option `zzzzzz`
          zzzzzz = 1
          ^
          a placeholder of your own is used as `%(name)`, or its name begins with `x-`
        "
    );
}

#[test]
fn what_no_single_option_shows_is_told() {
    insta::assert_snapshot!(refused("gid = 5\nadd-gid = 6\nchdir = /\n"), @r"
    a.ini:2:7: `gid` without `uid`
      gid = 5
            ^
      add `uid`: groups are changed together with the user
    a.ini:3:11: `add-gid` without `uid`
      add-gid = 6
                ^
      add `uid`: groups are changed together with the user
    a.ini:1:1: this config runs nothing
      [uwsgi]
      ^
      say what runs: command = PROGRAM ARGUMENTS
    ");
}

#[test]
fn ten_thousand_typing_errors_are_told_a_hundred_times() {
    let text = format!("[uwsgi]\n{}", "comand = x\n".repeat(10_000));
    assert_eq!(load_text(&text).vassal().expect_err("wrong").len(), ERRORS_MAX);
    assert_eq!(load_text(&text).emperor().expect_err("wrong").len(), ERRORS_MAX);
}

#[test]
fn a_vassal_with_a_source_runs_an_emperor_with_the_options_that_are_an_emperors() {
    let config = read(
        "emperor = /v\nuid = 5\nemperor-nofollow\nvassal-set = a=%%n\nexec-as-user = x\nmaster = true\n",
    );
    let words = config.command.expect("an Emperor").value;
    assert_eq!(words, ["/proc/self/exe", "--emperor=/v", "--emperor-nofollow", "--vassal-set=a=%n"]);
    assert_eq!((config.health.ready, config.health.reload_signal), (Readiness::Notify, Some(1)));
    let own = read("ready = started\nreload-signal = USR1\nemperor = /v\n").health;
    assert_eq!((own.ready, own.reload_signal), (Readiness::Started, Some(10)));
    let wrong = refused("emperor = /v\nemperor-throttle = soon\n");
    assert!(wrong.starts_with("a.ini:3:20: `emperor-throttle`"), "{wrong}");
    insta::assert_snapshot!(refused("emperor = /v\ncommand = a\n"), @r"
    a.ini:2:1: `emperor`, and another program (a.ini:3:11)
      emperor = /v
      ^
      leave out one of the two, or make the program a vassal of this Emperor
    ");
}

/// Row T6.
#[test]
fn terminals_are_served_where_a_mode_says_who_may_come() {
    for address in ["127.0.0.1:3031", ":3031", "@terminals"] {
        let said = refused(&format!("forkpty-router = {address}\n"));
        assert!(said.contains("a.ini:2:18") && said.contains("write the path of a unix socket"), "{said}");
        let said = refused(&format!("command = a\npty-socket = {address}\n"));
        assert!(said.contains("a.ini:3:14") && said.contains("write the path of a unix socket"), "{said}");
    }
    let config = read("forkpty-router = /run/a\nforkptyurouter = fd://3\nforkpty-router-cmd = bash -l\n");
    assert_eq!((config.terminals.raw.len(), config.terminals.framed.len()), (1, 1));
    assert_eq!(config.terminals.command.as_deref(), Some("bash -l"));
}

#[test]
fn a_shared_terminal_is_that_of_one_program() {
    let argv = |text: &str| read(text).command.expect("one").value;
    assert_eq!(argv("pty-socket = a\npty-exec = bash\n"), ["bash"]);
    assert_eq!(argv("pty-socket = a\nbinsh = /bin/dash\npty-exec = top -b\n"), ["/bin/dash", "-c", "top -b"]);
    assert_eq!(argv("pty-socket = a\npty-socket = b\ncommand = top -b\n"), ["top", "-b"]);
    insta::assert_snapshot!(refused("pty-socket = a\ncommand = b\npty-exec = c\n"), @r"
    a.ini:4:12: `pty-exec`: the terminal is that of another program (a.ini:3:11)
      pty-exec = c
                 ^
      leave out one of the two
    ");
    insta::assert_snapshot!(refused("pty-socket = a\n"), @r"
    a.ini:2:14: `pty-socket`: no program whose terminal it would be
      pty-socket = a
                   ^
      say which: command = PROGRAM ARGUMENTS, or pty-exec = PROGRAM
    ");
    insta::assert_snapshot!(refused("command = a\npty-log\n"), @r"
    a.ini:3:8: a terminal that nobody can connect to: there is no `pty-socket`
      pty-log
             ^
      add `pty-socket = PATH`
    ");
}

#[test]
fn a_word_of_supervisord_is_told_with_what_does_it_here() {
    insta::assert_snapshot!(refused("command = x\nautostart = true\nuser = shop\nstdout_logfile = /x\nstopwaitsecs = 5\n"), @r"
    a.ini:3:1: unknown option `autostart`
      autostart = true
      ^
      a word of supervisord; here: a config runs as soon as it is there; `liege disable NAME` keeps it from that
    a.ini:4:1: unknown option `user`
      user = shop
      ^
      a word of supervisord; here: `uid = NAME`, with `gid = GROUP` for another group than the user's own
    a.ini:5:1: unknown option `stdout_logfile`
      stdout_logfile = /x
      ^
      a word of supervisord; here: `logto = FILE`, for standard output and error
    a.ini:6:1: unknown option `stopwaitsecs`
      stopwaitsecs = 5
      ^
      a word of supervisord; here: `reload-mercy = SECONDS`
    ");
}
