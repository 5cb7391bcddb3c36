//! `cargo xtask dist`: one static program, as a tarball and as a Debian package, in `target/dist`.

mod debian;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds both. The tarball is made everywhere, the package where there is a `dpkg-deb`.
///
/// # Errors
/// Something cannot be built; the target of rustup is not there and cannot be fetched.
pub fn run() -> Result<bool> {
    let store = program::top().join("target/dist");
    let tree = tree::lay_out(&build()?, &store)?;
    println!("xtask: {}", tarball(&tree, &store)?.display());
    match program::find("dpkg-deb") {
        Some(_) => println!("xtask: {}", debian::package(&tree, &store)?.display()),
        None => println!("xtask: no dpkg-deb here, so no package for Debian"),
    }
    Ok(true)
}

/// The package of a program that was built already, in a directory of its own: for whoever tests the package and not
/// the compiler.
///
/// # Errors
/// It cannot be packed.
pub fn package_of(program: &Path, store: &Path) -> Result<PathBuf> {
    debian::package(&tree::lay_out(program, store)?, store)
}

/// Without any C library of the host, whatever the host is.
fn build() -> Result<PathBuf> {
    if program::find("rustup").is_some() {
        let target = target();
        program::output(Command::new("rustup").args(["target", "add", &target]))
            .with_context(|| format!("cannot fetch the target {target}"))?;
    }
    build_for_target()
}

/// The program as it is given to people, where the toolchain has its target already.
///
/// # Errors
/// It cannot be built.
pub fn build_if_possible() -> Result<Option<PathBuf>> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", &target()]);
    let libraries = program::output(&mut rustc).unwrap_or_default();
    if !Path::new(libraries.trim()).is_dir() {
        return Ok(None);
    }
    build_for_target().map(Some)
}

fn build_for_target() -> Result<PathBuf> {
    let target = target();
    let mut cargo = program::cargo();
    cargo.args(["build", "--release", "--package", "liege", "--bin", "liege", "--target", &target]);
    if program::find("musl-gcc").is_none() {
        // What is compiled of C asks for no header of a C library that the two have not in common.
        cargo.env(format!("CC_{}", target.replace('-', "_")), "cc");
    }
    program::run(&mut cargo)?;
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or(program::top().join("target"), PathBuf::from);
    Ok(directory.join(target).join("release/liege"))
}

fn tarball(tree: &Path, store: &Path) -> Result<PathBuf> {
    let name = format!("liege-{VERSION}-{}", target());
    let tarball = store.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--mode=u=rwX,go=rX"]);
    tar.arg(format!("--transform=s,^\\.,{name},")).arg("--file").arg(&tarball);
    program::run(tar.arg("-C").arg(tree).arg("."))?;
    Ok(tarball)
}

fn target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}
