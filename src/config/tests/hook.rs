use super::vassal::refused;
use crate::config::hook::{Action, Hook, Verb};

fn action(text: &str) -> Action {
    Hook::parse(Verb::Hook, text).expect("a hook").action
}

fn wrong(verb: Verb, text: &str) -> String {
    let wrong = Hook::parse(verb, text).expect_err("wrong");
    format!("{text} -> {}; {}", wrong.cause, wrong.cure.unwrap_or_default())
}

#[test]
fn every_handler_is_read() {
    let table = [
        "cd:/a",
        "chdir:a",
        "mkdir:/a b",
        "putenv:A=b=c",
        "chmod:/a 4750",
        "chmod:/a 750",
        "chown:/a alice www-data",
        "chown2:/a 0 10",
        "sticky:/a",
        "exec:a b; c",
        "safeexec:false",
        "create:/a",
        "creat:/a",
        "write:/a b  c ",
        "writen:/a b",
        "append:/a b",
        "appendn:/a",
        "writefifo:/a b",
        "spinningfifo:/a b",
        "unlink:/a",
        "hostname:box",
        "ifup:lo",
        "ifdown:eth0",
        "wait_for_fs:/a",
        "wait_for_file:/a",
        "wait_for_dir:/a",
        "wait_for_socket:127.0.0.1:80",
        "wait_for_socket:/a",
        "print:%s%n",
        "log:a:b",
        "exit:",
        "exit:5",
        "exit:255",
    ];
    let read: Vec<String> = table.iter().map(|text| format!("{text} -> {:?}", action(text))).collect();
    insta::assert_snapshot!(read.join("\n"), @r#"
    cd:/a -> Enter("/a")
    chdir:a -> Enter("a")
    mkdir:/a b -> MakeDirectory("/a b")
    putenv:A=b=c -> PutEnv("A", "b=c")
    chmod:/a 4750 -> Mode("/a", 2536)
    chmod:/a 750 -> Mode("/a", 488)
    chown:/a alice www-data -> Owner("/a", "alice:www-data")
    chown2:/a 0 10 -> Owner("/a", "0:10")
    sticky:/a -> Sticky("/a")
    exec:a b; c -> Exec("a b; c")
    safeexec:false -> SafeExec("false")
    create:/a -> Write("/a", "")
    creat:/a -> Write("/a", "")
    write:/a b  c  -> Write("/a", "b  c ")
    writen:/a b -> Write("/a", "b\n")
    append:/a b -> Append("/a", "b")
    appendn:/a -> Append("/a", "\n")
    writefifo:/a b -> Fifo("/a", "b", Optional)
    spinningfifo:/a b -> Fifo("/a", "b", Awaited)
    unlink:/a -> Unlink("/a")
    hostname:box -> Hostname("box")
    ifup:lo -> InterfaceUp("lo")
    ifdown:eth0 -> InterfaceDown("eth0")
    wait_for_fs:/a -> WaitFor(Path("/a", Any))
    wait_for_file:/a -> WaitFor(Path("/a", Regular))
    wait_for_dir:/a -> WaitFor(Path("/a", Directory))
    wait_for_socket:127.0.0.1:80 -> WaitFor(Socket(Tcp(127.0.0.1:80)))
    wait_for_socket:/a -> WaitFor(Socket(Unix("/a")))
    print:%s%n -> Print("%s%n")
    log:a:b -> Print("a:b")
    exit: -> Exit(0)
    exit:5 -> Exit(5)
    exit:255 -> Exit(255)
    "#);
}

#[test]
fn every_kind_of_mount_is_read() {
    let table = [
        "proc none /proc",
        "tmpfs none /tmp nosuid,nodev,noexec size=64m,mode=1777",
        "none /a /b bind",
        " /a /b bind",
        "none /a /b bind,ro,nosuid",
        "none /a /b rbind",
        "none /a /b bind,rec",
        "none none /b remount,bind,ro",
        "none none /b remount,ro size=1m",
        "none /a /b move",
        "none none / rec,private",
        "none none / rslave",
        "none none / unbindable",
        "none none / shared",
        "ext4 /dev/sda1 /x ro,rw,relatime,strictatime",
        "ext4 /dev/sda1 /x defaults",
    ];
    let mount =
        |text: &&str| format!("{text} -> {:?}", Hook::parse(Verb::Mount, text).expect("a mount").action);
    insta::assert_snapshot!(table.iter().map(mount).collect::<Vec<_>>().join("\n"), @r#"
    proc none /proc -> Mount(Mount { kind: New("proc", "none", ""), at: "/proc", flags: MountFlags(0x0) })
    tmpfs none /tmp nosuid,nodev,noexec size=64m,mode=1777 -> Mount(Mount { kind: New("tmpfs", "none", "size=64m,mode=1777"), at: "/tmp", flags: MountFlags(NODEV | NOEXEC | NOSUID) })
    none /a /b bind -> Mount(Mount { kind: Bind("/a", Alone), at: "/b", flags: MountFlags(0x0) })
     /a /b bind -> Mount(Mount { kind: Bind("/a", Alone), at: "/b", flags: MountFlags(0x0) })
    none /a /b bind,ro,nosuid -> Mount(Mount { kind: Bind("/a", Alone), at: "/b", flags: MountFlags(NOSUID | RDONLY) })
    none /a /b rbind -> Mount(Mount { kind: Bind("/a", Below), at: "/b", flags: MountFlags(0x0) })
    none /a /b bind,rec -> Mount(Mount { kind: Bind("/a", Below), at: "/b", flags: MountFlags(0x0) })
    none none /b remount,bind,ro -> Mount(Mount { kind: Remount(""), at: "/b", flags: MountFlags(BIND | RDONLY) })
    none none /b remount,ro size=1m -> Mount(Mount { kind: Remount("size=1m"), at: "/b", flags: MountFlags(RDONLY) })
    none /a /b move -> Mount(Mount { kind: Move("/a"), at: "/b", flags: MountFlags(0x0) })
    none none / rec,private -> Mount(Mount { kind: Propagation(MountPropagationFlags(PRIVATE | REC)), at: "/", flags: MountFlags(0x0) })
    none none / rslave -> Mount(Mount { kind: Propagation(MountPropagationFlags(DOWNSTREAM | REC)), at: "/", flags: MountFlags(0x0) })
    none none / unbindable -> Mount(Mount { kind: Propagation(MountPropagationFlags(UNBINDABLE)), at: "/", flags: MountFlags(0x0) })
    none none / shared -> Mount(Mount { kind: Propagation(MountPropagationFlags(SHARED)), at: "/", flags: MountFlags(0x0) })
    ext4 /dev/sda1 /x ro,rw,relatime,strictatime -> Mount(Mount { kind: New("ext4", "/dev/sda1", ""), at: "/x", flags: MountFlags(RELATIME | STRICTATIME) })
    ext4 /dev/sda1 /x defaults -> Mount(Mount { kind: New("ext4", "/dev/sda1", ""), at: "/x", flags: MountFlags(0x0) })
    "#);
    let table = ["/a", "/a force", "/a detach,rec", "/a lazy"];
    let unmount =
        |text: &&str| format!("{text} -> {:?}", Hook::parse(Verb::Umount, text).expect("fine").action);
    insta::assert_snapshot!(table.iter().map(unmount).collect::<Vec<_>>().join("\n"), @r#"
    /a -> Unmount(Unmount { at: "/a", flags: UnmountFlags(0x0), depth: Alone })
    /a force -> Unmount(Unmount { at: "/a", flags: UnmountFlags(FORCE), depth: Alone })
    /a detach,rec -> Unmount(Unmount { at: "/a", flags: UnmountFlags(DETACH), depth: Below })
    /a lazy -> Unmount(Unmount { at: "/a", flags: UnmountFlags(DETACH), depth: Alone })
    "#);
}

#[test]
fn what_is_wrong_with_a_hook_is_told_when_it_is_read() {
    let table = [
        "mkdir",
        "mkdri:/a",
        "mkdir:",
        "chmod:/a",
        "chmod:/a 9",
        "chmod:/a 75",
        "chmod:/a 0750 x",
        "chown:/a alice",
        "chown:/a -1 0",
        "chown2:/a alice 0",
        "chown2:/a 4294967295 0",
        "exit:256",
        "exit:-1",
        "exit:x",
        "hostname:a b",
        "ifup:a/b",
        "ifup:abcdefghijklmnop",
        "putenv:A",
        "exec:",
        "wait_for_socket:localhost:80",
        "mount:proc /proc",
        "call:f",
        "callint:f 1",
        "rpc:f",
        "alarm:a b",
        "unix_signal:1 f",
        "perl:x",
        "!exec",
    ];
    let hooks: Vec<String> = table.iter().map(|text| wrong(Verb::Hook, text)).collect();
    insta::assert_snapshot!(hooks.join("\n"), @r"
    mkdir -> `mkdir` has no colon; write HANDLER:ARGUMENTS, such as mkdir:/run/app
    mkdri:/a -> no handler of hooks is called `mkdri`; did you mean `mkdir`?
    mkdir: -> needs a value; write the value after `=`
    chmod:/a -> chmod takes a path and a mode; write chmod:PATH MODE, such as chmod:/run/app 0750
    chmod:/a 9 -> `9` is no mode; use three or four octal digits, such as 660
    chmod:/a 75 -> `75` is no mode; use three or four octal digits, such as 660
    chmod:/a 0750 x -> chmod takes a path and a mode; write chmod:PATH MODE, such as chmod:/run/app 0750
    chown:/a alice -> it takes a path, a user and a group; write chown:PATH USER GROUP
    chown:/a -1 0 -> `-1` is neither a name nor a number; use a name or a number
    chown2:/a alice 0 -> `alice` is not a whole number; use digits only, such as 30
    chown2:/a 4294967295 0 -> `4294967295` is no id that a process can have; use a number below 4294967295
    exit:256 -> `256` is no exit status; use 0 to 255
    exit:-1 -> `-1` is negative; use 0 or more
    exit:x -> `x` is not a whole number; use digits only, such as 30
    hostname:a b -> `a b` is no host name; use letters, digits, `.` and `-`
    ifup:a/b -> `a/b` is no interface; use a name of at most 15 bytes, such as lo
    ifup:abcdefghijklmnop -> `abcdefghijklmnop` is no interface; use a name of at most 15 bytes, such as lo
    putenv:A -> `A` is not NAME=VALUE; write: NAME=VALUE
    exec: -> needs a value; write the value after `=`
    wait_for_socket:localhost:80 -> `localhost:80` is no address; use :PORT, 127.0.0.1:PORT, [::1]:PORT, a path or @NAME; names of hosts are not looked up
    mount:proc /proc -> a mount has three words or more; write FS WHAT WHERE [FLAGS [DATA]], such as: tmpfs none /tmp nosuid,nodev size=64m
    call:f -> `call` calls a function inside of uWSGI, and there is none here; use `exec` with a program instead, or have vassals run by uwsgi: `binary-path` in the Emperor's config
    callint:f 1 -> `callint` calls a function inside of uWSGI, and there is none here; use `exec` with a program instead, or have vassals run by uwsgi: `binary-path` in the Emperor's config
    rpc:f -> `rpc` needs the RPC of uWSGI; use exec:PROGRAM
    alarm:a b -> `alarm` needs the alarms of uWSGI; use exec:PROGRAM or print:TEXT
    unix_signal:1 f -> `unix_signal` binds a signal to a function inside of uWSGI, and there is none here; signals reach the command as they are: let it handle them
    perl:x -> `perl` needs a plugin of uWSGI; use `exec` with a program instead, or have vassals run by uwsgi: `binary-path` in the Emperor's config
    !exec -> this hidden hook is not understood; take its `!` away to be told why
    ");
    let mounts = [
        "",
        "proc none",
        "proc none /a nsuid",
        "proc none /a detach",
        "tmpfs none /a size=1m",
        "none /a /b bind,private",
        "x x /b rec",
    ];
    let mounts: Vec<String> = mounts.iter().map(|text| wrong(Verb::Mount, text)).collect();
    insta::assert_snapshot!(mounts.join("\n"), @r"
     -> a mount has three words or more; write FS WHAT WHERE [FLAGS [DATA]], such as: tmpfs none /tmp nosuid,nodev size=64m
    proc none -> a mount has three words or more; write FS WHAT WHERE [FLAGS [DATA]], such as: tmpfs none /tmp nosuid,nodev size=64m
    proc none /a nsuid -> `nsuid` is no flag of a mount; use flags of mount(8): ro, nosuid, nodev, noexec, noatime, bind, rbind, rec, remount, move, private, …
    proc none /a detach -> `detach` is no flag of a mount; use flags of mount(8): ro, nosuid, nodev, noexec, noatime, bind, rbind, rec, remount, move, private, …
    tmpfs none /a size=1m -> `size=1m` is no flag of a mount; options of the file system stand behind the flags: tmpfs none /tmp defaults size=64m
    none /a /b bind,private -> a mount cannot be made and its propagation changed at once; write two mounts, one after the other
    x x /b rec -> `rec` without `bind` or a propagation; use flags of mount(8): ro, nosuid, nodev, noexec, noatime, bind, rbind, rec, remount, move, private, …
    ");
    let unmounts: Vec<String> =
        ["", "/a ro", "/a rec x"].iter().map(|text| wrong(Verb::Umount, text)).collect();
    insta::assert_snapshot!(unmounts.join("\n"), @r"
     -> an umount has one word or two; write WHERE [FLAGS], with flags: force, detach, rec
    /a ro -> `ro` is no flag of umount; write WHERE [FLAGS], with flags: force, detach, rec
    /a rec x -> an umount has one word or two; write WHERE [FLAGS], with flags: force, detach, rec
    ");
}

#[test]
fn a_wrong_hook_has_its_place_and_a_hidden_one_is_not_shown() {
    let text = "command = a\nhook-as-root = mkdri:/a\nhook-pre-app = !exce:echo secret\ncall-as-root = f\n\
                hook-post-fork = print:a\nmount-as-root = proc none\n";
    let told = refused(text);
    assert!(!told.contains("secret"), "{told}");
    insta::assert_snapshot!(told, @r"
    a.ini:3:16: `hook-as-root`: no handler of hooks is called `mkdri`
      hook-as-root = mkdri:/a
                     ^
      did you mean `mkdir`?
    a.ini:4:16: `hook-pre-app`: this hidden hook is not understood
      hook-pre-app = !(hidden)
                     ^
      take its `!` away to be told why
    a.ini:5:1: `call-as-root` calls a function inside of uWSGI, and there is none here
      call-as-root = f
      ^
      use exec-as-root = PROGRAM
    a.ini:6:1: `hook-post-fork` belongs to the workers of uWSGI, and a command has none that we fork
      hook-post-fork = print:a
      ^
      use `exec` with a program instead, or have vassals run by uwsgi: `binary-path` in the Emperor's config
    a.ini:7:17: `mount-as-root`: a mount has three words or more
      mount-as-root = proc none
                      ^
      write FS WHAT WHERE [FLAGS [DATA]], such as: tmpfs none /tmp nosuid,nodev size=64m
    ");
}

#[test]
fn what_is_hidden_is_not_part_of_its_name() {
    let hook = Hook::parse(Verb::Hook, "!putenv:KEY=secret").expect("a hook");
    assert_eq!(hook.named(jail::Phase::AsRoot), "hook-as-root (hidden)");
    assert_eq!(hook.action, Action::PutEnv("KEY".into(), "secret".into()));
}
