//! What a machine has on board: drivers, busybox, the program under test and the cases, in one initial RAM disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::scratch::Scratch;
use crate::{dist, program};

use super::cases::{Case, Extra};
use super::kernel::Fetched;
use super::{apparmor, store};

/// Users that the cases may name.
const PASSWD: &str = "root:x:0:0::/:/bin/sh\nalice:x:61001:61001::/:/bin/sh\nbob:x:61002:61002::/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nalice:x:61001:\nbob:x:61002:\n";

/// Has cargo build what the cases test.
///
/// # Errors
/// It cannot be built.
pub fn build() -> Result<()> {
    program::run(program::cargo().args(["build", "--quiet", "--package", "liege", "--bin", "liege"]))
}

/// The initial RAM disk for these cases.
///
/// # Errors
/// Something is not there, or cannot be packed.
pub fn initrd(scratch: &Scratch, kernel: &Fetched, cases: &[Case]) -> Result<PathBuf> {
    let tree = scratch.path().join("tree");
    for directory in ["bin", "dev", "proc", "etc", "modules", "payload/packaging"] {
        fs::create_dir_all(tree.join(directory))?;
    }
    let busybox = program::find("busybox").context("there is no busybox here")?;
    fs::copy(busybox, tree.join("bin/busybox"))?;
    fs::write(tree.join("etc/passwd"), PASSWD)?;
    fs::write(tree.join("etc/group"), GROUP)?;
    let tests = program::top().join("tests-vm");
    fs::copy(tests.join("guest/init"), tree.join("init"))?;
    copy_all(&kernel.modules(), &tree.join("modules"))?;
    copy_all(&tests, &tree.join("payload"))?;
    let list: String = cases.iter().map(|case| format!("{} {}\n", case.name, case.seconds)).collect();
    fs::write(tree.join("payload/list"), list)?;
    copy_all(&program::top().join("packaging"), &tree.join("payload/packaging"))?;
    let wanted = |extra| cases.iter().any(|case| case.extras.contains(&extra));
    programs(&tree.join("payload"), wanted(Extra::Package))?;
    if wanted(Extra::AppArmor) {
        parser(&tree.join("payload/apparmor"));
    }
    pack(&tree, &scratch.path().join("initrd"))
}

/// The program under test as cargo has built it, its package, and the glutton of the cases.
fn programs(payload: &Path, package: bool) -> Result<()> {
    let liege = program::top().join("target").join(target_of_ours()).join("debug/liege");
    program::run(Command::new("strip").arg("-o").arg(payload.join("liege")).arg(&liege))?;
    if package {
        fs::copy(dist::package_of(&liege, &store().join("dist"))?, payload.join("liege.deb"))?;
    }
    let hog = payload.join("hog.c");
    program::run(
        Command::new("gcc").args(["-O1", "-static", "-pthread", "-o"]).arg(payload.join("hog")).arg(hog),
    )
}

/// A case that does not find it says so.
fn parser(to: &Path) {
    let copied = apparmor::fetch().and_then(|from| {
        fs::create_dir_all(to)?;
        copy_all(&from, to)
    });
    if let Err(error) = copied {
        println!("xtask: {error:#}");
    }
}

/// Cargo names the directory after the target that `.cargo/config.toml` asks for.
fn target_of_ours() -> String {
    let ours = std::env::current_exe().unwrap_or_default();
    let target = ours.ancestors().nth(2).and_then(Path::file_name);
    target.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    program::run(Command::new("cp").arg("-a").arg(from.join(".")).arg(to))
}

fn pack(tree: &Path, initrd: &Path) -> Result<PathBuf> {
    let file = fs::File::create(initrd)?;
    let mut find = Command::new("find").arg(".").current_dir(tree).stdout(Stdio::piped()).spawn()?;
    let names = find.stdout.take().context("find has no output")?;
    let mut cpio = Command::new("cpio");
    cpio.args(["--create", "--format=newc", "--quiet", "--owner=0:0"]).current_dir(tree);
    program::run(cpio.stdin(names).stdout(file))?;
    find.wait()?;
    Ok(initrd.to_owned())
}
