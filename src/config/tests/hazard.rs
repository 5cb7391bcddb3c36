use crate::config::hazard::{Runner, judge};

#[test]
fn a_dangerous_value_is_recognised_and_its_safe_form_is_not() {
    use Runner::{Emperor, Master, Uwsgi};
    let table = [
        (Master, "chmod-socket", "666", "660"),
        (Uwsgi, "chmod-socket", "", "600"),
        (Master, "umask", "000", "027"),
        (Uwsgi, "uid", "root", "shop"),
        (Uwsgi, "gid", "0", "shop"),
        (Master, "add-gid", "docker", "shops"),
        (Master, "cap", "net_bind_service,CAP_SYS_ADMIN", "net_bind_service"),
        (Uwsgi, "stats", ":9191", "127.0.0.1:9191"),
        (Emperor, "emperor-stats", "0.0.0.0:80", "/run/liege.stats"),
        (Uwsgi, "socket", "[::]:3031", "[::1]:3031"),
        (Master, "socket", "/tmp/a", "/run/shop/a"),
        (Emperor, "emperor-pidfile", "/tmp/pid", "/run/liege.pid"),
        (Master, "logto", "/dev/shm/log", "/var/log/shop"),
        (Master, "exec-as-root", "/home/shop/x y", "/usr/local/lib/x y"),
        (Emperor, "exec-as-emperor", "./x", "ip link"),
        (Master, "privileged-binary-patch", "~/x", "/usr/sbin/x"),
    ];
    for (runner, name, dangerous, safe) in table {
        assert!(judge(name, dangerous, runner).is_some(), "{name} = {dangerous}");
        assert_eq!(judge(name, safe, runner), None, "{name} = {safe}");
    }
}

#[test]
fn what_is_dangerous_depends_on_who_does_it() {
    assert_eq!(judge("uid", "root", Runner::Emperor), None);
    assert_eq!(judge("socket", ":3031", Runner::Master), None);
    assert_eq!(judge("cap", "setuid,setgid,sys_admin", Runner::Emperor), None);
}
