use jail::plan::Rootfs;

use super::*;

/// Root in namespaces of its own.
fn root() -> Facts {
    Facts {
        root: true,
        jailed: true,
        own_hostname: true,
        born: Namespaces::FS.with(Namespaces::PID),
        emperor: true,
        permitted: Capabilities(u64::MAX),
        ..Facts::default()
    }
}

fn placed<T>(value: T) -> Placed<T> {
    Placed { value, place: Place { file: "v.ini".into(), line: 2, column: 1 } }
}

fn config(wish: Option<RootWish>, mounts: Vec<MountWish>) -> VassalConfig {
    let mut config = VassalConfig { uid: Some(placed("web".into())), ..VassalConfig::default() };
    config.rootfs.root = wish.map(placed);
    config.rootfs.mounts = mounts.into_iter().map(placed).collect();
    config
}

fn built(config: &VassalConfig, facts: &Facts) -> Rootfs {
    match enter(config, facts) {
        Some(Step::Enter(rootfs)) => rootfs,
        other => panic!("{other:?}"),
    }
}

fn causes(config: &VassalConfig, facts: &Facts) -> String {
    refusals(config, facts).iter().map(|error| format!("{error}\n")).collect()
}

fn bind(source: &str, place: &str) -> MountWish {
    MountWish::Bind(source.into(), place.into(), HARMLESS, Depth::One)
}

