use super::{load_text, sentences};
use crate::config::emperor::{EmperorConfig, Source};
use crate::options::{Kind, Scope, options};

fn read(text: &str) -> EmperorConfig {
    let loaded = load_text(&format!("[uwsgi]\nemperor = /v\n{text}"));
    loaded.emperor().unwrap_or_else(|errors| panic!("{}", sentences(&errors)))
}

#[test]
fn defaults_are_those_of_the_table() {
    let EmperorConfig { sources, file, .. } = read("");
    assert_eq!(file.as_deref(), Some("a.ini"));
    assert_eq!(read(""), EmperorConfig { sources, file, ..EmperorConfig::default() });
    let seconds = |name: &str| {
        let (_, option) = crate::options::find(name).expect("an option");
        option.default.expect("a default").parse::<u64>().expect("a number")
    };
    let config = EmperorConfig::default();
    assert_eq!(config.freq_ms, seconds("emperor-freq") * 1000);
    assert_eq!(config.curse_tolerance_ms, seconds("emperor-curse-tolerance") * 1000);
    assert_eq!(config.required_heartbeat_ms, seconds("emperor-required-heartbeat") * 1000);
    assert_eq!(config.throttle_ms, seconds("emperor-throttle"));
    assert_eq!(config.max_throttle_ms, seconds("emperor-max-throttle"));
    assert_eq!(u64::from(config.tenant_max), seconds("emperor-tenant-max"));
}

#[test]
fn values_are_typed() {
    let config = read(
        "emperor = glob:///w/*.ini\nemperor-use-clone = fs,net\nemperor-use-clone = pid\nemperor-freq = 7\nemperor-tyrant\n\
         emperor-nofollow = off\nvassal-cap = kill\nvassals-cap = chown\nvassals-set = a=b\nemperor-extra-ext = .conf\n",
    );
    assert_eq!(config.sources[1].value, Source::Glob("/w/*.ini".into()));
    assert_eq!(config.sources[1].place.to_string(), "a.ini:3:11");
    assert_eq!(config.namespaces.to_string(), "fs,net,pid");
    assert_eq!(config.vassal_cap.expect("given").to_string(), "chown");
    assert_eq!((config.freq_ms, config.tyrant, config.nofollow), (7000, true, false));
    assert_eq!(
        (config.vassal_set, config.extra_extensions),
        (vec!["a=b".to_owned()], vec![".conf".to_owned()])
    );
}

/// A value that an option of this kind takes, and that is not its default.
pub fn sample(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "true",
        Kind::Text => ".x",
        Kind::Pair => "A=b",
        Kind::Int(_) => "77",
        Kind::Mode => "600",
        Kind::Namespaces => "uts",
        Kind::Capabilities => "kill",
        Kind::Address => "/s",
        Kind::Path | Kind::Source => "/p",
        Kind::Config => "b.ini",
        Kind::Words | Kind::Shell => "run me",
        Kind::Hook => "mkdir:/p",
        Kind::Mount => "tmpfs none /p",
        Kind::Umount => "/p",
        Kind::User | Kind::Group => "77",
        Kind::Root => "/r ro",
        Kind::Bind => "/a:/b:ro",
        Kind::Memory => "/t:1m",
        Kind::Device => "minimal",
        Kind::Hosts | Kind::Resolvers => "host",
        Kind::Pivot => "/n /n/o",
        Kind::Namespace => "/n:box",
        Kind::Keep => "/k",
        Kind::Form(_, example) => example,
    }
}

