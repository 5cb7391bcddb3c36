//! Programs that the tests run, from the distribution's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::program;

/// What the tests need: package, and a program by which it is known to be there, if it has one.
pub const NEEDED: &[(&str, &str)] = &[
    ("uwsgi-core", "uwsgi-core"),
    ("uwsgi-plugin-python3", "uwsgi_python3"),
    ("uwsgi-infrastructure-plugins", "uwsgi-infrastructure-plugins"),
    ("python3-zmq", "python3-zmq"),
    ("uwsgi-app-integration-plugins", "uwsgi-app-integration-plugins"),
    ("uwsgi-plugin-php", "uwsgi-plugin-php"),
    ("uwsgi-plugin-gevent-python3", "uwsgi-plugin-gevent-python3"),
    ("uwsgi-plugin-rbthreads", "uwsgi-plugin-rbthreads"),
    ("uwsgi-plugin-asyncio-python3", "uwsgi-plugin-asyncio-python3"),
    ("busybox-static", "busybox-static"),
    ("vim", "vim"),
    ("tmux", "tmux"),
    ("less", "less"),
    ("rsync", "rsync"),
    ("curl", "curl"),
    ("procps", "ps"),
    ("iproute2", "ip"),
    ("iputils-ping", "ping"),
    ("nftables", "nft"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("libcap2-bin", "setcap"),
    ("sudo", "sudo"),
    ("openssl", "openssl"),
    ("redis-tools", "redis-cli"),
    ("dropbear-bin", "dropbear"),
    ("openssh-client", "ssh"),
    ("tmux", "tmux"),
    ("memcached", "memcached"),
    ("redis-server", "redis-server"),
    ("postgresql-15", "postgresql-15"),
    ("postgresql-client-15", "psql"),
    ("python3-celery", "python3-celery"),
    ("supervisor", "supervisord"),
    ("openssh-server", "sshd"),
    ("openssh-sftp-server", "openssh-sftp-server"),
    ("less", "less"),
    ("golang-github-containers-common", "golang-github-containers-common"),
    ("vagrant", "vagrant"),
    // What benches compare with.
    ("bubblewrap", "bwrap"),
    ("crun", "crun"),
    ("runc", "runc"),
    ("mmdebstrap", "mmdebstrap"),
    ("slirp4netns", "slirp4netns"),
    ("passt", "pasta"),
    ("dtach", "dtach"),
    // The fuzzer is written in it.
    ("g++", "g++"),
];

/// Installs what is missing and asks nothing. What cannot be installed is told, and the tests that need it
/// skip themselves.
pub fn provide(needed: &[(&'static str, &str)]) {
    let missing = missing(needed);
    if missing.is_empty() {
        return;
    }
    let list = missing.join(" ");
    println!("xtask: installing {list}");
    if let Err(error) = apt(&missing) {
        println!("xtask: cannot install {list}: {error:#}");
        println!("xtask: install by hand what these stand for; tests that need one of them are skipped");
    }
}

/// Installs a package of the distribution's backports, from the archive at `mirror`, whether they are among the sources
/// of this machine or not. What cannot be is told.
pub fn backport(package: &str, mirror: &str, sources: &Path) {
    println!("xtask: installing {package}");
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or_default();
    let suite = format!("{}-backports", name.trim_matches('"'));
    if let Err(error) = from_suite(package, &suite, mirror, sources) {
        println!("xtask: cannot install {package} of {suite}: {error:#}");
    }
}

/// `sources` is a file that is written: the list of this machine and one line more.
fn from_suite(package: &str, suite: &str, mirror: &str, sources: &Path) -> Result<()> {
    let list = std::fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    std::fs::write(sources, format!("{list}\ndeb {mirror} {suite} main\n"))?;
    let list = format!("-oDir::Etc::sourcelist={}", sources.display());
    program::run(as_root()?.args(["apt-get", "-q", &list, "update"]))?;
    install_now(&[&list, &format!("--target-release={suite}"), package])
}

fn missing(needed: &[(&'static str, &str)]) -> Vec<&'static str> {
    needed.iter().filter(|(package, name)| !is_there(package, name)).map(|(package, _)| *package).collect()
}

fn is_there(package: &str, name: &str) -> bool {
    program::find(name).is_some() || on_sbin(name) || is_installed(package)
}

/// An ordinary user's `PATH` lacks the directories of the super-user.
fn on_sbin(name: &str) -> bool {
    ["/usr/sbin", "/sbin"].iter().any(|directory| std::path::Path::new(directory).join(name).exists())
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]).stderr(Stdio::null());
    query.output().is_ok_and(|output| output.stdout == b"installed")
}

fn apt(packages: &[&str]) -> Result<()> {
    if program::find("apt-get").is_none() {
        bail!("there is no apt-get here");
    }
    if install_now(packages).is_ok() {
        return Ok(());
    }
    program::run(as_root()?.args(["apt-get", "-q", "update"]))?;
    install_now(packages)
}

fn install_now(packages: &[&str]) -> Result<()> {
    let fixed = ["apt-get", "-q", "-y", "--no-install-recommends", "install"];
    program::run(as_root()?.args(fixed).args(packages).stdin(Stdio::null()))
}

/// `env` as root: directly, or by a sudo that asks for no password.
fn as_root() -> Result<Command> {
    let mut command = if program::is_root() {
        Command::new("env")
    } else if Command::new("sudo")
        .args(["-n", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    } else {
        bail!("not root, and sudo wants a password or is not there");
    };
    command.arg("DEBIAN_FRONTEND=noninteractive");
    Ok(command)
}
