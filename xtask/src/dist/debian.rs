//! A package for Debian and its kin, packed by `dpkg-deb`.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::program;

use super::VERSION;
use super::tree::copy;

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// They stay as the administrator has them, whatever a newer version brings.
const CONFIGS: &str = "/etc/liege/emperor.ini\n/etc/liege/vassals/README\n";
const AUTHORS: &str = "The liege authors <liege@localhost>";

/// The package of a tree: `bin`, `lib` and `share` go below `/usr`, `etc` is `/etc/liege`.
///
/// # Errors
/// Something cannot be written or packed.
pub fn package(tree: &Path, store: &Path) -> Result<PathBuf> {
    let root = store.join("debian");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("usr"))?;
    for part in ["bin", "lib", "share"] {
        copy_tree(&tree.join(part), &root.join("usr").join(part))?;
    }
    fs::create_dir_all(root.join("etc"))?;
    copy_tree(&tree.join("etc"), &root.join("etc/liege"))?;
    let overrides = program::top().join("packaging/debian/lintian-overrides");
    copy(&overrides, &root.join("usr/share/lintian/overrides/liege"))?;
    documents(&root.join("usr/share/doc/liege"))?;
    compress(&root)?;
    control(&root)?;
    pack(&root, store)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    program::run(Command::new("cp").arg("-a").arg(from).arg(to))
}

fn documents(doc: &Path) -> Result<()> {
    let top = program::top();
    copy(&top.join("packaging/debian/copyright"), &doc.join("copyright"))?;
    copy(&top.join("CHANGELOG.md"), &doc.join("changelog"))?;
    let when = program::output(Command::new("git").current_dir(top).args(["log", "-1", "--format=%aD"]))
        .or_else(|_| program::output(Command::new("date").arg("-R")))?;
    let news = "  * What is new: /usr/share/doc/liege/changelog.gz.";
    let entry = format!("liege ({VERSION}-1) unstable; urgency=medium\n\n{news}\n\n -- {AUTHORS}  {when}");
    Ok(fs::write(doc.join("changelog.Debian"), entry)?)
}

/// As Debian wants them.
fn compress(root: &Path) -> Result<()> {
    let share = root.join("usr/share");
    let mut gzip = Command::new("gzip");
    gzip.args(["--best", "--no-name"]).arg(share.join("man/man1/liege.1"));
    gzip.arg(share.join("doc/liege/changelog")).arg(share.join("doc/liege/changelog.Debian"));
    program::run(&mut gzip)
}

fn control(root: &Path) -> Result<()> {
    let control = root.join("DEBIAN");
    for script in SCRIPTS {
        copy(&program::top().join("packaging/debian").join(script), &control.join(script))?;
        fs::set_permissions(control.join(script), Permissions::from_mode(0o755))?;
    }
    fs::write(control.join("conffiles"), CONFIGS)?;
    fs::write(control.join("md5sums"), sums(root)?)?;
    let size = program::output(Command::new("du").args(["-sk", "--exclude=DEBIAN"]).arg(root))?;
    let size = size.split_whitespace().next().unwrap_or_default().to_owned();
    let architecture = program::output(Command::new("dpkg").arg("--print-architecture"))?;
    let head = fs::read_to_string(program::top().join("packaging/debian/control"))?;
    let mut text = format!("Package: liege\nVersion: {VERSION}-1\nArchitecture: {architecture}");
    let _ = write!(text, "Maintainer: {AUTHORS}\nInstalled-Size: {size}\n{head}");
    Ok(fs::write(control.join("control"), text)?)
}

fn sums(root: &Path) -> Result<String> {
    let list = "find usr etc -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum";
    program::output(Command::new("sh").args(["-c", list]).current_dir(root))
}

fn pack(root: &Path, store: &Path) -> Result<PathBuf> {
    program::run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(root))?;
    let architecture = program::output(Command::new("dpkg").arg("--print-architecture"))?;
    let package = store.join(format!("liege_{VERSION}-1_{}.deb", architecture.trim()));
    let mut pack = Command::new("dpkg-deb");
    program::run(pack.args(["--root-owner-group", "--build"]).arg(root).arg(&package))?;
    Ok(package)
}