#[test]
fn every_option_of_the_table_has_an_effect() {
    // A mount of a vassal's needs mounts of its own, who waits for a command a socket that it comes from, and what is said of
    // routers one with a gateway, and of files a directory.
    const BASE: &str = "uid = 1\nemperor-use-clone = fs\nemperor-command-socket = @base\n\
                        tuntap-router = base0 /base /base.stats 127.0.0.1:1\nvassals-log = dir:/base\n";
    let plain = read(BASE);
    for (group, option) in options().filter(|(group, _)| matches!(group.scope, Scope::Emperor | Scope::Both))
    {
        let line = format!("{} = {}\n", option.name, sample(option.kind));
        assert_ne!(read(&format!("{BASE}{line}")), plain, "{}: {line}", group.heading);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let loaded = load_text(
        "[uwsgi]\nemperor = pg://x\nemperor-freq = soon\nemperor-tyrant = disabled\nemperor-use-clone = fs,parent\n\
         emperor-cap = fly\ncommand = x\nwsgi-file = y\nemperor-apparmor = x\nemperor-tyrnt\nemperor-stats = host:80\nuid =\n",
    );
    insta::assert_snapshot!(sentences(&loaded.emperor().expect_err("wrong")), @r"
    a.ini:2:11: `emperor`: vassals from `pg://` are not supported yet
      emperor = pg://x
                ^
      use a directory or a glob pattern
    a.ini:3:16: `emperor-freq`: `soon` does not begin with a digit
      emperor-freq = soon
                     ^
      write a number, or one with its unit: 500ms, 1.5s, 2m, 1h, 1d
    a.ini:5:21: `emperor-use-clone`: `parent` is a flag of clone(2), not a namespace: it would share, not separate
      emperor-use-clone = fs,parent
                          ^
      use some of: fs, net, ipc, pid, uts, user, cgroup, time
    a.ini:6:15: `emperor-cap`: unknown capability `fly`
      emperor-cap = fly
                    ^
      use names of capabilities(7) without CAP_, such as: net_bind_service,kill
    a.ini:7:1: `command` is an option of a vassal, not of the Emperor
      command = x
      ^
      move it to a vassal's config
    a.ini:8:1: `wsgi-file` configures uWSGI's application server, not the Emperor
      wsgi-file = y
      ^
      move it to a vassal's config: a vassal that has it is run by uwsgi
    a.ini:9:1: `emperor-apparmor` is refused
      emperor-apparmor = x
      ^
      use emperor-wrapper with a script that calls aa-exec -p PROFILE
    a.ini:10:1: unknown option `emperor-tyrnt`
      emperor-tyrnt
      ^
      did you mean `emperor-tyrant`?
    a.ini:11:17: `emperor-stats`: `host:80` is no address
      emperor-stats = host:80
                      ^
      use :PORT, 127.0.0.1:PORT, [::1]:PORT, a path or @NAME; names of hosts are not looked up
    a.ini:12:6: `uid`: needs a name or a number
      uid =
           ^
      use a name or a number
    ");
}

#[test]
fn what_no_single_option_shows_is_told() {
    let told = |text: &str| sentences(&load_text(text).emperor().expect_err("wrong"));
    insta::assert_snapshot!(told("[uwsgi]\nemperor = /v\ngid = 5\nhelp = 1\n"), @r"
    a.ini:4:1: `help` works on the command line only
      help = 1
      ^
      leave it out of the file
    a.ini:3:7: `gid` without `uid`
      gid = 5
            ^
      add `uid`: groups are changed together with the user
    ");
    insta::assert_snapshot!(told("[uwsgi]\nemperor-tyrant = 1\n"), @r"
    a.ini:1:1: no `emperor` option
      [uwsgi]
      ^
      say where vassals come from: --emperor DIRECTORY
    ");
    assert!(load_text("[uwsgi]\nemperor-tyrant = 1\n").emperor_settings().expect("fine").tyrant);
}

#[test]
fn mistakes_in_hooks_of_the_emperors_side_are_told_with_their_place() {
    let told = |text: &str| {
        sentences(&load_text(&format!("[uwsgi]\nemperor = /v\n{text}")).emperor().expect_err("wrong"))
    };
    insta::assert_snapshot!(told(
        "hook-as-emperor = mkdri:/x\nhook-emperor-start = mkdir\nmount-as-emperor = tmpfs /x\n\
         hook-as-emperor-setns = mnt exec:id\nhook-as-emperor-setns = exec:id\nvassals-start-hook = bin/x\n\
         hook-as-vassal-before-drop = !chmod:/x 99\numount-as-vassal = /x lazily\nhook-as-on-demand-vassal = mkdri:/x\n"
    ), @r"
    a.ini:3:19: `hook-as-emperor`: no handler of hooks is called `mkdri`
      hook-as-emperor = mkdri:/x
                        ^
      did you mean `mkdir`?
    a.ini:4:22: `hook-emperor-start`: `mkdir` has no colon
      hook-emperor-start = mkdir
                           ^
      write HANDLER:ARGUMENTS, such as mkdir:/run/app
    a.ini:5:20: `mount-as-emperor`: a mount has three words or more
      mount-as-emperor = tmpfs /x
                         ^
      write FS WHAT WHERE [FLAGS [DATA]], such as: tmpfs none /tmp nosuid,nodev size=64m
    a.ini:6:25: `hook-as-emperor-setns`: among the vassal's mounts every path leads where the vassal wants, also for the host's root
      hook-as-emperor-setns = mnt exec:id
                              ^
      join its user namespace as well (fs,user), or use hook-as-vassal-before-drop
    a.ini:7:25: `hook-as-emperor-setns`: `exec:id` has no blank between namespaces and handler
      hook-as-emperor-setns = exec:id
                              ^
      write NAMESPACE,… HANDLER:ARGUMENTS, such as: net exec:/usr/sbin/ip link
    a.ini:8:22: `vassals-start-hook`: `bin/x` depends on the working directory
      vassals-start-hook = bin/x
                           ^
      write the whole path, such as /usr/local/bin/NAME
    a.ini:9:30: `hook-as-vassal-before-drop`: this hidden hook is not understood
      hook-as-vassal-before-drop = !(hidden)
                                   ^
      take its `!` away to be told why
    a.ini:10:20: `umount-as-vassal`: `lazily` is no flag of umount
      umount-as-vassal = /x lazily
                         ^
      write WHERE [FLAGS], with flags: force, detach, rec
    a.ini:11:28: `hook-as-on-demand-vassal`: no handler of hooks is called `mkdri`
      hook-as-on-demand-vassal = mkdri:/x
                                 ^
      did you mean `mkdir`?
    ");
    insta::assert_snapshot!(told("mount-as-vassal = tmpfs none /x\nhook-as-vassal-before-drop = hostname:x\n"), @r#"
    a.ini:3:19: this would change the mounts of the whole host
      mount-as-vassal = tmpfs none /x
                        ^
      add "fs" to emperor-use-clone, or use a hook as-emperor
    a.ini:4:30: this would change the name of the whole host
      hook-as-vassal-before-drop = hostname:x
                                   ^
      add "uts" to emperor-use-clone, or use a hook as-emperor
    "#);
}

#[test]
fn a_jail_counts_as_the_namespaces_that_it_brings() {
    let read = |text: &str| load_text(&format!("[uwsgi]\nemperor = /v\n{text}")).emperor();
    let mounts = "mount-as-vassal = tmpfs none /x\nhook-as-vassal-before-drop = hostname:x\n";
    let enters = "hook-as-emperor-setns = user exec:id\n";
    for jail in [
        "emperor-tyrant = true\n",
        "jail = standard\n",
        "jail = strict\n",
        "emperor-use-clone = fs,uts,user\n",
    ] {
        assert!(read(&format!("{jail}{mounts}{enters}")).is_ok(), "{jail}");
    }
    for none in
        ["", "emperor-tyrant = true\njail = none\n", "emperor-tyrant = true\nemperor-use-clone = pid\n"]
    {
        assert_eq!(read(&format!("{none}{mounts}{enters}")).expect_err("refused").len(), 3, "{none}");
    }
    let told = sentences(&read(enters).expect_err("no user namespace"));
    insta::assert_snapshot!(told, @r#"
    a.ini:3:25: the vassals have no user namespace that could be joined
      hook-as-emperor-setns = user exec:id
                              ^
      add "user" to emperor-use-clone, or use hook-as-vassal-before-drop
    "#);
}

#[test]
fn each_call_phase_is_refused_with_what_to_use_instead() {
    let calls: Vec<&str> =
        crate::options::all().map(|option| option.name).filter(|name| name.starts_with("call-")).collect();
    assert!(calls.len() >= 16, "{calls:?}");
    for name in calls {
        let text = format!("[uwsgi]\nemperor = /v\n{name} = f\n");
        let loaded = load_text(&text);
        let program = format!("exec-{}", name["call-".len()..].trim_end_matches(char::is_numeric));
        let told = sentences(&loaded.emperor().expect_err("refused"));
        assert!(told.contains(&format!("use {program} = PROGRAM")), "{told}");
        assert!(crate::options::find(&program).is_some(), "{program}");
        let told = sentences(
            &load_text(&format!("[uwsgi]\ncommand = x\n{name} = f\n")).vassal().expect_err("refused"),
        );
        assert!(told.contains(&format!("use {program} = PROGRAM")), "{told}");
    }
}
