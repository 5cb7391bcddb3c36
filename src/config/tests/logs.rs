use super::vassal::{read, refused};
use super::{load_text, sentences};

fn wrong(lines: &str) -> String {
    refused(&format!("command = /bin/true\nlogto = a.log\n{lines}"))
}

#[test]
fn what_would_do_nothing_is_refused() {
    for lines in
        ["log-keep = 3", "log-compress = true", "log-backupname = b", "touch-logreopen = r\nlog-keep = 3"]
    {
        assert!(wrong(lines).contains("nothing puts the log aside"), "{lines}");
    }
    assert!(wrong("log-maxsize = 1M\nlog-backupname = b\nlog-keep = 3").contains("beside `log-backupname`"));
}

#[test]
fn what_is_never_put_aside_may_say_how() {
    for lines in ["log-maxsize = 0\nlog-keep = 3", "touch-logrotate = r\nlog-compress = true"] {
        read(&format!("command = /bin/true\nlogto = a.log\n{lines}"));
    }
}

#[test]
fn words_of_logs_hold_for_those_of_daemons() {
    let daemon = "command = /bin/true\nattach-daemon2 = cmd=a,log=/l\n";
    for lines in ["log-maxsize = 1M\nlog-keep = 3", "touch-logreopen = r", "logto = /m\nlog-age = 1d"] {
        assert!(read(&format!("{daemon}{lines}")).logs.minding.is_any(), "{lines}");
    }
    read(&format!("{daemon}logto = /l\nlog-master = true"));
    read(&format!("{daemon}logto = /m\nlog-maxsize = 1M\nlog-backupname = b\nlog-keep = 3"));
    for (lines, wanted) in [
        ("log-maxsize = 1M\nlog-backupname = b", "`log-backupname` without `logto`"),
        ("log-keep = 3", "nothing puts the log aside"),
        ("logto = /l\nlog-maxsize = 1M", "the `log` of daemon `a` is another's too"),
        ("attach-daemon2 = cmd=b,log=/l\ntouch-logrotate = r", "the `log` of daemon `b` is another's too"),
    ] {
        assert!(refused(&format!("{daemon}{lines}")).contains(wanted), "{lines}");
    }
    let alone = refused("command = /bin/true\nattach-daemon2 = cmd=a\nlog-maxsize = 1M");
    assert!(alone.contains("`log-maxsize` without `logto`"), "{alone}");
}

#[test]
fn log_master_is_a_process_beside_the_command() {
    let is_minded = |lines: &str| read(&format!("command = /bin/true\n{lines}")).logs.is_minded();
    assert!(is_minded("logto = a.log\nlog-master = true"));
    assert!(!is_minded("logto = a.log\nlog-master = false"));
}

#[test]
fn what_of_files_would_do_nothing_is_refused() {
    let told = |lines: &str| {
        let loaded = load_text(&format!("[uwsgi]\nemperor = /v\n{lines}"));
        loaded.emperor().map(drop).map_err(|errors| sentences(&errors))
    };
    assert!(told("vassals-log-keep = 3").is_err_and(|text| text.contains("no files are written")));
    assert!(told("vassals-log = stderr\nvassals-log-maxsize = 0").is_err());
    assert!(told("vassals-log-keep = 3\nvassals-log = dir:/l").is_ok());
    assert!(
        told("log-master = true\nvassals-log = inherit").is_err_and(|text| text.contains("`log-master`"))
    );
    assert!(told("log-master = true").is_ok());
}
