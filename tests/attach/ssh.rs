//! A login by ssh into a jail: the host's sshd with `ForceCommand liege attach --ssh`. No port is open: the client speaks with the
//! sshd that is its own child, where the files of accounts are ours.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::common::{ALICE, Emperor, Tree, eventually};
use super::seat::Seat;
use super::{IDLE, liege, run, text};

/// An sshd of the test's own.
struct Host {
    emperor: Emperor,
    options: Vec<String>,
}

impl Host {
    fn new() -> Self {
        let tree = Tree::new();
        tree.liege();
        tree.dir("ssh");
        let passwd = tree.path("ssh/passwd").display().to_string();
        let users = format!(
            "root:x:0:0::/:/bin/sh\nsshd:x:104:65534::/:/bin/false\nalice:x:{ALICE}:{ALICE}::/:/bin/sh\n"
        );
        std::fs::write(&passwd, users).unwrap();
        // The server of sftp wants to know its user by name.
        tree.vassal_of(
            ALICE,
            "alice.ini",
            &format!("exec-as-root = mount --bind {passwd} /etc/passwd\n{IDLE}"),
        );
        let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
        emperor.vassal("alice.ini").child_named("sleep");
        let at = |name: &str| emperor.tree.path(&format!("ssh/{name}"));
        for name in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            assert!(
                keygen
                    .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                    .arg(at(name))
                    .status()
                    .unwrap()
                    .success()
            );
        }
        let put = |name: &str, content: &str| {
            std::fs::write(at(name), content).unwrap();
            at(name)
        };
        std::fs::copy(at("key.pub"), at("keys")).unwrap();
        put("shadow", "root:*:1::::::\nalice:*:1::::::\n");
        let program = emperor.tree.path("liege").display().to_string();
        let control = emperor.tree.path("run/stats.sock.control").display().to_string();
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             Subsystem sftp /usr/lib/openssh/sftp-server\n\
             Match User alice\n    ForceCommand {program} attach --ssh {control} $USER\n    DisableForwarding yes\n    PermitUserRC no\n",
            at("host").display(),
            at("keys").display()
        );
        let config = put("config", &config);
        let script = format!(
            "mount --bind {0}/passwd /etc/passwd && mount --bind {0}/shadow /etc/shadow && mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec /usr/sbin/sshd -i -f {1}",
            emperor.tree.path("ssh").display(),
            config.display()
        );
        let script = put("sshd", &script);
        std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        let options = [
            format!("ProxyCommand=unshare --mount sh {}", script.display()),
            format!("IdentityFile={}", at("key").display()),
            "StrictHostKeyChecking=no".into(),
            "UserKnownHostsFile=/dev/null".into(),
            "LogLevel=ERROR".into(),
        ];
        Self { options: options.to_vec(), emperor }
    }

    /// `ssh`, `scp` or `sftp`, with these words.
    fn client(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(["-F", "none"]);
        self.options.iter().for_each(|option| _ = command.args(["-o", option]));
        command.args(words).stdin(Stdio::null());
        command
    }

    fn run(&self, name: &str, words: &[&str]) -> Output {
        self.client(name, words).output().unwrap()
    }

    /// That of the processes of the jail.
    fn namespace(&self) -> String {
        self.emperor.vassal("alice.ini").child_named("sleep").namespace("pid")
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.emperor.tree.path("ssh/file");
        std::fs::write(&path, content).unwrap();
        path
    }

    /// What a file of the jail's own `/tmp` holds.
    fn inside(&self, path: &str) -> Vec<u8> {
        run(&self.emperor, ALICE, &["exec", "alice", "--", "cat", path]).stdout
    }
}

/// True where one of them is not installed; then that is told.
fn lacks_sshd() -> bool {
    let lacks = ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/lib/openssh/sftp-server"]
        .iter()
        .any(|path| !std::path::Path::new(path).exists());
    if lacks {
        eprintln!("skipped: openssh-server is not installed");
    }
    lacks
}