#[test]
fn what_lies_above_comes_first_and_what_covers_comes_last() {
    let mounts = vec![
        MountWish::Mask("/run".into()),
        bind("/a", "/run/app/data"),
        MountWish::Memory("/run".into(), Some(1024)),
        MountWish::Readonly("/etc".into()),
        bind("/b", "/etc"),
    ];
    let config = config(Some(RootWish::Rootfs("/srv/r".into(), Writes::Nowhere)), mounts);
    insta::assert_snapshot!(built(&config, &root()), @r"
    build the file system
        root: /srv/r (ro,nosuid,nodev)
        /run: memory, at most 1024 bytes (nosuid,nodev)
        /etc: /b (nosuid,nodev)
        /run/app/data: /a (nosuid,nodev)
        /run: hidden (ro,nosuid,nodev,noexec)
        /etc: as it is (ro)
        leave the old root behind
        read back what was mounted
    ");
}

#[test]
fn devices_are_made_where_they_can_be_and_taken_from_outside_where_not() {
    let config = config(None, vec![MountWish::DevMinimal]);
    let text = |born: Namespaces| built(&config, &Facts { born, ..root() }).to_string();
    assert!(text(root().born).contains("/dev/null: device 1:3\n"));
    assert!(
        text(root().born.with(Namespaces::USER))
            .contains("/dev/null: device 1:3 as it is outside (ro,nosuid,noexec)\n")
    );
}

#[test]
fn nothing_is_made_in_dev_once_all_of_it_is_there() {
    let sealed = "/dev: nothing is made there any more (ro)";
    for dev in [MountWish::DevMinimal, MountWish::DevHost] {
        let list = vec![MountWish::Mask("/dev/full".into()), dev, bind("/a", "/dev/a")];
        let text = built(&config(None, list), &root()).to_string();
        let last = text.lines().rev().nth(1).expect("lines").trim();
        assert_eq!((last, text.matches(sealed).count()), (sealed, 1), "{text}");
    }
}

#[test]
fn only_a_root_that_stays_root_is_kept_from_what_reaches_out() {
    let protects =
        |config: &VassalConfig, facts: &Facts| built(config, facts).to_string().contains("/proc/sys");
    let user = config(None, vec![MountWish::Proc]);
    let rooted = VassalConfig { uid: None, ..user.clone() };
    let host = root();
    let tenant = Facts { born: host.born.with(Namespaces::USER), ..host };
    assert!(protects(&rooted, &host) && !protects(&user, &host) && !protects(&rooted, &tenant));
    let loses = |facts: &Facts, one| !kept(&rooted, facts).expect("a limit").has(one);
    for facts in [&host, &tenant] {
        assert!(loses(facts, Capability::CAP_SYS_ADMIN) && loses(facts, Capability::CAP_MKNOD));
        assert!(!loses(facts, Capability::CAP_SETUID));
    }
    assert!(loses(&host, Capability::CAP_NET_ADMIN) && !loses(&tenant, Capability::CAP_NET_ADMIN));
    assert_eq!(kept(&config(Some(RootWish::Chroot("/r".into())), Vec::new()), &root()), None);
}

#[test]
fn what_would_reach_the_host_is_refused_with_its_cure() {
    let free = Facts { born: Namespaces::NONE, ..root() };
    insta::assert_snapshot!(causes(&config(None, vec![MountWish::Proc, bind("/a", "/proc")]), &free), @r#"
    v.ini:2:1: mounts would be made for the whole host
      add "fs" to emperor-use-clone, or `unshare = fs`
    v.ini:2:1: `proc` would show the processes of the host
      add "pid" to emperor-use-clone, or `unshare = pid`
    v.ini:2:1: something is mounted on /proc already (v.ini:2:1)
      leave out one of the two
    "#);
    let chroot = config(Some(RootWish::Chroot("/r".into())), Vec::new());
    assert_eq!(causes(&chroot, &free), "");
    assert_eq!(enter(&chroot, &free), Some(Step::Chroot("/r".into())));
    assert!(causes(&VassalConfig { uid: None, ..chroot }, &free).contains("root can leave a `chroot` again"));
}

#[test]
fn a_namespace_of_uwsgi_makes_what_birth_did_not() {
    let mut config = config(Some(RootWish::Namespace("/n".into())), Vec::new());
    let made = |config: &VassalConfig, born: &str| {
        let facts = Facts { born: born.parse().expect("namespaces"), ..root() };
        unshared(config, &facts).to_string()
    };
    assert_eq!(made(&config, ""), "fs,ipc,pid,uts");
    config.rootfs.namespace_net = Some(placed("x".into()));
    assert_eq!(made(&config, "fs,pid,uts"), "net,ipc");
    assert!(built(&config, &root()).to_string().contains("/proc: proc of this pid namespace"));
}

#[test]
fn a_jail_by_one_word_adds_what_birth_and_config_do_not_give() {
    let jailed = |strictness, mounts| VassalConfig {
        jail: Some(placed(Some(strictness))),
        ..config(Some(RootWish::Rootfs("/r".into(), Writes::Through)), mounts)
    };
    let bare = Facts { born: Namespaces::NONE, ..root() };
    let standard = jailed(Strictness::Standard, vec![MountWish::Memory("/tmp".into(), Some(4096))]);
    assert_eq!(unshared(&standard, &bare).to_string(), "fs,net,ipc,pid,uts,cgroup");
    assert_eq!(
        unshared(&standard, &Facts { born: "fs,pid,ipc".parse().expect("names"), ..root() }).to_string(),
        "net,uts,cgroup"
    );
    let built = built(&standard, &Facts { born: Namespaces::USER, ..root() }).to_string();
    assert_eq!(built.matches("/tmp: memory").count(), 1, "{built}");
    assert!(built.contains("/tmp: memory, at most 4096 bytes") && built.contains("/dev/null"), "{built}");
    let strict = jailed(Strictness::Strict, Vec::new());
    assert!(self::built(&strict, &bare).to_string().contains("root: /r (ro,nosuid,nodev)"));
}

#[test]
fn a_jail_that_is_there_is_not_made_again() {
    let inside = Facts { whole: true, born: standard::standard_namespaces(), ..root() };
    let word = |value| VassalConfig { jail: Some(placed(value)), ..VassalConfig::default() };
    let again = word(Some(Strictness::Standard));
    assert_eq!((unshared(&again, &inside), enter(&again, &inside)), (Namespaces::NONE, None));
    assert!(causes(&word(None), &inside).contains("the jail of the Emperor holds"));
    assert_eq!(causes(&word(None), &Facts { whole: false, ..inside }), "");
}
