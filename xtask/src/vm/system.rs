//! A Debian with systemd, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::program;
use crate::test::packages;

use super::archive::mirror;
use super::store;

/// Package, and a program by which it is known to be there.
const NEEDED: [(&str, &str); 2] = [("mmdebstrap", "mmdebstrap"), ("e2fsprogs", "mke2fs")];
const SUITE: &str = "bookworm";
const PACKAGES: &str = "systemd,systemd-sysv,dbus,procps,util-linux,python3,iproute2,openssh-server";
/// Raised when what follows changes, so that nobody goes on with an older one.
const RECIPE: u32 = 5;
/// Of the image; what is not used takes no room.
const SIZE: &str = "1G";
/// They would only take time.
const MASKED: [&str; 7] = [
    "ssh.service",
    "systemd-timesyncd.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "e2scrub_reap.service",
];

/// The image of its root file system.
///
/// # Errors
/// mmdebstrap or the archive of packages is not there, or we are not root.
pub fn image() -> Result<PathBuf> {
    let image = store().join(format!("{SUITE}-{RECIPE}.ext4"));
    if !image.exists() {
        ensure!(program::is_root(), "an image with systemd is made by root");
        packages::provide(&NEEDED);
        println!("xtask: making an image of {SUITE} with systemd, once (a minute or two)");
        let tree = store().join("tree.new");
        let _ = fs::remove_dir_all(&tree);
        bootstrap(&tree).context("cannot make an image with systemd")?;
        furnish(&tree)?;
        pack(&tree, &image)?;
        fs::remove_dir_all(&tree)?;
    }
    Ok(image)
}

fn bootstrap(tree: &Path) -> Result<()> {
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "--mode=root", &format!("--include={PACKAGES}")]);
    command.args(["--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\""]);
    command.args(["--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*"]);
    command.args(["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*"]);
    program::run(command.arg(SUITE).arg(tree).arg(mirror()?))
}

fn furnish(tree: &Path) -> Result<()> {
    let units = tree.join("etc/systemd/system");
    fs::create_dir_all(units.join("multi-user.target.wants"))?;
    fs::create_dir_all(tree.join("payload"))?;
    fs::copy(program::top().join("tests-vm/guest/agent.service"), units.join("agent.service"))?;
    std::os::unix::fs::symlink("../agent.service", units.join("multi-user.target.wants/agent.service"))?;
    for unit in MASKED {
        let _ = fs::remove_file(units.join(unit));
        std::os::unix::fs::symlink("/dev/null", units.join(unit))?;
    }
    fs::write(tree.join("etc/fstab"), "/dev/vda / ext4 rw,noatime 0 1\n")?;
    fs::write(tree.join("etc/hostname"), "liege-vm\n")?;
    // Empty: made anew at each boot.
    fs::write(tree.join("etc/machine-id"), "")?;
    Ok(())
}

fn pack(tree: &Path, image: &Path) -> Result<()> {
    let new = image.with_extension("new");
    let file = fs::File::create(&new)?;
    drop(file);
    program::run(Command::new("truncate").args(["-s", SIZE]).arg(&new))?;
    let mut make = Command::new("mke2fs");
    make.args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d"]).arg(tree).arg(&new);
    program::run(&mut make)?;
    Ok(fs::rename(&new, image)?)
}