#[test]
fn a_login_is_a_shell_in_the_jail_with_window_keys_and_exit_status() {
    if lacks_sshd() {
        return;
    }
    let host = Host::new();
    let ssh = host.client("ssh", &["-tt", "alice@jail"]);
    let (seen, status) = Seat::default()
        .send("exec bash --norc -i\r")
        .send("PS1='in-'; PS1+='bash '\r")
        .expect("in-bash ")
        .send("stty size; readlink /proc/self/ns/pid\r")
        .expect("24 80")
        .expect(&host.namespace())
        .resize(50, 132)
        .send("until test \"$(stty size)\" = '50 132'; do sleep 0.1; done; echo wi''der\r")
        .expect("wider")
        .send("sh -c 'trap \"echo hea\"\"rd; exit\" INT; echo lis\"\"tens; while :; do read x; done'\r")
        .expect("listens")
        .send("\x03")
        .expect("heard")
        .send("\r~~d\x7f\x7f")
        .send("\rexit 9\r")
        .sit(&ssh);
    assert_eq!(status, 9, "{seen}");
    host.emperor.wait_for("alice.ini", "attaches with `its shell`");
    host.emperor.stop();
}

#[test]
fn a_command_by_ssh_runs_in_the_jail_with_its_streams_apart() {
    if lacks_sshd() {
        return;
    }
    let host = Host::new();
    let output =
        host.run("ssh", &["alice@jail", "readlink /proc/self/ns/pid; id -u; echo wrong >&2; exit 7"]);
    assert_eq!(text(&output.stdout), format!("{}\n{ALICE}\n", host.namespace()), "{}", text(&output.stderr));
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("wrong\n", Some(7)));
    let tty = host.run("ssh", &["-tt", "alice@jail", "tty; exit 3"]);
    assert!(text(&tty.stdout).contains("/dev/pts/") && tty.status.code() == Some(3), "{}", text(&tty.stdout));
    host.emperor.stop();
}

#[test]
fn scp_and_sftp_see_the_files_of_the_jail() {
    if lacks_sshd() {
        return;
    }
    let host = Host::new();
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let file = host.file(&content).display().to_string();
    for (way, place) in [(&["-s"][..], "/tmp/by-sftp"), (&["-O"], "/tmp/by-rcp")] {
        let output = host.run("scp", &[way, &["-q", &file, &format!("alice@jail:{place}")]].concat());
        assert!(output.status.success(), "{way:?}: {}", text(&output.stderr));
        assert!(host.inside(place) == content && !std::path::Path::new(place).exists(), "{way:?}");
    }
    let back = host.emperor.tree.path("ssh/back");
    let batch = format!("get /tmp/by-sftp {}\nrm /tmp/by-sftp\n", back.display());
    let batch_file = host.emperor.tree.path("ssh/batch");
    std::fs::write(&batch_file, batch).unwrap();
    let output = host.run("sftp", &["-q", "-b", batch_file.to_str().unwrap(), "alice@jail"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(std::fs::read(back).unwrap() == content);
    assert!(host.inside("/tmp/by-sftp").is_empty());
    host.emperor.stop();
}

/// Row T7: who is cut off leaves nobody behind.
#[test]
fn a_client_of_ssh_that_is_killed_leaves_nobody_behind() {
    if lacks_sshd() {
        return;
    }
    let host = Host::new();
    let mut client = host.client("ssh", &["-tt", "alice@jail", "trap '' HUP; sleep 7777201"]);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let sleep = host.emperor.wait_for_programs("sleep", 1);
    client.kill().unwrap();
    client.wait().unwrap();
    sleep.iter().for_each(super::common::Process::wait_gone);
    eventually("the end of the session", || {
        (host.emperor.told("alice.ini", "is over after") == 1).then_some(())
    });
    assert!(liege(&host.emperor, ALICE, &["exec", "alice", "--", "true"]).status().unwrap().success());
    host.emperor.stop();
}
