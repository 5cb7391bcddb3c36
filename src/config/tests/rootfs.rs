use super::{load_text, sentences};
use crate::config::vassal::VassalKind;
use crate::config::vassal::rootfs::{MountWish, RootWish, RootfsConfig, Writes};
use jail::plan::{Attributes, Depth, HARMLESS};

fn read(text: &str) -> RootfsConfig {
    match load_text(&format!("[uwsgi]\ncommand = a\n{text}")).vassal() {
        Ok(VassalKind::Own(config)) => config.rootfs,
        other => panic!("{other:?}"),
    }
}

fn refused(line: &str) -> String {
    sentences(&load_text(&format!("[uwsgi]\ncommand = a\n{line}\n")).vassal().expect_err(line))
}

fn mount(line: &str) -> MountWish {
    read(line).mounts.pop().expect("one").value
}

#[test]
fn a_root_says_where_writes_go() {
    let root = |line: &str| read(line).root.expect("one").value;
    assert_eq!(root("rootfs = /srv/r"), RootWish::Rootfs("/srv/r".into(), Writes::Through));
    assert_eq!(root("rootfs = /srv/r ro"), RootWish::Rootfs("/srv/r".into(), Writes::Nowhere));
    assert_eq!(root("rootfs = /srv/a b  overlay"), RootWish::Rootfs("/srv/a b".into(), Writes::Memory));
    assert_eq!(root("pivot_root = /n /n/o/p"), RootWish::Pivot("/n".into(), "/o/p".into()));
    assert_eq!(root("pivot-root = /n /n"), RootWish::Pivot("/n".into(), "/".into()));
    assert_eq!(root("ns = /n:box"), RootWish::Namespace("/n".into()));
}

#[test]
fn a_bind_is_harmless_until_it_is_told_otherwise() {
    let bind = |attributes, depth| MountWish::Bind("/a".into(), "/b".into(), attributes, depth);
    assert_eq!(mount("bind = /a:/b"), bind(HARMLESS, Depth::One));
    assert_eq!(mount("bind = /a:/b:rw"), bind(HARMLESS, Depth::One));
    assert_eq!(mount("bind = /a:/b:rbind,ro"), bind(HARMLESS.with(Attributes::RO), Depth::All));
    assert_eq!(mount("bind = /a:/b:suid,dev,noexec"), bind(Attributes::NOEXEC, Depth::One));
}

#[test]
fn a_size_has_a_unit_and_is_not_nothing() {
    assert_eq!(mount("tmpfs = /tmp"), MountWish::Memory("/tmp".into(), None));
    assert_eq!(mount("tmpfs = /tmp:64M"), MountWish::Memory("/tmp".into(), Some(64 << 20)));
    for size in ["", "0", "m", "1t", "-1", "9999999999999g", "1.5m"] {
        assert!(refused(&format!("tmpfs = /tmp:{size}")).contains("is no size"), "{size}");
    }
}

#[test]
fn a_path_that_depends_on_what_lies_on_the_way_is_refused() {
    for line in [
        "rootfs = srv",
        "rootfs = /srv/../etc",
        "bind = a:/b",
        "bind = /a:/b/..",
        "tmpfs = tmp",
        "mask = ../x",
        "chroot = .",
    ] {
        assert!(refused(line).contains("is no absolute path without `..`"), "{line}");
    }
    for line in ["bind = /a:/", "tmpfs = /", "mask = /", "readonly = /"] {
        assert!(refused(line).contains("`/` itself is what `rootfs` is for"), "{line}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_cure() {
    for (line, cause, cure) in [
        ("rootfs = /r rw", "`rw` says nothing of a root", "DIRECTORY overlay"),
        ("bind = /a", "`/a` is not SOURCE:PLACE", "SOURCE:PLACE:FLAG"),
        ("bind = /a:/b:fast", "`fast` is no flag of a bind", "rbind"),
        ("dev = all", "`all` is no kind of /dev", "`minimal` or `host`"),
        ("etc-hosts = x", "`x` is no kind of /etc/hosts", "`generate` or `host`"),
        ("resolv-conf = 1.1.1.1,dns", "has something that is no address", "use `host`, or addresses"),
        ("pivot_root = /n", "are not two directories", "NEW OLD"),
        ("pivot_root = /n /o", "`/o` is not below the new root", "OLD is an empty directory"),
        ("ns = /n:a b", "is no host name", "use letters"),
        (
            "rootfs = /r\nchroot = /c",
            "another option has said already what `/` is (a.ini:3:10)",
            "leave out one",
        ),
    ] {
        let told = refused(line);
        assert!(told.contains(cause) && told.contains(cure), "{line}: {told}");
    }
}
