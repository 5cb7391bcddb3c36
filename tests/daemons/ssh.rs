//! dropbear in the jail of a vassal, as uWSGI's manual has it: a real ssh logs in as the tenant.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use super::emperor::Place;
use super::told::{Court, lives, until};

/// Whoever the tenant is.
const TENANT: u32 = 54321;
/// From which a person would notice a leak.
const ROUNDS: &str = "50";

/// A root for `namespace`, with the programs of the host in it, and keys.
fn place(config: &str) -> Place {
    let place = Place::new(config);
    let root = place.path("ns");
    for name in ["usr", "etc/dropbear", "dev/pts", "proc", "tmp", "run", "var", "home/tenant/.ssh"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    std::fs::set_permissions(root.join("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    for (name, major, minor) in
        [("null", 1, 3), ("zero", 1, 5), ("urandom", 1, 9), ("random", 1, 8), ("tty", 5, 0), ("ptmx", 5, 2)]
    {
        node(&root.join("dev").join(name), (major, minor));
    }
    let line = "tenant:x:54321:54321::/home/tenant:/bin/sh\n";
    std::fs::write(root.join("etc/passwd"), line).unwrap();
    std::fs::write(root.join("etc/group"), "tenant:x:54321:\n").unwrap();
    std::fs::write(root.join("etc/shells"), "/bin/sh\n").unwrap();
    std::fs::write(root.join("home/tenant/.profile"), "PS1='ready> '\n").unwrap();
    let host_key = root.join("etc/dropbear/dropbear_ed25519_host_key");
    run(Command::new("dropbearkey").args(["-t", "ed25519", "-f"]).arg(host_key));
    let key = place.path("key");
    run(Command::new("ssh-keygen").args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(&key));
    std::fs::copy(place.path("key.pub"), root.join("home/tenant/.ssh/authorized_keys")).unwrap();
    own(&root.join("home/tenant"));
    place
}

fn own(path: &Path) {
    chown(path, Some(TENANT), Some(TENANT)).unwrap();
    if path.is_dir() {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
        path.read_dir().unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}

fn node(path: &Path, (major, minor): (u32, u32)) {
    let (mode, device) = (rustix::fs::Mode::from_raw_mode(0o666), rustix::fs::makedev(major, minor));
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::CharacterDevice, mode, device).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// `ssh` or `scp` with what a test needs, in the network of this process. The first key of a host is the only one.
fn client(place: &Place, pid: i32, program: &str) -> Vec<String> {
    let known = format!("UserKnownHostsFile={}", place.path("known").display());
    let key = place.path("key").display().to_string();
    let net = format!("--net=/proc/{pid}/ns/net");
    let options = ["StrictHostKeyChecking=accept-new", &known, "LogLevel=ERROR", "BatchMode=yes"];
    let options = options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]);
    let words = ["nsenter".to_owned(), net, program.to_owned(), "-F".to_owned(), "none".to_owned()];
    words.into_iter().chain(options).chain(["-i".to_owned(), key]).collect()
}

fn start(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("TERM", "xterm");
    command
}

/// uWSGI's manual, with a user and the right to a port below 1024.
const MANUAL: &str = "unshare = fs,pid,uts,ipc,net
namespace = DIR/ns:testns
namespace-keep-mount = /dev/pts
namespace-keep-mount = /usr
uid = 54321
gid = 54321
cap = net_bind_service
exec-as-root = chown -R 54321 /etc/dropbear
attach-daemon = /usr/sbin/dropbear -j -k -p 1022 -E -F -I 300
";

#[test]
fn a_person_logs_in_by_ssh_and_has_a_terminal_in_the_jail_fifty_times_in_a_row() {
    let mut court = Court::at(place(MANUAL));
    court.wait("dropbear", "running", 1);
    let pid = court.inner_pid();
    let ssh = client(&court.place, pid, "ssh");
    let host = ["-p", "1022", "tenant@127.0.0.1"].map(str::to_owned);
    until("an answer", || {
        start(&ssh).args(&host).arg("true").output().unwrap().status.success().then_some(())
    });
    let output = run(start(&ssh).args(&host).arg("hostname; id -u; ls /home"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "testns\n54321\ntenant\n");
    let rounds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/ssh_rounds.py");
    let mut command = Command::new("python3");
    command.arg(rounds).arg(ROUNDS).args(&ssh).arg("-tt").args(&host).env("TERM", "xterm");
    run(&mut command);
    copy_a_file(&court, &client(&court.place, pid, "scp"));
    let outcome = court.stop();
    assert!(!lives(pid), "{}", outcome.errors);
}

fn copy_a_file(court: &Court, scp: &[String]) {
    let file = court.place.path("file");
    let text: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    std::fs::write(&file, &text).unwrap();
    run(start(scp).args(["-O", "-P", "1022"]).arg(&file).arg("tenant@127.0.0.1:copy"));
    assert_eq!(court.place.read("ns/home/tenant/copy"), text);
}

#[test]
fn one_word_is_enough_for_ssh_and_the_key_of_the_host_is_kept() {
    let config = MANUAL.lines().filter(|line| !line.contains("dropbear") && !line.starts_with("cap"));
    let config = config.collect::<Vec<_>>().join("\n") + "\nenv = HOME=/home/tenant\nssh = 2201\n";
    let mut court = Court::at(place(&config));
    let first = court.wait("ssh", "running", 1);
    let pid = court.inner_pid();
    let ssh = client(&court.place, pid, "ssh");
    let host = ["-p", "2201", "tenant@127.0.0.1"].map(str::to_owned);
    let logs_in = || start(&ssh).args(&host).arg("id -u").output().unwrap().stdout == b"54321\n";
    until("an answer", || logs_in().then_some(()));
    let key = court.place.path("ns/home/tenant/.ssh/liege_host_key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    // A session that is under way ends with the daemon.
    let mut session = start(&ssh)
        .args(&host)
        .arg("echo begun; exec sleep 1000")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(session.stdout.as_mut().unwrap(), &mut line).unwrap();
    court.steer("restart ssh");
    assert_ne!(court.wait("ssh", "running", 2), first);
    assert!(!session.wait().unwrap().success());
    until("an answer with the same key", || logs_in().then_some(()));
    // Whoever has no key is nobody, with or without a password.
    std::fs::rename(court.place.path("key"), court.place.path("lost")).unwrap();
    assert!(!logs_in());
    court.stop();
}

/// A root with nothing but a static busybox: no dropbear, no loader, no library.
fn bare_place(config: &str) -> Place {
    let place = place(config);
    let root = place.path("ns");
    ["bin", "sbin", "lib", "lib64"].iter().for_each(|name| std::fs::remove_file(root.join(name)).unwrap());
    std::fs::create_dir(root.join("bin")).unwrap();
    std::fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
    ["sh", "id", "ls", "mkdir", "tty"]
        .iter()
        .for_each(|name| symlink("busybox", root.join("bin").join(name)).unwrap());
    place
}

/// What files dropbear has open beside its output, in the jail of this process.
fn files_of_dropbear(pid: i32) -> Vec<String> {
    let link = |path: String| std::fs::read_link(path).map_or(String::new(), |to| to.display().to_string());
    let all =
        std::fs::read_dir("/proc").unwrap().filter_map(|one| one.unwrap().file_name().into_string().ok());
    let space = link(format!("/proc/{pid}/ns/pid"));
    let runs = |one: &String| link(format!("/proc/{one}/exe")).starts_with("/memfd:dropbear");
    let server = all
        .into_iter()
        .find(|one| runs(one) && link(format!("/proc/{one}/ns/pid")) == space)
        .expect("it runs");
    let numbers = std::fs::read_dir(format!("/proc/{server}/fd")).unwrap();
    let numbers = numbers.filter_map(|one| one.unwrap().file_name().into_string().ok());
    let files = numbers.filter(|number| number.parse::<i32>().is_ok_and(|number| number > 2));
    files
        .map(|number| link(format!("/proc/{server}/fd/{number}")))
        .filter(|file| file.starts_with('/'))
        .collect()
}

/// Row T2: what is lent is the tenant's to run and nobody's to change; his sessions run what his own root has.
#[test]
fn a_jail_without_dropbear_is_lent_that_of_the_host() {
    let config = MANUAL.lines().filter(|line| !line.contains("dropbear") && !line.starts_with("cap"));
    let config = config.filter(|line| !line.ends_with("/usr")).collect::<Vec<_>>().join("\n");
    let mut court = Court::at(bare_place(&(config + "\nenv = HOME=/home/tenant\nssh = 2201\n")));
    court.wait("ssh", "running", 1);
    let pid = court.inner_pid();
    let ssh = client(&court.place, pid, "ssh");
    let host = ["-p", "2201", "tenant@127.0.0.1"].map(str::to_owned);
    let says = |words: &str| start(&ssh).args(&host).arg(words).output().unwrap();
    until("an answer", || says("true").status.success().then_some(()));
    let text = |words: &str| String::from_utf8(says(words).stdout).unwrap();
    assert_eq!(
        text("id -u; ls /bin; echo $LD_PRELOAD$LIEGE_DROPBEAR"),
        "54321\nbusybox\nid\nls\nmkdir\nsh\ntty\n\n"
    );
    let terminal = run(start(&ssh).arg("-tt").args(&host).arg("tty"));
    assert!(String::from_utf8(terminal.stdout).unwrap().starts_with("/dev/pts/"));
    // A root of the jail that is the host's, too, could write to what it has a descriptor of.
    let held = files_of_dropbear(pid);
    assert!(held.len() > 4 && held.iter().all(|one| one.starts_with("/memfd:dropbear")), "{held:?}");
    // Twice: each session is another process of its own.
    assert!(says("true").status.success());
    court.steer("restart ssh");
    court.wait("ssh", "running", 2);
    until("an answer with the same key", || says("true").status.success().then_some(()));
    // No directory, so no way out of the jail; and what is a copy stays one.
    assert_eq!(text("for one in /proc/self/fd/*; do [ -d $one ] && echo $one; done; true"), "");
    let write = "case $(busybox readlink $one) in /memfd:*) (echo x >> $one) && echo written;; esac";
    assert_eq!(text(&format!("for one in /proc/self/fd/*; do {write}; done 2> /dev/null; true")), "");
    let outcome = court.stop();
    assert!(!lives(pid), "{}", outcome.errors);
}

/// What a vassal of the tenant says whose `ssh` cannot run, with these lines.
fn refusal(place: Place) -> String {
    let mut court = Court::at(place);
    court.wait("ssh", "throttled", 1);
    court.stop().errors
}

#[test]
fn what_ssh_lacks_is_told_with_what_to_do_about_it() {
    let tenant = "uid = 54321\ngid = 54321\nunshare = net\nssh = 2201\n";
    let homeless = refusal(Place::new(tenant));
    assert!(homeless.contains("user 54321 needs a line with a home of his own in /etc/passwd"), "{homeless}");
    let nowhere = Place::new(&format!("{tenant}env = HOME=DIR/home\nenv = PATH=/usr/bin:/bin"));
    nowhere.directory("home", TENANT, 0o700);
    let bare = refusal(nowhere);
    assert!(bare.contains("there is no dropbear") && bare.contains("apt install dropbear-bin"), "{bare}");
}
